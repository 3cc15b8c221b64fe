"""Stop words of a text's own language: a text that has few of them is no prose in it.

Source: Gopher (Rae et al. 2021, A.1.1), whose eight words are English, and FineWeb 2 (2506.20920),
which takes the most frequent words of each language's Wikipedia and asks for two different ones.
Lists: `languages/*.yaml`.

FineWeb 2 looks for them among what a tokenizer of the language gives; words here are what white
space separates, and three ways of standing in such a word count:

- with the first mark behind it, for what is written with one: `г.` in `г.,`;
- without the punctuation and symbols at its ends, some four at most: `und` in `(und,`;
- before and behind an apostrophe, straight or curly, among its first five characters: `l'` and `un`
  in `l'un`. Only in languages that have stop words with one.

Case counts, as there: `Der` is not `der`. Entries that are a mark alone (the Arabic comma) never
count; in languages without spaces, and in Korean, whose list is of particles, there is no list.
"""

from __future__ import annotations

import unicodedata
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.measure.by_language import languages
from curation.measure.characters import Codes, codes_of
from curation.measure.compiled import kernel
from curation.measure.words import Hashes, Ints, Spans, Words, hash_of

COLUMNS = ("n_stop_words", "n_distinct_stop_words")

_N_SLOTS = 256
_SLOT_BITS, _ONE = np.uint64(_N_SLOTS - 1), np.uint64(1)
_MAX_MARKS = 4
"""Marks that a stop word is looked for among, at both ends together."""
_MAX_ELIDED_CHARS = 5
"""What stands before an apostrophe, that included, where what is behind it is a word: `dell'`."""
_APOSTROPHE, _CURLY = np.uint32(ord("'")), np.uint32(ord("’"))
_MARKS = np.array(
    [unicodedata.category(chr(code))[0] in "PS" for code in range(0x20000)], np.bool_
)  # fmt: skip
"""Which code points are punctuation or symbols, as far as there are any, shape (0x20000,)."""


class StopWords(NamedTuple):
    """A list of stop words, shortest first."""

    hashes: Hashes
    """Their hashes as words, shape (n,)."""
    slots: Ints
    """An open table: number of the stop word whose hash leads here; -1: none."""
    codes: Codes
    """Code points of all of them, one behind the other."""
    start: Ints
    """Where each begins in `codes`, and where the last ends, shape (n + 1,)."""
    first: Ints
    """First word of each length or a greater one, by length, shape (longest + 2,)."""
    has_apostrophes: bool
    """Some end in an apostrophe."""


@cache
def stop_words_of(language: str) -> StopWords | None:
    """The list of a language, by fastText's code; None where there is none."""
    known = languages().get(language)
    if known is None or not known.stop_words:
        return None
    shown = {word for word in known.stop_words if not _MARKS[codes_of(word)].all()}
    words = sorted(shown, key=lambda word: (len(word), word))
    sizes = np.array([len(word) for word in words], np.int64)
    hashes = np.array([hash_of(word) for word in words], np.uint64)
    return StopWords(
        hashes=hashes,
        slots=_slots(hashes),
        codes=codes_of("".join(words)),
        start=np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)]),
        first=np.searchsorted(sizes, np.arange(sizes[-1] + 2)).astype(np.int64),
        has_apostrophes=any(word.endswith("'") for word in words),
    )


def _slots(hashes: Hashes) -> Ints:
    """An open table of `_N_SLOTS` over hashes, which are fewer."""
    slots = np.full(_N_SLOTS, -1, np.int64)
    for number, value in enumerate(hashes.tolist()):
        slot = value % _N_SLOTS
        while slots[slot] >= 0:
            slot = (slot + 1) % _N_SLOTS
        slots[slot] = number
    return slots


