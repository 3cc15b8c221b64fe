"""Where the copies of a repeated document go in the blend's order: far apart."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.blend.draws import Floats, Hashes, uniforms
from curation.errors import InputError
from curation.measure.hashing import mix64

MIN_GAP = 0.5
"""Copies j and j + 1 of k are at least this much over k of the whole order apart."""

_STEP = np.uint64(0x9E3779B97F4A7C15)


def positions(
    hashes: Hashes, copy: NDArray[np.int64], n_copies: NDArray[np.int64], *, seed: int
) -> Floats:
    """Place of copy `copy` of `n_copies` in the order, in 0..1, shape of `hashes`; 0 is the start.

    Copy j of k lies in the j-th of k equal parts of the order, at (j + v) / k: v is the document's
    place in the first part, moved by up to a quarter for each copy. Neighbours therefore differ
    from pass to pass, and two copies in a row are 1/(2k) to 3/(2k) of the order apart. Within a
    part v is uniform, so that the mix of sources is the same all along. Sort by it, then by id and
    copy.

    Args:
        hashes: A 64-bit hash of each document's id, e.g. `draws.id_hashes`.
        copy: 0 .. n_copies - 1.
        n_copies: Copies of the document, at least 1.
        seed: Named in the blend's settings.

    Raises:
        InputError: shapes differ, or a copy is not in 0 .. n_copies - 1.
    """
    _check(hashes, copy, n_copies)
    home = uniforms(hashes, seed=seed, purpose="home")
    own_hashes = mix64(hashes) + (copy.astype(np.uint64) + np.uint64(1)) * _STEP
    moved = (1 - MIN_GAP) * (uniforms(own_hashes, seed=seed, purpose="copy") - 0.5)
    placed: Floats = (copy + _reflected(home + moved)) / n_copies
    return placed


def _reflected(values: Floats) -> Floats:
    """Values in -1..2 folded into 0..1 at both ends.

    Folding keeps what is uniform uniform and brings no two values further apart; wrapping around
    would throw copies beside each other.
    """
    folded: Floats = 1 - np.abs(1 - np.abs(values))
    return folded


def _check(hashes: Hashes, copy: NDArray[np.int64], n_copies: NDArray[np.int64]) -> None:
    if not hashes.shape == copy.shape == n_copies.shape:
        raise InputError(
            f"blend layout: hashes, copy and n_copies must have one shape, found {hashes.shape}, "
            f"{copy.shape}, {n_copies.shape}"
        )
    wrong = np.flatnonzero((copy < 0) | (copy >= n_copies))
    if wrong.size:
        raise InputError(
            f"blend layout: row {wrong[0]} is copy {copy[wrong[0]]} of {n_copies[wrong[0]]}; "
            f"copies count from 0"
        )
