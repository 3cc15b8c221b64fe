"""fastText's arithmetic as numba kernels: the sum over a text, and the labels that it makes likely.

Source: Joulin et al. 2016 (1607.01759). Hashes, order of sums and rounding of logarithms are those
of fastText 0.9.2, so that answers are its own to about the last digit of a float32.

A text is the mean of the vectors of its words, of their n-grams of characters, of the mark that
ends it, and of the n-grams of its words, in this order. What a word is, a `Reading` says.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.fasttext.outputs import score_labels
from curation.fasttext.words import (
    AS_LINE,
    AS_LINES,
    AS_WORDS,
    FNV32,
    FNV64,
    KINDS,
    KINDS_OF_LINES,
    Place,
    has,
    hashed,
    next_word,
)
from curation.measure.compiled import kernel

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_PRIME64, _WORD_PRIME = np.uint64(0x100000001B3), np.uint64(116049371)
_ONE, _LOW, _HALF = np.uint64(1), np.uint64(0xFFFFFFFF), np.uint64(32)
_THREE, _SEVEN = np.uint64(3), np.uint64(7)
_LABEL, _END = np.frombuffer(b"__label__", np.uint8), np.frombuffer(b"</s>", np.uint8)
_OPEN, _CLOSE = 60, 62
_BEHIND_NAME = 10
"""Bytes of an entry of the dictionary behind its name: its end, a count of eight, a type."""


class Shape(NamedTuple):
    """A model's numbers."""

    n_words: int
    end_row: int
    """Row of the mark that ends every text; -1 where it has none."""
    end_hash: int
    n_buckets: int
    inverse: np.uint64
    """2**64 / n_buckets, rounded up, by which a remainder is found without division."""
    min_chars: int
    max_chars: int
    """Characters of an n-gram; 0: there are none."""
    word_ngrams: int
    """Words of the longest n-gram of words; 1: there are none."""
    is_softmax: bool
    """Else every label has a probability of its own, unless there is a tree."""


class Tables(NamedTuple):
    """A model as arrays, all read-only.

    Inner loops are given the arrays that they need: to take one out of here counts a reference.
    """

    vectors: Floats
    """Of words, then of n-grams, shape (n_rows, dim); of a dense model it lies in the file."""
    slots: NDArray[np.uint64]
    """Open table of words and labels; what a slot holds: `fill_slots`."""
    is_kept: Bytes
    """A bit for each bucket of n-grams with a vector: it stays in the cache, `rows` does not."""
    rows: Ints
    """Row of each bucket; empty where none was pruned, and bucket b is row n_words + b."""
    outputs: Floats
    """Vector of each label, or of each inner node of the tree over them, shape (n, dim)."""
    left: Ints
    right: Ints
    """Children of each node of the tree, its leaves, which are the labels, first; else empty."""
    shape: Shape


class Room(NamedTuple):
    """Arrays that texts share, one after another."""

    total: Floats
    """Sum of vectors, shape (dim,)."""
    hashes: Ints
    """Of the words of a text."""
    word: Bytes
    """A word between its ends `<` and `>`."""


