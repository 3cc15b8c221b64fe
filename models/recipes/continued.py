"""Continued pretraining in two phases: learning rate, switch of the blend, and repeats.

The learning rate starts, without warm-up, where pretraining ended, and falls by a cosine to a
hundredth. The model reads a general blend GB, close to that of pretraining; from the point on at
which the rate has fallen to a fifth, it reads QB = 0.9 GB + 0.1 QA, QA being question-answer data.

*Progress* p is tokens read / tokens in all, in 0..1. m is the last rate over the first, r the rate
at the switch over the first.

Source: 2407.07263 (Reuse, Don't Retrain), tables 8 and 9. Its QA data are 2.81B tokens, of which
a run of 1T tokens would make ten passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from curation.blend.mixing import checked_shares
from curation.errors import ConfigError, InputError

MIN_FRAC = 0.01
"""m: table 8, best of 1/10, 1/100 and 0."""
SWITCH_FRAC = 0.2
"""r: table 9, best of 1, 1/2, 1/5, 1/10 and 1/50."""
QA_SHARE = 0.1
MAX_QA_EPOCHS = 4.0
"""More passes over the QA data than this deserve a warning."""

Phase = Literal["general", "qa"]


@dataclass(frozen=True)
class Plan:
    """A run of continued pretraining. What is read and at which rate follows from it alone.

    Nothing is remembered between steps: a run that is resumed switches where the whole one does.
    One that is resumed with another plan is refused by its checkpoint (`models.train.checkpoint`):
    a longer run would raise the rate again, and could go back to the first blend.

    Raises:
        ConfigError: a number is out of range, or the rate never falls to the one of the switch.
    """

    max_learning_rate: float
    """The rate at which pretraining ended; the paper's is 4.5e-5."""
    n_tokens: float
    """Tokens of the run, both phases."""
    min_frac: float = MIN_FRAC
    switch_frac: float = SWITCH_FRAC

    def __post_init__(self) -> None:
        for name in ("max_learning_rate", "n_tokens"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"recipe: {name} must be finite and above 0, found {value:g}")
        switch_progress(self.switch_frac, min_frac=self.min_frac)

    @property
    def switch_tokens(self) -> float:
        """Tokens that the general blend has; the rest is the second phase's."""
        return switch_progress(self.switch_frac, min_frac=self.min_frac) * self.n_tokens

    def learning_rate(self, tokens_read: float) -> float:
        """Rate of the step before which `tokens_read` tokens were read: the first has 0.

        Raises:
            InputError: `tokens_read` is not in 0..n_tokens.
        """
        return self.max_learning_rate * learning_rate_frac(
            self._progress(tokens_read), min_frac=self.min_frac
        )

    def phase(self, tokens_read: float) -> Phase:
        """Which blend that step reads: `qa` from the first step on whose rate is low enough.

        Raises:
            InputError: `tokens_read` is not in 0..n_tokens.
        """
        # By progress, not by rate: rounding may let the rate of two near steps rise.
        switched = self._progress(tokens_read) >= switch_progress(
            self.switch_frac, min_frac=self.min_frac
        )
        return "qa" if switched else "general"

    def switch_step(self, tokens_per_step: float) -> int:
        """First step, counted from 0, of the second phase.

        Raises:
            ConfigError: a step is not above 0 or so long that the run ends before the switch.
        """
        if not (math.isfinite(tokens_per_step) and tokens_per_step > 0):
            raise ConfigError(
                f"recipe: tokens_per_step must be finite and above 0, found {tokens_per_step:g}"
            )
        # The quotient may be rounded across a whole number; `phase` decides.
        step = max(0, math.floor(self.switch_tokens / tokens_per_step) - 1)
        while step * tokens_per_step < self.n_tokens:
            if self.phase(step * tokens_per_step) == "qa":
                return step
            step += 1
        raise ConfigError(
            f"recipe: the run of {self.n_tokens:g} tokens ends before a step begins in its second "
            f"phase, at {self.switch_tokens:g}; {tokens_per_step:g} tokens a step are too many"
        )

    def _progress(self, tokens_read: float) -> float:
        if not 0 <= tokens_read <= self.n_tokens:
            raise InputError(
                f"recipe: tokens read must be in 0..{self.n_tokens:g}, found {tokens_read:g}; "
                f"the run is over"
            )
        return tokens_read / self.n_tokens


