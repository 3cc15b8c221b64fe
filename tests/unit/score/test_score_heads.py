import numpy as np
import pytest

from curation.errors import InputError
from curation.score.batches import plan_batches
from curation.score.encoder import Head, apply_edu_head, apply_toxicity_head, load_head
from curation.score.weights import default_weight

HEAD = Head(np.array([1.0, -2.0], np.float32), 0.5)


def rows(*values):
    return np.array(values, np.float32)


def test_edu_is_weight_times_embedding_plus_bias():
    # 1 * 2 - 2 * 0.25 + 0.5 = 2
    assert apply_edu_head(rows([2.0, 0.25]), HEAD).tolist() == [2.0]


def test_edu_is_clamped_to_zero_and_five():
    assert apply_edu_head(rows([0.0, 9.0], [9.0, 0.0]), HEAD).tolist() == [0.0, 5.0]


def test_toxicity_is_the_logistic_of_the_projection():
    # Projections 0 and ln 3: 1 / (1 + 1) and 1 / (1 + 1/3).
    scores = apply_toxicity_head(rows([0.0, 0.25], [np.log(3) - 0.5, 0.0]), HEAD)
    np.testing.assert_allclose(scores, [0.5, 0.75], rtol=1e-6)


def test_toxicity_of_extreme_projections_neither_overflows_nor_warns():
    scores = apply_toxicity_head(rows([1e6, 0.0], [0.0, 1e6]), HEAD)
    np.testing.assert_allclose(scores, [1.0, 0.0], atol=1e-12)


@pytest.mark.parametrize("apply", [apply_edu_head, apply_toxicity_head])
def test_a_nan_embedding_gives_a_nan_score_and_leaves_its_neighbours_alone(apply):
    scores = apply(rows([0.0, 0.0], [np.nan, np.nan], [0.0, 0.0]), HEAD)
    assert scores.dtype == np.float32
    assert np.isnan(scores).tolist() == [False, True, False]


@pytest.mark.parametrize("apply", [apply_edu_head, apply_toxicity_head])
def test_a_head_of_another_width_is_refused(apply):
    with pytest.raises(InputError, match=r"width 2.*gives 3"):
        apply(np.zeros((1, 3), np.float32), HEAD)


@pytest.mark.parametrize("name", ["edu_head.npz", "toxicity_head.npz"])
def test_shipped_heads_fit_the_encoder_of_384_values(name):
    head = load_head(str(default_weight(name)))
    assert head.weight.shape == (384,)
    assert head.weight.dtype == np.float32


def test_a_head_is_read_back_as_it_was_written(tmp_path):
    np.savez(tmp_path / "h.npz", weight=np.array([1, 2], np.float32), bias=np.float32(3))
    head = load_head(str(tmp_path / "h.npz"))
    assert head.weight.tolist() == [1.0, 2.0]
    assert head.bias == 3.0


def test_a_missing_head_is_named():
    with pytest.raises(InputError, match=r"nowhere\.npz"):
        load_head("nowhere.npz")


def test_a_head_without_a_bias_is_refused(tmp_path):
    np.savez(tmp_path / "h.npz", weight=np.zeros(2, np.float32))
    with pytest.raises(InputError, match="bias"):
        load_head(str(tmp_path / "h.npz"))


def test_a_head_that_is_not_finite_is_refused(tmp_path):
    np.savez(tmp_path / "h.npz", weight=np.array([np.nan], np.float32), bias=np.float32(0))
    with pytest.raises(InputError, match="finite"):
        load_head(str(tmp_path / "h.npz"))


@pytest.mark.parametrize("content", [b"text, not an archive", b"PK\x03\x04 cut short", b""])
def test_a_file_that_is_no_head_is_refused(tmp_path, content):
    (tmp_path / "h.npz").write_bytes(content)
    with pytest.raises(InputError, match="not a head"):
        load_head(str(tmp_path / "h.npz"))


def test_batches_start_with_the_longest_and_keep_the_budget():
    # 8 alone (8 + another 6 would be padded to 16 > 12); 6 and 4 padded to 12; 3, 2, 1 to 9.
    assert plan_batches([3, 8, 1, 6, 4, 2], 12) == [[1], [3, 4], [0, 5, 2]]


def test_a_member_above_the_budget_is_a_batch_of_its_own():
    assert plan_batches([5, 20, 5], 10) == [[1], [0, 2]]


def test_equal_lengths_keep_their_order():
    assert plan_batches([2, 2, 2], 4) == [[0, 1], [2]]


def test_no_lengths_give_no_batches():
    assert plan_batches([], 10) == []
