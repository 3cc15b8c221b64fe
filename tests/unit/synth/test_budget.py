"""Sizes of commits: within the budget, the pace, and the most that a crash may lose."""

import pytest

from curation.config import BudgetConfig
from curation.synth.budget import LastCommit, Spent, commit_size

NOTHING = Spent(0, 0, 0.0)


def size(spent=NOTHING, last=None, minutes=30.0, **budget):
    return commit_size(BudgetConfig(**budget), spent, most=100, minutes=minutes, last=last)


def test_without_a_budget_it_is_the_most_that_a_crash_may_lose():
    assert size() == 100
    assert size(Spent(10**9, 10**12, 1e9)) == 100


@pytest.mark.parametrize(
    ("spent", "budget", "n"),
    [
        (NOTHING, {"requests": 30}, 30),
        (Spent(25, 0, 0.0), {"requests": 30}, 5),
        (Spent(31, 0, 0.0), {"requests": 30}, 0),
        (Spent(10, 1_000, 0.0), {"output_tokens": 5_000}, 40),
        (Spent(10, 1_000, 0.0), {"output_tokens": 1_050}, 1),
        (Spent(10, 1_000, 0.0), {"output_tokens": 1_000}, 0),
        (Spent(10, 1_000, 1_800.0), {"hours": 1.0}, 10),
        (Spent(10, 1_000, 3_600.0), {"hours": 1.0}, 0),
        (Spent(10, 1_000, 36.0), {"hours": 1.0, "output_tokens": 1_300, "requests": 50}, 3),
    ],
)
def test_the_tightest_limit_decides(spent, budget, n):
    assert size(spent, **budget) == n


def test_a_slow_commit_makes_the_next_one_smaller():
    assert size(last=LastCommit(100, 3_600.0)) == 50
    assert size(last=LastCommit(1, 1e6)) == 1
    assert size(last=LastCommit(100, 60.0)) == 100
