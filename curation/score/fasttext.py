"""P(hq) of a text by a supervised fastText model with labels `hq` and `cc`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from curation.errors import EnvironmentFault, InputError
from curation.score.batches import is_valid_unicode
from curation.score.loading import loaded_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

HQ_LABEL = "__label__hq"
CC_LABEL = "__label__cc"
_END_OF_LINE, _NO_END_OF_LINE = "</s>", "< /s>"


class Predictor(Protocol):
    """The one method of a fastText model that scoring uses; the package has no types."""

    def predict(self, text: str) -> tuple[Sequence[str], Sequence[float]]:
        """Top label of one line and its probability; two empty sequences where nothing is known."""
        ...


class FastTextQuality:
    """A loaded model. It keeps no state between calls."""

    def __init__(self, model: Predictor) -> None:
        self._model = model

    def score_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """P(hq) of each text, float32 of shape `(len(texts),)`, in their order, 0..1.

        Each text is scored alone, so batching cannot change a score. A text without a visible
        character, or that is not valid Unicode, gives NaN.
        Source: 2412.02595, section 2.2 (the DCLM member); specs, section 5.2.
        """
        return np.fromiter((self._score(text) for text in texts), np.float32, len(texts))

    def _score(self, text: str) -> float:
        line = join_lines(text)
        if not line or not is_valid_unicode(line):
            return float("nan")
        labels, probabilities = self._model.predict(line)
        if not labels:  # not one word, n-gram or end-of-line mark of it is in the model
            return float("nan")
        # fastText adds 1e-5 before its logarithm, so a sure answer comes back just above 1.
        top = min(float(probabilities[0]), 1.0)
        return top if labels[0] == HQ_LABEL else 1.0 - top


def join_lines(text: str) -> str:
    """`text` on one line: its lines stripped and joined by single spaces, empty ones left out.

    fastText reads one line as one document and refuses a newline. Joining by nothing, as one
    public tutorial does, glues the last word of a line to the first of the next. The word `</s>`
    is fastText's end of a line, behind which it reads nothing: it is taken apart.
    """
    joined = " ".join(stripped for line in text.splitlines() if (stripped := line.strip()))
    return joined.replace(_END_OF_LINE, _NO_END_OF_LINE)


@loaded_once
def load_fasttext(path: str) -> FastTextQuality:
    """The classifier in the file `path` (`.bin` or `.ftz`), loaded once a process.

    Raises:
        InputError: there is no such file, fastText cannot read it, or its labels are not exactly
            `hq` and `cc`.
        EnvironmentFault: the package fasttext is not installed.
    """
    try:
        import fasttext  # type: ignore[import-untyped, unused-ignore]
    except ModuleNotFoundError as error:
        raise EnvironmentFault("fastText: pip install 'curation[score]'") from error

    if not Path(path).is_file():
        raise InputError(f"{path}: no such fastText model; set the member's `model` to a file")
    try:
        model = fasttext.load_model(path)
    except ValueError as error:
        raise InputError(f"{path}: not a fastText model: {error}") from error
    found = sorted(model.get_labels())
    if found != [CC_LABEL, HQ_LABEL]:
        raise InputError(f"{path}: labels are {found}, expected {[CC_LABEL, HQ_LABEL]}")
    return FastTextQuality(model)
