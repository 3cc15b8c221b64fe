import gzip
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest

from curation.config import ExtractConfig
from curation.extract import kernel
from curation.extract.kernel import extract_files
from curation.extract.pages import engines_of
from curation.schemas import OUTCOMES

SENTENCE = "The people of the town walk down to the river and look at the boats in the evening. "


def _page(number):
    return f"<html><body><article><p>{number}: {SENTENCE * 4}</p></article></body></html>".encode()


def _input(*paths):
    n = len(paths)
    return pa.RecordBatch.from_pydict(
        {"warc_file": list(paths), "crawl": ["CC-TEST"] * n, "chunk": ["c0"] * n}
    )


def _rows(batches):
    return [row for batch in batches for row in batch.to_pylist()]


@pytest.fixture
def three_files(warc_of):
    info = {"payload": b"x: y", "record_type": "warcinfo", "number": 99}
    return [
        warc_of(info, *({"payload": _page(i)} for i in range(count)), name=f"{count}.warc.gz")
        for count in (3, 1, 4)
    ]


def test_a_file_gives_its_pages_and_rejects_in_order_and_then_its_account(three_files):
    batches = list(extract_files(_input(three_files[0]), conf=ExtractConfig()))
    assert all(batch.schema.equals(OUTCOMES.columns) for batch in batches)
    rows = _rows(batches)
    assert [row["outcome"] for row in rows] == ["reject", "page", "page", "page", "file"]
    assert rows[0]["reason"] == "record_type_warcinfo"
    assert [row["text"] for row in rows[1:4]] == [f"{i}: {SENTENCE * 4}".strip() for i in range(3)]
    account = {name: value for name, value in rows[4].items() if value is not None}
    assert account == {
        "outcome": "file",
        "crawl": "CC-TEST",
        "chunk": "c0",
        "warc_file": three_files[0],
        "records": 4,
    }


def test_rows_do_not_depend_on_how_files_or_rows_are_batched(three_files, monkeypatch):
    conf = ExtractConfig(engine="resiliparse")
    expected = _rows(extract_files(_input(*three_files), conf=conf))
    assert len(expected) == 3 + 8 + 3
    one_by_one = [
        row for path in three_files for row in _rows(extract_files(_input(path), conf=conf))
    ]
    assert one_by_one == expected
    for n_rows in (1, 2, 3):
        monkeypatch.setattr(kernel, "MAX_BATCH_ROWS", n_rows)
        batches = list(extract_files(_input(*three_files), conf=conf))
        assert [batch.num_rows for batch in batches[:-1]] == [n_rows] * (len(batches) - 1)
        assert _rows(batches) == expected


def test_a_batch_is_handed_on_when_it_has_enough_text(three_files, monkeypatch):
    monkeypatch.setattr(kernel, "MAX_BATCH_CHARS", 2 * len(SENTENCE * 4))
    batches = extract_files(_input(three_files[0]), conf=ExtractConfig())
    assert [batch.num_rows for batch in batches] == [3, 2]


def test_a_file_that_ends_early_says_so_and_its_account_closes(three_files):
    path = Path(three_files[2])
    path.write_bytes(path.read_bytes()[:-100])
    rows = _rows(extract_files(_input(str(path)), conf=ExtractConfig()))
    assert Counter(row["outcome"] for row in rows) == {"page": 3, "reject": 2, "file": 1}
    assert rows[-1]["records"] == 5
    assert "the file ends inside a gzip member" in rows[-1]["error"]


def test_an_empty_file_is_one_reject_and_an_error(tmp_path):
    path = tmp_path / "empty.warc.gz"
    path.touch()
    reject, account = _rows(extract_files(_input(str(path)), conf=ExtractConfig()))
    assert (reject["reason"], account["records"]) == ("damaged", 1)
    assert account["error"] == "at byte 0: no record in a file of 0 bytes"


def test_damage_in_the_middle_is_no_error_of_the_file(three_files):
    path = Path(three_files[0])
    members = path.read_bytes().split(b"\x1f\x8b\x08")
    members[2] = members[2][:50] + bytes(100) + members[2][150:]
    path.write_bytes(b"\x1f\x8b\x08".join(members))
    rows = _rows(extract_files(_input(str(path)), conf=ExtractConfig()))
    assert Counter(row["outcome"] for row in rows) == {"page": 2, "reject": 2, "file": 1}
    assert (rows[-1]["records"], rows[-1]["error"]) == (4, None)


def test_a_file_that_cannot_be_opened_fails_the_task(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(extract_files(_input(str(tmp_path / "absent.warc")), conf=ExtractConfig()))


def test_surrogates_and_nul_in_a_page_do_not_break_the_batch(warc_of):
    payload = _page(1).replace(b"</p>", b" &#xD800;&#0;\0\xed\xa0\x80</p>")
    path = warc_of({"payload": payload})
    rows = _rows(extract_files(_input(path), conf=ExtractConfig(engine="resiliparse")))
    assert rows[0]["outcome"] == "page"


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, ["fast", "resiliparse"]),
        ({"fallback": "none"}, ["fast"]),
        ({"engine": "resiliparse"}, ["resiliparse"]),
        ({"engine": "justext"}, ["justext", "resiliparse"]),
    ],
)
def test_the_fallback_is_asked_second_and_never_twice(settings, names):
    assert [engine.name for engine in engines_of(ExtractConfig(**settings))] == names


def test_a_whole_file_in_one_gzip_member_is_read(three_files):
    path = Path(three_files[0])
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())))
    rows = _rows(extract_files(_input(str(path)), conf=ExtractConfig()))
    assert len({row["doc_id"] for row in rows[:-1]}) == 4
