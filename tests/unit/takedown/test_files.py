import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.takedown.files import (
    next_name,
    remove_other_shards,
    shard_number,
    without_documents,
    without_ids,
)
from curation.takedown.shards import places_in_shards
from curation.tokens.manifest import Manifest, verify
from curation.tokens.megatron import read_indexed
from curation.tokens.pack import read_packed
from curation.tokens.shard import write_shard

SHA = "0" * 64


def _shard(folder, name, documents):
    return write_shard(
        folder, name, documents, np.dtype("<u2"), sequence_length=4, packing="concatenate"
    )


@pytest.fixture
def manifest(tmp_path):
    documents = [[1, 0], [2, 2, 0], [3, 3, 3, 0], [4, 0], [5, 0]]
    arrays = [np.array(tokens, np.uint16) for tokens in documents]
    shards = (
        _shard(tmp_path, "shard-00000", arrays[:2]),
        _shard(tmp_path, "shard-00001", arrays[2:]),
    )
    return Manifest(
        tokenizer="t", tokenizer_sha256=SHA, vocabulary_size=10, eod_id=0, dtype="uint16",
        sequence_length=4, packing="concatenate", blend_fingerprint="b", n_documents=5,
        n_tokens=13, shards=shards,
    )  # fmt: skip


def _documents(folder, manifest):
    return [list(map(int, d)) for s in manifest.shards for d in read_indexed(folder / s.name)]


def test_documents_go_and_the_manifest_still_describes_what_is_there(tmp_path, manifest):
    new = without_documents(tmp_path, manifest, [("shard-00001", 0), ("shard-00001", 2)])
    verify(manifest, tmp_path)  # the old shards stay until the caller is done
    verify(new, tmp_path)
    assert [shard.name for shard in new.shards] == ["shard-00000", "shard-00001-r1"]
    assert (new.n_documents, new.n_tokens) == (3, 7)
    assert _documents(tmp_path, new) == [[1, 0], [2, 2, 0], [4, 0]]
    assert remove_other_shards(tmp_path, {shard.name for shard in new.shards}) == 3
    verify(new, tmp_path)
    rows = [row for s in new.shards for row in read_packed(tmp_path / f"{s.name}.parquet")]
    assert np.concatenate([row.tokens for row in rows]).tolist() == [1, 0, 2, 2, 0, 4, 0]


def test_a_shard_without_documents_is_left_out(tmp_path, manifest):
    new = without_documents(tmp_path, manifest, [("shard-00000", 0), ("shard-00000", 1)])
    assert [shard.name for shard in new.shards] == ["shard-00001"]
    verify(new, tmp_path)


def test_a_shard_is_rewritten_again_under_the_next_name():
    assert next_name("shard-00012") == "shard-00012-r1"
    assert next_name(next_name("shard-00012")) == "shard-00012-r2"
    assert shard_number("shard-00012") == shard_number("shard-00012-r10") == 12


def test_the_place_in_the_order_is_the_place_in_the_shards(manifest):
    places = [("shard-00000", 0), ("shard-00000", 1), ("shard-00001", 0), ("shard-00001", 2)]
    assert places_in_shards([0, 1, 2, 4], manifest) == places


def test_rows_of_a_parquet_file_go_and_the_rest_is_as_it_was(tmp_path):
    path = tmp_path / "part.parquet"
    rows = pa.table({"id": list("abcabd"), "n": range(6)}, metadata={"spark": "kept"})
    pq.write_table(rows, path, row_group_size=2)
    checksum = tmp_path / ".part.parquet.crc"
    checksum.write_bytes(b"of the old file")
    assert without_ids(path, {"a", "d", "not here"}) == 3
    kept = pq.read_table(path)
    assert kept.to_pydict() == {"id": ["b", "c", "b"], "n": [1, 2, 4]}
    assert kept.schema.metadata == {b"spark": b"kept"}
    assert not checksum.exists()
    assert without_ids(path, {"b", "c"}) == 3
    assert list(tmp_path.iterdir()) == []