def stop_words(words: Words, language: str) -> dict[str, int | None]:
    """`COLUMNS` by name: occurrences of the language's stop words, and how many different ones.

    Both are None where the language has no list. About 11 us for 5,000 characters, 14 where words
    have apostrophes: a fifth of what `Words.tokens` takes on the same machine.

    Args:
        words: Any text.
        language: The text's own, as `measures.language` has it.
    """
    known = stop_words_of(language)
    if known is None:
        return dict.fromkeys(COLUMNS)
    n, n_distinct = _count(words.codes, words.tokens.words, known, _MARKS)
    return {"n_stop_words": n, "n_distinct_stop_words": n_distinct}


@kernel
def _count(
    codes: Codes, words: Spans, known: StopWords, marks: NDArray[np.bool_]
) -> tuple[int, int]:
    """Occurrences of stop words, and how many different ones.

    For speed, arrays are taken out of their tuples: numba counts references to each at every use.
    """
    hashes, slots, elided = known.hashes, known.slots, known.has_apostrophes
    listed, begins, first = known.codes, known.start, known.first
    starts, ends, values = words.start, words.end, words.hash
    longest = codes.size if elided else first.size - 2 + _MAX_MARKS
    n_each = np.zeros(hashes.size + 1, np.int64)  # the last: of words that are none
    for i in range(values.size):
        slot = values[i] & _SLOT_BITS
        while slots[slot] >= 0 and hashes[slots[slot]] != values[i]:
            slot = (slot + _ONE) & _SLOT_BITS
        found, start, end = slots[slot], starts[i], ends[i]
        is_marked = _is_mark(codes[start], marks) | _is_mark(codes[end - 1], marks)
        if is_marked & (found < 0) & (end - start <= longest):
            start, end, found = _bare(codes, start, end, marks, listed, begins, first)
        n_each[found] += 1
        if elided and found < 0:
            at = _apostrophe(codes, start, end)
            if at >= 0:
                n_each[_find(codes, start, at + 1, listed, begins, first)] += 1
                n_each[_find(codes, at + 1, end, listed, begins, first)] += 1
    n, n_distinct = 0, 0
    for occurrences in n_each[:-1]:
        n, n_distinct = n + occurrences, n_distinct + int(occurrences > 0)
    return n, n_distinct


@kernel
def _bare(
    codes: Codes,
    start: int,
    end: int,
    marks: NDArray[np.bool_],
    listed: Codes,
    begins: Ints,
    first: Ints,
) -> tuple[int, int, int]:
    """A word without the marks at its ends, and its number as a stop word; -1: it is none.

    With the first mark behind it, if there is such a stop word.
    """
    last = end
    while start < last and _is_mark(codes[start], marks):
        start += 1
    while last > start and _is_mark(codes[last - 1], marks):
        last -= 1
    found = -1
    if start < last < end:
        found = _find(codes, start, last + 1, listed, begins, first)
    if found < 0:
        found = _find(codes, start, last, listed, begins, first)
    return start, last, found


@kernel
def _apostrophe(codes: Codes, start: int, end: int) -> int:
    """Place of the first apostrophe behind a word's first character; -1: none is near it."""
    for at in range(start + 1, min(end, start + _MAX_ELIDED_CHARS)):
        if _straight(codes[at]) == _APOSTROPHE:
            return at
    return -1


@kernel
def _find(codes: Codes, start: int, end: int, listed: Codes, begins: Ints, first: Ints) -> int:
    """Number of the stop word that stands from `start` to `end`; -1: none does."""
    size = end - start
    if size >= first.size - 1:
        return -1
    for word in range(first[size], first[size + 1]):
        begin, n_same = begins[word], 0
        while n_same < size and _straight(codes[start + n_same]) == listed[begin + n_same]:
            n_same += 1
        if n_same == size:
            return word
    return -1


@kernel
def _is_mark(code: np.uint32, marks: NDArray[np.bool_]) -> bool:
    return bool(code < marks.size and marks[code])


@kernel
def _straight(code: np.uint32) -> np.uint32:
    return _APOSTROPHE if code == _CURLY else code
