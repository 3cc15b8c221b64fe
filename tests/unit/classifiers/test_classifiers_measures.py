import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classifiers.measures import (
    Bin,
    calibration_error,
    class_macro_f1,
    class_scores,
    confusion,
    f1,
    macro_f1,
    ranks,
    reliability,
    roc_auc,
    spearman,
)


def flags(text):
    return np.array([letter == "1" for letter in text])


def test_auc_counts_the_pairs_in_order():
    # Positives 0.9 and 0.4, negatives 0.5 and 0.1: three of four pairs are in order.
    assert roc_auc(flags("1010"), np.array([0.9, 0.5, 0.4, 0.1])) == 0.75


def test_auc_counts_a_tie_as_half():
    # Pairs: (2, 2) tie, (2, 1) in order.
    assert roc_auc(flags("100"), np.array([2.0, 2.0, 1.0])) == 0.75


def test_spearman_is_one_for_any_rising_curve_and_minus_one_for_a_falling_one():
    values = np.array([1.0, 2.0, 5.0])
    assert spearman(values, np.exp(values)) == pytest.approx(1.0)
    assert spearman(values, -values) == pytest.approx(-1.0)


def test_spearman_gives_ties_their_mean_rank():
    # Ranks 1.5, 1.5, 3 against 1, 2, 3: covariance 1.5, variances 1.5 and 2.
    assert spearman(np.array([0, 0, 1]), np.array([1.0, 2.0, 3.0])) == pytest.approx(1.5 / 3**0.5)


def test_macro_f1_is_the_mean_over_both_classes():
    # Truth 1100, found 1000: positive 2*1/(2+1), negative 2*2/(2+3).
    assert macro_f1(flags("1100"), flags("1000")) == pytest.approx((2 / 3 + 4 / 5) / 2)


def test_macro_f1_of_a_class_nowhere_found_is_zero():
    assert macro_f1(flags("10"), flags("00")) == pytest.approx((0 + 2 / 3) / 2)


def test_what_one_class_alone_cannot_tell_is_nan():
    assert math.isnan(roc_auc(flags("111"), np.arange(3.0)))
    assert math.isnan(spearman(np.ones(3), np.arange(3.0)))


def test_f1_counts_hits_twice_against_both_totals():
    # Truth 1100, found 0111: one hit, 2 true, 3 found.
    assert f1(flags("1100"), flags("0111")) == pytest.approx(2 / 5)
    assert f1(flags("00"), flags("00")) == 0.0


def test_macro_f1_of_classes_runs_over_those_in_the_truth():
    # a: 2 * 1 / (2 + 1); b: 2 * 1 / (1 + 2); c is nowhere true, and costs b's precision alone.
    truth, found = np.array(list("aab")), np.array(list("acb"))
    assert class_macro_f1(truth, found) == pytest.approx((2 / 3 + 1.0) / 2)


def test_class_scores_are_precision_recall_and_f1():
    one, two = class_scores(np.array(list("aab")), np.array(list("abb")), ("a", "c"))
    assert (one.n_pages, one.precision, one.recall) == (2, 1.0, 0.5)
    assert one.f1 == pytest.approx(2 / 3)
    assert two.n_pages == two.f1 == 0
    assert math.isnan(two.precision)
    assert math.isnan(two.recall)


def test_confusion_has_the_truth_down_and_the_found_across():
    table = confusion(np.array([0, 0, 2]), np.array([0, 2, 2]), (0, 1, 2))
    assert table.tolist() == [[1, 0, 1], [0, 0, 0], [0, 0, 1]]


def test_bins_close_below_but_the_last_closes_above_too():
    truth, scores = np.array([0.0, 1, 1, 1]), np.array([0.0, 0.5, 0.6, 1.0])
    assert reliability(truth, scores, (0.0, 0.5, 1.0)) == [
        Bin(0.0, 0.5, 1, 0.0, 0.0),
        Bin(0.5, 1.0, 3, pytest.approx(0.7), 1.0),
    ]


def test_the_calibration_error_weighs_bins_by_their_pages():
    bins = [Bin(0.0, 0.5, 3, 0.2, 0.4), Bin(0.5, 1.0, 1, 0.9, 0.5)]
    assert calibration_error(bins) == pytest.approx((3 * 0.2 + 1 * 0.4) / 4)


VALUES = st.lists(st.integers(0, 5), min_size=2, max_size=30)


@given(VALUES)
def test_ranks_sum_to_those_without_ties_and_keep_the_order(values):
    found = ranks(np.array(values))
    assert found.sum() == pytest.approx(len(values) * (len(values) + 1) / 2)
    order = np.argsort(values, kind="stable")
    assert (np.diff(found[order]) >= 0).all()


@given(VALUES, st.randoms())
def test_auc_turned_round_is_one_less_it(values, random):
    scores = np.array(values, float)
    positive = np.array([True, False, *(random.random() < 0.5 for _ in values[2:])])
    assert roc_auc(positive, -scores) == pytest.approx(1 - roc_auc(positive, scores))


@given(VALUES, st.randoms())
def test_confusion_holds_every_page_once_and_its_diagonal_the_right_ones(values, random):
    truth = np.array(values)
    found = np.array([random.randrange(6) for _ in values])
    table = confusion(truth, found, range(6))
    assert table.sum() == len(values)
    assert table.trace() == (truth == found).sum()


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_what_says_the_truth_has_no_calibration_error(scores):
    values = np.array(scores)
    bins = reliability(values, values, np.linspace(0, 1, 11).tolist())
    assert sum(one.n_pages for one in bins) == len(scores)
    assert calibration_error(bins) == pytest.approx(0.0, abs=1e-12)
