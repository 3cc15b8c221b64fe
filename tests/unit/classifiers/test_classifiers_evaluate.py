import numpy as np
import pytest

from models.classifiers import evaluate
from models.classifiers.data import LabelledPage, fold_of
from models.classifiers.evaluate import macro_f1, roc_auc, spearman


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


def test_no_member_is_scored_on_a_fold_it_was_trained_on(monkeypatch):
    pages = [LabelledPage(str(i), 4 * (i % 2), f"site{i}.example", f"t{i}") for i in range(30)]
    trained, scored = [], []

    class Spy:
        def __init__(self, lines):
            trained.append({int(line.rsplit("t", 1)[1]) for line in lines})

        def score_texts(self, texts):
            scored.append({int(text[1:]) for text in texts})
            return np.zeros(len(texts), np.float32)

    monkeypatch.setattr(evaluate, "train_quality", lambda lines: lines)
    monkeypatch.setattr(evaluate, "FastTextQuality", Spy)
    evaluate.unseen_fasttext(pages)
    assert len(scored) == 5
    for seen, tested in zip(trained, scored, strict=True):
        assert {fold_of(pages[i].group) for i in seen}.isdisjoint(
            fold_of(pages[i].group) for i in tested
        )
    assert set().union(*scored) == set(range(30))
