"""Contestants in turn: every round begins with another one, so that noise hits all alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

Run = Callable[[], object]


def turns(names: Iterable[str], number: int) -> list[str]:
    """The order of `names` in round `number`, counted from 0."""
    every = [*names]
    place = number % len(every)
    return every[place:] + every[:place]


def timed(runs: Mapping[str, Run], n_rounds: int) -> dict[str, list[float]]:
    """Seconds of each contestant, a value a round; each round begins with another one."""
    found: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(n_rounds):
        for name in turns(runs, number):
            begun = time.perf_counter()
            runs[name]()
            found[name].append(time.perf_counter() - begun)
    return found
