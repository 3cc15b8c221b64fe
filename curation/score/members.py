"""Members of the ensemble as the configuration declares them: found, told apart, loaded."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from curation.config import MemberConfig, ScoreConfig, fingerprint
from curation.errors import ConfigError, CurationError, InputError
from curation.model_store import model_folder, model_print
from curation.score.encoder import Encoder, load_encoder
from curation.score.fasttext import load_fasttext
from curation.score.heads import Head, load_head
from curation.score.loading import (
    absent_part,
    check_max_tokens,
    labels_told,
    positions_told,
    read_config,
)
from curation.score.models import (
    PUBLISHED,
    UNWANTED_LABELS,
    FastTextClassifier,
    Published,
    PublishedClassifier,
    PublishedFastText,
    find_model,
)
from curation.score.outputs import EduScore, LabelProbabilities, Outputs, Similarity, TopClass
from curation.score.sequence import Scores, SequenceClassifier, load_classifier
from curation.score.similarity import NearTexts, items_of, load_near_texts
from curation.score.weights import default_weight
from curation.tokens.files import sha256_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from curation.score.loading import Device

SHIPPED = "shipped"
COMBINED_CUTS = ("mean_rank", "logistic")
"""Names that s05 gives to cuts of its own, of all members combined."""
TOXICITY = "toxicity"
_ENCODERS = ("encoder", "similarity")
"""Kinds whose model is a sentence encoder."""
_ENCODER_TOKENS, _CLASSIFIER_TOKENS = 256, 512


class Model(Protocol):
    """A loaded model: what the kernel needs of it."""

    def score_texts(self, texts: list[str]) -> Scores:
        """Scores of `texts`, in their order; a text that cannot be scored has a reason."""
        ...


@dataclass(frozen=True)
class Member:
    """A member with all that the configuration leaves open filled in."""

    name: str
    conf: MemberConfig
    tokens_per_batch: int
    device: Device

    @property
    def published(self) -> Published | None:
        """The published model that it is; None for one of the user's own."""
        return PUBLISHED.get(self.conf.model)

    @property
    def max_tokens(self) -> int:
        """Tokens of a document that it reads."""
        if self.conf.max_tokens:
            return self.conf.max_tokens
        if isinstance(self.published, PublishedClassifier):
            return self.published.max_tokens
        return _ENCODER_TOKENS if self.conf.kind in _ENCODERS else _CLASSIFIER_TOKENS


def members_of(conf: ScoreConfig) -> tuple[Member, ...]:
    """The members of a run, in the order in which they are declared."""
    return tuple(
        Member(name, one, one.tokens_per_batch or conf.tokens_per_batch, one.device or conf.device)
        for name, one in conf.members.items()
    )


def number_columns(conf: ScoreConfig) -> tuple[str, ...]:
    """Names of the numbers that the members give: keys of `scores.scores`.

    Raises:
        ConfigError: a member is not rightly declared, or a column is given twice.
        InputError: the file of a head is missing or damaged.
    """
    return tuple(name for one in _all_outputs(conf) for name in _numbers(one))


def quality_columns(conf: ScoreConfig) -> tuple[str, ...]:
    """Those of the numbers by which quality can be ranked.

    Not so the probability of a class, which says how sure its model is, and labels of toxicity:
    the surest insult would be the best of texts.

    Raises:
        As `number_columns`.
    """
    return tuple(name for one in _all_outputs(conf) for name in _qualities(one))


def _numbers(outputs: Outputs) -> tuple[str, ...]:
    if isinstance(outputs, TopClass):
        return tuple(name for name in outputs.column_names if name != outputs.column)
    return outputs.column_names


def _qualities(outputs: Outputs) -> tuple[str, ...]:
    if isinstance(outputs, TopClass):
        return ()
    held = [(name, name) for name in outputs.column_names]
    if isinstance(outputs, LabelProbabilities):
        held = [*outputs.wanted]
    return tuple(
        column for label, column in held
        if not {label.lower(), column.lower()} & UNWANTED_LABELS
    )  # fmt: skip


