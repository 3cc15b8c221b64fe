import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from curation.score.outputs import (
    EduScore,
    LabelProbabilities,
    TopClass,
    as_told,
    clamp_edu,
    logistic,
    round_edu,
    softmax,
)

NAN = math.nan
SCORES = st.floats(width=32, allow_nan=False)


def rows(*values):
    return np.array(values, np.float32)


def test_scores_are_cut_to_zero_and_five():
    assert clamp_edu(rows(-0.5, 0.0, 4.9, 5.0, 7.5)).tolist() == pytest.approx([0, 0, 4.9, 5, 5])


def test_a_half_is_rounded_to_the_even_neighbour():
    halves = rows(-0.5, 0.5, 1.5, 2.5, 3.5, 4.5, 5.5)
    assert round_edu(halves).tolist() == [0, 0, 2, 2, 4, 4, 5]


@given(SCORES)
def test_rounding_is_python_s_of_the_clamped_score(score):
    clamped = min(max(float(np.float32(score)), 0.0), 5.0)
    assert round_edu(rows(score))[0] == round(clamped)


def test_two_and_a_half_rounds_to_two():
    assert round_edu(rows(2.4999998, 2.5, 2.51)).tolist() == [2, 2, 3]


def test_no_score_is_no_whole_score():
    assert np.isnan(clamp_edu(rows(NAN))[0])
    assert np.isnan(round_edu(rows(NAN))[0])


def test_the_published_reference_scores_give_the_published_whole_ones():
    # specs, section 10.2: the float scores of five sentences and their int scores.
    nemotron = rows(1.3916015625, 0.88916015625, 1.345703125, 1.7275390625, 0.2486572265625)
    mixtral = rows(1.34765625, 0.82763671875, 1.4208984375, 1.572265625, 0.34521484375)
    assert round_edu(nemotron).tolist() == [1, 1, 1, 2, 0]
    assert round_edu(mixtral).tolist() == [1, 1, 1, 2, 0]


@given(arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 6)), elements=SCORES))
def test_probabilities_of_classes_add_up_to_one(logits):
    with np.errstate(over="ignore", invalid="ignore"):
        probabilities = softmax(np.clip(logits, -1e30, 1e30))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
    assert (probabilities >= 0).all()


@given(SCORES)
def test_a_logistic_is_a_probability_and_half_at_zero(logit):
    assert 0 <= logistic(rows(logit))[0] <= 1
    assert logistic(rows(0.0))[0] == 0.5


def test_the_likeliest_class_and_its_probability():
    outputs = TopClass("domain", n_classes=2)
    columns = outputs.columns(rows([0.0, math.log(3)], [NAN, NAN]), ["Games", "Health"])
    assert columns["domain"].tolist() == ["Health", None]
    assert columns["domain_p"].dtype == np.float32
    assert columns["domain_p"][0] == pytest.approx(0.75)
    assert np.isnan(columns["domain_p"][1])


def test_of_equally_likely_classes_the_first_is_taken():
    columns = TopClass("domain", n_classes=2).columns(rows([1.0, 1.0]), ["Games", "Health"])
    assert columns["domain"].tolist() == ["Games"]


def test_labels_that_hold_at_once_are_each_a_probability():
    outputs = LabelProbabilities((("insult", "insult"), ("toxicity", "toxicity")))
    columns = outputs.columns(rows([0.0, 9.0, math.log(3)]), ["toxicity", "male", "insult"])
    assert {name: values.tolist() for name, values in columns.items()} == {
        "insult": pytest.approx([0.75]),
        "toxicity": [0.5],
    }


def test_labels_of_which_one_alone_holds_add_up_to_one():
    outputs = LabelProbabilities((("good", "good"), ("bad", "bad")), exclusive=True)
    columns = outputs.columns(rows([math.log(3), 0.0], [NAN, NAN]), ["good", "bad"])
    assert columns["good"][0] == pytest.approx(0.75)
    assert columns["bad"][0] == pytest.approx(0.25)
    assert np.isnan(columns["good"][1])


@pytest.mark.parametrize(
    ("n_outputs", "problem_type", "exclusive"),
    [
        (1, None, False),
        (1, "single_label_classification", False),
        (2, None, True),
        (2, "single_label_classification", True),
        (2, "multi_label_classification", False),
    ],
)
def test_whether_labels_are_exclusive_is_told_by_the_model(n_outputs, problem_type, exclusive):
    open_ = LabelProbabilities((("a", "a"),), exclusive=None)
    assert as_told(open_, n_outputs, problem_type).exclusive is exclusive
    for known in (LabelProbabilities((("a", "a"),)), EduScore("e"), TopClass("d")):
        assert as_told(known, n_outputs, problem_type) is known


def test_an_educational_value_is_one_clamped_column():
    columns = EduScore("score_edu").columns(rows([6.0], [-1.0], [NAN]), ["LABEL_0"])
    assert columns["score_edu"][:2].tolist() == [5.0, 0.0]
    assert np.isnan(columns["score_edu"][2])


@pytest.mark.parametrize(
    ("outputs", "right", "wrong", "said"),
    [
        (EduScore("e"), ["LABEL_0"], ["LABEL_0", "LABEL_1"], "expected 1 outputs, found 2"),
        (TopClass("d", 2), ["a", "b"], ["a"], "expected 2 outputs, found 1"),
        (
            LabelProbabilities((("a", "c"),)),
            ["b", "a"],
            ["b"],
            "expected outputs ['a'], found ['b']",
        ),
    ],
)
def test_a_network_with_other_outputs_is_complained_of(outputs, right, wrong, said):
    assert outputs.complaint(right) is None
    assert said in outputs.complaint(wrong)


@pytest.mark.parametrize(
    "outputs",
    [EduScore("e"), TopClass("d", 2), LabelProbabilities((("a", "x"), ("b", "y")))],
)
def test_columns_have_the_names_that_are_announced(outputs):
    assert tuple(outputs.columns(rows([0.0, 1.0]), ["a", "b"])) == outputs.column_names
