"""Word n-grams without case and punctuation: what texts share, and how much of one that covers.

A word is a run of letters and decimal digits, lower-cased; a letter of a script that is written
without spaces is a word of its own. So `Don't PANIC!` and `don t panic` are the same three words.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import BITS, DECIMAL, KINDS, LETTER, LOWER, Codes, codes_of
from curation.measure.compiled import kernel
from curation.measure.hashing import mix
from curation.measure.minhash import window_hashes
from curation.measure.words import Hashes

_BASE = np.uint64(0x9E3779B97F4A7C15)
_ONE = np.uint64(1)
Sieve = NDArray[np.bool_]
_UNSPACED = np.array(
    [(0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF),
     (0x20000, 0x323AF)], np.uint32,
)  # fmt: skip
"""Thai and Lao, Burmese, Khmer, kana, Han: first and last code point."""


def word_hashes(text: str) -> Hashes:
    """One 64-bit hash for each word in order, shape (n words,). About 40 us for 5,000 letters."""
    return _word_hashes(codes_of(text), KINDS, BITS, LOWER, _UNSPACED)


def ngram_hashes(words: Hashes, n: int) -> Hashes:
    """Hash of every `n` neighbouring words, shape (max(0, n words - n + 1),)."""
    return window_hashes(words, n)


def sieve_of(known: Hashes) -> Sieve:
    """Marks of the low bits of `known`, shape (a power of two,): one in 16 or fewer is set."""
    n_bits = max(1, int(known.size * 16).bit_length())
    sieve = np.zeros(1 << n_bits, np.bool_)
    sieve[known & np.uint64(sieve.size - 1)] = True
    return sieve


def covered(words: Hashes, n: int, known: Hashes, sieve: Sieve | None = None) -> NDArray[np.bool_]:
    """Which words lie in an n-gram that is among `known`, which is sorted. Shape of `words`.

    A `sieve` of `known` saves the search for nearly all n-grams that are not among them.
    """
    grams = ngram_hashes(words, n)
    if not grams.size or not known.size:
        return np.zeros(words.size, np.bool_)
    hits = np.ones(grams.size, np.bool_)
    if sieve is not None:
        hits = sieve[grams & np.uint64(sieve.size - 1)]
    maybe = np.flatnonzero(hits)
    places = np.minimum(np.searchsorted(known, grams[maybe]), known.size - 1)
    hits[maybe] = known[places] == grams[maybe]
    return _spread(hits, n)


def covered_frac(words: Hashes, n: int, source: Hashes) -> float:
    """Share of words that lie in an n-gram of the words of `source`; 0 for no words."""
    if not words.size:
        return 0.0
    return float(covered(words, n, np.unique(ngram_hashes(source, n))).mean())


@kernel
def _word_hashes(
    codes: Codes, kinds: NDArray[np.uint8], bits: NDArray[np.uint16], lower: Codes,
    unspaced: NDArray[np.uint32],
) -> Hashes:  # fmt: skip
    hashes = np.empty(codes.size, np.uint64)
    n, word, inside, was_alone = 0, np.uint64(0), False, False
    for code in codes:
        is_part = bits[kinds[code]] & (LETTER | DECIMAL) != 0
        alone = is_part and _is_unspaced(code, unspaced)
        if inside and (alone or was_alone or not is_part):
            hashes[n] = mix(word)
            n, word, inside = n + 1, np.uint64(0), False
        if is_part:
            # 0 stands for letters whose lower case depends on their neighbours: as they are.
            plain = lower[code] if lower[code] else code
            word, inside = word * _BASE + mix(np.uint64(plain) + _ONE), True
        was_alone = alone
    if inside:
        hashes[n] = mix(word)
        n += 1
    return hashes[:n].copy()


@kernel
def _is_unspaced(code: np.uint32, unspaced: NDArray[np.uint32]) -> bool:
    if code < unspaced[0, 0]:
        return False
    for first, last in unspaced:  # noqa: SIM110 (numba compiles no generator)
        if first <= code <= last:
            return True
    return False


@kernel
def _spread(hits: NDArray[np.bool_], n: int) -> NDArray[np.bool_]:
    """Marks of the words of every window that is hit."""
    marks = np.zeros(hits.size + n - 1, np.bool_)
    until = 0
    for i in range(hits.size):
        if hits[i]:
            until = i + n
        if i < until:
            marks[i] = True
    for i in range(hits.size, until):
        marks[i] = True
    return marks
