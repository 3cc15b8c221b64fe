from itertools import chain

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.tokens.best_fit import best_fit, cut_to_length, pack_best_fit
from curation.tokens.megatron import read_indexed, write_indexed
from curation.tokens.pack import read_packed
from curation.tokens.shard import write_shard


def slow_best_fit(lengths, capacity):
    """The same by looking through all rows; of equal rooms, the row that came to it last."""
    rows = []
    for age, number in enumerate(sorted(range(len(lengths)), key=lambda n: -lengths[n])):
        fitting = [row for row in rows if row["room"] >= lengths[number]]
        row = min(fitting, key=lambda row: (row["room"], -row["age"]), default=None)
        if row is None:
            row = {"room": capacity, "held": [], "age": 0}
            rows.append(row)
        row["held"].append(number)
        row.update(room=row["room"] - lengths[number], age=age)
    return sorted(sorted(row["held"]) for row in rows)


@settings(deadline=None)
@given(st.lists(st.integers(1, 40), max_size=60))
def test_it_is_best_fit_in_falling_order(lengths):
    assert best_fit(lengths, 40) == slow_best_fit(lengths, 40)


def test_a_known_example():
    # 6 and 4, 5 and 3 and 2; first fit in order of arrival would take three rows.
    assert best_fit([4, 5, 2, 3, 6], 10) == [[0, 4], [1, 2, 3]]


def test_what_is_longer_than_a_row_is_cut_into_rows_and_a_rest():
    assert cut_to_length([5, 0, 9], 4) == [(0, 0, 4), (0, 4, 5), (2, 0, 4), (2, 4, 8), (2, 8, 9)]


def documents(lengths):
    return [np.arange(n) + 100 * k for k, n in enumerate(lengths)]


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=20))
def test_every_token_is_in_one_row_and_only_long_documents_are_cut(tmp_path_factory, lengths):
    prefix = tmp_path_factory.mktemp("packed") / "a"
    write_indexed(prefix, documents(lengths), np.int32)
    rows = list(pack_best_fit(read_indexed(prefix), sequence_length=10))
    tokens = [row.tokens.tolist() for row in rows]
    assert sorted(chain(*tokens)) == sorted(chain(*map(np.ndarray.tolist, documents(lengths))))
    assert all(len(row) <= 10 for row in tokens)
    n_cuts = sum(max(0, -(-n // 10) - 1) for n in lengths)
    assert sum(row.n_continued for row in rows) == n_cuts
    for row in rows:
        # Within a piece tokens follow one another; at its start they do not.
        jumps = np.flatnonzero(np.diff(row.tokens, prepend=-5) != 1).tolist()
        assert set(jumps) <= set(row.document_starts.tolist())
        assert row.document_starts[0] == 0


@pytest.mark.parametrize(
    ("packing", "n_rows", "n_cuts"), [("concatenate", 3, 2), ("best_fit", 4, 0)]
)
def test_a_shard_says_how_often_documents_are_cut(tmp_path, packing, n_rows, n_cuts):
    lengths = [6, 7, 4, 4, 7]
    entry = write_shard(
        tmp_path, "s", documents(lengths), np.uint16, sequence_length=10, packing=packing
    )
    assert (entry.n_sequences, entry.n_tokens, entry.n_cuts) == (n_rows, 28, n_cuts)
    assert len(list(read_packed(tmp_path / "s.parquet"))) == n_rows


def test_on_lengths_like_those_of_pages_rows_are_nearly_full_and_cuts_few(tmp_path):
    rng = np.random.default_rng(3)
    lengths = np.minimum(rng.lognormal(5.5, 1.0, 2_000).astype(int) + 1, 4_000).tolist()
    rows = best_fit([end - begin for _, begin, end in cut_to_length(lengths, 1_024)], 1_024)
    assert sum(lengths) / (len(rows) * 1_024) > 0.99
