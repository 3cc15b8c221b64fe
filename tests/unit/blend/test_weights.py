import pytest

from curation.blend.weights import epochs_by_source
from curation.config import BlendConfig
from curation.errors import ConfigError

HIGH, DISTILL, LOW = "high/actual/actual", "high/synthetic/distill", "low/actual/actual"
WORDS = {HIGH: 1_000, DISTILL: 200, LOW: 4_000}


def test_nothing_said_means_everything_once():
    assert epochs_by_source(WORDS, BlendConfig()) == {HIGH: 1.0, DISTILL: 1.0, LOW: 1.0}


def test_repeats_go_by_the_longest_name_that_fits():
    conf = BlendConfig(epochs={"high": 2, "high/synthetic": 3, "low": 0})
    assert epochs_by_source(WORDS, conf) == {HIGH: 2.0, DISTILL: 3.0, LOW: 0.0}


def test_shares_take_as_much_as_no_source_is_repeated_for():
    # high has 1,200 words, low 4,000: half and half gives 1,200 words of each.
    epochs = epochs_by_source(WORDS, BlendConfig(weights={"high": 0.5, "low": 0.5}))
    assert epochs == pytest.approx({HIGH: 1.0, DISTILL: 1.0, LOW: 0.3})


def test_a_total_repeats_small_sources():
    conf = BlendConfig(weights={"high": 0.75, "low": 0.25}, total_words=3_200)
    assert epochs_by_source(WORDS, conf) == pytest.approx({HIGH: 2.0, DISTILL: 2.0, LOW: 0.2})


def test_a_source_without_a_weight_is_left_out():
    assert epochs_by_source(WORDS, BlendConfig(weights={"low": 1.0}))[HIGH] == 0.0


def test_too_many_repeats_name_the_source_and_the_limit():
    conf = BlendConfig(weights={"high/synthetic": 0.5, "low": 0.5}, total_words=4_000)
    with pytest.raises(ConfigError, match=r"high/synthetic/distill.*10\.00 times.*max_epochs is 4"):
        epochs_by_source(WORDS, conf)


def test_a_weight_of_nothing_leaves_out_what_a_longer_name_fits():
    conf = BlendConfig(weights={"high": 0.5, "high/synthetic": 0.0, "low": 0.5})
    assert epochs_by_source(WORDS, conf) == {HIGH: 1.0, DISTILL: 0.0, LOW: 0.25}


def test_exactly_as_many_repeats_as_allowed_are_no_error_of_rounding():
    # 0.07 * 400 / 7 is 4.000000000000001 in doubles.
    words = {"high/actual/actual": 7, "low/actual/actual": 1_000}
    conf = BlendConfig(weights={"high": 0.07, "low": 0.93}, total_words=400, max_epochs=4)
    assert epochs_by_source(words, conf)["high/actual/actual"] == pytest.approx(4)


def test_a_name_that_fits_no_source_is_named_beside_those_there_are():
    with pytest.raises(ConfigError, match=r"no text for \['hihg'\].*high/actual/actual"):
        epochs_by_source(WORDS, BlendConfig(weights={"hihg": 1.0}))


def test_a_name_is_not_the_beginning_of_a_longer_word():
    words = {"medium/actual/actual": 10, "medium-low/actual/actual": 10}
    epochs = epochs_by_source(words, BlendConfig(epochs={"medium": 2}))
    assert epochs == {"medium/actual/actual": 2.0, "medium-low/actual/actual": 1.0}
