"""Which source is read at which sample of a run: a function of the settings alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from curation.config import TrainConfig
from curation.errors import ConfigError
from models.recipes.continued import Plan, qa_blend


@dataclass(frozen=True)
class Phase:
    """A part of a run; it ends where the next one begins."""

    start: int
    """Samples of the run that lie before it."""
    weights: Mapping[str, float]
    """Share of each source among its samples; they sum to 1."""


def tokens_per_step(conf: TrainConfig) -> int:
    """Tokens that a step learns from."""
    return conf.batch_size * conf.sequence_length


def plan_of(conf: TrainConfig) -> Plan:
    """The recipe of `conf`, whose schedule is `continued`.

    Raises:
        ConfigError: the learning rate never falls to that of the switch.
    """
    n_tokens = conf.n_steps * tokens_per_step(conf)
    return Plan(
        conf.learning_rate, n_tokens, min_frac=conf.final_frac, switch_frac=conf.switch_frac
    )


def phases_of(conf: TrainConfig, sizes: Mapping[str, int]) -> tuple[Phase, ...]:
    """Phases of the run of `conf` over sources of `sizes` samples.

    Raises:
        ConfigError: a phase has no step, or the learning rate never falls to that of the switch.
    """
    if conf.schedule == "continued":
        starts, weights = _of_recipe(conf)
    elif conf.phases:
        starts = [round(phase.start_frac * conf.n_steps) for phase in conf.phases]
        weights = [phase.weights for phase in conf.phases]
    else:
        total = sum(sizes.values())
        starts, weights = [0], [{name: size / total for name, size in sizes.items()}]
    if sorted({*starts}) != starts or starts[-1] >= conf.n_steps:
        raise ConfigError(
            f"train.phases: begin before steps {[start + 1 for start in starts]} of "
            f"{conf.n_steps}, which leaves one without a step"
        )
    return tuple(
        Phase(start * conf.batch_size, shares)
        for start, shares in zip(starts, weights, strict=True)
    )


def _of_recipe(conf: TrainConfig) -> tuple[list[int], list[dict[str, float]]]:
    """First step of each phase, from 0, and its shares."""
    switch = plan_of(conf).switch_step(tokens_per_step(conf))
    second = qa_blend(conf.general, conf.qa, qa_share=conf.qa_share)
    return ([0, switch], [conf.general, second]) if switch else ([0], [second])
