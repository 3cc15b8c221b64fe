import math

import numpy as np
import pytest

from curation.blend.draws import gumbels, id_hashes, uniforms

IDS = [f"{i:032x}" for i in range(20_000)]
HASHES = id_hashes(IDS)


def test_a_hash_is_that_of_its_id_alone():
    assert id_hashes(IDS[7:9]).tolist() == HASHES[7:9].tolist()
    assert len(set(HASHES.tolist())) == len(IDS)
    assert id_hashes([]).size == 0


def test_a_draw_is_that_of_its_document_in_any_order_and_part():
    drawn = uniforms(HASHES, seed=17, purpose="x")
    assert (uniforms(HASHES[::-1], seed=17, purpose="x") == drawn[::-1]).all()
    assert (uniforms(HASHES[5:6], seed=17, purpose="x") == drawn[5:6]).all()


def test_draws_are_uniform_and_never_at_an_end():
    drawn = uniforms(HASHES, seed=17, purpose="x")
    assert 0 < drawn.min() < 1e-3
    assert 1 - 1e-3 < drawn.max() < 1
    # 2,000 a tenth, sd 42.
    assert np.abs(np.histogram(drawn, 10, (0, 1))[0] - 2_000).max() < 200
    counters = uniforms(np.arange(20_000, dtype=np.uint64), seed=17, purpose="x")
    assert np.abs(np.histogram(counters, 10, (0, 1))[0] - 2_000).max() < 200


@pytest.mark.parametrize("other", [{"seed": 18, "purpose": "x"}, {"seed": 17, "purpose": "y"}])
def test_seeds_and_purposes_draw_independently(other):
    drawn = uniforms(HASHES, seed=17, purpose="x")
    # The standard error of a correlation of 20,000 is 0.007.
    assert abs(np.corrcoef(drawn, uniforms(HASHES, **other))[0, 1]) < 0.035


def test_gumbel_noise_has_its_mean_and_spread():
    drawn = gumbels(HASHES, seed=17, purpose="x")
    assert np.isfinite(drawn).all()
    assert drawn.mean() == pytest.approx(np.euler_gamma, abs=0.04)
    assert drawn.std() == pytest.approx(math.pi / math.sqrt(6), abs=0.04)
