"""Benchmark sets as n-grams: how much of a text was seen in them.

An item of 13 words or more is known by all its 13-grams, one of 8 to 12 by itself as a whole; a
shorter one would be met by chance and is left out. Sources: GPT-3 (2005.14165, appendix C:
13-grams, at least 8 words, lower case, no punctuation); Llama 2 (2307.09288, appendix A.6) counts,
as here, the share of a text's tokens that lie in such n-grams.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from curation.config import MeasureConfig
from curation.errors import InputError
from curation.measure.ngrams import Sieve, covered, ngram_hashes, sieve_of, word_hashes
from curation.measure.words import Hashes
from curation.tokens.files import sha256_of

LEAST, MOST = 8, 13
"""Words of the shortest and of the longest n-gram."""


@dataclass(frozen=True)
class Benchmarks:
    """The n-grams of benchmark items."""

    known: dict[int, Hashes]
    """Sorted hashes by number of words."""
    n_items: int
    sieves: dict[int, Sieve]
    """By number of words, what most n-grams that are not known fall through."""
    n_short: int
    """Items of fewer than `LEAST` words, which cannot be told from chance."""

    def overlap_frac(self, words: Hashes) -> float:
        """Share of `words` that lie in an n-gram of an item; 0 for no words. Linear in them."""
        if not words.size:
            return 0.0
        marks = np.zeros(words.size, np.bool_)
        for n, known in self.known.items():
            marks |= covered(words, n, known, self.sieves[n])
        return float(marks.mean())


def benchmarks_of(items: Iterable[str]) -> Benchmarks:
    """The n-grams of `items`."""
    found: dict[int, list[Hashes]] = {n: [] for n in range(LEAST, MOST + 1)}
    n_items = n_short = 0
    for words in map(word_hashes, items):
        n_items += 1
        n = min(words.size, MOST)
        if n < LEAST:
            n_short += 1
        else:
            found[n].append(ngram_hashes(words, n))
    known = {n: np.unique(np.concatenate(parts)) for n, parts in found.items() if parts}
    return Benchmarks(known, n_items, {n: sieve_of(one) for n, one in known.items()}, n_short)


@lru_cache(maxsize=4)
def load_benchmarks(files: tuple[str, ...], fields: tuple[str, ...]) -> Benchmarks:
    """The n-grams of the items in JSON lines `files`, plain or gzip; loaded once a process.

    Args:
        files: Paths.
        fields: Names of the texts of an item, each of which is looked for by itself.

    Raises:
        InputError: a file is missing or not JSON lines, or none of its items has such a text.
    """
    return benchmarks_of(text for file in files for text in _texts(Path(file), fields))


def identity_of_benchmarks(conf: MeasureConfig) -> list[str]:
    """Hashes of the files of benchmark items, which their names do not tell.

    Raises:
        As `load_benchmarks`.
    """
    load_benchmarks(conf.benchmarks, conf.benchmark_fields)
    return [sha256_of(Path(file)) for file in conf.benchmarks]


def _texts(file: Path, fields: Sequence[str]) -> Iterator[str]:
    n_found = 0
    for item in _items(file):
        for field in fields:
            text = item.get(field)
            if isinstance(text, str) and text.strip():
                n_found += 1
                yield text
    if not n_found:
        raise InputError(f"{file}: no item has a text called {' or '.join(fields)}")


def _items(file: Path) -> Iterator[dict[str, object]]:
    opener = gzip.open if file.suffix == ".gz" else open
    try:
        with opener(file, "rt", encoding="utf-8") as lines:
            for line in lines:
                item = json.loads(line)
                if isinstance(item, dict):
                    yield item
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{file}: not a file of JSON lines: {error}") from error
