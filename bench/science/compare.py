"""Means, spreads and paired differences over seeds."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.science.design import Contrast

T_975 = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
"""97.5 % quantile of Student's t by degrees of freedom."""

Values = Mapping[str, Mapping[int, Mapping[str, float]]]
"""Arm -> seed -> metric -> value."""


@dataclass(frozen=True)
class Spread:
    """Values over seeds."""

    mean: float
    sd: float
    """Standard deviation of a sample; nan for one value."""
    n: int

    @property
    def half_width(self) -> float:
        """Half of the 95 % t-interval of the mean; nan for one value."""
        if self.n < 2:
            return math.nan
        # Beyond the table the interval of the last entry is a little too wide, never too narrow.
        return T_975[min(self.n - 1, max(T_975))] * self.sd / math.sqrt(self.n)


@dataclass(frozen=True)
class Finding:
    """A contrast with its value at each seed."""

    contrast: Contrast
    by_seed: tuple[float, ...]
    spread: Spread

    @property
    def verdict(self) -> str:
        """Whether the 95 % t-interval lies on one side of 0, and whether that was expected."""
        if not abs(self.spread.mean) > self.spread.half_width:
            return "not resolved"
        side = "below 0" if self.spread.mean < 0 else "above 0"
        if self.contrast.expected == "open":
            return f"resolved, {side}"
        return "resolved" if side == self.contrast.expected else "resolved, the opposite"


def spread(values: Sequence[float]) -> Spread:
    """Mean and standard deviation of `values`, at least one."""
    sd = statistics.stdev(values) if len(values) > 1 else math.nan
    return Spread(statistics.fmean(values), sd, len(values))


def finding(contrast: Contrast, values: Values) -> Finding:
    """`contrast` over the seeds that every arm of it has: differences are between equal seeds."""
    seeds = sorted(set.intersection(*(set(values[arm]) for arm in contrast.weights)))
    by_seed = tuple(
        math.fsum(w * values[arm][seed][contrast.metric] for arm, w in contrast.weights.items())
        for seed in seeds
    )
    return Finding(contrast, by_seed, spread(by_seed))