def _all_outputs(conf: ScoreConfig) -> list[Outputs]:
    """What the outputs of all members mean, no column given twice: the last one would win.

    Raises:
        ConfigError: one is, and the message names it and both who give it; or one whose name is
            known to what follows holds something else.
    """
    every = [(one.name, outputs) for one in members_of(conf) for outputs in _outputs(one)]
    for name, outputs in every:
        _check_toxicity(name, outputs)
    givers = dict.fromkeys(COMBINED_CUTS, "label.ensemble")
    for name, outputs in every:
        for column in outputs.column_names:
            if column in givers:
                raise ConfigError(
                    f"score.members.{name}.columns: `{column}` is given by {givers[column]} too; "
                    "give it another name"
                )
            givers[column] = f"score.members.{name}"
    return [outputs for _, outputs in every]


def _check_toxicity(name: str, outputs: Outputs) -> None:
    """Refuse another thing than a probability under the name that `label.max_toxicity` cuts.

    Raises:
        ConfigError: the member `name` gives one.
    """
    if TOXICITY in outputs.column_names and not isinstance(outputs, LabelProbabilities):
        raise ConfigError(
            f"score.members.{name}.columns: `{TOXICITY}` must be a probability, which "
            "label.max_toxicity cuts, and is an educational value or a class here; give it another "
            "name"
        )


def _outputs(member: Member) -> tuple[Outputs, ...]:
    """What the outputs of a member mean.

    Raises:
        ConfigError, InputError: As `number_columns`.
    """
    _check_kind(member)
    if member.conf.kind == "encoder":
        return tuple(head.outputs(column) for column, head in _heads(member).items())
    if member.conf.kind == "classifier":
        return (_classifier_outputs(member),)
    if member.conf.kind == "similarity":
        return tuple(map(Similarity, member.conf.columns))
    return (LabelProbabilities((("hq", _fasttext_column(member)),)),)


def _classifier_outputs(member: Member) -> Outputs:
    """What the columns of a `classifier` say of its outputs; a published model's own, if empty."""
    where, columns = f"score.members.{member.name}", member.conf.columns
    if not columns:
        if isinstance(member.published, PublishedClassifier):
            return member.published.outputs
        raise ConfigError(f"{where}.columns: say what it gives: edu, class, or labels")
    meanings = {*columns.values()}
    if meanings & {"edu", "class"} and len(columns) > 1:
        raise ConfigError(f"{where}.columns: edu and class stand alone, found {columns}")
    column = next(iter(columns))
    if meanings == {"edu"}:
        return EduScore(column)
    if meanings == {"class"}:
        return TopClass(column)
    wanted = tuple((label, column) for column, label in columns.items())
    # Of a published model it is known, as its config.json need not say it.
    known = member.published.outputs if isinstance(member.published, PublishedClassifier) else None
    exclusive = known.exclusive if isinstance(known, LabelProbabilities) else None
    return LabelProbabilities(wanted, exclusive)


def _fasttext_column(member: Member) -> str:
    if member.conf.columns:
        return next(iter(member.conf.columns))
    published = member.published
    return published.column if isinstance(published, PublishedFastText) else member.name


def _heads(member: Member) -> dict[str, Head]:
    """Heads of an `encoder` by column.

    Raises:
        InputError: the file of one is missing or damaged.
    """
    with _named(member, "columns"):
        return {
            column: load_head(str(head_file(column, file)))
            for column, file in member.conf.columns.items()
        }


def head_file(column: str, file: str) -> Path:
    """File of the head that gives `column`.

    Raises:
        InputError: `file` is `shipped`, and no head of that name is.
    """
    return default_weight(f"{column}.npz") if file == SHIPPED else Path(file).expanduser()


def _model_path(member: Member) -> Path:
    """File or folder of the member's model.

    Raises:
        ConfigError: the model is published, and of another kind.
        InputError, EnvironmentFault: it is not there; the message says how to get it.
    """
    _check_kind(member)
    with _named(member, "model"):
        return _own_path(member.conf) if member.published is None else _path_of(member.published)


def _path_of(published: Published) -> Path:
    folder = find_model(published.id)
    return folder / published.file if isinstance(published, PublishedFastText) else folder


