"""A small network over the blocks of a page, evaluated with numpy.

Each block sees itself, its neighbours, and the means over what it belongs together with: the
elements around it, blocks of the same kind, the next few blocks, and the page.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]

N_VIEWS = 9
NEAR = 4
"""Blocks to each side over which one of the means runs."""


@dataclass(frozen=True)
class Surroundings:
    """Which blocks of a page with n blocks belong together."""

    around: tuple[tuple[Ints, Ints], ...]
    """Three ranges of blocks for each block: first, and behind the last; shape (n,) each."""
    kind: Ints
    """Number of the kind of each block, counted from 0 without gaps; shape (n,)."""


@dataclass(frozen=True)
class Networks:
    """Several networks of one shape, run side by side.

    Axes: m networks, f features, h hidden units, r rounds of looking around.
    """

    low: Floats
    """Features are clipped to `low` .. `high`; shape (f, 1) each."""
    high: Floats
    entry: Floats
    """Shape (m, f, h)."""
    entry_bias: Floats
    """Shape (m, 1, h)."""
    rounds: Floats
    """Shape (r, m, N_VIEWS * h, h)."""
    rounds_bias: Floats
    """Shape (r, m, 1, h)."""
    exit: Floats
    """Shape (m, h, 1)."""
    exit_bias: Floats
    """Shape (m, 1)."""

    def __call__(self, features: Floats, around: Surroundings) -> Floats:
        """Log-odds of each network for each block; `features` (f, n), result (m, n).

        The form is close to BoilerNet (Leonhardt et al. 2020), which labels the blocks of a page as
        a sequence; means over ranges in place of its recurrent layer let numpy do it at once.
        """
        clipped = np.minimum(np.maximum(features, self.low), self.high)
        hidden = np.maximum(clipped.T @ self.entry + self.entry_bias, 0)
        for weights, bias in zip(self.rounds, self.rounds_bias, strict=True):
            hidden = hidden + np.maximum(_views(hidden, around) @ weights + bias, 0)
        log_odds: Floats = (hidden @ self.exit)[:, :, 0] + self.exit_bias
        return log_odds


def _views(hidden: Floats, around: Surroundings) -> Floats:
    """What each block sees; `hidden` (m, n, h), result (m, n, N_VIEWS * h)."""
    m, n, h = hidden.shape
    views = np.zeros((m, n, N_VIEWS, h), np.float32)
    views[:, :, 0] = hidden
    views[:, 1:, 1] = hidden[:, :-1]
    views[:, :-1, 2] = hidden[:, 1:]
    running = np.zeros((m, n + 1, h), np.float32)
    np.cumsum(hidden, axis=1, out=running[:, 1:])
    at = np.arange(n)
    near = (np.maximum(at - NEAR, 0), np.minimum(at + NEAR + 1, n))
    for view, (start, end) in enumerate((*around.around, near), start=3):
        sums = running.take(end, axis=1) - running.take(start, axis=1)
        views[:, :, view] = sums * (1 / np.maximum(end - start, 1)).astype(np.float32)[:, None]
    views[:, :, 7] = running[:, -1:] / n
    views[:, :, 8] = _means(hidden, around.kind)
    return views.reshape(m, n, N_VIEWS * h)


def _means(hidden: Floats, kind: Ints) -> Floats:
    """For each block the mean over all blocks of its kind."""
    counts = np.bincount(kind)
    first = np.cumsum(counts) - counts
    sums = np.add.reduceat(hidden.take(np.argsort(kind, kind="stable"), axis=1), first, axis=1)
    means = sums / counts[:, None].astype(np.float32)
    return np.asarray(means.take(kind, axis=1), np.float32)
