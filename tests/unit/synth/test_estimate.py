"""Totals from a sample: exact where all is seen, and intervals that hold."""

import math

import numpy as np
import pytest

from curation.synth.estimate import Estimate, total


def test_a_sample_of_all_documents_is_exact():
    assert total([1, 2, 3], [10, 20, 30], 3, 60) == Estimate(6, 6, 6)


def test_what_goes_with_size_alone_is_told_exactly_by_some():
    found = total([1, 2], [10, 20], 10, 500)
    assert (found.value, found.low, found.high) == pytest.approx((50, 50, 50))


def test_one_document_sets_no_upper_bound():
    assert total([2], [10], 5, 100) == Estimate(20, 2, math.inf)


def test_documents_without_a_size_or_none_at_all_have_no_total():
    assert total([0, 0], [0, 0], 5, 0) == Estimate(0, 0, 0)
    assert total([], [], 0, 0) == Estimate(0, 0, 0)


def test_the_interval_holds_about_nineteen_times_of_twenty():
    rng = np.random.default_rng(3)
    sizes = rng.lognormal(6, 1, 5_000)
    pieces = np.ceil(sizes / 350) + rng.integers(0, 2, len(sizes))
    hits = 0
    for _ in range(300):
        drawn = rng.choice(len(sizes), 200, replace=False)
        found = total(pieces[drawn], sizes[drawn], len(sizes), sizes.sum())
        hits += found.low <= pieces.sum() <= found.high
    assert hits / 300 > 0.9


def test_a_cap_holds_for_all_three():
    assert Estimate(50, 40, 70).at_most(45) == Estimate(45, 40, 45)
    assert Estimate(50, 40, 70).at_most(0) == Estimate(50, 40, 70)
    assert Estimate(50, 40, 70).times(0.5) == Estimate(25, 20, 35)