def _own_path(conf: MemberConfig) -> Path:
    """File or folder of a model of the user's own, or of a shipped one."""
    if conf.kind == "fasttext":
        shipped = conf.model == SHIPPED
        return default_weight("fasttext.ftz") if shipped else Path(conf.model).expanduser()
    if conf.kind in _ENCODERS:
        return model_folder(conf.model)
    folder = Path(conf.model).expanduser()
    if not folder.is_dir():
        known = ", ".join(PUBLISHED)
        raise InputError(f"{conf.model} is no folder, nor a published model (known: {known})")
    return folder


def _check_kind(member: Member) -> None:
    """Refuse a published model that is declared as one of another kind.

    Raises:
        ConfigError: it is.
    """
    published = member.published
    kind = "fasttext" if isinstance(published, PublishedFastText) else "classifier"
    if published and member.conf.kind != kind:
        raise ConfigError(
            f"score.members.{member.name}.kind: {published.id} is a {kind}, "
            f"found {member.conf.kind}"
        )


@contextlib.contextmanager
def _named(member: Member, *setting: str) -> Iterator[None]:
    """Say in an error from below which member, and which setting of it, it is about."""
    try:
        yield
    except CurationError as error:
        where = ".".join(("score.members", member.name, *setting))
        raise type(error)(f"{where}: {error}") from error


def identity(conf: ScoreConfig) -> dict[str, str]:
    """Hash of each member's files, by name: others give other scores.

    All that can be known of a model without its weights is checked here, on the driver, rather
    than by every executor.

    Raises:
        ConfigError: a member is not rightly declared, a column is given twice, or `max_tokens`
            exceeds the positions of the model.
        InputError: a file of weights is missing or damaged, or its outputs are others than
            declared.
        EnvironmentFault: a model or a package is not on this machine.
    """
    _all_outputs(conf)
    return {member.name: _print(member) for member in members_of(conf)}


def _print(member: Member) -> str:
    path = _model_path(member)
    if member.conf.kind == "fasttext":
        with _named(member, "model"):
            load_fasttext(str(path))
        return sha256_of(path)
    _check_folder(member, path)
    files = [
        sha256_of(head_file(column, file) if member.conf.kind == "encoder" else Path(file))
        for column, file in sorted(member.conf.columns.items())
        if member.conf.kind in _ENCODERS
    ]
    return fingerprint([model_print(path), *files])


def _check_folder(member: Member, folder: Path) -> None:
    """Refuse a folder of a network that is not whole, or not what is declared of it.

    Raises:
        ConfigError: it has fewer positions than `max_tokens`, or a head was trained on other ones.
        InputError: it lacks a part, or has other outputs, or a head is of another encoder.
    """
    with _named(member, "model"):
        if absent := absent_part(folder):
            raise InputError(f"{folder}: no {absent}")
        told = read_config(folder)
        if complaint := _complaint(member, told):
            raise InputError(f"{folder}: {complaint}")
    with _named(member):
        check_max_tokens(member.max_tokens, positions_told(told))
    if member.conf.kind == "encoder":
        _check_heads(member, folder)
    if member.conf.kind == "similarity":
        _given_texts(member)


def _check_heads(member: Member, folder: Path) -> None:
    """Refuse heads that were trained on other embeddings than those that the member makes.

    Raises:
        ConfigError: on those of fewer or more tokens.
        InputError: on those of another encoder.
    """
    where, found = f"score.members.{member.name}", model_print(folder)
    for column, head in _heads(member).items():
        if head.encoder != found:
            raise InputError(
                f"{where}.columns: the head `{column}` was trained on the encoder {head.encoder}, "
                f"and {folder} is {found}; set the `model` that it was trained on, or train it "
                "again on this one"
            )
        if head.max_tokens != member.max_tokens:
            raise ConfigError(
                f"{where}.max_tokens: the head `{column}` was trained on {head.max_tokens} tokens, "
                f"found {member.max_tokens}; set max_tokens: {head.max_tokens}, or train it again"
            )


