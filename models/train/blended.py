"""Samples of several sources by shares: who gives the next one is decided without chance.

The next sample is of the source that is furthest behind its share. So no source is ever more than
two samples from its share, and what a step reads depends on the samples taken before it alone.

Source: Megatron-LM's blended dataset, argmax of w n - count; ours counts on across phases.
"""

from __future__ import annotations

import bisect
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from curation.errors import InputError
from models.train.data import SampleLoader
from models.train.phases import Phase

LoaderState = dict[str, int]
"""Samples taken by source; all that a loader remembers."""

Floats = npt.NDArray[np.float64]


class BlendedLoader:
    """Samples without end of several sources, each in its own order and its own epochs."""

    def __init__(self, loaders: Mapping[str, SampleLoader], phases: Sequence[Phase]) -> None:
        self.loaders = dict(sorted(loaders.items()))
        self._starts = [phase.start for phase in phases]
        self._weights = [self._in_order(phase.weights) for phase in phases]
        self._due_before = _due_before(self._starts, self._weights)

    def draw(self, n: int) -> npt.NDArray[np.int64]:
        """The next `n` samples, which count as taken; shape (n, 2): source, index in it."""
        sources = list(self.loaders.values())
        taken = np.array([loader.n_taken for loader in sources])
        drawn = np.empty((n, 2), np.int64)
        for row in drawn:
            source = self._next_source(taken)
            taken[source] += 1
            row[:] = source, sources[source].next_index()
        return drawn

    def read(self, drawn: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The samples that `draw` named, in its order; shape (n, sequence_length + 1)."""
        sources = list(self.loaders.values())
        return np.concatenate([sources[source].read([index]) for source, index in drawn])

    def epochs(self) -> dict[str, float]:
        """Passes over each source so far."""
        return {name: loader.epochs for name, loader in self.loaders.items()}

    def epochs_after(self, n: int) -> dict[str, float]:
        """Passes over each source once `n` samples of the run are taken, to within two samples."""
        due = self._due(n)
        return {
            name: float(count) / loader.n_samples
            for (name, loader), count in zip(self.loaders.items(), due, strict=True)
        }

    def state_dict(self) -> LoaderState:
        return {name: loader.n_taken for name, loader in self.loaders.items()}

    def load_state_dict(self, state: LoaderState) -> None:
        """Go on where `state` was taken.

        Raises:
            InputError: the state is of other sources, or no count of samples.
        """
        if {*state} != {*self.loaders} or any(count < 0 for count in state.values()):
            raise InputError(
                f"data position {state} is none in the sources {', '.join(self.loaders)}; the "
                "checkpoint is of other ones"
            )
        for name, loader in self.loaders.items():
            loader.seek(state[name])

    def _next_source(self, taken: npt.NDArray[np.int64]) -> int:
        """The source furthest behind once one more is taken; the first by name at a tie."""
        n = int(taken.sum())
        behind = self._due(n + 1) - taken
        active = self._weights[bisect.bisect_right(self._starts, n) - 1] > 0
        return int(np.argmax(np.where(active, behind, -np.inf)))

    def _due(self, n: int) -> Floats:
        """What each source should have given of the first `n` samples of the run."""
        phase = max(0, bisect.bisect_left(self._starts, n) - 1)
        return self._due_before[phase] + (n - self._starts[phase]) * self._weights[phase]

    def _in_order(self, weights: Mapping[str, float]) -> Floats:
        return np.array([weights.get(name, 0.0) for name in self.loaders])


def _due_before(starts: Sequence[int], weights: Sequence[Floats]) -> list[Floats]:
    """What each source should have given before each phase."""
    due = [np.zeros_like(weights[0])]
    for (start, stop), shares in zip(pairwise(starts), weights, strict=False):
        due.append(due[-1] + (stop - start) * shares)
    return due
