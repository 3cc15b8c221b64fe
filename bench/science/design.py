"""What an experiment is: texts, arms that read them, what is measured and what is compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from curation.errors import ConfigError

SHARES_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Phase:
    """A blend that is read up to a point of the run."""

    shares: Mapping[str, float]
    """Share of the samples by source; they sum to 1."""
    until: float = 1.0
    """Progress in 0..1 at which the phase ends."""


@dataclass(frozen=True)
class Arm:
    """One way to train; all arms of an experiment read the same number of tokens."""

    name: str
    phases: tuple[Phase, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `TrainConfig` that differ from the runner's."""


@dataclass(frozen=True)
class Quiz:
    """Questions with one right answer each."""

    items: tuple[tuple[str, str], ...]
    """Prompt and answer."""
    marker: str = ""
    """Text after which a generated text gives its answer. Without one, the answer must follow the
    prompt at once, and its loss is measured too."""


@dataclass(frozen=True)
class Material:
    """All texts of an experiment for one seed. No text of a source is among the held-out ones."""

    sources: Mapping[str, Sequence[str]]
    """Documents to train on."""
    held_out: Mapping[str, Sequence[str]]
    """Documents whose loss is measured."""
    quizzes: Mapping[str, Quiz] = field(default_factory=dict)
    notes: Mapping[str, float] = field(default_factory=dict)
    """Figures about the texts that belong in the report."""


@dataclass(frozen=True)
class Contrast:
    """A weighted sum over the arms, formed seed by seed: a difference, or a slope."""

    name: str
    metric: str
    weights: Mapping[str, float]
    """Weight by arm; they sum to 0."""
    expected: Literal["below 0", "above 0", "open"]
    """What the hypothesis says of it."""


Arms = Callable[[Mapping[str, int], int], tuple[Arm, ...]]
"""Tokens by source, tokens of a run -> the arms."""


@dataclass(frozen=True)
class Experiment:
    """A hypothesis and what it takes to test it."""

    name: str
    title: str
    material: Callable[[Path, int], Material]
    """Folder of the real data, seed -> texts."""
    arms: Arms
    contrasts: tuple[Contrast, ...]
    shown: tuple[str, ...]
    """Metrics of the plot."""
    base: Arm | None = None
    """Trained once a seed; the arms go on from there."""
    length: float = 1.0
    """Steps of an arm over the steps of a run."""
    shape: Mapping[str, Any] = field(default_factory=dict)
    """Settings of `TrainConfig` that differ from the runner's, base and arms alike."""
    traced: str = ""
    """Held-out text whose loss is measured along the way, for `SOURCE bump`."""


def fixed(*arms: Arm) -> Arms:
    """Arms that do not depend on how much text there is."""
    return lambda sizes, budget: arms


def sample_sources(arm: Arm, n_samples: int, *, seed: int) -> list[str]:
    """The source of each sample of a run, in order.

    In each phase the numbers of the sources are exact to one sample, and their order is random.

    Raises:
        ConfigError: the phases do not end with the run, or shares do not sum to 1.
    """
    rng, start, names = np.random.default_rng(seed), 0, list[str]()
    for phase in arm.phases:
        _check_shares(arm, phase)
        stop = round(phase.until * n_samples)
        drawn = _counted(phase.shares, stop - start)
        names += [drawn[i] for i in rng.permutation(len(drawn))]
        start = stop
    if start != n_samples:
        raise ConfigError(f"arm {arm.name}: its phases end at sample {start} of {n_samples}")
    return names


def _check_shares(arm: Arm, phase: Phase) -> None:
    total = sum(phase.shares.values())
    if abs(total - 1.0) > SHARES_TOLERANCE or min(phase.shares.values()) < 0:
        raise ConfigError(f"arm {arm.name}: shares {dict(phase.shares)} must sum to 1")


def _counted(shares: Mapping[str, float], n: int) -> list[str]:
    """`n` names by largest remainder."""
    whole = {name: int(share * n) for name, share in shares.items()}
    by_remainder = sorted(shares, key=lambda name: (whole[name] - shares[name] * n, name))
    for name in by_remainder[: n - sum(whole.values())]:
        whole[name] += 1
    return [name for name in shares for _ in range(whole[name])]
