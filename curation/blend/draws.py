"""Pseudo-random numbers of documents: by a hash of the id, a seed, and what they are for.

A document draws the same number in every run, partition and order of rows; two purposes, and two
seeds, draw independently.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from curation.measure.hashing import mix64

Hashes = NDArray[np.uint64]
Floats = NDArray[np.float64]

_UNUSED_BITS, _DRAW_RANGE = np.uint64(12), 2.0**52
"""52 bits and a half are what a double holds exactly: neither 0 nor 1 is ever drawn."""


def id_hashes(ids: Sequence[str]) -> Hashes:
    """A 64-bit hash of each id, shape (len(ids),)."""
    digests = b"".join(
        hashlib.blake2b(one.encode("utf-8", "surrogatepass"), digest_size=8).digest() for one in ids
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def uniforms(hashes: Hashes, *, seed: int, purpose: str) -> Floats:
    """Numbers strictly between 0 and 1, uniform over documents, shape of `hashes`."""
    salt = id_hashes([f"{seed} {purpose}"])
    return uniforms_of_bits(mix64(hashes ^ salt))


def uniforms_of_bits(bits: Hashes) -> Floats:
    """Numbers strictly between 0 and 1 of 64 random bits each, of which the last 12 do not count.

    Shape of `bits`.
    """
    drawn: Floats = ((bits >> _UNUSED_BITS).astype(np.float64) + 0.5) / _DRAW_RANGE
    return drawn


def gumbels(hashes: Hashes, *, seed: int, purpose: str) -> Floats:
    """Numbers of the Gumbel(0, 1) distribution, shape of `hashes`; their sd is pi / sqrt(6).

    Added to log-weights before the largest k are taken, they make of it a draw without replacement
    in proportion to the weights. Source: Kool et al. 2019 (1903.06059), section 2.
    """
    drawn: Floats = -np.log(-np.log(uniforms(hashes, seed=seed, purpose=purpose)))
    return drawn
