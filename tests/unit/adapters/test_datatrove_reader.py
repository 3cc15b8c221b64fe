"""Delta tables through datatrove: each row once, whatever the ranks; deletions and partitions."""

import base64
import gzip
import json
import pickle
import struct
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import ConfigError, InputError

pytest.importorskip("datatrove")
from datatrove.executor.local import LocalPipelineExecutor
from datatrove.pipeline.filters import LambdaFilter
from datatrove.pipeline.writers.jsonl import JsonlWriter

from curation.adapters.datatrove import DeltaReader

ODD_CRAWL = "a b=/é%41"
DATE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def rows(*numbers, crawl="c1"):
    return pa.table({
        "doc_id": [f"id{number}" for number in numbers],
        "crawl": pa.array([crawl] * len(numbers), pa.string()),
        "n_words": pa.array([10 * number for number in numbers], pa.int32()),
        "date": pa.array([DATE] * len(numbers), pa.timestamp("us", tz="UTC")),
        "text": [f"text {number}" for number in numbers],
    })  # fmt: skip


@pytest.fixture
def table(tmp_path):
    """Three files in two partitions, one of them of an odd name."""
    path = str(tmp_path / "documents")
    write_deltalake(path, rows(1, 2, 3), partition_by=["crawl"])
    write_deltalake(path, rows(4, 5, crawl=ODD_CRAWL), mode="append")
    write_deltalake(path, rows(6), mode="append")
    return path


def ids(reader, rank=0, world_size=1):
    return [document.id for document in reader.run(rank=rank, world_size=world_size)]


def test_a_row_is_a_document_and_its_other_columns_are_the_metadata(table):
    (found,) = (one for one in DeltaReader(table).run() if one.id == "id4")
    assert found.text == "text 4"
    assert found.metadata == {"crawl": ODD_CRAWL, "n_words": 40, "date": DATE}


@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
def test_every_row_is_read_once_over_all_ranks(table, world_size):
    reader = DeltaReader(table)
    by_rank = [ids(reader, rank, world_size) for rank in range(world_size)]
    assert sorted(chain(*by_rank)) == ["id1", "id2", "id3", "id4", "id5", "id6"]
    assert sum(map(bool, by_rank)) == min(world_size, 3)


def test_what_was_removed_or_replaced_is_not_read_and_an_older_version_still_is(table):
    DeltaTable(table).delete("n_words = 20")
    write_deltalake(
        table, rows(9, crawl=ODD_CRAWL), mode="overwrite", predicate=f"crawl = '{ODD_CRAWL}'"
    )
    assert sorted(ids(DeltaReader(table))) == ["id1", "id3", "id6", "id9"]
    assert sorted(ids(DeltaReader(table, version=1))) == ["id1", "id2", "id3", "id4", "id5"]


def test_ranks_agree_on_the_version_while_the_table_is_written_to(table):
    reader = pickle.loads(pickle.dumps(DeltaReader(table)))
    first = ids(reader, 0, 2)
    write_deltalake(table, rows(7, 8, 9), mode="append")
    assert sorted(first + ids(reader, 1, 2)) == ["id1", "id2", "id3", "id4", "id5", "id6"]


def roaring(numbers):
    """Row numbers as Delta has them in a deletion vector."""
    chosen = sorted(numbers)
    head = struct.pack("<iqiIIHHI", 1681511377, 1, 0, 12346, 1, 0, len(chosen) - 1, 16)
    return head + struct.pack(f"<{len(chosen)}H", *chosen)


def z85(raw):
    """ZeroMQ's base 85: that of Python with another alphabet."""
    python = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~"
    zeromq = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    padded = raw + b"\0" * (-len(raw) % 4)
    return base64.b85encode(padded).decode().translate(str.maketrans(python, zeromq))


def delete_rows(path, numbers):
    """Give the only file of a table a deletion vector, as Spark would, by a commit of our own."""
    log = DeltaTable(path)
    commit = next(log_folder(path).glob("*.json"))
    add = next(
        json.loads(line)["add"] for line in commit.read_text().splitlines() if '"add"' in line
    )
    features = ["deletionVectors"]
    raw = roaring(numbers)
    vector = {"storageType": "i", "pathOrInlineDv": z85(raw), "sizeInBytes": len(raw),
              "cardinality": len(numbers)}  # fmt: skip
    actions = [
        {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features,
                      "writerFeatures": features}},
        {"remove": {"path": add["path"], "dataChange": True, "deletionTimestamp": 0}},
        {"add": add | {"deletionVector": vector, "dataChange": True}},
    ]  # fmt: skip
    name = f"{log.version() + 1:020}.json"
    (log_folder(path) / name).write_text("\n".join(map(json.dumps, actions)) + "\n")


def log_folder(path):
    return Path(path) / "_delta_log"


@pytest.mark.parametrize("batch_size", [1, 2, 3, 100])
def test_rows_of_a_deletion_vector_are_not_read(tmp_path, batch_size):
    path = str(tmp_path / "documents")
    write_deltalake(path, rows(*range(8), crawl=ODD_CRAWL), partition_by=["crawl"])
    delete_rows(path, [1, 5])
    reader = DeltaReader(path, batch_size=batch_size)
    assert ids(reader) == ["id0", "id2", "id3", "id4", "id6", "id7"]
    assert ids(DeltaReader(path, batch_size=batch_size, where="n_words > 30")) == [
        "id4", "id6", "id7",
    ]  # fmt: skip


def test_where_keeps_what_is_true_and_not_what_is_null(table):
    write_deltalake(table, rows(7).set_column(2, "n_words", pa.array([None], pa.int32())),
                    mode="append")  # fmt: skip
    where = f"n_words >= 20 AND crawl <> '{ODD_CRAWL}'"
    assert sorted(ids(DeltaReader(table, where=where))) == ["id2", "id3", "id6"]


