"""MinHash signatures and LSH bands of character shingles, in numpy.

A *shingle* is a run of `ngram_chars` characters of the normalised text. Its hash is a polynomial
of its (mixed) code points modulo 2^64, mixed again and cut to 32 bits. A signature holds, for each
of n_bands * rows_per_band permutations h -> a*h + b modulo 2^32 (a odd), the least value over all
shingles: two texts agree in one value with a probability of their Jaccard similarity s, and in a
whole band of r values with s^r, so that 1 - (1 - s^r)^n_bands of such pairs share a band.

Source: Broder 1997; parameters of NeMo Curator, which 2412.02595 (section 2.1) uses. Deviations:
the text is normalised first (`A  B` and `a b` share all bands; in the reference they need not), a
text shorter than a shingle has no bands, and the hashes themselves are ours.

Every number has a fixed width and order of bytes: the same text has the same signature on every
machine. Cost: n_bands * rows_per_band multiplications a character, in blocks of bounded memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from curation.measure.hashing import Normalised, mix64, normalise, random_bits

_BASE = 0xD6E8FEB86659FD93
_BLOCK = 4096
"""Shingles a block: the permuted block of 260 hashes takes 4 MiB."""


@dataclass(frozen=True)
class MinHasher:
    """Computes signatures and bands; equal settings give equal results everywhere."""

    ngram_chars: int
    n_bands: int
    rows_per_band: int
    seed: int

    def bands(self, text: str) -> NDArray[np.int64]:
        """One 64-bit hash a band, shape (n_bands,); (0,) where `text` is shorter than a shingle.

        The hash covers the number of its band, so that different bands never match by design.
        """
        return self.bands_of_normalised(normalise(text))

    def bands_of_normalised(self, text: Normalised) -> NDArray[np.int64]:
        """`bands` of a text that is normalised already."""
        signature = self._signature(text)
        if not signature.size:
            return np.empty(0, np.int64)
        rows = signature.reshape(self.n_bands, self.rows_per_band).astype(np.uint64)
        sums = (rows * self._band_factors).sum(axis=1, dtype=np.uint64) + self._band_tags
        return mix64(sums).view(np.int64)

    def signature(self, text: str) -> NDArray[np.uint32]:
        """Least hash of each permutation, shape (n_bands * rows_per_band,).

        Shape (0,) where the normalised `text` is shorter than a shingle.
        """
        return self._signature(normalise(text))

    def _signature(self, text: Normalised) -> NDArray[np.uint32]:
        hashes = shingle_hashes(text, self.ngram_chars)
        if not hashes.size:
            return np.empty(0, np.uint32)
        # A repeated shingle changes no minimum, and to find it costs more than to permute it.
        blocks = (hashes[start : start + _BLOCK] for start in range(0, hashes.size, _BLOCK))
        least: NDArray[np.uint32] = np.minimum.reduce([self._least(block) for block in blocks])
        return least

    def _least(self, hashes: NDArray[np.uint32]) -> NDArray[np.uint32]:
        permuted = self._factors * hashes
        permuted += self._offsets
        least: NDArray[np.uint32] = permuted.min(axis=1)
        return least

    @property
    def _n_hashes(self) -> int:
        return self.n_bands * self.rows_per_band

    @cached_property
    def _bits(self) -> NDArray[np.uint64]:
        """All that is random: factors and offsets, then band factors, then band tags."""
        return random_bits(2 * self._n_hashes + self.n_bands, self.seed)

    @cached_property
    def _factors(self) -> NDArray[np.uint32]:
        """Odd, because only odd factors permute the values modulo 2^32; shape (n_hashes, 1)."""
        high = (self._bits[: self._n_hashes] >> np.uint64(32)).astype(np.uint32)
        return (high | np.uint32(1))[:, None]

    @cached_property
    def _offsets(self) -> NDArray[np.uint32]:
        low = self._bits[: self._n_hashes] & np.uint64(0xFFFFFFFF)
        return low.astype(np.uint32)[:, None]

    @cached_property
    def _band_factors(self) -> NDArray[np.uint64]:
        """Odd, so that a difference in one row always shows; shape (n_bands, rows_per_band)."""
        bits = self._bits[self._n_hashes : 2 * self._n_hashes] | np.uint64(1)
        return bits.reshape(self.n_bands, self.rows_per_band)

    @cached_property
    def _band_tags(self) -> NDArray[np.uint64]:
        return self._bits[2 * self._n_hashes :]


def shingle_hashes(text: Normalised, ngram_chars: int) -> NDArray[np.uint32]:
    """Hash of every shingle in order, shape (max(0, len(text) - ngram_chars + 1),)."""
    if len(text) < ngram_chars:
        return np.empty(0, np.uint32)
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.uint64)
    # Mixed before the polynomial too: code points are small and near each other, and differences
    # of such values could cancel between powers of the base.
    windows = _window_hashes(mix64(codes + np.uint64(1)), ngram_chars)
    return (mix64(windows) >> np.uint64(32)).astype(np.uint32)


def _window_hashes(codes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """Sum of codes[i + k] * _BASE^(length - 1 - k) modulo 2^64 for every window i.

    By doubling: a window is its left half, moved up, plus its right half; log2(length) steps.
    """
    if length == 1:
        return codes
    half = length // 2
    halves = _window_hashes(codes, half)
    even = halves[:-half] * _power(half) + halves[half:]
    return even if length % 2 == 0 else even[:-1] * _power(1) + codes[length - 1 :]


def _power(exponent: int) -> np.uint64:
    return np.uint64(pow(_BASE, exponent, 1 << 64))
