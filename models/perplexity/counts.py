"""N-grams of a text, numbered and counted.

An n-gram is known by its number among those of its order, which are in order of their words. Its
*prefix* is all but its last word, its *suffix* all but its first: numbers of the order below.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int32]
Counts = NDArray[np.int64]
Flags = NDArray[np.bool_]

UNKNOWN, START, END = 0, 1, 2
"""Numbers of `<unk>`, `<s>` and `</s>`; words follow in order of code points."""
SPECIAL = ("<unk>", "<s>", "</s>")


@dataclass(frozen=True)
class Corpus:
    """Sentences as numbers, each between `START` and `END`."""

    words: tuple[str, ...]
    """Word of each number."""
    stream: Numbers
    """Shape (n,): all sentences in one row."""

    @property
    def n_sentences(self) -> int:
        return int((self.stream == START).sum())


@dataclass(frozen=True)
class Grams:
    """The distinct n-grams of one order, an array a column, each of shape (n,)."""

    prefix: Numbers
    suffix: Numbers
    word: Numbers
    """The last word."""
    count: Counts
    """Occurrences."""
    adjusted: Counts
    """What Kneser-Ney counts: occurrences in the highest order and after `START`; below it, how
    many different words come before it."""


def number_words(sentences: Iterable[Sequence[str]]) -> Corpus:
    """The sentences as numbers. `<unk>` in a sentence is `UNKNOWN`; empty ones are left out.

    Four bytes a token, beside the vocabulary.
    """
    numbers: defaultdict[str, int] = defaultdict()
    numbers.default_factory = numbers.__len__
    for word in SPECIAL:
        numbers[word]
    stream = array("i")
    for sentence in sentences:
        if sentence:
            stream.append(START)
            stream.extend([numbers[word] for word in sentence])
            stream.append(END)
    words = (*SPECIAL, *sorted(list(numbers)[len(SPECIAL) :]))
    ranks = np.empty(len(words), np.int32)
    ranks[[numbers[word] for word in words]] = np.arange(len(words), dtype=np.int32)
    return Corpus(words, ranks[np.frombuffer(stream, np.int32)])


def count_grams(corpus: Corpus, order: int) -> list[Grams]:
    """N-grams of orders 1 to `order`.

    About 25 bytes a token of the corpus for each order, and 60 while one is being sorted.
    """
    n_words, stream = len(corpus.words), corpus.stream
    places = np.arange(stream.size, dtype=np.int32)
    depth = places - np.maximum.accumulate(np.where(stream == START, places, 0))
    raw = [_unigrams(stream, n_words)]
    number = stream
    for n in range(2, order + 1):
        grams, number = _longer(number, stream, np.flatnonzero(depth >= n - 1), n_words)
        raw.append(grams)
    return _adjust(raw)


def _unigrams(stream: Numbers, n_words: int) -> Grams:
    count = np.bincount(stream, minlength=n_words)
    zeros = np.zeros(n_words, np.int32)
    return Grams(zeros, zeros, np.arange(n_words, dtype=np.int32), count, count)


def _longer(shorter: Numbers, stream: Numbers, ends: Counts, n_words: int) -> tuple[Grams, Numbers]:
    """N-grams that end at `ends`, from the numbers of those one shorter that end at each place.

    Also their own numbers at each place, 0 where none ends.
    """
    keys = shorter[ends - 1].astype(np.int64) * n_words + stream[ends]
    keys, inverse, count = np.unique(keys, return_inverse=True, return_counts=True)
    inverse = inverse.astype(np.int32)
    suffix = np.empty(keys.size, np.int32)
    suffix[inverse] = shorter[ends]
    number = np.zeros(stream.size, np.int32)
    number[ends] = inverse
    prefix, word = (part.astype(np.int32) for part in np.divmod(keys, n_words))
    return Grams(prefix, suffix, word, count, count), number


def _adjust(raw: Sequence[Grams]) -> list[Grams]:
    """The same with `adjusted` as Kneser-Ney wants it."""
    starts: Flags = raw[0].word == START
    adjusted = []
    for shorter, longer in pairwise(raw):
        befores = np.bincount(longer.suffix, minlength=shorter.word.size)
        counts = np.where(starts, shorter.count, befores)
        adjusted.append(Grams(shorter.prefix, shorter.suffix, shorter.word, shorter.count, counts))
        starts = starts[longer.prefix]
    # `<s>` is a context and never predicted.
    adjusted[0].adjusted[START] = 0
    return [*adjusted, raw[-1]]
