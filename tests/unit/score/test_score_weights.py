import pytest

from curation.errors import InputError
from curation.score.weights import default_weight


@pytest.mark.parametrize("name", ["quality.ftz", "edu_head.npz", "toxicity_head.npz"])
def test_shipped_weights_are_small_files(name):
    assert 0 < default_weight(name).stat().st_size <= 1_500_000


def test_an_unknown_weight_is_refused_and_the_shipped_ones_are_named():
    with pytest.raises(InputError, match=r"other\.npz.*edu_head\.npz, quality\.ftz"):
        default_weight("other.npz")
