"""Steps that are better not taken: loss spikes, and gradients that are not finite.

A step is a spike if its gradient norm or its loss exceeds `spike_factor` times the median of the
last `spike_window` steps that were taken. What is skipped does not move the median, so a loss that
stays high ends the run instead of becoming the rule.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from statistics import median
from typing import TypedDict

from curation.config import TrainConfig
from models.train.step import is_finite


class SpikeState(TypedDict):
    """What a guard remembers."""

    grad_norms: list[float]
    """Of the last steps taken, the oldest first."""
    losses: list[float]
    """Of the same steps."""
    n_skipped: int
    """Steps of the run that were skipped."""
    n_in_a_row: int
    """Of those, the ones since the last step taken."""


class SpikeGuard:
    """Judges each step by those before it; the same on every rank, and across a resume."""

    def __init__(self, conf: TrainConfig) -> None:
        self._factor, self._window = conf.spike_factor, conf.spike_window
        self._grad_norms: deque[float] = deque(maxlen=conf.spike_window)
        self._losses: deque[float] = deque(maxlen=conf.spike_window)
        self.n_skipped = self.n_in_a_row = 0

    def accepts(self, loss: float, grad_norm: float) -> bool:
        """Whether a step of this loss and gradient norm is to be taken."""
        return is_finite(loss, grad_norm) and not (
            self._is_spike(grad_norm, self._grad_norms) or self._is_spike(loss, self._losses)
        )

    def note(self, loss: float, grad_norm: float, *, skipped: bool) -> None:
        """Remember a step."""
        if skipped:
            self.n_skipped, self.n_in_a_row = self.n_skipped + 1, self.n_in_a_row + 1
            return
        self.n_in_a_row = 0
        self._grad_norms.append(grad_norm)
        self._losses.append(loss)

    def state_dict(self) -> SpikeState:
        return {
            "grad_norms": [*self._grad_norms],
            "losses": [*self._losses],
            "n_skipped": self.n_skipped,
            "n_in_a_row": self.n_in_a_row,
        }

    def load_state_dict(self, state: SpikeState) -> None:
        self._grad_norms.extend(state["grad_norms"])
        self._losses.extend(state["losses"])
        self.n_skipped, self.n_in_a_row = state["n_skipped"], state["n_in_a_row"]

    def _is_spike(self, value: float, before: Sequence[float]) -> bool:
        is_known = self._factor > 0 and len(before) == self._window
        return is_known and value > self._factor * median(before)
