"""Linear heads on the embedding of a text: a value on 0..5, a probability, or one of L classes.

Shapes: N texts, D the width of the encoder (384 for MiniLM), L outputs of a head.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from pathlib import Path
from struct import error as StructError
from typing import TYPE_CHECKING, Literal, get_args
from zipfile import BadZipFile

import numpy as np

from curation.errors import InputError
from curation.score.loading import loaded_once
from curation.score.outputs import EduScore, LabelProbabilities, Outputs, TopClass

if TYPE_CHECKING:
    from numpy.typing import NDArray

HeadKind = Literal["edu", "probability", "classes"]
"""`edu`: a value cut to 0..5; `probability`: of one label; `classes`: exclusive, of L labels."""

HEAD_VERSION = 2
"""Layout of the file of a head; a file with another number is refused."""


@dataclass(frozen=True, eq=False)
class Head:
    """A linear function of an embedding, and what its outputs mean."""

    kind: HeadKind
    weight: NDArray[np.float32]
    """Shape (D, L); L is 1 but for `classes`."""
    bias: NDArray[np.float32]
    """Shape (L,)."""
    labels: tuple[str, ...] = ()
    """Names of the L classes; empty for the other kinds."""
    encoder: str = ""
    """`model_print` of the encoder that it was trained on; empty until it is in a file."""
    max_tokens: int = 0
    """Tokens of a text that this encoder read; 0 until it is in a file."""

    def outputs(self, column: str) -> Outputs:
        """What the head writes into `column`; `classes` into `<column>_p` too."""
        if self.kind == "edu":
            return EduScore(column)
        if self.kind == "probability":
            return LabelProbabilities(((column, column),))
        return TopClass(column, n_classes=len(self.labels))

    def columns(
        self, column: str, embeddings_ND: NDArray[np.float32]
    ) -> dict[str, NDArray[np.generic]]:
        """Columns by name, each of shape (N,): NaN, or None for a label, where a row is NaN.

        Raises:
            InputError: the head was trained on embeddings of another width.
        """
        labels = self.labels or (column,)
        return self.outputs(column).columns(self.logits(embeddings_ND), labels)

    def logits(self, embeddings_ND: NDArray[np.float32]) -> NDArray[np.float32]:
        """`embeddings_ND @ weight + bias`, float32 of shape (N, L).

        Raises:
            InputError: the head was trained on embeddings of another width.
        """
        if embeddings_ND.shape[1] != self.weight.shape[0]:
            raise InputError(
                f"head: made for embeddings of width {self.weight.shape[0]}, "
                f"the encoder gives {embeddings_ND.shape[1]}; train a head for this encoder"
            )
        return np.asarray(embeddings_ND @ self.weight + self.bias, np.float32)


_UNREADABLE = (
    KeyError, ValueError, TypeError, AttributeError, EOFError, OSError, RuntimeError, MemoryError,
    BadZipFile, StructError, zlib.error,
)  # fmt: skip
"""What numpy and zipfile raise on a file that is no archive, or a damaged one."""


@loaded_once
def load_head(path: str) -> Head:
    """The head in the `.npz` file `path`, loaded once a process.

    The file holds `version`, `kind`, `weight` (D, L), `bias` (L,), `labels`, `encoder` and
    `max_tokens`; what else it holds is about its training.

    Raises:
        InputError: the file is missing, damaged, of another version, or no head.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such head; models/classifiers/train.py writes one")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            if (version := int(arrays["version"])) != HEAD_VERSION:
                raise InputError(
                    f"{path}: a head of version {version}, expected {HEAD_VERSION}; train it again"
                )
            head = Head(
                str(arrays["kind"]),  # type: ignore[arg-type]
                np.asarray(arrays["weight"], np.float32),
                np.asarray(arrays["bias"], np.float32),
                tuple(str(label) for label in arrays["labels"]),
                str(arrays["encoder"]),
                int(arrays["max_tokens"]),
            )
    except _UNREADABLE as error:
        raise InputError(f"{path}: not a head: {error}") from error
    if complaint := _complaint(head):
        raise InputError(f"{path}: {complaint}")
    return head


def _complaint(head: Head) -> str | None:
    """What speaks against these contents of a file; None if nothing does."""
    kind, weight, bias = head.kind, head.weight, head.bias
    if kind not in get_args(HeadKind):
        return f"`kind` is {kind}, expected one of {', '.join(get_args(HeadKind))}"
    n_outputs = len(head.labels) if kind == "classes" else 1
    if not n_outputs or weight.ndim != 2 or (weight.shape[1], *bias.shape) != (n_outputs,) * 2:
        return (
            f"`weight` {weight.shape} and `bias` {bias.shape} do not fit "
            f"{n_outputs} outputs of kind {kind}"
        )
    if not (np.isfinite(weight).all() and np.isfinite(bias).all()):
        return "`weight` and `bias` must be finite"
    return None
