"""Members of the ensemble as the configuration declares them: found, told apart, loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from curation.config import MemberConfig, ScoreConfig, fingerprint
from curation.errors import ConfigError, InputError
from curation.model_store import model_folder, model_print
from curation.score.encoder import Encoder, load_encoder
from curation.score.fasttext import load_fasttext
from curation.score.heads import Head, load_head
from curation.score.models import (
    PUBLISHED,
    FastTextClassifier,
    Published,
    PublishedClassifier,
    PublishedFastText,
    find_model,
)
from curation.score.outputs import EduScore, LabelProbabilities, Outputs, TopClass
from curation.score.sequence import Scores, load_classifier
from curation.score.weights import default_weight
from curation.tokens.files import sha256_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHIPPED = "shipped"
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
    device: str

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
        return _ENCODER_TOKENS if self.conf.kind == "encoder" else _CLASSIFIER_TOKENS


def members_of(conf: ScoreConfig) -> tuple[Member, ...]:
    """The members of a run, in the order in which they are declared."""
    return tuple(
        Member(name, one, one.tokens_per_batch or conf.tokens_per_batch, one.device or conf.device)
        for name, one in conf.members.items()
    )


def number_columns(conf: ScoreConfig) -> tuple[str, ...]:
    """Names of the numbers that the members give: keys of `scores.scores`.

    Raises:
        ConfigError, InputError: a member is not rightly declared, or a head of it is missing.
    """
    return tuple(name for member in members_of(conf) for name in _columns(member)[0])


def class_columns(conf: ScoreConfig) -> tuple[str, ...]:
    """Names of the classes that the members give: keys of `scores.classes`.

    Raises:
        As `number_columns`.
    """
    return tuple(name for member in members_of(conf) for name in _columns(member)[1])


def _columns(member: Member) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Numbers and classes that a member gives."""
    outputs = _outputs(member)
    classes = tuple(one.column for one in outputs if isinstance(one, TopClass))
    every = [name for one in outputs for name in one.column_names]
    numbers = tuple(name for name in every if name not in classes)
    if member.conf.kind == "fasttext":
        numbers = (_fasttext_column(member),)
    return numbers, classes


def _outputs(member: Member) -> tuple[Outputs, ...]:
    """What the outputs of a network mean; none for fastText."""
    if member.conf.kind == "encoder":
        return tuple(head.outputs(column) for column, head in _heads(member).items())
    return (_classifier_outputs(member),) if member.conf.kind == "classifier" else ()


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
    return LabelProbabilities(tuple((label, column) for column, label in columns.items()))


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
    model, published = member.conf.model, member.published
    if published:
        _check_kind(member, published)
        folder = find_model(model)
        return folder / published.file if isinstance(published, PublishedFastText) else folder
    if member.conf.kind == "fasttext":
        return default_weight("fasttext.ftz") if model == SHIPPED else Path(model).expanduser()
    if member.conf.kind == "encoder":
        return model_folder(model)
    folder = Path(model).expanduser()
    if not folder.is_dir():
        known = ", ".join(PUBLISHED)
        raise InputError(
            f"score.members.{member.name}.model: {model} is no folder, nor a published model "
            f"(known: {known})"
        )
    return folder


def _check_kind(member: Member, published: Published) -> None:
    kind = "fasttext" if isinstance(published, PublishedFastText) else "classifier"
    if member.conf.kind != kind:
        raise ConfigError(
            f"score.members.{member.name}.kind: {published.id} is a {kind}, "
            f"found {member.conf.kind}"
        )


def identity(conf: ScoreConfig) -> dict[str, str]:
    """Hash of each member's files, by name: others give other scores.

    Raises:
        ConfigError: a member is not rightly declared.
        InputError: a file of weights is missing or damaged.
        EnvironmentFault: a model or a package is not on this machine.
    """
    return {member.name: _print(member) for member in members_of(conf)}


def _print(member: Member) -> str:
    path = _model_path(member)
    _columns(member)
    if member.conf.kind == "fasttext":
        load_fasttext(str(path))
        return sha256_of(path)
    heads = [
        sha256_of(head_file(column, file))
        for column, file in sorted(member.conf.columns.items())
        if member.conf.kind == "encoder"
    ]
    return fingerprint([model_print(path), *heads])


def load_member(member: Member, *, n_threads: int) -> Model:
    """The model of a member, loaded once a process.

    Raises:
        As `identity`, and what `load_classifier` and `load_encoder` raise.
    """
    path = str(_model_path(member))
    if member.conf.kind == "fasttext":
        return FastTextClassifier(load_fasttext(path), _fasttext_column(member))
    if member.conf.kind == "encoder":
        encoder = load_encoder(
            path, max_tokens=member.max_tokens, tokens_per_batch=member.tokens_per_batch,
            device=member.device, n_threads=n_threads,
        )  # fmt: skip
        return HeadedEncoder(encoder, _heads(member))
    return load_classifier(
        path, _classifier_outputs(member), max_tokens=member.max_tokens,
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
