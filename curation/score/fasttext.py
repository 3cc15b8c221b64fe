"""P(hq) of a text by a supervised fastText model with labels `hq` and `cc`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from curation.errors import InputError
from curation.fasttext.reading import Reading
from curation.score.loading import loaded_once

if TYPE_CHECKING:
    from numpy.typing import NDArray

HQ_LABEL = "__label__hq"
CC_LABEL = "__label__cc"
_END_OF_LINE, _NO_END_OF_LINE = "</s>", "< /s>"


class Predictor(Protocol):
    """What scoring uses of `curation.fasttext.model.FastTextModel`; tests replace it."""

    labels: list[str]

    def likeliest(
        self, texts: list[bytes], reading: Reading, k: int = 1
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Places in `labels` of the best `k` of each text, or -1, and their probabilities."""
        ...


class FastTextQuality:
    """A loaded model. It keeps no state between calls."""

    def __init__(self, model: Predictor) -> None:
        self._model = model

    def score_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """P(hq) of each text, float32 of shape `(len(texts),)`, in their order, 0..1.

        Each text is read as `join_lines` puts it on one line, and scored alone, so batching cannot
        change a score. A text without a visible character, or that is not valid Unicode, gives NaN;
        so does one of which the model knows not one word, n-gram or end-of-line mark.
        Source: 2412.02595, section 2.2 (the DCLM member); specs, section 5.2.
        """
        encoded = [_encoded(text) for text in texts]
        places, probabilities = self._model.likeliest(encoded, Reading.LINES)
        # fastText adds 1e-5 before its logarithm, so a sure answer comes back just above 1.
        top = np.minimum(probabilities[:, 0].astype(np.float64), 1.0)
        is_hq = np.array([label == HQ_LABEL for label in self._model.labels])[places[:, 0]]
        return np.where(is_hq, top, 1.0 - top).astype(np.float32)


def _encoded(text: str) -> bytes:
    """`text` in UTF-8; nothing, which has no visible character, if it is not valid Unicode."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""


def join_lines(text: str) -> str:
    """`text` on one line: its lines stripped and joined by single spaces, empty ones left out.

    The line that models are trained on; `Reading.LINES` finds its words without making it. fastText
    reads one line as one document and refuses a newline. Joining by nothing, as one public tutorial
    does, glues the last word of a line to the first of the next. The word `</s>` is fastText's end
    of a line, behind which it reads nothing: it is taken apart.
    """
    joined = " ".join(stripped for line in text.splitlines() if (stripped := line.strip()))
    return joined.replace(_END_OF_LINE, _NO_END_OF_LINE)


@loaded_once
def load_fasttext(path: str) -> FastTextQuality:
    """The classifier in the file `path` (`.bin` or `.ftz`), loaded once a process.

    Raises:
        InputError: there is no such file, it is not a fastText model, one of a kind that is not run
            here, or its labels are not exactly `hq` and `cc`.
    """
    # A command that only looks at the configuration must not wait for numba.
    from curation.fasttext.model import read_model

    if not Path(path).is_file():
        raise InputError(f"{path}: no such fastText model; set the member's `model` to a file")
    model = read_model(Path(path))
    found = sorted(model.labels)
    if found != [CC_LABEL, HQ_LABEL]:
        raise InputError(f"{path}: labels are {found}, expected {[CC_LABEL, HQ_LABEL]}")
    return FastTextQuality(model)
