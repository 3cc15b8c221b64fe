import hashlib
from itertools import chain

import numpy as np
import pyarrow.parquet as pq
import pytest

from curation.errors import InputError
from curation.tokens.pack import cut, pack, read_packed, write_packed

EOD = 0


def _documents(*lists):
    return [np.array(values, np.uint16) for values in lists]


def _plain(rows):
    return [(row.tokens.tolist(), row.document_starts.tolist()) for row in rows]


def test_documents_are_packed_as_by_hand():
    documents = _documents([1, 2], [3], [4, 5, 6, 7, 8, 9], [10])
    assert _plain(pack(documents, sequence_length=4, eod=EOD)) == [
        ([1, 2, 0, 3], [0, 3]),  # the second document is cut before its end-of-document token
        ([0, 4, 5, 6], [1]),
        ([7, 8, 9, 0], []),  # one document goes through the whole row
        ([10, 0], [0]),  # the tail is a short row
    ]


def test_a_document_that_fills_a_row_leaves_no_empty_one():
    assert _plain(pack(_documents([1, 2, 3]), sequence_length=4, eod=EOD)) == [([1, 2, 3, 0], [0])]


def test_an_empty_document_is_its_end_of_document_token():
    assert _plain(pack(_documents([], []), sequence_length=4, eod=EOD)) == [([0, 0], [0, 1])]


def test_no_documents_give_no_rows():
    assert _plain(pack([], sequence_length=4, eod=EOD)) == []


def test_an_end_of_document_token_that_the_type_cannot_hold_is_refused():
    with pytest.raises(OverflowError, match="70000"):
        list(pack(_documents([1]), sequence_length=4, eod=70_000))


def test_documents_that_have_their_end_are_cut_as_they_are():
    assert _plain(cut(_documents([1, 0], [2, 0]), sequence_length=3)) == [
        ([1, 0, 2], [0, 2]),
        ([0], []),
    ]


@pytest.mark.parametrize("sequence_length", [1, 2, 3, 7, 16, 1_000])
def test_the_rows_are_the_documents_with_nothing_lost(sequence_length):
    lengths = [(7 * i * i + 3 * i) % 23 for i in range(60)]
    documents = [np.arange(1, n + 1, dtype=np.int32) + 100 * i for i, n in enumerate(lengths)]
    stream = list(chain.from_iterable([*document.tolist(), EOD] for document in documents))
    rows = list(pack(documents, sequence_length=sequence_length, eod=EOD))
    assert np.concatenate([row.tokens for row in rows]).tolist() == stream
    assert all(len(row.tokens) == sequence_length for row in rows[:-1])
    assert 1 <= len(rows[-1].tokens) <= sequence_length
    starts = [
        sequence_length * i + int(start)
        for i, row in enumerate(rows)
        for start in row.document_starts
    ]
    assert starts == [sum(lengths[:i]) + i for i in range(60)]


@pytest.mark.parametrize("dtype", [np.uint16, np.int32])
@pytest.mark.parametrize("tokens_per_group", [1, 5, 1_000])
def test_packed_rows_are_read_back_from_any_row_groups(tmp_path, dtype, tokens_per_group):
    path = tmp_path / "a.parquet"
    rows = list(pack(_documents([1, 2], [3], [4, 5, 6, 7, 8, 9]), sequence_length=4, eod=EOD))
    facts = write_packed(path, rows, dtype, tokens_per_group=tokens_per_group)
    read = list(read_packed(path))
    assert _plain(read) == _plain(rows)
    assert {row.tokens.dtype for row in read} == {np.dtype(dtype)}
    assert (facts.n_sequences, facts.n_tokens) == (3, 12)
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_file_has_the_promised_columns_and_row_groups(tmp_path):
    path = tmp_path / "a.parquet"
    rows = pack(_documents([1, 2, 3, 4, 5, 6, 7]), sequence_length=2, eod=EOD)
    write_packed(path, rows, np.uint16, tokens_per_group=6)
    with pq.ParquetFile(path) as file:
        assert file.num_row_groups == 2  # three rows, then one
        assert file.metadata.row_group(0).column(0).compression == "ZSTD"
        table = file.read()
    assert [str(field.type) for field in table.schema] == [
        "list<element: uint16>",
        "list<element: int32>",
        "int32",
    ]
    assert table["n_tokens"].to_pylist() == [2, 2, 2, 2]


def test_no_rows_are_a_file_without_rows(tmp_path):
    facts = write_packed(tmp_path / "a.parquet", [], np.uint16)
    assert (facts.n_sequences, facts.n_tokens) == (0, 0)
    assert list(read_packed(tmp_path / "a.parquet")) == []


def test_an_id_too_large_for_the_type_leaves_no_file(tmp_path):
    rows = pack([np.array([70_000])], sequence_length=4, eod=EOD)
    with pytest.raises(InputError, match="70000"):
        write_packed(tmp_path / "a.parquet", rows, np.uint16)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_or_missing_packed_file_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    with pytest.raises(InputError, match=r"a\.parquet"):
        list(read_packed(path))
    write_packed(path, pack(_documents([1]), sequence_length=4, eod=EOD), np.uint16)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"a\.parquet: not readable"):
        list(read_packed(path))