@kernel
def likeliest(
    joined: Bytes, ends: NDArray[np.int64], tables: Tables, reading: int, k: int
) -> tuple[NDArray[np.int64], Floats]:
    """Places of the best `k` labels of each text and their probabilities, shapes (n_texts, k).

    -1 and NaN for a text in which the model knows nothing.
    """
    n_texts, longest = ends.size - 1, 0
    places, scores = np.full((n_texts, k), -1, np.int64), np.full((n_texts, k), np.nan, np.float32)
    for i in range(n_texts):
        longest = max(longest, ends[i + 1] - ends[i])
    room = Room(
        np.empty(tables.vectors.shape[1], np.float32),
        np.empty(longest // 2 + 3, np.int32),
        np.empty(longest + 2, np.uint8),
    )
    for i in range(n_texts):
        n = _sum_text(joined[ends[i] : ends[i + 1]], tables, reading, room)
        if n:
            mean = room.total / np.float32(n)
            places[i], scores[i] = score_labels(
                mean, tables.outputs, tables.left, tables.right, tables.shape.is_softmax, k
            )
    return places, scores


@kernel
def _sum_text(text: Bytes, tables: Tables, reading: int, room: Room) -> int:
    """Put the sum of all vectors of `text` into the room; how many they are, 0: nothing to read."""
    room.total[:] = 0
    n, shape = 0, tables.shape
    if reading == AS_WORDS:
        n += _add_end(tables, room)
    n_more, n_hashes, is_blank = _add_words(text, tables, reading, room)
    if reading == AS_LINES and is_blank and not (text == 0).any():
        return 0
    n += n_more
    if reading != AS_WORDS:
        n += _add_end(tables, room)
    if shape.word_ngrams < 2:
        return n
    room.hashes[n_hashes] = shape.end_hash
    return n + _add_word_ngrams(
        room.hashes[: n_hashes + 1], room.total, tables.vectors, tables.is_kept, tables.rows, shape
    )


@kernel
def _add_end(tables: Tables, room: Room) -> int:
    """Add the mark that ends a text, if the model knows it; how many vectors that is."""
    if tables.shape.end_row < 0:
        return 0
    _add(room.total, tables.vectors, tables.shape.end_row)
    return 1


@kernel
def _add_words(text: Bytes, tables: Tables, reading: int, room: Room) -> tuple[int, int, bool]:
    """Add the words of `text`; how many vectors they have, and how many hashes are in the room.

    Third, whether it holds nothing between white space: labels are no words, but not nothing.
    """
    n, n_hashes, shape, is_blank = 0, 0, tables.shape, True
    total, hashes, word = room.total, room.hashes, room.word
    vectors, slots, is_kept, rows = tables.vectors, tables.slots, tables.is_kept, tables.rows
    kinds = KINDS_OF_LINES if reading == AS_LINES else KINDS
    i, literal_end = np.uint64(0), np.uint64(0)
    while True:
        start, i, key, short, literal_end = next_word(text, i, kinds, literal_end)
        if start == i:
            return n, n_hashes, is_blank
        is_blank, row = False, _row_of(key, slots)
        if not 0 <= row < shape.n_words or row == shape.end_row:
            if reading == AS_LINE and _is_end(text, np.int64(start), np.int64(i)):
                return n, n_hashes, is_blank
            is_label = row >= shape.n_words or has(text, np.int64(start), np.int64(i), _LABEL)
            if is_label and reading != AS_WORDS:
                continue
        if 0 <= row < shape.n_words:
            _add(total, vectors, row)
            n += 1
        if shape.max_chars:
            size = _frame(text, start, i, word)
            n += _add_ngrams(word, size, total, vectors, is_kept, rows, shape)
        hashes[n_hashes] = np.int32(short)
        n_hashes += 1


@kernel
def _is_end(text: Bytes, start: Place, stop: Place) -> bool:
    """Whether a word is the mark that ends a text."""
    return stop - start == _END.size and has(text, start, stop, _END)


@kernel
def _row_of(value: np.uint64, slots: NDArray[np.uint64]) -> Place:
    """Row of the word or label whose hash is `value`; -1: it is not known."""
    mask = np.uint64(slots.size - 1)
    slot = value & mask
    while slots[slot]:
        if (slots[slot] ^ value) & ~mask == 0:
            return np.int64(slots[slot] & mask) - 1
        slot = (slot + _ONE) & mask
    return -1


@kernel
def fill_slots(
    content: Bytes, place: int, slots: NDArray[np.uint64], size: int
) -> NDArray[np.int64]:
    """Read `size` words and labels at `place`; where each begins, and where the last one ends.

    The last is -1 where the file is cut short. A slot of the table, which must have a power of two
    of them and more than `size`, holds 0, or the upper bits of a hash above 1 + its row: the lower
    ones are told by the place of the slot, near enough.
    """
    starts, mask = np.empty(size + 1, np.int64), np.uint64(slots.size - 1)
    for row in range(size):
        starts[row], value = place, FNV64
        while place < content.size and content[place]:
            value = (value ^ np.uint64(content[place])) * _PRIME64
            place += 1
        place += _BEHIND_NAME
        if place > content.size:
            starts[size] = -1
            return starts
        slot = value & mask
        while slots[slot]:
            slot = (slot + _ONE) & mask
        slots[slot] = (value & ~mask) | np.uint64(row + 1)
    starts[size] = place
    return starts


@kernel
def _add(total: Floats, vectors: Floats, row: Place) -> None:
    at = np.uint64(row)
    for k in range(total.size):
        total[k] += vectors[at, k]


@kernel
def _row_of_bucket(bucket: np.uint64, is_kept: Bytes, rows: Ints, n_words: int) -> Place:
    """Row of a bucket of n-grams; -1: it was not kept."""
    if not rows.size:
        return n_words + np.int64(bucket)
    if is_kept[bucket >> _THREE] >> (bucket & _SEVEN) & 1:
        return np.int64(rows[bucket])
    return -1


@kernel
def _add_word_ngrams(
    hashes: Ints, total: Floats, vectors: Floats, is_kept: Bytes, rows: Ints, shape: Shape
) -> int:
    """Add the n-grams of the words with these hashes; how many vectors they have."""
    n, n_buckets = 0, np.uint64(shape.n_buckets)
    for first in range(hashes.size):
        value = np.uint64(np.int64(hashes[first]))
        for last in range(first + 1, min(first + shape.word_ngrams, hashes.size)):
            value = value * _WORD_PRIME + np.uint64(np.int64(hashes[last]))
            row = _row_of_bucket(value % n_buckets, is_kept, rows, shape.n_words)
            if row >= 0:
                _add(total, vectors, row)
                n += 1
    return n


@kernel
def _frame(text: Bytes, start: np.uint64, stop: np.uint64, word: Bytes) -> np.uint64:
    """Put `text[start:stop]` between `<` and `>` into `word`; how many bytes that is."""
    size = stop - start
    for i in range(size):
        word[i + _ONE] = text[start + i]
    word[0], word[size + _ONE] = _OPEN, _CLOSE
    return size + _ONE + _ONE


@kernel
def _add_ngrams(
    word: Bytes, size: np.uint64, total: Floats, vectors: Floats, is_kept: Bytes, rows: Ints,
    shape: Shape,
) -> int:  # fmt: skip
    """Add the n-grams of characters in `word[:size]`; how many vectors they have."""
    n, n_buckets = 0, np.uint64(shape.n_buckets)
    for first in range(size):
        if word[first] & 0xC0 == 0x80:
            continue
        value, n_chars, i = FNV32, 0, np.uint64(first)
        while i < size and n_chars < shape.max_chars:
            value = hashed(value, word[i])
            i += _ONE
            while i < size and word[i] & 0xC0 == 0x80:
                value = hashed(value, word[i])
                i += _ONE
            n_chars += 1
            # An end of the word alone is no n-gram.
            if n_chars < shape.min_chars or (n_chars == 1 and (first == 0 or i == size)):
                continue
            bucket = _remainder(value, n_buckets, shape.inverse)
            row = _row_of_bucket(bucket, is_kept, rows, shape.n_words)
            if row >= 0:
                _add(total, vectors, row)
                n += 1
    return n


@kernel
def _remainder(value: np.uint32, n_buckets: np.uint64, inverse: np.uint64) -> np.uint64:
    """`value % n_buckets`, by Lemire, Kaser and Kurz 2019 (1902.01961): faster than to divide."""
    part = inverse * np.uint64(value)
    return ((part >> _HALF) * n_buckets + ((part & _LOW) * n_buckets >> _HALF)) >> _HALF