@dataclass(frozen=True)
class Tokens:
    """Tokens of each phase, and how often the QA data are read."""

    general_phase: float
    """Read before the switch."""
    qa_phase: float
    """Read after it: general and QA data."""
    qa: float
    """Of those, QA data."""
    qa_epochs: float
    """QA tokens read / QA tokens there are."""

    @property
    def is_repetitive(self) -> bool:
        """Whether the QA data are read more than about 4 times: have more, or a lower share."""
        return self.qa_epochs > MAX_QA_EPOCHS


def learning_rate_frac(progress: float, *, min_frac: float = MIN_FRAC) -> float:
    """Rate at `progress` in 0..1 over the first: m + (1 - m) (1 + cos(pi p)) / 2.

    Exactly 1 at the start: there is no warm-up.
    """
    return min_frac + (1.0 - min_frac) * (1.0 + math.cos(math.pi * progress)) / 2


def switch_progress(switch_frac: float = SWITCH_FRAC, *, min_frac: float = MIN_FRAC) -> float:
    """First progress p at which the rate is at most `switch_frac` of the first one.

    arccos(2 (r - m) / (1 - m) - 1) / pi.

    Raises:
        ConfigError: `min_frac` is not in 0..1 without 1, or `switch_frac` is above 1, or it is not
            above `min_frac`: the rate falls to it at the very end or never.
    """
    if not 0.0 <= min_frac < 1.0:
        raise ConfigError(f"recipe: min_frac must be at least 0 and below 1, found {min_frac:g}")
    if not min_frac < switch_frac <= 1.0:
        raise ConfigError(
            f"recipe: switch_frac must be above min_frac, {min_frac:g}, and at most 1, found "
            f"{switch_frac:g}; the learning rate falls to {min_frac:g} of the first only at the end"
        )
    return math.acos(2 * (switch_frac - min_frac) / (1 - min_frac) - 1) / math.pi


def tokens_of(plan: Plan, *, qa_tokens: float, qa_share: float = QA_SHARE) -> Tokens:
    """Tokens of the phases of `plan`, and epochs over the `qa_tokens` QA tokens there are.

    Raises:
        ConfigError: `qa_share` is not in 0..1.
        InputError: there are no QA tokens.
    """
    _check_qa_share(qa_share)
    if not (math.isfinite(qa_tokens) and qa_tokens > 0):
        raise InputError(f"recipe: QA tokens must be finite and above 0, found {qa_tokens:g}")
    qa_phase = plan.n_tokens - plan.switch_tokens
    qa = qa_share * qa_phase
    return Tokens(plan.switch_tokens, qa_phase, qa, qa / qa_tokens)


def qa_blend(
    general: Mapping[str, float], qa: Mapping[str, float], *, qa_share: float = QA_SHARE
) -> dict[str, float]:
    """Shares of QB = (1 - qa_share) GB + qa_share QA, by source in the order of names.

    Args:
        general: Shares of the general blend, which sum to 1.
        qa: Shares of the QA sources within the QA data, which sum to 1. A source may be in both.
        qa_share: Part of QB that is QA data.

    Raises:
        ConfigError: a share is negative or not finite, shares do not sum to 1, or `qa_share` is
            not in 0..1.
    """
    _check_qa_share(qa_share)
    of_general, of_qa = checked_shares(general), checked_shares(qa)
    return {
        source: (1 - qa_share) * of_general.get(source, 0.0) + qa_share * of_qa.get(source, 0.0)
        for source in sorted(of_general | of_qa)
    }


def _check_qa_share(qa_share: float) -> None:
    if not 0.0 <= qa_share <= 1.0:
        raise ConfigError(f"recipe: qa_share must be in 0..1, found {qa_share:g}")
