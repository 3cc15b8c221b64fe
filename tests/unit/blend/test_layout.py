from itertools import pairwise

import numpy as np
import pytest

from curation.blend.draws import id_hashes
from curation.blend.layout import orders, positions
from curation.errors import InputError

N = 4_000
DOCUMENTS = np.arange(N)


def hashes_of(documents, copy):
    """The two hashes of each row."""
    homes = id_hashes([f"home {document}" for document in documents])
    return homes, id_hashes([f"{d} {j}" for d, j in zip(documents, copy, strict=True)])


def rows(documents, copy, n_copies, place=positions):
    return place(*hashes_of(documents, copy), copy, n_copies)


def laid_out(k, documents=DOCUMENTS):
    """Positions of all copies, shape (documents, k)."""
    copy = np.tile(np.arange(k), documents.size)
    placed = rows(np.repeat(documents, k), copy, np.full(copy.size, k))
    return placed.reshape(documents.size, k)


@pytest.mark.parametrize("k", [1, 2, 3, 4, 10, 100])
def test_copies_in_a_row_are_half_of_a_kth_apart_at_least(k):
    documents = DOCUMENTS[: 40_000 // k]
    gaps = np.diff(laid_out(k, documents), axis=1)
    assert gaps.size == documents.size * (k - 1)
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
    order = np.argsort(rows(documents, copy, n_copies[documents]))
    rank = np.empty(order.size, int)
    rank[order] = np.arange(order.size)
    gaps = np.diff(rank)[np.diff(documents) == 0]
    assert gaps.size == documents.size - N
    assert gaps.min() > 0.9 * order.size / 8


def test_an_order_is_its_position_over_all_of_64_bits():
    copy, n_copies = np.arange(N) % 3, np.full(N, 3)
    found = rows(DOCUMENTS, copy, n_copies, orders)
    assert found.dtype == np.int64
    assert found / 2**64 + 0.5 == pytest.approx(rows(DOCUMENTS, copy, n_copies), abs=2**-52)
    # 400 a tenth of the numbers there are, sd 20.
    counts, _ = np.histogram(found / 2**64, 10, (-0.5, 0.5))
    assert np.abs(counts - N / 10).max() < 100


@pytest.mark.parametrize(
    ("copy_hash", "expected"),
    [
        # 2^-53 from the start, moved by 2^-54: one and a half of 2^53 steps, in doubles two.
        (2**63, -(2**63) + 2 * 2**11),
        (2**63 + 2**11 - 1, -(2**63) + 2 * 2**11 + 2**11 - 1),
        # Moved by 2^-54 - 1/4, and folded: 1/4 less one and a half, in doubles two.
        (0, -(2**62) - 2 * 2**11),
    ],
)
def test_an_order_by_hand(copy_hash, expected):
    home, copy = np.zeros(1, np.uint64), np.array([copy_hash], np.uint64)
    assert orders(home, copy, np.zeros(1, int), np.ones(1, int)) == expected


def test_the_very_end_is_the_largest_order_and_does_not_overflow():
    # home + moved is 1 in doubles, which is not below 1: the last step there is.
    home, copy = np.array([2**64 - 1], np.uint64), np.array([2**63], np.uint64)
    assert positions(home, copy, np.zeros(1, int), np.ones(1, int)) == 1.0
    assert orders(home, copy, np.zeros(1, int), np.ones(1, int)) == 2**63 - 2**11


def test_a_place_is_that_of_the_copy_in_any_order():
    copy, n_copies = np.zeros(N, int), np.full(N, 3)
    placed = rows(DOCUMENTS, copy, n_copies)
    assert (rows(DOCUMENTS[::-1], copy, n_copies) == placed[::-1]).all()
    assert (rows(DOCUMENTS[3:4], copy[:1], n_copies[:1]) == placed[3:4]).all()


@pytest.mark.parametrize(("copy", "n_copies"), [(2, 2), (-1, 2), (0, 0)])
def test_a_copy_that_is_none_is_refused(copy, n_copies):
    with pytest.raises(InputError, match=f"row 1 is copy {copy} of {n_copies}"):
        rows([0, 1], np.array([0, copy]), np.array([1, n_copies]))


def test_shapes_must_agree():
    with pytest.raises(InputError, match="one shape"):
        positions(*hashes_of([0, 1], [0, 0]), np.zeros(1, int), np.ones(2, int))
