"""Published models by name: what each says, and where it lies."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from curation.errors import ConfigError, EnvironmentFault
from curation.model_store import cache_folder
from curation.score.batches import INVALID_UNICODE, NO_TOKEN, is_valid_unicode
from curation.score.fasttext import FastTextQuality
from curation.score.loading import absent_part
from curation.score.outputs import EduScore, LabelProbabilities, Outputs, TopClass
from curation.score.sequence import Scores

FOLDER_VARIABLE = "CURATION_MODELS"
"""Environment variable: the folder of fetched models, `$CURATION_MODELS/<owner>/<name>`."""


@dataclass(frozen=True)
class PublishedClassifier:
    """A classifier in a Hugging Face folder."""

    id: str
    outputs: Outputs
    max_tokens: int
    """Tokens that its authors read of a text."""
    labels: tuple[str, ...] = ()
    """Classes, as its model card lists them; what is read is its own config.json."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of its scores."""
        return self.outputs.column_names

    def absent(self, folder: Path) -> str | None:
        """What `folder` lacks of it; None if nothing."""
        return absent_part(folder)


@dataclass(frozen=True)
class PublishedFastText:
    """A fastText model with the labels `hq` and `cc`."""

    id: str
    file: str
    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns of its scores."""
        return (self.column,)

    def absent(self, folder: Path) -> str | None:
        """What `folder` lacks of it; None if nothing."""
        return None if (folder / self.file).is_file() else self.file


Published = PublishedClassifier | PublishedFastText

_DOMAINS = (
    "Adult", "Arts_and_Entertainment", "Autos_and_Vehicles", "Beauty_and_Fitness",
    "Books_and_Literature", "Business_and_Industrial", "Computers_and_Electronics", "Finance",
    "Food_and_Drink", "Games", "Health", "Hobbies_and_Leisure", "Home_and_Garden",
    "Internet_and_Telecom", "Jobs_and_Education", "Law_and_Government", "News",
    "Online_Communities", "People_and_Society", "Pets_and_Animals", "Real_Estate", "Science",
    "Sensitive_Subjects", "Shopping", "Sports", "Travel_and_Transportation",
)  # fmt: skip
_CONTENT_TYPES = (
    "Product/Company/Organization/Personal Websites", "Explanatory Articles", "News", "Blogs",
    "MISC", "Boilerplate Content", "Analytical Exposition", "Online Comments", "Reviews",
    "Books and Literature", "Conversational",
)  # fmt: skip
TOXIC_LABELS = (
    "toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat",
    "sexual_explicit",
)  # fmt: skip
"""Of the model of toxicity; its nine others say whom a text mentions, not what it does to them."""
UNWANTED_LABELS = frozenset(TOXIC_LABELS) | {
    "toxic", "severe_toxic", "identity_hate", "hate", "hateful", "offensive", "abusive", "nsfw",
    "spam",
}  # fmt: skip
"""Labels, in lower case, of which a high probability speaks against a text: those above, and what
other classifiers of harm or of spam call theirs."""

# Licences, as the model cards say: of the two educational classifiers NVIDIA Open Model License,
# their base model Apache 2.0; of the fastText model MIT; of the domains Apache 2.0; of the types of
# content NVIDIA Open Model License; of toxicity Apache 2.0.
_MODELS: tuple[Published, ...] = (
    PublishedClassifier(
        "nvidia/nemocurator-fineweb-mixtral-edu-classifier",
        EduScore("edu_mixtral"),
        max_tokens=512,
    ),
    PublishedClassifier(
        "nvidia/nemocurator-fineweb-nemotron-4-edu-classifier",
        EduScore("edu_nemotron"),
        max_tokens=512,
    ),
    PublishedFastText(
        "mlfoundations/fasttext-oh-eli5",
        file="openhermes_reddit_eli5_vs_rw_v2_bigram_200k_train.bin",
        column="fasttext",
    ),
    PublishedClassifier(
        "nvidia/domain-classifier",
        TopClass("domain", n_classes=26),
        max_tokens=512,
        labels=_DOMAINS,
    ),
    PublishedClassifier(
        "nvidia/content-type-classifier-deberta",
        TopClass("speech", n_classes=11),
        max_tokens=1024,
        labels=_CONTENT_TYPES,
    ),
    # Not s-nlp/roberta_toxicity_classifier: its card names OpenRAIL++ and CC BY-NC-SA at once, it
    # is of RoBERTa's large size, and it knows one label. This one is Apache 2.0, of base size, and
    # trained not to take the mention of a group for toxicity, for which good text would be lost.
    PublishedClassifier(
        "unitary/unbiased-toxic-roberta",
        LabelProbabilities(tuple((label, label) for label in TOXIC_LABELS), exclusive=False),
        max_tokens=512,
        labels=TOXIC_LABELS,
    ),
)
PUBLISHED: dict[str, Published] = {model.id: model for model in _MODELS}
"""Models by their Hugging Face id."""


def published(name: str) -> Published:
    """The model with the Hugging Face id `name`.

    Raises:
        ConfigError: it is not one of `PUBLISHED`, which the message names.
    """
    if name not in PUBLISHED:
        raise ConfigError(f"model `{name}` is not known; known are {', '.join(PUBLISHED)}")
    return PUBLISHED[name]


def models_folder() -> Path:
    """Where fetched models lie: `$CURATION_MODELS`, or the models of `$CURATION_CACHE`."""
    named = os.environ.get(FOLDER_VARIABLE, "").strip()
    return Path(named).expanduser() if named else cache_folder()


def find_model(name: str, root: Path | None = None) -> Path:
    """Folder `<root>/<name>` of the published model `name`, with all that loading it needs.

    Args:
        name: Its Hugging Face id.
        root: Folder of all models; None for `models_folder()`.

    Raises:
        ConfigError: the model is not known.
        EnvironmentFault: it is not there; the message says what is absent and how to fetch it.
    """
    model = published(name)
    folder = (root or models_folder()) / name
    if absent := model.absent(folder):
        raise EnvironmentFault(
            f"model `{name}`: no {absent} in {folder}; fetch it: "
            f"huggingface-cli download {name} --local-dir {folder} "
            f"(newer versions call the command hf), or set {FOLDER_VARIABLE} to where models are"
        )
    return folder


class FastTextClassifier:
    """A fastText model whose scores have the form of the other classifiers'."""

    def __init__(self, model: FastTextQuality, column: str) -> None:
        self._model = model
        self._column = column

    def score_texts(self, texts: list[str]) -> Scores:
        """P(hq) of each text, whole; a text without a word, or not valid Unicode, has none."""
        scores = self._model.score_texts(texts)
        reasons = [
            _why_unscored(text) if np.isnan(score) else None
            for text, score in zip(texts, scores, strict=True)
        ]
        return Scores({self._column: scores}, reasons, n_halvings=0)


def _why_unscored(text: str) -> str:
    return NO_TOKEN if is_valid_unicode(text) else INVALID_UNICODE
