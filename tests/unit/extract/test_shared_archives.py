"""The genuine archives of ../shared: every file is told to its last byte."""

import csv
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from fastwarc.warc import ArchiveIterator

from curation.config import ExtractConfig
from curation.crawl.warc import Damage, read_records
from curation.extract.kernel import extract_files
from curation.extract.records import REASONS

pytestmark = pytest.mark.shared

MIN_FILES_AS_WARCIO = 221
"""Of 342: no damage, no problem, and the number of records that warcio 1.8.1 counted."""


@pytest.fixture(scope="module")
def index(shared_data):
    with (shared_data / "warc_index.csv").open() as file:
        return {str(shared_data / row["file"]): row for row in csv.DictReader(file)}


@pytest.fixture(scope="module")
def items(index):
    return {path: list(read_records(path)) for path in index}


def test_the_items_of_a_file_cover_it_to_the_last_byte(items):
    for path, found in items.items():
        if path.endswith(".wacz"):  # the zip's other entries lie between them
            continue
        end = 0 if found[0].offset == 0 else found[0].offset
        for item in found:
            assert item.offset == end, path
            assert item.length >= 0, path
            end += item.length
        assert end == Path(path).stat().st_size, path


def test_most_files_have_as_many_records_as_warcio_counts(items, index):
    agreed = [
        path
        for path, found in items.items()
        if not any(isinstance(item, Damage) or item.problem for item in found)
        and not index[path]["parse_error"]
        and len(found) == int(index[path]["records"])
    ]
    assert len(agreed) >= MIN_FILES_AS_WARCIO


def test_files_that_fastwarc_reads_whole_are_read_alike(items):
    n_compared = 0
    for path, found in items.items():
        expected = _by_fastwarc(path)
        if expected is not None and not any(isinstance(item, Damage) for item in found):
            assert [(r.record_id, r.record_type) for r in found] == expected, path
            n_compared += 1
    assert n_compared > 100


def _by_fastwarc(path):
    """Id and type of each record; None where FastWARC fails, falls short, or misreads LF."""
    try:
        records = [
            (r.headers, r.content_length, len(r.reader.read()))
            for r in ArchiveIterator(path, parse_http=False)
        ]
    except OSError:
        return None
    values = [value for headers, _, _ in records for value in headers.values()]
    if any(n_read < n for _, n, n_read in records) or any("\n" in value for value in values):
        return None
    return [
        (headers.get("WARC-Record-ID", "").strip("<>"), headers.get("WARC-Type", "").lower())
        for headers, _, _ in records
    ]


def test_the_account_of_every_file_closes(index):
    paths = list(index)
    batch = pa.RecordBatch.from_pydict(
        {"warc_file": paths, "crawl": ["x"] * len(paths), "chunk": ["c"] * len(paths)}
    )
    conf = ExtractConfig(engine="resiliparse", fallback="none")
    rows = [
        row
        for found in extract_files(batch, conf=conf)
        for row in found.select(["outcome", "reason", "warc_file", "doc_id", "records"]).to_pylist()
    ]
    told = Counter(row["warc_file"] for row in rows if row["outcome"] != "file")
    records = {row["warc_file"]: row["records"] for row in rows if row["outcome"] == "file"}
    assert told == records
    assert set(records) == set(paths)
    assert {row["reason"] for row in rows if row["outcome"] == "reject"} <= set(REASONS)
    for path in paths:
        ids = [row["doc_id"] for row in rows if row["warc_file"] == path and row["doc_id"]]
        assert len(set(ids)) == len(ids), path
