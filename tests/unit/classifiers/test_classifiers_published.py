import numpy as np
import pytest

from models.classifiers import published
from models.classifiers.data import fold_of
from models.classifiers.published import fit_published, held_out_f1

pytest.importorskip("torch")

GROUPS = [f"site{number}.example" for number in range(60)]


def task(n_pages=3_000, width=8):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(n_pages, width)).astype(np.float32)
    return rows, np.clip(2.0 + rows[:, 0], 0, 5), [GROUPS[i % 60] for i in range(n_pages)]


def held_out(group):
    return fold_of(f"held out {group}", 10) == 0


def test_the_settings_are_the_published_ones():
    assert (published.N_EPOCHS, published.LEARNING_RATE, published.BATCH_SIZE) == (20, 3e-4, 256)


def test_held_out_f1_rounds_and_clips_before_it_compares():
    truth, scores = np.array([5.0, 0.0, 2.0]), np.array([7.2, -0.4, 2.4], np.float32)
    assert held_out_f1(truth, scores) == 1.0
    # 2.5 goes to the even 2.
    assert held_out_f1(np.array([3.0]), np.array([2.5], np.float32)) == 0.0


def test_the_recipe_learns_the_line_and_repeats_itself_to_the_bit(monkeypatch):
    monkeypatch.setattr(published, "LEARNING_RATE", 0.03)
    rows, targets, groups = task()
    head, again = (fit_published(rows, targets, groups) for _ in range(2))
    assert head.kind == "edu"
    assert head.weight[0, 0] == pytest.approx(1.0, abs=0.15)
    assert head.bias[0] == pytest.approx(2.0, abs=0.15)
    assert head.weight.tolist() == again.weight.tolist()
    other = fit_published(rows, targets, groups, seed=1)
    assert other.weight.tolist() != head.weight.tolist()


def test_held_out_domains_do_not_move_the_layer(monkeypatch):
    """Their targets choose the epoch and no more: with one epoch they change nothing."""
    monkeypatch.setattr(published, "N_EPOCHS", 1)
    rows, targets, groups = task()
    outside = np.array([held_out(group) for group in groups])
    assert 0.02 < outside.mean() < 0.25
    other = np.where(outside, 5.0 - targets, targets)
    first, second = fit_published(rows, targets, groups), fit_published(rows, other, groups)
    assert first.weight.tolist() == second.weight.tolist()


def test_the_best_epoch_is_kept_and_not_the_last(monkeypatch):
    rows, targets, groups = task()
    heads = list(published._epochs(rows, targets, 0))
    found = iter([0.1, 0.3, 0.2] + [0.0] * 17)
    monkeypatch.setattr(published, "_epochs", lambda *_: heads)
    monkeypatch.setattr(published, "held_out_f1", lambda *_: next(found))
    assert fit_published(rows, targets, groups) is heads[1]


def test_domains_that_cannot_be_split_are_refused():
    rows, targets, _ = task(10)
    with pytest.raises(ValueError, match="1 domains cannot be split"):
        fit_published(rows, targets, ["one.example"] * 10)
