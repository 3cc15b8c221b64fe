"""Spec: mind_data_reuse.md, part 2.4 (its table row by row) and 2.6."""

import math

import pytest

from curation.blend.mixing import (
    checked_shares,
    fixed_shares,
    largest_budget,
    merge_small,
    mix,
    normalised,
    preference_shares,
    proportional_shares,
    temperature_shares,
    unimax_shares,
)
from curation.errors import ConfigError, InputError

NAMES = ("web", "misc", "news", "conv", "books", "sci")
ENGLISH = dict(zip(NAMES, (889, 109, 94, 59, 35, 33), strict=True))
TOY = {"a": 10, "b": 100, "c": 1000}
PROPORTIONAL = (72.93, 8.94, 7.71, 4.84, 2.87, 2.71)
UNIFORM = (16.67,) * 6


def percent(shares):
    return tuple(round(100 * shares[name], 2) for name in NAMES)


def tokens(shares, budget):
    return {source: budget * share for source, share in shares.items()}


def test_proportional_is_the_row_of_the_spec():
    assert percent(proportional_shares(ENGLISH)) == PROPORTIONAL


def test_temperature_1_3_is_the_row_of_the_spec():
    shares = temperature_shares(ENGLISH, temperature=1.3)
    assert percent(shares) == (60.13, 11.97, 10.68, 7.46, 4.99, 4.77)


def test_a_temperature_of_one_is_the_natural_mix_and_a_great_one_nearly_uniform():
    assert temperature_shares(ENGLISH, temperature=1.0) == proportional_shares(ENGLISH)
    assert percent(temperature_shares(ENGLISH, temperature=1e9)) == UNIFORM


@pytest.mark.parametrize("temperature", [1 / 1.3, 0.999, 0.0, -1.3, math.inf, math.nan])
def test_the_wrong_way_round_is_refused_and_says_why(temperature):
    with pytest.raises(ConfigError, match="large sources would gain"):
        temperature_shares(ENGLISH, temperature=temperature)


@pytest.mark.parametrize(
    ("budget", "max_epochs", "expected"),
    [
        (165, 1, UNIFORM),
        (165, 2, UNIFORM),
        (300, 1, (19.33, 19.33, 19.33, 19.33, 11.67, 11.00)),
        (600, 2, (19.33, 19.33, 19.33, 19.33, 11.67, 11.00)),
        (1000, 2, (34.00, 21.80, 18.80, 11.80, 7.00, 6.60)),
        (2438, 2, PROPORTIONAL),
    ],
)
def test_unimax_is_the_rows_of_the_spec(budget, max_epochs, expected):
    assert percent(unimax_shares(ENGLISH, budget=budget, max_epochs=max_epochs)) == expected


def test_unimax_cannot_spend_3000_and_says_that_562_are_left():
    with pytest.raises(ConfigError, match=r"562 of 3000 cannot be spent.*2 times are 2438"):
        unimax_shares(ENGLISH, budget=3000, max_epochs=2)


def test_unimax_on_the_toys_of_the_spec():
    once = unimax_shares(TOY, budget=300, max_epochs=1)
    assert tokens(once, 300) == pytest.approx({"a": 10, "b": 100, "c": 190})
    four = unimax_shares(TOY, budget=300, max_epochs=4)
    assert tokens(four, 300) == pytest.approx({"a": 40, "b": 130, "c": 130})


@pytest.mark.parametrize("max_epochs", [0.3, 1.0, 1.3, 2.0, 7.7])
def test_unimax_sums_to_one_and_keeps_to_the_cap(max_epochs):
    budget = 0.97 * max_epochs * sum(ENGLISH.values())
    shares = unimax_shares(ENGLISH, budget=budget, max_epochs=max_epochs)
    assert math.fsum(shares.values()) == pytest.approx(1.0, abs=1e-12)
    assert all(
        source.epochs <= max_epochs * (1 + 1e-12)
        for source in mix(ENGLISH, shares, budget=budget).sources.values()
    )


def test_equal_sizes_get_equal_shares_whatever_their_order():
    sizes = {"x": 5, "y": 5, "z": 50}
    shares = unimax_shares(sizes, budget=30, max_epochs=1)
    assert shares == unimax_shares(dict(reversed(sizes.items())), budget=30, max_epochs=1)
    assert list(shares) == ["x", "y", "z"]
    assert shares == pytest.approx({"x": 1 / 6, "y": 1 / 6, "z": 2 / 3})


@pytest.mark.parametrize(
    ("budget", "max_epochs", "named"),
    [(0, 1, "budget"), (-1, 1, "budget"), (math.nan, 1, "budget"), (10, 0, "max_epochs"),
     (10, math.inf, "max_epochs")],
)  # fmt: skip
def test_unimax_names_a_setting_out_of_range(budget, max_epochs, named):
    with pytest.raises(ConfigError, match=named):
        unimax_shares(TOY, budget=budget, max_epochs=max_epochs)


def test_fixed_shares_stay_as_given_and_the_rest_gets_nothing():
    assert fixed_shares(TOY, {"c": 0.75, "a": 0.25}) == {"a": 0.25, "b": 0.0, "c": 0.75}


def test_a_sum_is_one_within_a_millionth():
    assert checked_shares({"a": 0.5, "b": 0.5 + 9e-7}) == {"a": 0.5, "b": 0.5 + 9e-7}
    with pytest.raises(ConfigError, match=r"must sum to 1, found 1\.0000011"):
        checked_shares({"a": 0.5, "b": 0.5 + 1.1e-6})


