"""A supervised fastText model run by our own kernels: its labels of many texts at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curation.errors import InputError
from curation.fasttext.file import map_file, read_tables
from curation.fasttext.kernels import Tables, likeliest
from curation.fasttext.reading import Reading


class FastTextModel:
    """A loaded model. It keeps no state between calls."""

    def __init__(self, tables: Tables, labels: list[str]) -> None:
        self._tables = tables
        self.labels = labels

    def likeliest(
        self, texts: list[bytes], reading: Reading, k: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Places in `labels` of the best `k` of each text and their probabilities, best first.

        Shapes (len(texts), k); k is at most the number of labels. A text of which the model knows
        nothing has the places -1 and the probabilities NaN. A sure answer may lie just above 1.

        Args:
            texts: In UTF-8; each is judged for itself.
            reading: What their words are.
            k: Labels wanted.
        """
        ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
        joined = np.frombuffer(b"".join(texts), np.uint8)
        return likeliest(joined, ends, self._tables, int(reading), min(k, len(self.labels)))


def read_model(path: Path) -> FastTextModel:
    """The model in the file at `path`.

    Raises:
        InputError: there is no such file, it is not a fastText model, one of a kind that is not run
            here, or damaged.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such fastText model")
    return FastTextModel(*read_tables(map_file(path), str(path)))
