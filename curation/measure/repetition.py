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

from curation.measure.words import Words

TOP_NGRAMS = (2, 3, 4)
DUPLICATE_NGRAMS = (5, 6, 7, 8, 9, 10)

_Ints = NDArray[np.int64]


def repetition(words: Words) -> dict[str, float]:
    """The shares of repetition, by signal name.

    An n-gram share is 1.0 for a text with fewer than n words, as in the reference.
    """
    shares = {
        "unique_line_frac": unique_frac(words.lines),
        "unique_paragraph_frac": unique_frac(words.paragraphs),
        "unique_line_char_frac": unique_char_frac(words.lines),
        "unique_paragraph_char_frac": unique_char_frac(words.paragraphs),
    }
    return shares | ngram_shares(words)


def unique_frac(parts: list[str]) -> float:
    """Distinct / all `parts`; 0.0 where there are none."""
    return len(set(parts)) / len(parts) if parts else 0.0


def unique_char_frac(parts: list[str]) -> float:
    """Characters of distinct / of all `parts`, which are not empty; 0.0 where there are none."""
    return sum(map(len, set(parts))) / sum(map(len, parts)) if parts else 0.0


def ngram_shares(
    words: Words,
    *,
    top: Collection[int] = TOP_NGRAMS,
    duplicate: Collection[int] = DUPLICATE_NGRAMS,
) -> dict[str, float]:
    """`top_{n}gram_frac` for n in `top`, `dup_{n}gram_frac` for n in `duplicate`; n from 2."""
    ends = np.concatenate(([0], np.cumsum(words.word_chars)))
    groups = _repeated(words.word_ids)
    shares = {}
    for n in range(2, max(*top, *duplicate) + 1):
        groups = _longer(groups)
        if n in top:
            shares[f"top_{n}gram_frac"] = _frac(words, _top_occurrences(groups, n, ends), n, ends)
        if n in duplicate:
            shares[f"dup_{n}gram_frac"] = _frac(words, _later_occurrences(groups), n, ends)
    return shares


def _frac(words: Words, starts: _Ints, n: int, ends: _Ints) -> float:
    """Share of the text that n-grams at `starts` cover; 1.0 for fewer than n words."""
    if len(words.words) < n:
        return 1.0
    return _covered_chars(starts, n, ends) / len(words.text)


def _repeated(keys: _Ints) -> _Ints:
    """Dense group number of each key that occurs again, -1 for a key that occurs once.

    Groups are numbered by key, shape (len(keys),).
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    new = np.empty(keys.size, bool)
    new[:1] = True
    np.not_equal(ordered[1:], ordered[:-1], out=new[1:])
    sizes = np.diff(np.flatnonzero(np.append(new, True)))
    numbers = np.where(sizes > 1, np.cumsum(sizes > 1) - 1, -1)
    groups = np.empty_like(keys)
    groups[order] = np.repeat(numbers, sizes)
    return groups


def _longer(groups: _Ints) -> _Ints:
    """From the groups of repeated n-grams to those of repeated (n+1)-grams, by start.

    An (n+1)-gram is the n-gram at its start and the one at the next word, and it can only repeat
    where both do: few starts are left after the first steps.
    """
    longer = np.full(max(groups.size - 1, 0), -1, np.int64)
    starts = np.flatnonzero((groups[:-1] >= 0) & (groups[1:] >= 0))
    if starts.size:
        keys = groups[starts] * (groups.max() + 1) + groups[starts + 1]
        longer[starts] = _repeated(keys)
    return longer


def _later_occurrences(groups: _Ints) -> _Ints:
    """Starts of the second and later occurrences of repeated n-grams, ascending."""
    starts = np.flatnonzero(groups >= 0)
    if not starts.size:
        return starts
    later = np.ones(starts.size, bool)
    later[np.unique(groups[starts], return_index=True)[1]] = False
    found: _Ints = starts[later]
    return found


def _top_occurrences(groups: _Ints, n: int, ends: _Ints) -> _Ints:
    """Starts of the most frequent repeated n-gram, ascending; ties: most characters, then first."""
    starts = np.flatnonzero(groups >= 0)
    if not starts.size:
        return starts
    firsts, counts = np.unique(groups[starts], return_index=True, return_counts=True)[1:]
    first_starts = starts[firsts]
    chars = ends[first_starts + n] - ends[first_starts]
    top = np.lexsort((first_starts, -chars, -counts))[0]
    found: _Ints = starts[groups[starts] == groups[first_starts[top]]]
    return found


def _covered_chars(starts: _Ints, n: int, ends: _Ints) -> int:
    """Characters of the words that the n-grams at ascending `starts` cover, and of their joints.

    Args:
        starts: Numbers of first words.
        n: Words of an n-gram.
        ends: Characters of all words before each word, and of all words.
    """
    if not starts.size:
        return 0
    # An n-gram that overlaps the one before it adds its last words and as many joints; one that
    # does not adds n words and the n - 1 joints inside it.
    n_new = np.minimum(np.diff(starts, prepend=starts[0] - n), n)
    last = starts + n
    chars = ends[last] - ends[last - n_new]
    return int(chars.sum() + np.minimum(n_new, n - 1).sum())
