"""ARPA files: the text format of n-gram models that KenLM, SRILM and others read."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from pathlib import Path
from typing import IO

import numpy as np

from models.perplexity.counts import START, Counts, Grams, Numbers
from models.perplexity.kneser_ney import Weights

_NEVER = -99.0
"""What ARPA files write for the probability of `<s>`, which is never predicted."""
_BATCH = 1 << 16


def write_arpa(
    path: Path, words: Sequence[str], grams: Sequence[Grams], weights: Sequence[Weights]
) -> tuple[int, ...]:
    """Write the kept n-grams to `path`, compressed if it ends in `.gz`; how many of each order.

    The same model gives the same bytes. `path` appears whole or not at all. About 2 us an n-gram.
    """
    kept = [np.flatnonzero(one.kept) for one in weights]
    unfinished = path.with_name(f".{path.name}.unfinished")
    with unfinished.open("wb") as file:
        if path.suffix == ".gz":
            # Neither time nor name in it: they would be other bytes.
            with gzip.GzipFile("", "wb", 9, file, mtime=0) as packed:
                _write(packed, words, grams, weights, kept)
        else:
            _write(file, words, grams, weights, kept)
    unfinished.rename(path)
    return tuple(one.size for one in kept)


def _write(
    file: IO[bytes] | gzip.GzipFile,
    words: Sequence[str],
    grams: Sequence[Grams],
    weights: Sequence[Weights],
    kept: Sequence[Counts],
) -> None:
    text = TextIOWrapper(file, encoding="utf-8", newline="\n")
    text.write("\\data\\\n")
    text.writelines(f"ngram {n}={one.size}\n" for n, one in enumerate(kept, 1))
    for n in range(1, len(grams) + 1):
        text.write(f"\n\\{n}-grams:\n")
        text.writelines(_lines(words, grams[:n], weights[n - 1], kept[n - 1]))
    text.write("\n\\end\\\n")
    text.flush()
    text.detach()


def _lines(
    words: Sequence[str], grams: Sequence[Grams], weights: Weights, kept: Counts
) -> Iterator[str]:
    """A line for each kept n-gram of the last of the orders in `grams`."""
    for first in range(0, kept.size, _BATCH):
        numbers = kept[first : first + _BATCH]
        probs = np.log10(weights.prob[numbers])
        if len(grams) == 1:
            probs[numbers == START] = _NEVER
        backoffs = np.log10(weights.backoff[numbers])
        columns = [column.tolist() for column in _words_of(grams, numbers)]
        told = (" ".join(map(words.__getitem__, gram)) for gram in zip(*columns, strict=True))
        for prob, gram, backoff in zip(probs.tolist(), told, backoffs.tolist(), strict=True):
            end = f"\t{backoff:.7g}\n" if backoff else "\n"
            yield f"{prob:.7g}\t{gram}{end}"


def _words_of(grams: Sequence[Grams], numbers: Counts) -> list[Numbers]:
    """Words of the n-grams with these numbers, an array for each place in them."""
    columns = list[Numbers]()
    rest = numbers
    for one in reversed(grams):
        columns.append(one.word[rest])
        rest = one.prefix[rest].astype(np.int64)
    return columns[::-1]
