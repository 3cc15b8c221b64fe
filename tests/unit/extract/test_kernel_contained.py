import pyarrow as pa
import pytest

from curation.config import ExtractConfig
from curation.extract import pages
from curation.extract.containment import Limits, shared
from curation.extract.kernel import extract_files
from curation.extract.records import REASONS

ENGINES = {"engine": "poison:first", "fallback": "poison:second"}


@pytest.fixture(autouse=True)
def _no_child_left():
    yield
    shared("poison:work", None, Limits())  # lets go of the child with the poisoned engines


def _conf(**settings):
    """Settings of the test's own engines; the limit of a page is short."""
    short = {"max_page_s": 0.3, "max_page_clock_s": 60, "max_page_memory_bytes": 1 << 28}
    return ExtractConfig(**ENGINES | short | settings)


def _page(*signs):
    return f"<html><body><p>{' '.join(signs) or 'quiet'}</p></body></html>".encode()


def _rows(path, conf):
    batch = pa.RecordBatch.from_pydict({"warc_file": [path], "crawl": ["CC-TEST"], "chunk": ["c0"]})
    return [row for found in extract_files(batch, conf=conf) for row in found.to_pylist()]


def _three(warc_of, *signs, name="a.warc.gz"):
    """A file of three pages, with signs for the engines in the second one."""
    payloads = [_page(), _page(*signs), _page()]
    return warc_of(*({"payload": payload} for payload in payloads), name=name)


@pytest.mark.parametrize("deed", ["segfault", "panic", "value_error"])
def test_a_poisoned_page_falls_back_and_its_neighbours_are_as_without_it(warc_of, deed):
    path = _three(warc_of, f"first:{deed}")
    rows = _rows(path, _conf())
    expected = _rows(_three(warc_of, "x" * len(f"first:{deed}"), name="b.warc.gz"), _conf())
    assert [row["outcome"] for row in rows] == ["page", "page", "page", "file"]
    assert [row["engine"] for row in rows[:3]] == ["first", "second", "first"]
    for number in (0, 2):
        ours, theirs = rows[number], expected[number]
        assert ours["doc_id"] == theirs["doc_id"]
        assert (ours["text"], ours["title"]) == (theirs["text"], theirs["title"])
    assert rows[3]["records"] == 3


@pytest.mark.parametrize(
    ("deed", "reason", "words"),
    [
        ("segfault", "crashed", "killed by SIGSEGV"),
        ("spin", "timeout", "not done after 0.3 s of computing, and not to be interrupted"),
        ("bloat", "out_of_memory", "MemoryError: "),
        ("panic", "extractor_error", "PanicException: index out of bounds"),
    ],
)
def test_a_page_that_no_engine_survives_is_a_reject_with_its_offset(warc_of, deed, reason, words):
    path = _three(warc_of, f"first:{deed}", "second:segfault")
    # Only what loops for ever shall meet the limit of time, on a slow machine too.
    max_page_s = 0.3 if deed == "spin" else 30
    before, reject, after, account = _rows(path, _conf(max_page_s=max_page_s))
    assert (before["outcome"], after["outcome"]) == ("page", "page")
    assert (reject["outcome"], reject["reason"]) == ("reject", reason)
    assert reason in REASONS
    assert reject["detail"] == f"first: {words}; second: killed by SIGSEGV"
    assert reject["warc_offset"] == before["warc_offset"] + before["warc_length"]
    assert reject["record_id"] == "urn:uuid:1"
    assert account["records"] == 3


def test_a_page_that_dies_outside_the_engines_is_a_reject(warc_of, monkeypatch):
    monkeypatch.setattr(pages, "_WORK", "poison:dies_outside_the_engines")
    path = _three(warc_of, "outside:segfault")
    before, reject, after, _ = _rows(path, _conf())
    assert (before["outcome"], after["outcome"]) == ("page", "page")
    assert (reject["reason"], reject["detail"]) == (
        "crashed",
        "outside the engines: killed by SIGSEGV",
    )
    assert reject["record_type"] == "response"
    assert reject["warc_offset"] == before["warc_offset"] + before["warc_length"]


def test_a_union_goes_on_without_the_part_that_crashes(warc_of):
    path = _three(warc_of, "first:segfault")
    conf = _conf(engine="poison:first+poison:second", fallback="none")
    rows = _rows(path, conf)
    assert [row["outcome"] for row in rows] == ["page", "page", "page", "file"]
    assert rows[1]["text"].startswith("second read ")


def test_rows_do_not_depend_on_whether_a_child_reads_them(warc_of):
    path = _three(warc_of, "first:value_error")
    contained = _rows(path, _conf())
    assert _rows(path, _conf(containment="none")) == contained


def test_records_that_are_no_pages_need_no_child(warc_of, monkeypatch):
    monkeypatch.setattr(pages, "_WORK", "poison:dies_at_once")
    path = warc_of({"payload": b"x", "record_type": "warcinfo"}, {"payload": b""})
    assert [row["outcome"] for row in _rows(path, _conf())] == ["reject", "reject", "file"]
