"""Repetition in a text: equal lines and paragraphs, the top word n-gram, duplicate word n-grams.

Source: Rae et al. 2021 (Gopher), table A1, as 2412.02595 (section 3.3, filters 8 to 11 and 19 to
27) applies them through NeMo Curator. Characters of n-grams are those of their words and one for
each joint between two words of the same n-gram, over all characters of the text.

Deviations from the reference:

- Texts without a line (paragraph) have 0.0 unique ones; the reference raises, or says 0.
- Top n-gram: of n-grams that are equally frequent, the one with most characters counts, and of
  those the first; the reference takes whichever comes first in an order that depends on Python's
  hash seed. In `a b cd ef x a b y cd ef` (two of each) it is `cd ef`.
- Top n-gram: an n-gram that occurs once is no repetition: `all four words differ` is 0.0; the
  reference deletes one of them.
- Top n-gram: occurrences are found among the words, across line ends, and only whole words:
  `a b` occurs in `a LF b` (the reference misses it), not in `a banana` (the reference finds it).
- Top n-gram: overlapping occurrences all count: `a a a` is covered by `a a`, 5 of 5 characters;
  the reference deletes 3 of them.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from curation.measure.compiled import kernel
from curation.measure.hashing import mix
from curation.measure.words import Hashes, Ints, Numbered, Spans, Words, numbered

TOP_NGRAMS = (2, 3, 4)
DUPLICATE_NGRAMS = (5, 6, 7, 8, 9, 10)

_FACTOR = np.uint64(0xD6E8FEB86659FD93)


def repetition(words: Words) -> dict[str, float]:
    """The shares of repetition, by signal name.

    An n-gram share is 1.0 for a text with fewer than n words, as in the reference.
    """
    line_frac, line_char_frac = unique_fracs(words.tokens.lines)
    paragraph_frac, paragraph_char_frac = unique_fracs(words.tokens.paragraphs)
    shares = {
        "unique_line_frac": line_frac,
        "unique_paragraph_frac": paragraph_frac,
        "unique_line_char_frac": line_char_frac,
        "unique_paragraph_char_frac": paragraph_char_frac,
    }
    return shares | ngram_shares(words)


def unique_fracs(parts: Spans) -> tuple[float, float]:
    """Distinct / all `parts`, and characters of distinct / of all; 0.0 where there are none."""
    n_unique, n_unique_chars, n_chars = _n_unique(parts)
    return (n_unique / parts.start.size, n_unique_chars / n_chars) if n_chars else (0.0, 0.0)


@kernel
def _n_unique(parts: Spans) -> tuple[int, int, int]:
    """Distinct parts, their characters, and the characters of all parts."""
    # Arrays are taken out of their tuples: numba counts references to each at every use.
    starts, ends, first = parts.start, parts.end, numbered(parts.hash).first
    n_unique_chars, n_chars = 0, 0
    for i in first:
        n_unique_chars += ends[i] - starts[i]
    for i in range(starts.size):
        n_chars += ends[i] - starts[i]
    return first.size, n_unique_chars, n_chars


def ngram_shares(
    words: Words,
    *,
    top: Collection[int] = TOP_NGRAMS,
    duplicate: Collection[int] = DUPLICATE_NGRAMS,
) -> dict[str, float]:
    """`top_{n}gram_frac` for n in `top`, `dup_{n}gram_frac` for n in `duplicate`; n from 2."""
    covered = _covered(words.tokens.words, words.distinct, max(*top, *duplicate))
    n_chars, n_words = len(words.text), words.n_words

    def share(n: int, row: int) -> float:
        return int(covered[row, n]) / n_chars if n_words >= n else 1.0

    return {f"top_{n}gram_frac": share(n, 0) for n in top} | {
        f"dup_{n}gram_frac": share(n, 1) for n in duplicate
    }


@kernel
def _covered(words: Spans, distinct: Numbered, longest: int) -> Ints:
    """Characters covered by the top n-gram, and by later occurrences of repeated ones.

    Shape (2, longest + 1), a column for each n. An n-gram can only repeat where the two (n-1)-grams
    in it do, so that few starts are left after the first steps.
    """
    covered = np.zeros((2, longest + 1), np.int64)
    begins, stops = words.start, words.end
    ends = np.zeros(begins.size + 1, np.int64)
    for i in range(begins.size):
        ends[i + 1] = ends[i] + stops[i] - begins[i]
    starts, keys = np.arange(begins.size), words.hash
    starts, keys, _ = _repeated(starts, keys, distinct)
    for n in range(2, longest + 1):
        starts, keys = _longer(starts, keys)
        found = numbered(keys)
        covered[0, n] = _top(starts, found, n, ends)
        starts, keys, first = _repeated(starts, keys, found)
        if not starts.size:
            break
        covered[1, n] = _chars(starts[~first], n, ends)
    return covered


@kernel
def _repeated(
    starts: Ints, keys: Hashes, found: Numbered
) -> tuple[Ints, Hashes, NDArray[np.bool_]]:
    """Those whose key occurs more than once, in order, and whether each is the first of its key."""
    # Arrays are taken out of their tuples: numba counts references to each at every use.
    number, first, n_each = found.number, found.first, found.n_each
    kept, kept_keys = np.empty(starts.size, np.int64), np.empty(starts.size, np.uint64)
    is_first, n = np.empty(starts.size, np.bool_), 0
    for i in range(starts.size):
        # Written at every place and kept at a repeated one: no branch to guess.
        kept[n], kept_keys[n], is_first[n] = starts[i], keys[i], first[number[i]] == i
        n += n_each[number[i]] > 1
    return kept[:n], kept_keys[:n], is_first[:n]


@kernel
def _longer(starts: Ints, keys: Hashes) -> tuple[Ints, Hashes]:
    """From repeated n-grams to the (n+1)-grams that may repeat: two that begin side by side."""
    n = 0
    longer, mixed = np.empty(starts.size, np.int64), np.empty(starts.size, np.uint64)
    for i in range(starts.size - 1):
        if starts[i + 1] == starts[i] + 1:
            longer[n], mixed[n] = starts[i], mix(keys[i] * _FACTOR + keys[i + 1])
            n += 1
    return longer[:n], mixed[:n]


@kernel
def _top(starts: Ints, found: Numbered, n: int, ends: Ints) -> int:
    """Characters that the top n-gram covers: the most frequent, then longest, then first one.

    0 where none is repeated.
    """
    first, n_each = found.first, found.n_each
    top, most, longest = 0, 1, 0
    for number in range(first.size):
        start, count = starts[first[number]], n_each[number]
        chars = ends[start + n] - ends[start]
        if count > most or (count == most > 1 and chars > longest):
            top, most, longest = number, count, chars
    return _chars(starts[found.number == top], n, ends) if most > 1 else 0


@kernel
def _chars(starts: Ints, n: int, ends: Ints) -> int:
    """Characters of the words that the n-grams at ascending `starts` cover, and of their joints.

    `ends` counts the characters of all words before each word, and of all words. An n-gram that
    overlaps the one before it adds its last words and as many joints; one that does not adds n
    words and the n - 1 joints inside it.
    """
    chars, behind = 0, -1
    for start in starts:
        n_new = min(start + n - behind, n) if behind >= 0 else n
        chars += ends[start + n] - ends[start + n - n_new] + min(n_new, n - 1)
        behind = start + n
    return chars