def _complaint(member: Member, told: dict[str, Any]) -> str | None:
    """What speaks against a network of which config.json says `told`; None if nothing does."""
    if member.conf.kind == "classifier":
        return _classifier_complaint(_classifier_outputs(member), told)
    if member.conf.kind == "similarity":
        return None
    width = told.get("hidden_size")
    for column, head in _heads(member).items():
        if width is not None and width != head.weight.shape[0]:
            return f"its width is {width}, and the head `{column}` is for {head.weight.shape[0]}"
    return None


def _classifier_complaint(outputs: Outputs, told: dict[str, Any]) -> str | None:
    if isinstance(outputs, LabelProbabilities) and told.get("problem_type") == "regression":
        return "its outputs are values (problem_type: regression), not probabilities of labels"
    return outputs.complaint(labels_told(told))


def load_member(member: Member, *, n_threads: int) -> Model:
    """The model of a member, loaded once a process.

    Raises:
        As `identity`, and what `load_classifier` and `load_encoder` raise.
    """
    path = str(_model_path(member))
    if member.conf.kind == "encoder":
        return HeadedEncoder(_encoder(member, path, n_threads), _heads(member))
    if member.conf.kind == "similarity":
        return _near_texts(member, path, n_threads)
    if member.conf.kind == "classifier":
        return _classifier(member, path, n_threads)
    with _named(member, "model"):
        return FastTextClassifier(load_fasttext(path), _fasttext_column(member))


def _encoder(member: Member, folder: str, n_threads: int) -> Encoder:
    with _named(member):
        return load_encoder(
            folder, max_tokens=member.max_tokens, tokens_per_batch=member.tokens_per_batch,
            device=member.device, n_threads=n_threads,
        )  # fmt: skip


def _given_texts(member: Member) -> dict[str, list[str]]:
    """The texts that a `similarity` compares with, by column.

    Raises:
        InputError: a file of them is missing, damaged or empty.
    """
    with _named(member, "columns"):
        return {column: items_of(Path(file)) for column, file in member.conf.columns.items()}


def _near_texts(member: Member, folder: str, n_threads: int) -> NearTexts:
    with _named(member):
        return load_near_texts(
            folder, tuple(sorted(member.conf.columns.items())), max_tokens=member.max_tokens,
            tokens_per_batch=member.tokens_per_batch, device=member.device, n_threads=n_threads,
        )  # fmt: skip


def _classifier(member: Member, folder: str, n_threads: int) -> SequenceClassifier:
    outputs = _classifier_outputs(member)
    with _named(member):
        return load_classifier(
            folder, outputs, max_tokens=member.max_tokens,
            tokens_per_batch=member.tokens_per_batch, device=member.device, n_threads=n_threads,
        )  # fmt: skip


class HeadedEncoder:
    """An encoder, run once, and the heads on its embeddings."""

    def __init__(self, encoder: Encoder, heads: dict[str, Head]) -> None:
        self._encoder = encoder
        self._heads = heads

    def score_texts(self, texts: list[str]) -> Scores:
        """Scores of `texts` by every head; a text without an embedding has a reason."""
        answers = self._encoder.answer_texts(texts)
        columns: dict[str, NDArray[np.generic]] = {}
        for column, head in self._heads.items():
            columns |= head.columns(column, answers.values)
        return Scores(columns, answers.reasons, answers.n_halvings)


def why_unknown(wanted: Sequence[str], given: Sequence[str], setting: str) -> str | None:
    """What is wrong with the columns `wanted` where the members give `given`; None: nothing."""
    absent = [name for name in wanted if name not in given]
    if not absent:
        return None
    return f"{setting}: score.members gives no {', '.join(absent)}; it gives {', '.join(given)}"


def why_no_quality(wanted: Sequence[str], conf: ScoreConfig, setting: str) -> str | None:
    """What is wrong with ranking quality by the columns `wanted`; None: nothing.

    Raises:
        As `number_columns`.
    """
    good = quality_columns(conf)
    wrong = [name for name in wanted if name not in good]
    if not wrong:
        return None
    return f"{setting}: {', '.join(wrong)} says nothing of quality; what does: {', '.join(good)}"
