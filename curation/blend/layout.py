"""Where the copies of a repeated document go in the blend's order: far apart.

Spark computes the order in SQL (`order_sql`); `orders` is the same in numpy, for whoever wants to
know what it does: a test compares the two, bit by bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.blend.draws import Floats, Hashes, uniforms_of_bits
from curation.errors import InputError

Counts = NDArray[np.int64]

MIN_GAP = 0.5
"""Copies j and j + 1 of k are at least this much over k of the whole order apart."""

_HALF = 2**52
_LOW_BITS = 11
"""A position has 53 bits; those of an order below them are of the hash, so that ties are rare."""
_LOW_MASK = 2**_LOW_BITS - 1


def positions(
    home_hashes: Hashes, copy_hashes: Hashes, copy: Counts, n_copies: Counts
) -> Floats:  # fmt: skip
    """Place of copy `copy` of `n_copies` in the order, in 0..1, shape of `copy`; 0 is the start.

    Copy j of k lies in the j-th of k equal parts of the order, at (j + v) / k: v is the document's
    place in the first part, moved by up to a quarter for each copy. Neighbours therefore differ
    from pass to pass, and two copies in a row are 1/(2k) to 3/(2k) of the order apart. Within a
    part v is uniform, so that the mix of sources is the same all along.

    Args:
        home_hashes: A 64-bit hash of each document's id and the blend's seed.
        copy_hashes: Another, of id, seed and `copy`.
        copy: 0 .. n_copies - 1.
        n_copies: Copies of the document, at least 1.

    Raises:
        InputError: shapes differ, or a copy is not in 0 .. n_copies - 1.
    """
    _check(home_hashes, copy_hashes, copy, n_copies)
    home = uniforms_of_bits(home_hashes)
    moved = (1 - MIN_GAP) * (uniforms_of_bits(copy_hashes) - 0.5)
    placed: Floats = (copy + _reflected(home + moved)) / n_copies
    return placed


def orders(
    home_hashes: Hashes, copy_hashes: Hashes, copy: Counts, n_copies: Counts
) -> Counts:  # fmt: skip
    """`positions` as whole numbers, uniform from -2^63 to 2^63 - 1, shape of `copy`.

    Sort by it, then by id and copy, which decide where two are equal.

    Raises:
        InputError: as for `positions`.
    """
    placed = positions(home_hashes, copy_hashes, copy, n_copies)
    steps = np.minimum(np.floor((placed - 0.5) * 2 * _HALF).astype(np.int64), _HALF - 1)
    low: Counts = (copy_hashes & np.uint64(_LOW_MASK)).astype(np.int64)
    return (steps << _LOW_BITS) + low


def order_sql(*, home_hash: str, copy_hash: str, copy: str, n_copies: str) -> str:
    """Spark SQL expression of `orders`, of expressions of its arguments."""
    moved = f"{1 - MIN_GAP}D * ({_uniform_sql(copy_hash)} - 0.5D)"
    reflected = f"1D - abs(1D - abs({_uniform_sql(home_hash)} + {moved}))"
    placed = f"({copy} + ({reflected})) / cast({n_copies} AS double)"
    steps = f"least(floor(({placed} - 0.5D) * {2 * _HALF}D), {_HALF - 1}L)"
    return f"shiftleft({steps}, {_LOW_BITS}) + ({copy_hash} & {_LOW_MASK}L)"


def stretch_sql(order: str, n: str) -> str:
    """Spark SQL expression of which of `n` equal stretches of the order a row is in, from 0."""
    return f"cast(least(floor(({order} / {2.0**64!r}D + 0.5D) * {n}), {n} - 1) AS int)"


def _uniform_sql(bits: str) -> str:
    """Of `draws.uniforms_of_bits`."""
    return f"((shiftrightunsigned({bits}, 12) + 0.5D) / {_HALF}D)"


def _reflected(values: Floats) -> Floats:
    """Values in -1..2 folded into 0..1 at both ends.

    Folding keeps what is uniform uniform and brings no two values further apart; wrapping around
    would throw copies beside each other.
    """
    folded: Floats = 1 - np.abs(1 - np.abs(values))
    return folded


def _check(home_hashes: Hashes, copy_hashes: Hashes, copy: Counts, n_copies: Counts) -> None:
    shapes = [array.shape for array in (home_hashes, copy_hashes, copy, n_copies)]
    if len({*shapes}) > 1:
        raise InputError(
            f"blend layout: hashes, copy and n_copies must have one shape, found {shapes}"
        )
    wrong = np.flatnonzero((copy < 0) | (copy >= n_copies))
    if wrong.size:
        raise InputError(
            f"blend layout: row {wrong[0]} is copy {copy[wrong[0]]} of {n_copies[wrong[0]]}; "
            f"copies count from 0"
        )
