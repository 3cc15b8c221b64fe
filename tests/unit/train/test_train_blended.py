import json
import math

import numpy as np
import pytest

from curation.errors import InputError
from models.train.blended import BlendedLoader
from models.train.data import SampleLoader, TokenStream
from models.train.parallel import Ranks
from models.train.phases import Phase

SIZES = {"code": 40, "qa": 7, "web": 300}
FIRST = {"code": 0, "qa": 10_000, "web": 20_000}
"""Sample i of a source holds the tokens FIRST + 2 i to FIRST + 2 i + 2."""
GENERAL = {"web": 0.7, "code": 0.3}
SECOND = {"web": 0.63, "code": 0.27, "qa": 0.1}


def _stream(name):
    tokens = np.arange(FIRST[name], FIRST[name] + 2 * SIZES[name] + 1)
    return TokenStream((tokens,), np.array([0, len(tokens)]))


def _loader(*phases):
    loaders = {name: SampleLoader(_stream(name), sequence_length=2, seed=17, name=name)
               for name in ("web", "qa", "code")}  # fmt: skip
    return BlendedLoader(loaders, phases)


def _sources(drawn):
    """Name of each sample's source."""
    return [("code", "qa", "web")[source] for source in drawn[:, 0]]


def test_the_next_sample_is_of_the_source_furthest_behind():
    loader = _loader(Phase(0, {"code": 0.5, "qa": 0.3, "web": 0.2}))
    # By hand, share times n less what was taken: at n = 5 code and qa are both 0.5 behind.
    assert _sources(loader.draw(8)) == ["code", "qa", "web", "code", "code", "qa", "code", "web"]


def test_no_source_is_ever_two_samples_from_its_share():
    rng = np.random.default_rng(3)
    for _ in range(20):
        shares = dict(zip(SIZES, rng.dirichlet([0.4] * 3).tolist(), strict=True))
        drawn = _loader(Phase(0, shares)).draw(600)[:, 0]
        for source, share in enumerate(shares.values()):
            counts = np.cumsum(drawn == source)
            assert np.abs(counts - share * np.arange(1, 601)).max() < 2


def test_a_blend_is_within_half_a_point_over_any_long_stretch_and_switches_once():
    names = np.array(_sources(_loader(Phase(0, GENERAL), Phase(2130, SECOND)).draw(3000)))
    assert "qa" not in names[:2130]
    for start, stop, shares in [(0, 2130, GENERAL), (700, 1700, GENERAL), (2130, 3000, SECOND)]:
        for name, share in shares.items():
            assert (names[start:stop] == name).mean() == pytest.approx(share, abs=0.005)


def test_what_a_source_still_lacks_is_not_made_up_for_in_a_phase_without_it():
    # One sample in, code lacks 0.49; of the next one web lacks 0.26 and qa 0.25.
    first, second = {"code": 0.49, "web": 0.51}, {"web": 0.75, "qa": 0.25}
    names = _sources(_loader(Phase(0, first), Phase(1, second)).draw(41))
    assert names[:2] == ["web", "web"]
    assert "code" not in names


def test_each_source_goes_through_epochs_of_its_own():
    loader = _loader(Phase(0, {"code": 0.5, "qa": 0.5}))
    samples = loader.read(loader.draw(28))
    qa = samples[samples[:, 0] >= 10_000]
    assert len(qa) == 14
    for epoch in (qa[:7], qa[7:]):
        assert sorted(epoch[:, 0].tolist()) == list(range(10_000, 10_014, 2))
    assert qa[:7].tolist() != qa[7:].tolist()
    assert loader.epochs() == {"code": 14 / 40, "qa": 2.0, "web": 0.0}
    assert loader.epochs_after(28) == loader.epochs()


@pytest.mark.parametrize("n_taken", [0, 1, 9, 10, 11, 37])
def test_a_resumed_loader_goes_on_with_the_very_next_sample(n_taken):
    phases = (Phase(0, GENERAL), Phase(10, SECOND))
    whole, cut, resumed = _loader(*phases), _loader(*phases), _loader(*phases)
    expected = whole.read(whole.draw(80)).tolist()
    first = cut.read(cut.draw(n_taken)).tolist() if n_taken else []
    state = json.loads(json.dumps(cut.state_dict()))
    assert sum(state.values()) == n_taken
    resumed.load_state_dict(state)
    assert first + resumed.read(resumed.draw(80 - n_taken)).tolist() == expected


@pytest.mark.parametrize("n_ranks", [2, 4])
def test_ranks_read_their_parts_of_what_one_would_read(n_ranks):
    phases = (Phase(0, GENERAL), Phase(12, SECOND))
    alone = _loader(*phases)
    loaders = [_loader(*phases) for _ in range(n_ranks)]
    for _ in range(5):
        expected = alone.read(alone.draw(8))
        parts = [loader.read(Ranks(rank, n_ranks).part(loader.draw(8)))
                 for rank, loader in enumerate(loaders)]  # fmt: skip
        assert np.array_equal(np.concatenate(parts), expected)
        assert {json.dumps(loader.state_dict()) for loader in loaders} == {
            json.dumps(alone.state_dict())
        }


@pytest.mark.parametrize("state", [{"web": 1}, {"web": 1, "qa": 0, "code": -1}])
def test_a_position_in_other_sources_is_refused(state):
    with pytest.raises(InputError, match=r"is none in the sources code, qa, web"):
        _loader(Phase(0, GENERAL)).load_state_dict(state)


def test_two_sources_of_one_size_are_read_in_different_orders():
    loaders = {name: SampleLoader(_stream("code"), sequence_length=2, seed=17, name=name)
               for name in ("raw", "dialogue")}  # fmt: skip
    drawn = BlendedLoader(loaders, [Phase(0, {"raw": 0.5, "dialogue": 0.5})]).draw(80)
    orders = [drawn[drawn[:, 0] == source, 1].tolist() for source in (0, 1)]
    assert sorted(orders[0]) == sorted(orders[1]) == list(range(40))
    # One place of two random orders of forty agrees now and then.
    assert sum(math.isclose(a, b) for a, b in zip(*orders, strict=True)) < 6
