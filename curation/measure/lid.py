"""lid.176, run by our own kernels: the answers of fastText in a third of its time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from curation.errors import EnvironmentFault, InputError
from curation.fasttext import model as fasttext_model
from curation.fasttext.model import FastTextModel
from curation.fasttext.reading import Reading

_N_LABELS = 176


class LidModel:
    """Answers as a fastText model does, for lists of texts."""

    def __init__(self, model: FastTextModel) -> None:
        self._model = model
        self._labels = np.array(model.labels)

    def predict(
        self, text: list[str], k: int = 1
    ) -> tuple[list[list[str]], list[NDArray[np.float32]]]:
        """Best `k` labels of each text and their probabilities; lone surrogates count as `?`.

        `__label__x` and `</s>` are words here like others. About 5 us a text and 25 for each 1,000
        characters.
        """
        encoded = [one.encode("utf-8", "replace") for one in text]
        places, scores = self._model.likeliest(encoded, Reading.WORDS, k)
        return [list(names) for names in self._labels[places].tolist()], list(scores)


def read_model(path: Path) -> LidModel:
    """The model in the file at `path`.

    Raises:
        EnvironmentFault: it is not a fastText model with as many labels as lid.176.
    """
    try:
        model = fasttext_model.read_model(path)
    except InputError as error:
        raise EnvironmentFault(f"language model {error}") from error
    if len(model.labels) != _N_LABELS:
        raise EnvironmentFault(
            f"language model {path}: not lid.176 but a model of {len(model.labels)} labels"
        )
    return LidModel(model)
