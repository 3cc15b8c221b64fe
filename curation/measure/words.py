"""The one tokenisation of a text, made once and shared by every signal.

A *word* is what white space separates. A *line* is what line feeds separate, blank ones left out.
A *paragraph* is what blank lines separate; a blank line may hold white space.
Source: 2412.02595, section 3.3, by the filters of NeMo Curator. Deviations from them:

- A paragraph is never blank and never begins with a line feed. `a` and `a` with three blank lines
  between them are two equal paragraphs; the reference sees `a`, nothing, `a`, and with two blank
  lines between them it sees `a` and `LF a`, which differ.
- A blank line may hold spaces or a carriage return: `a CR LF CR LF b` is two paragraphs; the
  reference sees one.

Words, lines and paragraphs are known by their place and by a 64-bit hash; that two of them are the
same is said by the hash alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import BITS, KINDS, SPACE, Codes, codes_of, count_kinds
from curation.measure.compiled import kernel
from curation.measure.hashing import Normalised, mix, normalise_words

Hashes = NDArray[np.uint64]
Ints = NDArray[np.int64]

_LINE_FEED = np.uint32(10)
_BASE, _ONE = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)


class Spans(NamedTuple):
    """Pieces of a text in order, an array a column, each of shape (n,)."""

    start: Ints
    """First character."""
    end: Ints
    """The character behind the last."""
    hash: Hashes
    """Equal for equal pieces."""


class Tokens(NamedTuple):
    """A text cut in three ways."""

    words: Spans
    lines: Spans
    """Non-blank lines as they stand, without their line feeds."""
    paragraphs: Spans
    """Without the blank lines between them, and without white space at the text's ends."""


@dataclass(frozen=True)
class Words:
    """A text and its words, lines and paragraphs, each computed at most once."""

    text: str

    @cached_property
    def codes(self) -> Codes:
        """Its code points, shape (len(text),)."""
        return codes_of(self.text)

    @cached_property
    def kind_counts(self) -> Ints:
        """Characters of each kind, shape (len(characters.BITS),)."""
        return count_kinds(self.codes, KINDS, BITS.size)

    @cached_property
    def tokens(self) -> Tokens:
        """Words, lines and paragraphs by their places. About 15 us for 5,000 characters."""
        return tokenise(self.codes, KINDS, BITS)

    @cached_property
    def n_words(self) -> int:
        return int(self.tokens.words.start.size)

    @cached_property
    def n_lines(self) -> int:
        return int(self.tokens.lines.start.size)

    @cached_property
    def normalised(self) -> Normalised:
        """The text as content hash and MinHash see it."""
        return normalise_words(self.text.split())

    def of(self, spans: Spans) -> list[str]:
        """The pieces as strings."""
        bounds = zip(spans.start.tolist(), spans.end.tolist(), strict=True)
        return [self.text[start:end] for start, end in bounds]


def hash_of(text: str) -> np.uint64:
    """Hash of `text` as a word, line or paragraph."""
    codes = codes_of(text)
    return np.uint64(_hash(codes, 0, codes.size))


@kernel
def tokenise(codes: Codes, kinds: NDArray[np.uint8], bits: NDArray[np.uint16]) -> Tokens:
    """Words, lines and paragraphs of a text."""
    starts, ends = _words(codes, kinds, bits)
    lines = _between(codes, starts, ends, 1, 0, codes.size)
    paragraphs = _between(codes, starts, ends, 2, starts[0] if starts.size else 0,
                          ends[-1] if starts.size else 0)  # fmt: skip
    return Tokens(Spans(starts, ends, _hashes(codes, starts, ends)), lines, paragraphs)


@kernel
def _words(codes: Codes, kinds: NDArray[np.uint8], bits: NDArray[np.uint16]) -> tuple[Ints, Ints]:
    n, was_space = 0, True
    for code in codes:
        is_space = bits[kinds[code]] & SPACE != 0
        n += was_space and not is_space
        was_space = is_space
    starts, ends = np.empty(n, np.int64), np.empty(n, np.int64)
    n, was_space = 0, True
    for i in range(codes.size):
        is_space = bits[kinds[codes[i]]] & SPACE != 0
        if was_space and not is_space:
            starts[n] = i
        elif is_space and not was_space:
            ends[n] = i
            n += 1
        was_space = is_space
    if not was_space:
        ends[n] = codes.size
    return starts, ends


@kernel
def _between(codes: Codes, starts: Ints, ends: Ints, n_feeds: int, first: int, last: int) -> Spans:
    """Pieces from `first` to `last` that at least `n_feeds` line feeds between words separate.

    A piece ends before the first of them and the next begins behind the last.
    """
    begins, stops = np.empty(starts.size, np.int64), np.empty(starts.size, np.int64)
    if not starts.size:
        return Spans(begins, stops, np.empty(0, np.uint64))
    _, _, begins[0] = _feeds(codes, first, starts[0])
    n = 0
    for word in range(starts.size - 1):
        found, before, behind = _feeds(codes, ends[word], starts[word + 1])
        if found >= n_feeds:
            stops[n], begins[n + 1] = before, behind
            n += 1
    _, stops[n], _ = _feeds(codes, ends[-1], last)
    begins, stops = begins[: n + 1], stops[: n + 1]
    return Spans(begins, stops, _hashes(codes, begins, stops))


@kernel
def _feeds(codes: Codes, start: int, end: int) -> tuple[int, int, int]:
    """Line feeds in a gap: how many, where the first is (`end`: none), what is behind the last."""
    n, first, behind = 0, end, start
    for i in range(start, end):
        if codes[i] == _LINE_FEED:
            if not n:
                first = i
            n, behind = n + 1, i + 1
    return n, first, behind


@kernel
def _hashes(codes: Codes, starts: Ints, ends: Ints) -> Hashes:
    hashes = np.empty(starts.size, np.uint64)
    for i in range(starts.size):
        hashes[i] = _hash(codes, starts[i], ends[i])
    return hashes


@kernel
def _hash(codes: Codes, start: int, end: int) -> np.uint64:
    value = np.uint64(end - start)
    for i in range(start, end):
        value = (value ^ np.uint64(codes[i])) * _BASE
        value ^= value >> np.uint64(29)
    return mix(value)


class Numbered(NamedTuple):
    """Keys by number: equal keys have the same, from 0 in order of first occurrence."""

    number: Ints
    """Number of each key, shape (n,)."""
    first: Ints
    """Place of the first of each number, shape (n_distinct,)."""
    n_each: Ints
    """Occurrences of each number, shape (n_distinct,)."""


@kernel
def numbered(keys: Hashes) -> Numbered:
    """`keys`, which are hashes, by number. About 10 ns a key, through an open table."""
    size = 2
    while size < 2 * keys.size:
        size *= 2
    table, mask = np.full(size, -1, np.int64), np.uint64(size - 1)
    number, first = np.empty(keys.size, np.int64), np.empty(keys.size, np.int64)
    count = np.zeros(keys.size, np.int64)
    n = 0
    for i in range(keys.size):
        slot = keys[i] & mask
        while table[slot] >= 0 and keys[first[table[slot]]] != keys[i]:
            slot = (slot + _ONE) & mask
        if table[slot] < 0:
            table[slot], first[n] = n, i
            n += 1
        number[i] = table[slot]
        count[table[slot]] += 1
    return Numbered(number, first[:n], count[:n])
