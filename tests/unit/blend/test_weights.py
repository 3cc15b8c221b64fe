import pytest

from curation.blend.weights import epochs_by_source, mix_of_epochs
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


# Spec: mind_data_reuse.md, part 2.4, in words of six sources.
ENGLISH = {"web": 889, "misc": 109, "news": 94, "conv": 59, "books": 35, "sci": 33}


def shares(**settings):
    """Shares of the blend in percent, in the order of the spec's table."""
    found = mix_of_epochs(ENGLISH, epochs_by_source(ENGLISH, BlendConfig(**settings))).sources
    return [round(100 * found[source].share, 2) for source in ENGLISH]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, [72.93, 8.94, 7.71, 4.84, 2.87, 2.71]),
        ({"total_words": 2_000}, [72.93, 8.94, 7.71, 4.84, 2.87, 2.71]),
        ({"temperature": 1.3, "method": "temperature"}, [60.13, 11.97, 10.68, 7.46, 4.99, 4.77]),
        (
            {"method": "unimax", "total_words": 600, "max_epochs": 2},
            [19.33, 19.33, 19.33, 19.33, 11.67, 11.00],
        ),
        (
            {"method": "unimax", "total_words": 1_000, "max_epochs": 2},
            [34.00, 21.80, 18.80, 11.80, 7.00, 6.60],
        ),
    ],
)
def test_methods_give_the_rows_of_the_spec(settings, expected):
    assert shares(**settings) == expected


def test_unimax_repeats_no_source_more_often_than_it_may():
    conf = BlendConfig(method="unimax", total_words=1_000, max_epochs=2)
    epochs = epochs_by_source(ENGLISH, conf)
    assert epochs == pytest.approx(
        {"web": 340 / 889, "misc": 2, "news": 2, "conv": 2, "books": 2, "sci": 2}
    )


def test_a_temperature_without_a_size_repeats_no_source():
    epochs = epochs_by_source(ENGLISH, BlendConfig(temperature=1.3))
    assert max(epochs.values()) == pytest.approx(epochs["sci"]) == pytest.approx(1.0)
    conf = BlendConfig(temperature=1.3, total_words=500)
    there_are = {source: size * epochs_by_source(ENGLISH, conf)[source]
                 for source, size in ENGLISH.items()}  # fmt: skip
    assert sum(there_are.values()) == pytest.approx(500)


def test_the_natural_mix_of_a_size_repeats_all_sources_alike():
    epochs = epochs_by_source(WORDS, BlendConfig(total_words=7_800))
    assert epochs == pytest.approx({HIGH: 1.5, DISTILL: 1.5, LOW: 1.5})


def test_what_cannot_be_spent_is_said_in_words():
    conf = BlendConfig(method="unimax", total_words=3_000, max_epochs=2)
    with pytest.raises(ConfigError, match=r"562 of 3000 cannot be spent"):
        epochs_by_source(ENGLISH, conf)
    # 5,200 words there are, four times are 20,800.
    with pytest.raises(ConfigError, match=r"5\.00 times.*5,200 of 26,000 words cannot be spent"):
        epochs_by_source(WORDS, BlendConfig(total_words=26_000))


def test_beginnings_of_buckets_name_them_all():
    words = {"quality=high,domain=Law": 10, "quality=high,domain=a/b": 10, "other": 5}
    conf = BlendConfig(sources=("quality", "domain"), epochs={"quality=high": 2, "other": 0})
    assert epochs_by_source(words, conf) == {
        "quality=high,domain=Law": 2, "quality=high,domain=a/b": 2, "other": 0,
    }  # fmt: skip
    slash = BlendConfig(sources=("quality", "domain"), epochs={"quality=high,domain=a": 2})
    with pytest.raises(ConfigError, match="no text for"):
        epochs_by_source(words, slash)


def test_a_blend_of_nothing_is_refused():
    epochs = epochs_by_source(WORDS, BlendConfig(epochs={"high": 0, "low": 0}))
    with pytest.raises(ConfigError, match="nothing is taken of any source"):
        mix_of_epochs(WORDS, epochs)
