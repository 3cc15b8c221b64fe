"""The fastText member: `hq` pages against `cc` pages, quantised to about a megabyte."""

from __future__ import annotations

import hashlib
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from curation.fasttext.file import read_tables
from curation.fasttext.model import FastTextModel
from curation.score.fasttext import CC_LABEL, HQ_LABEL, join_lines
from models.classifiers.data import CC_EDU, HQ_EDU, LabelledPage

WORDS_PER_PIECE = 100
MAX_PIECES = 10
"""A page gives at most this many training lines: a few very long pages must not outweigh others."""
SEED = 17
N_BUCKETS = 200_000
"""Slots that bigrams are hashed into."""
N_KEPT_FEATURES = 50_000
"""Words and bigrams that survive quantisation; decides the size of the file."""


def training_lines(pages: list[LabelledPage]) -> list[str]:
    """Labelled pieces of the pages that are clearly high or clearly ordinary, in hash order.

    The smaller class is repeated to the size of the larger, so that P(hq) of an even text is near
    0.5 whatever the classes' shares. Pages between the classes are left out.
    """
    by_label: dict[str, list[str]] = {HQ_LABEL: [], CC_LABEL: []}
    for page in pages:
        if page.edu >= HQ_EDU:
            by_label[HQ_LABEL] += pieces(page.text)
        elif page.edu <= CC_EDU:
            by_label[CC_LABEL] += pieces(page.text)
    n_each = max(len(found) for found in by_label.values())
    lines = [
        f"{label} {piece}"
        for label, found in by_label.items()
        for piece in (found * (n_each // max(len(found), 1) + 1))[:n_each]
    ]
    return sorted(lines, key=lambda line: hashlib.sha256(line.encode()).hexdigest())


def pieces(text: str) -> list[str]:
    """The first `MAX_PIECES` runs of `WORDS_PER_PIECE` words of `text`, each on one line."""
    words = join_lines(text).split()
    starts = range(0, min(len(words), WORDS_PER_PIECE * MAX_PIECES), WORDS_PER_PIECE)
    return [" ".join(words[start : start + WORDS_PER_PIECE]) for start in starts]


class TrainedModel(FastTextModel):
    """A model that knows the bytes of its file."""

    def __init__(self, content: bytes) -> None:
        super().__init__(*read_tables(np.frombuffer(content, np.uint8), "the trained model"))
        self._content = content

    def save_model(self, path: str) -> None:
        """Write its file to `path`."""
        Path(path).write_bytes(self._content)


def train_quality(lines: list[str]) -> TrainedModel:
    """A quantised fastText model trained on `lines`; the same on every run on one machine.

    One thread, because fastText's threads write to the same weights and race.
    Source: the DCLM member is a bigram model as well (2412.02595, section 2.2).
    """
    import fasttext  # type: ignore[import-untyped, unused-ignore]

    with TemporaryDirectory() as folder:
        path = str(Path(folder, "lines.txt"))
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
        model = fasttext.train_supervised(
            input=path, lr=0.2, epoch=5, dim=16, wordNgrams=2, bucket=N_BUCKETS, minCount=1,
            thread=1, seed=SEED, verbose=0,
        )  # fmt: skip
        model.quantize(input=path, cutoff=N_KEPT_FEATURES, retrain=True, qnorm=True, thread=1)
        model.save_model(path)
        return TrainedModel(Path(path).read_bytes())
