import math

import numpy as np
import pytest

from models.classifiers import evaluate_tables as tables


def column(table, title):
    return [row[table.columns.index(title)] for row in table.rows]


def test_terciles_by_characters_hold_a_third_each_and_languages_all():
    parts = tables.slices(["en"] * 6 + ["de"] * 3, [1, 2, 3, 40, 50, 60, 700, 800, 900])
    assert [int(part.sum()) for part in parts.values()] == [3, 6, 3, 3, 3]
    assert parts["language de"].tolist() == [False] * 6 + [True] * 3
    assert list(parts.values())[2].tolist() == [True] * 3 + [False] * 6


def test_the_summary_says_what_the_cut_and_the_ranks_say():
    truth = np.array([0.0, 2.0, 3.0, 4.0])
    table = tables.summary_table(truth, {"m": (np.array([0.1, 0.9, 0.8, 1.0]), 0.85)})
    # One pair of four stands wrong: 3 below 2. Above the cut: 2 and 4; of the true 3 and 4 one.
    assert column(table, "AUC") == [0.75]
    assert column(table, "AUC, 3+ against 0..1") == [1.0]
    assert column(table, "F1 at the cut") == [0.5]
    assert table.note == "2 of 4 pages have 3 or more."


def test_confusion_of_scores_rounds_both_by_the_rule_of_the_pipeline():
    table = tables.score_confusion(np.array([2.5, 5.0]), np.array([2.6, 7.0]))
    counts = {(int(row[0]), place): n for row in table.rows for place, n in enumerate(row[1:]) if n}
    assert counts == {(2, 3): 1, (5, 5): 1}


def test_confusion_at_a_cut_counts_both_sides():
    table = tables.cut_confusion(np.array([0, 0, 4.0]), np.array([0.2, 0.5, 0.9]), 0.5)
    assert [row[1:] for row in table.rows] == [[1, 1], [0, 0], [0, 0], [0, 0], [0, 1], [0, 0]]


def test_calibration_dots_lie_between_zero_and_one_on_any_scale():
    truth = np.array([1.0, 5.0])
    table = tables.reliability_table(truth, truth, tables.SCORE_EDGES, "mean label")
    assert table.dots == [(0.2, 0.2, 0.5), (1.0, 1.0, 0.5)]
    assert table.note == "Expected calibration error 0.000."


def test_classes_that_were_left_out_are_told_and_cost_accuracy():
    truth, found = np.array(list("aabz"), object), np.array(list("aaba"), object)
    table = tables.class_table(truth, found, ["z"])
    assert column(table, "recall") == [1.0, 1.0, 0.0]
    assert table.note.endswith("want of pages: z.")
    summary = tables.class_summary(truth, found, {"part": np.array([True, False, False, True])})
    assert column(summary, "accuracy") == [0.75, 0.5]
    assert column(summary, "share of the commonest class") == [0.5, 0.5]


def test_agreement_is_of_the_pages_and_rubrics_that_both_have():
    first = {"a": {"edu": "1", "domain": "x"}, "b": {"edu": "3", "domain": "y"}, "c": {"edu": "0"}}
    second = {"a": {"edu": "1", "domain": "x"}, "b": {"edu": "2", "domain": "x"}, "d": {"edu": "9"}}
    table = tables.agreement_table({"first": first, "second": second})
    assert column(table, "") == ["edu: first, second", "domain: first, second"]
    assert column(table, "pages") == [2, 2]
    assert column(table, "exact") == [0.5, 0.5]
    assert column(table, "within 1")[0] == 1.0
    # Differences 0 and 1; by chance (1-1, 1-2, 3-1, 3-2)^2 = 0, 1, 4, 1: 1 - 0.5 / 1.5.
    assert column(table, "quadratic kappa")[0] == pytest.approx(2 / 3)
    assert math.isnan(column(table, "quadratic kappa")[1])


def test_every_group_is_told_how_many_of_it_are_flagged():
    groups, chances = np.array(["b", "a", "b"], object), np.array([0.5, 0.1, 0.3])
    table = tables.flagged_table("t", groups, chances, 0.5)
    assert table.rows == [["a", 1, 0.0, pytest.approx(0.1)], ["b", 2, 0.5, pytest.approx(0.4)]]
