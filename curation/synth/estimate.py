"""Totals over all documents from some of them, with an interval. No I/O."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

Z = 1.96
"""Standard errors on either side: a 95 % interval, where the sample is not small."""


@dataclass(frozen=True)
class Estimate:
    """A total and the interval that it lies in 19 times of 20."""

    value: float
    low: float
    high: float

    def times(self, factor: float) -> Estimate:
        """The same of something else, of which there is `factor` for each."""
        return Estimate(self.value * factor, self.low * factor, self.high * factor)

    def at_most(self, limit: float) -> Estimate:
        """The same where no more than `limit` is taken; 0 sets no limit."""
        if not limit:
            return self
        return Estimate(min(self.value, limit), min(self.low, limit), min(self.high, limit))


def total(
    sampled: Sequence[float], sizes: Sequence[float], n_all: int, size_all: float
) -> Estimate:
    """Sum of a quantity over `n_all` documents whose sizes sum to `size_all`.

    The ratio estimator: what is wanted goes with a document's size, which is known of all. Its
    standard error is that of Cochran, Sampling Techniques, section 6.4, with the correction for a
    finite number; where all were looked at, the sum is exact.

    Args:
        sampled: The quantity of the documents looked at, a simple random sample.
        sizes: Their sizes.
        n_all: Documents in all.
        size_all: Sum of all sizes.
    """
    y, x = np.asarray(sampled, float), np.asarray(sizes, float)
    n, seen = len(y), float(y.sum())
    if n == n_all or not x.sum():
        return Estimate(seen, seen, seen)
    ratio = seen / float(x.sum())
    value = ratio * size_all
    if n < 2:
        return Estimate(value, seen, math.inf)
    spread = float(((y - ratio * x) ** 2).sum()) / (n - 1)
    error = Z * n_all * math.sqrt((1 - n / n_all) / n * spread) * (size_all / n_all / x.mean())
    return Estimate(value, max(seen, value - error), value + error)