def test_percentages_go_through_normalised():
    percentages = {"a": 73, "b": 9, "c": 18}
    with pytest.raises(ConfigError, match="found 100"):
        fixed_shares(TOY, percentages)
    assert fixed_shares(TOY, normalised(percentages)) == pytest.approx(
        {"a": 0.73, "b": 0.09, "c": 0.18}
    )


def test_normalised_refuses_what_has_no_sum():
    with pytest.raises(ConfigError, match="all 0"):
        normalised({"a": 0, "b": 0})
    with pytest.raises(ConfigError, match="all 0"):
        normalised({})


@pytest.mark.parametrize("share", [-0.1, math.nan, math.inf])
def test_a_share_that_is_none_is_named(share):
    with pytest.raises(ConfigError, match=r"'b' must be finite and not negative"):
        fixed_shares(TOY, {"a": 1.1, "b": share})


def test_a_share_of_no_source_is_named_beside_those_there_are():
    with pytest.raises(ConfigError, match=r"no source \['bb'\].*\['a', 'b', 'c'\]"):
        fixed_shares(TOY, {"bb": 1.0})


def test_preference_multiplies_sizes():
    # 10 * 3, 100, 1000 * 0.1: 30, 100 and 100 of 230.
    shares = preference_shares(TOY, {"a": 3, "c": 0.1})
    assert shares == pytest.approx({"a": 30 / 230, "b": 100 / 230, "c": 100 / 230})
    with pytest.raises(ConfigError, match="no source"):
        preference_shares(TOY, {"d": 2})


@pytest.mark.parametrize("size", [0, -1, math.nan, math.inf])
def test_a_source_without_text_is_named(size):
    with pytest.raises(InputError, match=r"'b' must be finite and above 0"):
        proportional_shares({"a": 1, "b": size})


def test_no_source_is_an_error():
    with pytest.raises(InputError, match="no source"):
        proportional_shares({})


def test_the_largest_budget_repeats_no_source():
    # 10 of a are a quarter of 40.
    assert largest_budget(TOY, {"a": 0.25, "c": 0.75}) == 40
    assert largest_budget(TOY, {"a": 0.25, "c": 0.75}, max_epochs=3) == 120
    assert largest_budget(TOY, {"b": 1.0}) == 100


def test_the_report_of_a_blend_worked_out_by_hand():
    report = mix({"a": 25, "b": 75}, {"a": 0.5, "b": 0.5}, budget=200)
    assert (report.sources["a"].size, report.sources["a"].natural_share) == (25, 0.25)
    assert (report.sources["a"].tokens, report.sources["a"].epochs) == (100, 4)
    assert report.sources["b"].epochs == pytest.approx(4 / 3)
    assert report.n_effective == pytest.approx(2.0)
    assert report.total_variation == pytest.approx(0.25)
    # 1/2 ln 2 + 1/2 ln 2/3, and not the other way round: 1/4 ln 1/2 + 3/4 ln 3/2 = 0.1308.
    assert report.kl_nats == pytest.approx(0.5 * math.log(4 / 3))


def test_the_natural_mix_is_at_no_distance():
    report = mix(ENGLISH, proportional_shares(ENGLISH), budget=100)
    assert (report.total_variation, report.kl_nats) == (0.0, 0.0)
    assert {round(source.epochs, 12) for source in report.sources.values()} == {
        round(100 / 1219, 12)
    }


def test_a_source_that_is_not_taken_counts_in_no_logarithm():
    report = mix({"a": 1, "b": 3}, {"a": 1.0}, budget=1)
    assert report.n_effective == pytest.approx(1.0)
    assert report.total_variation == pytest.approx(0.75)
    assert report.kl_nats == pytest.approx(math.log(4))
    assert report.sources["b"].epochs == 0


def test_small_sources_become_one_and_are_reported():
    sizes = {"d": 1, "a": 900, "c": 50, "b": 4, "e": 45}
    merged = merge_small(sizes, min_frac=0.05)
    assert merged.sizes == {"a": 900, "c": 50, "other": 50}
    assert merged.merged == ("b", "d", "e")
    assert merged.bucket_of == {"a": "a", "b": "other", "c": "c", "d": "other", "e": "other"}
    assert merge_small(dict(reversed(sizes.items())), min_frac=0.05) == merged
    assert sum(merged.sizes.values()) == sum(sizes.values())


def test_where_nothing_is_small_nothing_changes():
    merged = merge_small(TOY, min_frac=0.005)
    assert (merged.sizes, merged.merged) == (TOY, ())
    assert "other" not in merged.sizes


def test_all_may_be_small_and_other_may_be_among_them():
    merged = merge_small({"a": 1, "other": 1}, min_frac=1.0)
    assert (merged.sizes, merged.merged) == ({"other": 2}, ("a", "other"))


def test_the_merged_name_must_be_free():
    with pytest.raises(ConfigError, match=r"called 'other'.*name another"):
        merge_small({"a": 1, "other": 99}, min_frac=0.05)
    assert merge_small({"a": 1, "other": 99}, min_frac=0.05, into="rest").sizes == {
        "other": 99,
        "rest": 1,
    }
    with pytest.raises(ConfigError, match="min_frac"):
        merge_small(TOY, min_frac=1.1)
