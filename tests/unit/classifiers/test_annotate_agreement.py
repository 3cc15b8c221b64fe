import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classifiers.agreement import cohen_kappa, exact, quadratic_kappa, within_one

SCORES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=30)


def test_quadratic_kappa_by_hand():
    # Squared differences 0, 0, 0, 1: mean 1/4. Variances 5/4 and 11/16, means 3/2 and 5/4: by
    # chance 5/4 + 11/16 + 1/16 = 2.
    assert quadratic_kappa([0, 1, 2, 3], [0, 1, 2, 2]) == pytest.approx(1 - 0.25 / 2)


def test_quadratic_kappa_is_one_for_the_same_and_minus_one_for_the_reverse():
    assert quadratic_kappa([0, 1, 2], [0, 1, 2]) == 1.0
    assert quadratic_kappa([0, 1, 2], [2, 1, 0]) == pytest.approx(-1.0)


def test_quadratic_kappa_is_zero_where_one_reading_is_constant():
    assert quadratic_kappa([0, 1, 2, 5], [2, 2, 2, 2]) == pytest.approx(0.0)


def test_cohen_kappa_by_hand():
    # 20 both yes, 15 both no, 5 yes-no, 10 no-yes: 0.7 agree; by chance 0.5 * 0.6 + 0.5 * 0.4.
    first = ["yes"] * 25 + ["no"] * 25
    second = ["yes"] * 20 + ["no"] * 5 + ["yes"] * 10 + ["no"] * 15
    assert cohen_kappa(first, second) == pytest.approx((0.7 - 0.5) / (1 - 0.5))


def test_exact_and_within_one_by_hand():
    assert exact([0, 1, 2, 3], [0, 2, 2, 5]) == 0.5
    assert within_one([0, 1, 2, 3], [0, 2, 2, 5]) == 0.75
    assert exact(["a", "b"], ["a", "c"]) == 0.5
    assert within_one([2.5], [3.5]) == 1.0


def test_what_is_not_defined_is_nan():
    for figure in (quadratic_kappa, cohen_kappa, exact, within_one):
        assert math.isnan(figure([], []))
    assert math.isnan(quadratic_kappa([3, 3], [3, 3]))
    assert math.isnan(cohen_kappa(["a", "a"], ["a", "a"]))


def test_readings_of_different_items_are_refused():
    for figure in (quadratic_kappa, cohen_kappa, exact, within_one):
        with pytest.raises(ValueError, match="the same items"):
            figure([1, 2], [1, 2, 3])


@given(SCORES)
def test_quadratic_kappa_is_the_one_of_the_table_of_counts(pairs):
    first, second = (np.array(side) for side in zip(*pairs, strict=True))
    weights = (np.arange(6)[:, None] - np.arange(6)) ** 2
    counts = np.zeros((6, 6))
    np.add.at(counts, (first, second), 1)
    by_chance = np.outer(counts.sum(1), counts.sum(0)) / len(pairs)
    expected = (weights * by_chance).sum()
    found = quadratic_kappa(first, second)
    if expected:
        assert found == pytest.approx(1 - (weights * counts).sum() / expected, abs=1e-9)
    else:
        assert math.isnan(found)


@given(SCORES)
def test_each_figure_is_the_same_from_the_other_side(pairs):
    first, second = zip(*pairs, strict=True)
    for figure in (quadratic_kappa, cohen_kappa, exact, within_one):
        assert figure(first, second) == pytest.approx(figure(second, first), nan_ok=True)
