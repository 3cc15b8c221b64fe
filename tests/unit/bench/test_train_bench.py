import pytest

pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from bench.train import Done, arguments, report, samples_of, table
from curation.config import TrainConfig
from curation.errors import ConfigError

CONF = TrainConfig(batch_size=4, micro_batch_size=4, sequence_length=16)


def raced(ours_loss=5.0):
    return {
        "ours": [Done(1.0, ours_loss, 300), Done(2.0, ours_loss, 310)],
        "loop": [Done(2.0, 5.0, 700), Done(2.0, 5.0, 700)],
        "trainer": [Done(4.0, 4.0, 800), Done(4.0, 4.0, 800)],
    }


def test_speeds_are_medians_and_ratios_those_of_one_round():
    args = arguments(["--steps", "10"])
    told = report(raced(), CONF, args)
    assert told["tokens_per_s"]["ours"] == round(10 * 4 * 16 / 1.5, 1)
    assert told["ratios"] == {"ours / loop": 1.5, "ours / trainer": 3.0}
    assert told["peak_mib"] == {"ours": 310, "loop": 700, "trainer": 800}
    assert "ours / loop 1.500 (goal 1.0: met)" in table(told)


def test_another_training_is_not_compared():
    with pytest.raises(AssertionError, match="not the same training"):
        report(raced(ours_loss=5.2), CONF, arguments([]))


def test_every_contestant_has_the_same_samples():
    first, second = (samples_of(CONF, 50, 3) for _ in range(2))
    assert [one.tolist() for one in first] == [one.tolist() for one in second]
    assert {one.shape for one in first} == {(4, 17)}


def test_no_steps_are_refused():
    with pytest.raises(ConfigError, match="at least 1"):
        arguments(["--steps", "0"])