def test_columns_are_those_named_and_where_may_ask_for_others(table):
    reader = DeltaReader(table, columns=["crawl"], where="n_words = 10")
    (found,) = reader.run()
    assert (found.id, found.text, found.metadata) == ("id1", "text 1", {"crawl": "c1"})
    assert next(iter(DeltaReader(table, columns=[]).run())).metadata == {}


def test_limit_and_skip_count_for_each_rank(table):
    everything = ids(DeltaReader(table))
    assert ids(DeltaReader(table, skip=1, limit=3)) == everything[1:4]
    assert ids(DeltaReader(table, limit=0)) == []


def measures(numbers, crawl):
    guests = [[("gopher_quality", "" if number % 2 else "gopher_short_doc")] for number in numbers]
    return pa.table({
        "doc_id": [f"id{number}" for number in numbers],
        "crawl": [crawl] * len(numbers),
        "n_words": pa.array([0] * len(numbers), pa.int32()),
        "digit_frac": pa.array([number / 10 for number in numbers], pa.float64()),
        "guests": pa.array(guests, pa.map_(pa.string(), pa.string())),
    })  # fmt: skip


def test_columns_of_a_table_beside_it_join_by_id(table, tmp_path):
    beside = str(tmp_path / "measures")
    write_deltalake(beside, measures([6, 2, 1], "c1"), partition_by=["crawl"])
    write_deltalake(beside, measures([5], ODD_CRAWL), mode="append")
    found = {one.id: one.metadata for one in DeltaReader(table, beside=beside).run()}
    assert found["id2"] == {"crawl": "c1", "n_words": 20, "date": DATE, "digit_frac": 0.2,
                            "guests": {"gopher_quality": "gopher_short_doc"}}  # fmt: skip
    assert found["id5"]["digit_frac"] == 0.5
    assert found["id4"]["digit_frac"] is None
    assert len(found) == 6
    reader = DeltaReader(table, beside=beside, where="guests['gopher_quality'] = ''", columns=[])
    assert sorted(ids(reader)) == ["id1", "id5"]


def test_a_pipeline_of_datatrove_reads_filters_and_writes_the_table(table, tmp_path):
    LocalPipelineExecutor(
        pipeline=[
            DeltaReader(table, where="n_words > 10"),
            LambdaFilter(lambda document: document.metadata["n_words"] != 40),
            JsonlWriter(str(tmp_path / "out")),
        ],
        tasks=2,
        workers=1,
        logging_dir=str(tmp_path / "logs"),
    ).run()
    lines = [
        json.loads(line)
        for path in sorted((tmp_path / "out").glob("*.jsonl.gz"))
        for line in gzip.decompress(path.read_bytes()).splitlines()
    ]
    assert {line["id"]: line["text"] for line in lines} == {
        f"id{number}": f"text {number}" for number in (2, 3, 5, 6)
    }
    assert {line["metadata"]["crawl"] for line in lines} == {"c1", ODD_CRAWL}
    assert len(lines) == 4


def test_rows_without_text_are_skipped_as_datatrove_readers_do(tmp_path):
    path = str(tmp_path / "t")
    write_deltalake(path, pa.table({"doc_id": ["a", "b"], "text": ["", "x"]}))
    assert ids(DeltaReader(path)) == ["b"]


def test_a_table_without_rows_gives_no_documents(tmp_path):
    path = str(tmp_path / "t")
    DeltaTable.create(path, schema=rows().schema)
    assert ids(DeltaReader(path)) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"columns": ["nothing"]}, "no column `nothing`"),
        ({"text_key": "body"}, "no column `body`"),
        ({"where": "nothing > 1"}, "nothing"),
        ({"where": "n_words >"}, "syntax error"),
        ({"where": "n_words"}, "must be true or false"),
        ({"where": "count(*) > 1"}, "Aggregates"),
    ],
)
def test_what_cannot_be_asked_of_the_table_is_refused_at_once(table, options, told):
    with pytest.raises(ConfigError, match=told):
        DeltaReader(table, **options)


def test_a_folder_that_is_no_table_and_a_version_that_is_not_there_are_told(table, tmp_path):
    with pytest.raises(InputError, match="nowhere"):
        DeltaReader(str(tmp_path / "nowhere"))
    with pytest.raises(InputError, match="documents"):
        DeltaReader(table, version=99)


def test_column_mapping_is_refused(tmp_path):
    path = str(tmp_path / "documents")
    write_deltalake(path, rows(1))
    features = ["columnMapping"]
    protocol = {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": features,
                "writerFeatures": features}  # fmt: skip
    name = f"{1:020}.json"
    (log_folder(path) / name).write_text(json.dumps({"protocol": protocol}) + "\n")
    with pytest.raises(InputError, match="columnMapping"):
        DeltaReader(path)


texts = st.text(st.characters(exclude_categories=("Cs",)), min_size=1)


@given(st.lists(texts, min_size=1, max_size=8), st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_any_text_comes_back_as_it_was(tmp_path_factory, given_texts, world_size):
    path = str(tmp_path_factory.mktemp("fuzz") / "t")
    numbers = [str(number) for number in range(len(given_texts))]
    written = pa.table({"doc_id": numbers, "text": given_texts})
    for batch in written.to_batches(max_chunksize=3):
        write_deltalake(path, pa.Table.from_batches([batch]), mode="append")
    reader = DeltaReader(path, batch_size=2)
    found = {
        one.id: one.text
        for rank in range(world_size)
        for one in reader.run(rank=rank, world_size=world_size)
    }
    assert found == dict(zip(numbers, given_texts, strict=True))
