from itertools import pairwise

import numpy as np
import pytest

from curation.blend.draws import id_hashes
from curation.blend.layout import positions
from curation.errors import InputError

N = 4_000
HASHES = id_hashes([f"doc-{i}" for i in range(N)])


def laid_out(k, seed=17, hashes=HASHES):
    """Positions of all copies, shape (documents, k)."""
    copy = np.tile(np.arange(k), hashes.size)
    placed = positions(np.repeat(hashes, k), copy, np.full(copy.size, k), seed=seed)
    return placed.reshape(hashes.size, k)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 10, 100])
def test_copies_in_a_row_are_half_of_a_kth_apart_at_least(k):
    hashes = HASHES[: 40_000 // k]
    gaps = np.diff(laid_out(k, hashes=hashes), axis=1)
    assert gaps.size == hashes[:N].size * (k - 1)
    assert gaps.size == 0 or (gaps.min() >= 0.5 / k and gaps.max() <= 1.5 / k)


def test_the_bound_is_nearly_reached_so_copies_do_move():
    gaps = np.diff(laid_out(2), axis=1)
    assert gaps.min() < 0.3
    assert gaps.max() > 0.7


@pytest.mark.parametrize("k", [1, 2, 5])
def test_each_part_of_the_order_has_one_copy(k):
    assert (np.floor(laid_out(k) * k) == np.arange(k)).all()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_copies_are_as_dense_everywhere(k):
    # 60 bins that split every part alike; N k / 60 a bin, sd about its root.
    counts, _ = np.histogram(laid_out(k), 60, (0, 1))
    mean = N * k / 60
    assert np.abs(counts - mean).max() < 5 * mean**0.5


def test_neighbours_differ_from_pass_to_pass():
    first, second = np.argsort(laid_out(2), axis=0).T
    pairs = [set(pairwise(order.tolist())) for order in (first, second)]
    assert len(pairs[0] & pairs[1]) < N // 100


def test_in_the_blend_itself_copies_are_far_apart():
    # Documents once, twice and four times, as they are sorted in the end.
    n_copies = np.array([1, 2, 4])[np.arange(N) % 3]
    documents = np.repeat(np.arange(N), n_copies)
    copy = np.concatenate([np.arange(k) for k in n_copies])
    order = np.argsort(positions(HASHES[documents], copy, n_copies[documents], seed=17))
    rank = np.empty(order.size, int)
    rank[order] = np.arange(order.size)
    gaps = np.diff(rank)[np.diff(documents) == 0]
    assert gaps.size == documents.size - N
    assert gaps.min() > 0.9 * order.size / 8


def test_a_place_is_that_of_the_copy_in_any_order_and_by_seed():
    copy, n_copies = np.zeros(N, int), np.full(N, 3)
    placed = positions(HASHES, copy, n_copies, seed=17)
    assert (positions(HASHES[::-1], copy, n_copies, seed=17) == placed[::-1]).all()
    assert (positions(HASHES[3:4], copy[:1], n_copies[:1], seed=17) == placed[3:4]).all()
    assert abs(np.corrcoef(placed, positions(HASHES, copy, n_copies, seed=18))[0, 1]) < 0.08


@pytest.mark.parametrize(("copy", "n_copies"), [(2, 2), (-1, 2), (0, 0)])
def test_a_copy_that_is_none_is_refused(copy, n_copies):
    with pytest.raises(InputError, match=f"row 1 is copy {copy} of {n_copies}"):
        positions(HASHES[:2], np.array([0, copy]), np.array([1, n_copies]), seed=17)


def test_shapes_must_agree():
    with pytest.raises(InputError, match="one shape"):
        positions(HASHES[:2], np.zeros(1, int), np.ones(2, int), seed=17)
