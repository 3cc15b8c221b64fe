"""Spec: mind_data_reuse.md, part 2.4, DoReMi."""

import math

import numpy as np
import pytest

from curation.blend.doremi import excess_losses, mean_shares, share_path, updated_shares
from curation.errors import ConfigError, InputError

HALVES = np.array([0.5, 0.5])
LN2 = math.log(2)


def test_a_step_worked_out_by_hand():
    # 1/2 * 2 against 1/2 * 1.
    shares = updated_shares(HALVES, np.array([LN2, 0.0]), smoothing=0.0)
    assert shares == pytest.approx([2 / 3, 1 / 3])


def test_the_step_size_multiplies_the_excess():
    shares = updated_shares(HALVES, np.array([LN2, 0.0]), step_size=2.0, smoothing=0.0)
    assert shares == pytest.approx([4 / 5, 1 / 5])


def test_smoothing_mixes_in_the_uniform():
    # 9/10 of 2/3 and 1/10 of 1/2.
    shares = updated_shares(HALVES, np.array([LN2, 0.0]), smoothing=0.1)
    assert shares == pytest.approx([0.65, 0.35])


def test_the_defaults_are_eta_1_and_c_a_thousandth():
    shares = updated_shares(HALVES, np.array([LN2, 0.0]))
    assert shares == pytest.approx([0.999 * 2 / 3 + 0.0005, 0.999 / 3 + 0.0005], abs=1e-12)


def test_a_domain_that_the_proxy_knows_better_does_not_shrink_for_it():
    less = updated_shares(HALVES, np.array([-3.0, 0.0]), smoothing=0.0)
    assert less == pytest.approx(HALVES)


def test_the_present_shares_count():
    shares = updated_shares(np.array([0.25, 0.75]), np.array([math.log(3), 0.0]), smoothing=0.0)
    assert shares == pytest.approx([0.5, 0.5])


def test_great_losses_do_not_overflow_and_no_domain_is_lost():
    shares = updated_shares(np.array([0.5, 0.5, 0.0]), np.array([4000.0, 0.0, 9000.0]))
    assert shares == pytest.approx([0.999 + 0.001 / 3, 0.001 / 3, 0.001 / 3])


def test_the_mean_is_over_the_shares_after_each_step():
    excess = np.array([[LN2, 0.0], [LN2, 0.0]])
    path = share_path(HALVES, excess, smoothing=0.0)
    assert path == pytest.approx(np.array([[2 / 3, 1 / 3], [4 / 5, 1 / 5]]))
    assert mean_shares(path) == pytest.approx([11 / 15, 4 / 15])


def test_a_lasting_excess_puts_most_weight_on_one_source():
    path = share_path(np.full(3, 1 / 3), np.tile([0.5, 0.1, 0.0], (100, 1)))
    assert path[-1, 0] > 0.99
    assert path.sum(axis=1) == pytest.approx(np.ones(100))
    assert path.min() >= 1e-3 / 3


def test_excess_is_clipped_token_by_token_before_the_mean():
    proxy, reference = np.array([3.0, 1.0, 2.0]), np.array([1.0, 2.0, 2.5])
    excess = excess_losses(proxy, reference, np.array([0, 0, 1]), previous_K=np.zeros(2))
    # (2 + 0) / 2, and not the 1/2 of a mean that is clipped afterwards.
    assert excess.tolist() == [1.0, 0.0]


def test_a_domain_that_is_not_in_the_batch_keeps_its_excess():
    one = np.array([1.0])
    excess = excess_losses(one, 0 * one, np.array([1]), previous_K=np.array([0.3, 0.4, 0.5]))
    assert excess.tolist() == [0.3, 1.0, 0.5]


@pytest.mark.parametrize(
    ("shares", "excess"),
    [([0.5, 0.4], [0, 0]), ([1.5, -0.5], [0, 0]), ([0.5, 0.5], [0, 0, 0]),
     ([0.5, 0.5], [0, math.nan]), ([math.nan, 0.5], [0, 0])],
)  # fmt: skip
def test_shares_and_losses_that_are_none_are_refused(shares, excess):
    with pytest.raises(InputError, match="DoReMi"):
        updated_shares(np.array(shares), np.array(excess, float))


@pytest.mark.parametrize("settings", [{"step_size": 0}, {"smoothing": -0.1}, {"smoothing": 1.1}])
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match=next(iter(settings))):
        updated_shares(HALVES, np.zeros(2), **settings)


def test_broken_batches_are_refused():
    one = np.array([1.0])
    with pytest.raises(InputError, match=r"0\.\.1"):
        excess_losses(one, one, np.array([2]), previous_K=np.zeros(2))
    with pytest.raises(InputError, match="one entry a token"):
        excess_losses(one, np.ones(2), np.array([0]), previous_K=np.zeros(2))
    with pytest.raises(InputError, match="diverged"):
        excess_losses(np.array([math.nan]), one, np.array([0]), previous_K=np.zeros(2))
    with pytest.raises(InputError, match="steps x domains"):
        share_path(HALVES, np.zeros((0, 2)))
