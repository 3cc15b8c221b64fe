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
