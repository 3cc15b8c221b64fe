import numpy as np
import pytest

from curation.score.heads import Head, load_head
from models.classifiers.encoder import (
    cell_weights,
    fit_logistic,
    fit_ridge,
    fit_stretched,
    out_of_fold,
    save_head,
)

COLUMN = np.array([[-1.0], [0.0], [1.0], [2.0]])


def test_ridge_without_a_penalty_finds_the_line():
    head = fit_ridge(COLUMN, 3.0 * COLUMN[:, 0] + 2.0, penalty=0.0)
    assert head.weight[:, 0].tolist() == pytest.approx([3.0])
    assert head.bias.item() == pytest.approx(2.0)


def test_ridge_shrinks_the_weight_and_not_the_mean():
    # Centred, the rows are -1.5, -0.5, 0.5, 1.5: their squares sum to 5. With a penalty of 5 the
    # weight is 3 * 5 / (5 + 5); the mean of the targets is 3.5, at the mean row 0.5.
    head = fit_ridge(COLUMN, 3.0 * COLUMN[:, 0] + 2.0, penalty=5.0)
    assert head.weight[:, 0].tolist() == pytest.approx([1.5])
    assert head.bias.item() == pytest.approx(3.5 - 1.5 * 0.5)


def test_out_of_fold_predictions_never_use_their_own_fold():
    seen = []

    def spy(rows, targets):
        seen.append(rows[:, 0].tolist())
        return fit_ridge(rows, targets)

    rows = np.arange(5.0)[:, None]
    out_of_fold(rows, rows[:, 0], np.array([0, 1, 2, 3, 4]), spy)
    assert seen == [[1, 2, 3, 4], [0, 2, 3, 4], [0, 1, 3, 4], [0, 1, 2, 4], [0, 1, 2, 3]]


def test_the_edu_head_spreads_unseen_pages_as_widely_as_the_labels():
    rng = np.random.default_rng(5)
    rows = rng.normal(size=(4_000, 20))
    targets = np.clip(np.round(rows[:, 0] + rng.normal(size=4_000) + 1.5), 0, 5)
    folds = np.arange(4_000) % 5
    fresh = rng.normal(size=(4_000, 20))
    plain, stretched = fit_ridge(rows, targets), fit_stretched(rows, targets, folds)
    spread = np.std(fresh @ stretched.weight[:, 0])
    assert spread == pytest.approx(np.std(targets), rel=0.05)
    assert spread > 1.1 * np.std(fresh @ plain.weight[:, 0])
    # The same direction, so the same ranking.
    cosine = float(plain.weight[:, 0] @ stretched.weight[:, 0])
    cosine /= np.linalg.norm(plain.weight) * np.linalg.norm(stretched.weight)
    assert cosine == pytest.approx(1.0, abs=1e-6)


def test_logistic_meets_the_share_of_toxic_examples_where_rows_say_nothing():
    # All rows equal: the best head answers with the weighted share, here 1 in 4.
    head = fit_logistic(np.zeros((4, 2)), np.array([1.0, 0, 0, 0]), np.ones(4))
    assert head.weight.tolist() == [[0.0], [0.0]]
    assert head.bias.item() == pytest.approx(np.log(0.25 / 0.75), abs=1e-6)


def test_logistic_separates_what_can_be_separated():
    rows = np.array([[-1.0, 0.3], [-0.8, -0.2], [0.9, 0.1], [1.1, -0.3]])
    head = fit_logistic(rows, np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4))
    assert (head.logits(rows)[:, 0] > 0).tolist() == [False, False, True, True]


def test_cells_weigh_the_same_whatever_their_size():
    weights = cell_weights(np.array([0, 0, 0, 2]))
    assert weights.tolist() == pytest.approx([1 / 3, 1 / 3, 1 / 3, 1.0])


CARD = {"encoder": "ef", "max_tokens": 256, "n_pages": 4, "labels_sha256": "ab"}
CARD |= {"texts_sha256": "cd"}


@pytest.mark.parametrize(
    "head",
    [
        fit_ridge(COLUMN, 3.0 * COLUMN[:, 0] + 2.0, penalty=0.0),
        fit_logistic(COLUMN, np.array([0.0, 1, 0, 1]), np.ones(4)),
        Head("classes", np.eye(3, 2, dtype=np.float32), np.ones(2, np.float32), ("A/B", "é")),
    ],
)
def test_a_saved_head_is_what_the_kernel_loads_and_its_bytes_repeat(tmp_path, head):
    for name in ("first.npz", "second.npz"):
        save_head(tmp_path / name, head, **CARD)
    loaded = load_head(str(tmp_path / "first.npz"))
    assert (loaded.kind, loaded.labels) == (head.kind, head.labels)
    assert (loaded.encoder, loaded.max_tokens) == ("ef", 256)
    assert loaded.weight.tolist() == head.weight.tolist()
    assert loaded.bias.tolist() == head.bias.tolist()
    assert (tmp_path / "first.npz").read_bytes() == (tmp_path / "second.npz").read_bytes()


def test_the_file_of_a_head_says_what_it_was_trained_on(tmp_path):
    save_head(tmp_path / "h.npz", fit_ridge(COLUMN, COLUMN[:, 0]), **CARD)
    with np.load(tmp_path / "h.npz", allow_pickle=False) as arrays:
        assert {name: arrays[name].item() for name in CARD} == CARD
