"""What the outputs of a classifier mean: an educational value, a class, probabilities of labels.

Shapes: N texts, L outputs of the network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

MIN_EDU, MAX_EDU = 0.0, 5.0
"""The scale of educational value. 2412.02595, section 2.2; the clamp is NeMo Curator's."""


class Outputs(Protocol):
    """The meaning of a network's outputs, and the columns they become."""

    def __hash__(self) -> int: ...

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        ...

    def complaint(self, labels: Sequence[str]) -> str | None:
        """What speaks against a network with outputs `labels`; None if nothing does."""
        ...

    def columns(
        self, logits_NL: NDArray[np.float32], labels: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        """Columns by name, each of shape (N,); a row of NaN gives NaN, or None for a label."""
        ...


@dataclass(frozen=True)
class EduScore:
    """One output, an educational value: float32, 0..5."""

    column: str

    @property
    def column_names(self) -> tuple[str, ...]:
        return (self.column,)

    def complaint(self, labels: Sequence[str]) -> str | None:
        return _other_number(labels, 1)

    def columns(
        self, logits_NL: NDArray[np.float32], labels: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        return {self.column: clamp_edu(logits_NL[:, 0])}


@dataclass(frozen=True)
class TopClass:
    """One of L classes: the likeliest, and its probability in the column `<column>_p`, float32."""

    column: str
    n_classes: int | None = None
    """L, where it is known; None takes any number."""

    @property
    def column_names(self) -> tuple[str, ...]:
        return self.column, f"{self.column}_p"

    def complaint(self, labels: Sequence[str]) -> str | None:
        return None if self.n_classes is None else _other_number(labels, self.n_classes)

    def columns(
        self, logits_NL: NDArray[np.float32], labels: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        probabilities = softmax(logits_NL)
        top = probabilities.argmax(axis=1)
        names = np.array(labels, object)[top]
        highest = probabilities[np.arange(len(top)), top]
        names[np.isnan(highest)] = None
        return dict(zip(self.column_names, (names, highest), strict=True))


@dataclass(frozen=True)
class LabelProbabilities:
    """Of each wanted label its probability, float32, 0..1."""

    wanted: tuple[tuple[str, str], ...]
    """Pairs of a label and its column."""
    exclusive: bool | None = False
    """Whether one label alone holds, so that all of them add up to 1; else each is by itself, as
    without a word on it. None: as the model's config.json says, see `as_told`."""

    @property
    def column_names(self) -> tuple[str, ...]:
        return tuple(column for _, column in self.wanted)

    def complaint(self, labels: Sequence[str]) -> str | None:
        missing = [label for label, _ in self.wanted if label not in labels]
        return f"expected outputs {missing}, found {list(labels)}" if missing else None

    def columns(
        self, logits_NL: NDArray[np.float32], labels: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        probabilities = softmax(logits_NL) if self.exclusive else logistic(logits_NL)
        return {column: probabilities[:, labels.index(label)] for label, column in self.wanted}


@dataclass(frozen=True)
class Similarity:
    """The greatest cosine to one of given texts: float32, -1..1."""

    column: str

    @property
    def column_names(self) -> tuple[str, ...]:
        return (self.column,)

    def complaint(self, labels: Sequence[str]) -> str | None:
        return None

    def columns(
        self, logits_NL: NDArray[np.float32], labels: Sequence[str]
    ) -> dict[str, NDArray[np.generic]]:
        return {self.column: logits_NL.max(axis=1)}


def as_told(outputs: Outputs, n_outputs: int, problem_type: str | None) -> Outputs:
    """`outputs`, of which is filled in what config.json decides, by its `problem_type`.

    As in transformers' text-classification pipeline: labels hold at once where that is
    multi_label_classification, or where there is one alone; else they are exclusive.
    """
    if not isinstance(outputs, LabelProbabilities) or outputs.exclusive is not None:
        return outputs
    at_once = n_outputs == 1 or problem_type == "multi_label_classification"
    return replace(outputs, exclusive=not at_once)


def _other_number(labels: Sequence[str], expected: int) -> str | None:
    if len(labels) == expected:
        return None
    return f"expected {expected} outputs, found {len(labels)}"


def clamp_edu(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """`scores` cut to 0..5; NaN stays NaN. Source: specs, section 5.2."""
    return np.clip(scores, np.float32(MIN_EDU), np.float32(MAX_EDU))


def round_edu(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """Whole educational values, 0..5: halves go to the even neighbour; NaN stays NaN.

    Python's and NeMo Curator's rule, by which 2.5 is 2 and yet of high quality, for which that
    system asks the score itself to be 2.5 or more.
    Source: specs, section 5.2.
    """
    return np.rint(clamp_edu(scores))


def softmax(logits_NL: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of exclusive classes, float32 of shape (N, L); a row of NaN stays one."""
    # Less the largest of the row, so that exp cannot overflow.
    powers = np.exp(logits_NL - logits_NL.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True), np.float32)


def logistic(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities `1 / (1 + exp(-logits))`, float32 of the same shape; NaN stays NaN."""
    # Beyond 60 a float32 logistic is 0 or 1 anyway, and exp would overflow.
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -60.0, 60.0))), np.float32)
