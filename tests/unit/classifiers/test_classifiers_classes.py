import numpy as np
import pytest

from models.classifiers.classes import (
    PENALTIES,
    best_penalty,
    fit_classes,
    fit_multinomial,
    learnable,
)

pytest.importorskip("torch")


def task(n_pages, noise, seed=0, width=6):
    rng = np.random.default_rng(seed)
    numbers = rng.integers(0, 3, n_pages)
    rows = np.eye(3, width)[numbers] + noise * rng.normal(size=(n_pages, width))
    return rows, [("art", "law", "science")[number] for number in numbers], np.arange(n_pages) % 5


def test_a_class_of_fewer_than_five_pages_is_left_out():
    names = ["b"] * 5 + ["a"] * 6 + ["rare"] * 4 + [""] * 9
    assert learnable(names) == ("a", "b")


def test_rows_that_say_nothing_give_the_shares_of_the_classes():
    head = fit_multinomial(np.zeros((20, 2)), ["a"] * 5 + ["b"] * 15, 1.0)
    columns = head.columns("class", np.zeros((1, 2), np.float32))
    assert columns["class"].tolist() == ["b"]
    assert columns["class_p"][0] == pytest.approx(0.75, abs=1e-4)
    assert head.weight.tolist() == [[0.0, 0.0], [0.0, 0.0]]
    assert head.bias.sum() == pytest.approx(0.0, abs=1e-6)


def test_the_gradient_of_the_penalised_loss_is_zero_at_the_fit():
    rows, names, _ = task(90, 0.5)
    head = fit_multinomial(rows, names, 0.7)
    logits = rows @ head.weight.astype(float) + head.bias
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([[name == label for label in head.labels] for name in names])
    slope = rows.T @ (chances - truth) + 0.7 * head.weight
    assert np.abs(slope).max() < 1e-3


def test_pages_of_rare_classes_do_not_move_the_head():
    rows, names, _ = task(60, 0.5)
    with_rare = fit_multinomial(np.r_[rows, rows[:3] + 9], [*names, "x", "x", "x"], 1.0)
    alone = fit_multinomial(rows, names, 1.0)
    assert with_rare.labels == alone.labels
    np.testing.assert_allclose(with_rare.weight, alone.weight, atol=1e-6)


def test_separable_classes_are_told_apart_on_fresh_rows():
    head = fit_classes(*task(150, 0.2))
    rows, names, _ = task(100, 0.2, seed=1)
    found = head.columns("class", rows.astype(np.float32))["class"]
    assert np.mean(found == np.array(names, object)) > 0.95


def test_noise_asks_for_a_greater_penalty_than_signal():
    rows, names, folds = task(150, 0.1)
    shuffled = np.random.default_rng(2).permutation(names).tolist()
    assert best_penalty(rows, names, folds) < best_penalty(rows, shuffled, folds)
    assert best_penalty(rows, shuffled, folds) == max(PENALTIES)


def test_the_fit_repeats_itself_to_the_bit():
    first, second = (fit_classes(*task(80, 0.4)) for _ in range(2))
    assert first.weight.tobytes() == second.weight.tobytes()
