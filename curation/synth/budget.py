"""How many requests to ask next: a commit's worth, within what may still be spent. No I/O."""

from __future__ import annotations

import math
from dataclasses import dataclass

from curation.config import BudgetConfig

OVER_BUDGET = "over_budget"
"""Reason of requests that were planned and not asked: what is left."""


@dataclass(frozen=True)
class Spent:
    """What the answers to the requests of a stage have taken, of this attempt and of earlier."""

    n_requests: int
    output_tokens: int
    seconds: float
    """Time of engines."""


@dataclass(frozen=True)
class LastCommit:
    """Requests of the commit before, and how long it took by the clock."""

    n_requests: int
    seconds: float


def commit_size(
    budget: BudgetConfig, spent: Spent, *, most: int, minutes: float, last: LastCommit | None
) -> int:
    """Requests to ask before the next commit; 0 where the budget is spent.

    A commit is no larger than `most`, nor than what would take `minutes` at the pace of the last
    one. Tokens and hours are known only afterwards: as many are asked as the mean of the answers so
    far allows, at least one, so that the last commit goes over by what its answers differ from it.
    """
    sizes = [most, _by_pace(minutes, last)]
    if budget.requests:
        sizes.append(budget.requests - spent.n_requests)
    if budget.output_tokens:
        sizes.append(_within(budget.output_tokens - spent.output_tokens,
                             spent.output_tokens, spent.n_requests))  # fmt: skip
    if budget.hours:
        sizes.append(_within(budget.hours * 3600 - spent.seconds, spent.seconds, spent.n_requests))
    return max(0, min(sizes))


def _by_pace(minutes: float, last: LastCommit | None) -> int:
    if last is None or not last.seconds:
        return 2**31
    return max(1, int(last.n_requests * minutes * 60 / last.seconds))


def _within(left: float, spent: float, n_requests: int) -> int:
    """Requests that `left` is good for, at the mean of those asked; all, where none was."""
    if left <= 0:
        return 0
    if not n_requests or not spent:
        return 2**31
    return max(1, math.floor(left * n_requests / spent))
