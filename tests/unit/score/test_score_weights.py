import pytest

from curation.errors import InputError
from curation.score.weights import default_weight

NAMES = [
    "fasttext.ftz", "edu.npz", "quality.npz", "toxicity.npz", "domain.npz", "speech.npz",
    "ensemble.json",
]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_shipped_weights_are_small_files(name):
    assert 0 < default_weight(name).stat().st_size <= 1_500_000


def test_an_unknown_weight_is_refused_and_the_shipped_ones_are_named():
    with pytest.raises(InputError, match=r"other\.npz.*edu\.npz, ensemble\.json, fasttext\.ftz"):
        default_weight("other.npz")
