import json

import numpy as np
import pytest

from curation.errors import InputError
from curation.label.combination import load_combination
from models.classifiers.ensemble import (
    MEMBERS,
    Combination,
    fit_combination,
    maximum,
    mean_rank,
    save_combination,
)

CARD = {"n_pages": 3, "labels_sha256": "ab", "texts_sha256": "cd"}


def test_the_maximum_and_the_mean_are_of_shares_of_rank():
    scores = np.array([[0.1, 30.0], [0.2, 10.0], [0.3, 20.0], [0.4, 40.0]])
    assert maximum(scores).tolist() == [0.75, 0.5, 0.75, 1.0]
    assert mean_rank(scores).tolist() == [0.5, 0.375, 0.625, 1.0]


def test_ranks_alone_count_and_not_the_scale_of_a_member():
    scores = np.random.default_rng(0).normal(size=(50, 3))
    stretched = np.stack([np.exp(scores[:, 0]), 9 * scores[:, 1] - 4, scores[:, 2] ** 3], axis=1)
    assert maximum(scores).tolist() == maximum(stretched).tolist()
    assert mean_rank(scores).tolist() == mean_rank(stretched).tolist()


def test_the_logistic_finds_the_weights_that_made_the_labels():
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(20_000, 3))
    made = Combination((2.0, -1.0, 0.0), 0.5)
    is_high = rng.random(20_000) < made.probability(scores)
    found = fit_combination(scores, is_high)
    np.testing.assert_allclose(found.weights, made.weights, atol=0.1)
    assert found.bias == pytest.approx(0.5, abs=0.1)


def test_a_probability_is_the_logistic_of_the_weighted_raw_scores():
    combination = Combination((1.0, 2.0, 0.0), -np.log(3))
    assert combination.probability(np.zeros((1, 3)))[0] == pytest.approx(0.25)


def test_the_file_is_what_the_label_stage_loads_and_repeats(tmp_path):
    for name in ("a.json", "b.json"):
        save_combination(tmp_path / name, Combination((0.1, 0.2, 0.3), -1.5), **CARD)
    found = load_combination(tmp_path / "a.json")
    assert found.weights == dict(zip(MEMBERS, (0.1, 0.2, 0.3), strict=True))
    assert found.bias == -1.5
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert json.loads((tmp_path / "a.json").read_text()).items() >= CARD.items()


def test_a_combination_of_one_column_twice_is_refused(tmp_path):
    path = tmp_path / "twice.json"
    told = {"columns": ["fasttext", "fasttext", "edu"], "weights": [1.0, 2.0, 3.0], "bias": 0.0}
    path.write_text(json.dumps(told))
    with pytest.raises(InputError, match="a column counts once, found fasttext, fasttext, edu"):
        load_combination(path)
