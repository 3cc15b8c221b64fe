import pytest

pytest.importorskip("torch", reason="no torch")

from curation.config import TrainConfig
from models.train.optim import learning_rate


def _rates(**settings):
    conf = TrainConfig(learning_rate=1.0, **settings)
    return [learning_rate(step, conf) for step in range(1, conf.n_steps + 1)]


def test_the_rate_warms_up_and_falls_to_a_tenth():
    # Half a cosine over four steps: (1 + cos(pi k / 4)) / 2 = 0.853553, 0.5, 0.146447, 0.
    expected = [0.5, 1.0, 0.1 + 0.9 * 0.853553, 0.55, 0.1 + 0.9 * 0.146447, 0.1]
    assert _rates(n_steps=6, warmup_steps=2) == pytest.approx(expected, abs=1e-6)


def test_without_warm_up_the_cosine_starts_at_once():
    assert _rates(n_steps=2, warmup_steps=0) == pytest.approx([0.55, 0.1])


def test_a_run_shorter_than_its_warm_up_never_reaches_the_peak():
    assert _rates(n_steps=2, warmup_steps=4) == [0.25, 0.5]


def test_a_run_that_ends_with_its_warm_up_ends_at_the_peak():
    assert _rates(n_steps=2, warmup_steps=2) == [0.5, 1.0]


def test_a_plateau_ends_in_a_fall_as_one_less_the_root():
    rates = _rates(n_steps=10, warmup_steps=2, schedule="wsd", decay_frac=0.4, final_frac=0.0)
    fall = [1 - (k / 4) ** 0.5 for k in (1, 2, 3, 4)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 1.0, 1.0, 1.0, *fall])


def test_a_fall_longer_than_what_the_warm_up_leaves_begins_behind_it():
    rates = _rates(n_steps=4, warmup_steps=2, schedule="wsd", decay_frac=1.0, final_frac=0.5)
    assert rates == pytest.approx([0.5, 1.0, 1 - 0.5 * 0.5**0.5, 0.5])


def test_without_a_fall_the_plateau_goes_on_to_the_end():
    assert _rates(n_steps=3, warmup_steps=1, schedule="wsd", decay_frac=0.0) == [1.0] * 3
