"""How near texts are to given ones: document mining by embeddings.

Source: 2407.07263 (Reuse, Don't Retrain) mines pretraining documents by their likeness to questions
and answers; how was not told in what we read, so that this is our own: the greatest cosine.
Shapes: N texts, M given texts, D the width of the encoder.
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.errors import InputError
from curation.publish.files import read_part
from curation.score.encoder import Encoder, load_encoder
from curation.score.loading import Device
from curation.score.outputs import Similarity
from curation.score.sequence import Scores

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Floats = NDArray[np.float32]

_BLOCK = 4_096
"""Given texts that a batch is compared with at once."""


def items_of(path: Path) -> list[str]:
    """The texts of a file of JSON lines: `text`, or `question` and `answer` on two lines.

    Raises:
        InputError: the file is missing or damaged, or has none.
    """
    found = []
    for line in read_part(path):
        parts = [line.get(name) for name in ("text", "question", "answer")]
        told = "\n".join(part for part in parts if isinstance(part, str) and part.strip())
        found += [told] if told else []
    if not found:
        raise InputError(f"{path}: no line has a text, or a question and its answer")
    return found


def greatest_cosine(embeddings_ND: Floats, items_MD: Floats) -> Floats:
    """Cosine of each row to the nearest of `items_MD`, shape (N,); all rows are of length 1.

    A row of NaN gives NaN. Memory: a block of items at a time.
    """
    nearest = np.full(len(embeddings_ND), -1.0, np.float32)
    for start in range(0, len(items_MD), _BLOCK):
        cosines_NM = embeddings_ND @ items_MD[start : start + _BLOCK].T
        nearest = np.maximum(nearest, cosines_NM.max(axis=1))
    return np.asarray(np.where(np.isnan(nearest), nearest, nearest.clip(-1, 1)), np.float32)


class NearTexts:
    """An encoder, run once, and the embeddings of given texts by column."""

    def __init__(self, encoder: Encoder, items: Mapping[str, list[str]]) -> None:
        self._encoder = encoder
        self._items = {column: _embedded(encoder, texts) for column, texts in items.items()}

    def score_texts(self, texts: list[str]) -> Scores:
        """The greatest cosine by column; a text without an embedding has a reason."""
        answers = self._encoder.answer_texts(texts)
        columns: dict[str, NDArray[np.generic]] = {}
        for column, items_MD in self._items.items():
            nearest_N1 = greatest_cosine(answers.values, items_MD)[:, None]
            columns |= Similarity(column).columns(nearest_N1, (column,))
        return Scores(columns, answers.reasons, answers.n_halvings)


@functools.lru_cache(maxsize=4)
def load_near_texts(
    folder: str, files: tuple[tuple[str, str], ...], *, max_tokens: int, tokens_per_batch: int,
    device: Device, n_threads: int,
) -> NearTexts:  # fmt: skip
    """The encoder in `folder` and what it makes of the given texts, once a process.

    Args:
        folder: As for `load_encoder`.
        files: Columns, and the files of their texts.
        max_tokens: As for `load_encoder`.
        tokens_per_batch: As for `load_encoder`.
        device: As for `load_encoder`.
        n_threads: As for `load_encoder`.

    Raises:
        As `load_encoder` and `items_of`.
    """
    encoder = load_encoder(
        folder, max_tokens=max_tokens, tokens_per_batch=tokens_per_batch, device=device,
        n_threads=n_threads,
    )  # fmt: skip
    return NearTexts(encoder, {column: items_of(Path(file)) for column, file in files})


def _embedded(encoder: Encoder, texts: list[str]) -> Floats:
    """Embeddings of those of `texts` that have one.

    Raises:
        InputError: none has.
    """
    embeddings_MD = encoder.embed_texts(texts)
    known = embeddings_MD[~np.isnan(embeddings_MD).any(axis=1)]
    if not len(known):
        raise InputError("similarity: none of the given texts has an embedding")
    return known
