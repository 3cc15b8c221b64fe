import gzip
import hashlib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from curation.config import ExtractConfig
from curation.crawl.blocklists import FILTER_REASONS
from curation.crawl.warc import Damage, read_records
from curation.extract.engines import Extracted
from curation.extract.guard import Failure, KnownFault
from curation.extract.records import REASONS, DocIds, Origin, outcome_of
from curation.schemas import PAGES, REJECTS

PAGE = "<html><head><title>Tïtle</title></head><body><p>Wörds and more.</p></body></html>".encode()


class Fake:
    """An engine that gives or raises what it was told to, or never comes back."""

    def __init__(self, name="fake", *, text="Main text.", error=None, hangs=False):
        self.name, self._text, self._error, self._hangs = name, text, error, hangs

    def __call__(self, html, *, url):
        if self._error:
            raise self._error
        while self._hangs:
            pass
        return Extracted("A title", self._text)


def _outcomes(path, *engines, **settings):
    conf = ExtractConfig(max_page_s=0.2, **settings)
    origin, ids = Origin(path, "CC-TEST", "c0"), DocIds(path)
    return [
        outcome_of(
            item, doc_id=ids.next_id(item), origin=origin, conf=conf, engines=engines or (Fake(),)
        )
        for item in read_records(path)
    ]


def test_a_response_with_text_becomes_a_page(warc_of):
    path = warc_of({"payload": PAGE})
    (row,) = _outcomes(path, Fake(text="One.  \n\n\n\nTwo."))
    assert row == {
        "outcome": "page",
        "doc_id": hashlib.blake2b(b"urn:uuid:0", digest_size=16).hexdigest(),
        "crawl": "CC-TEST",
        "chunk": "c0",
        "url": "https://Example.org/page",
        "url_normalized": "https://example.org/page",
        "host": "example.org",
        "domain": "example.org",
        "warc_date": datetime(2024, 12, 3, 10, 20, 30, tzinfo=UTC),
        "http_status": 200,
        "content_type": "text/html",
        "payload_digest": hashlib.sha1(PAGE).hexdigest(),
        "charset": "utf-8",
        "charset_source": "header",
        "engine": "fake",
        "page_type": "",
        "confidence": None,
        "engine_faults": None,
        "truncated": None,
        "optout": [],
        "html_bytes": len(PAGE),
        "n_chars": 10,
        "warc_file": path,
        "warc_offset": 0,
        "warc_length": Path(path).stat().st_size,
        "record_id": "urn:uuid:0",
        "title": "A title",
        "text": "One.\n\nTwo.",
    }
    assert set(row) == {*PAGES.columns.names, "outcome"}


def test_a_resource_with_html_becomes_a_page_without_a_status(warc_of):
    (row,) = _outcomes(warc_of({"payload": PAGE, "record_type": "resource"}))
    assert (row["outcome"], row["http_status"]) == ("page", None)


def test_a_page_without_a_content_type_is_told_by_its_beginning(warc_of):
    html, text = {"payload": b"\n <!DOCTYPE HTML><p>x"}, {"payload": b"Plain words"}
    rows = _outcomes(warc_of(html | {"content_type": ""}, text | {"content_type": ""}))
    assert [row.get("reason") for row in rows] == [None, "not_html"]


REJECTED = {
    "record_type_warcinfo": {"payload": b"x: y", "record_type": "warcinfo"},
    "record_type_request": {"payload": b"GET / HTTP/1.1", "record_type": "request"},
    "record_type_metadata": {"payload": b"x: y", "record_type": "metadata"},
    "record_type_revisit": {"payload": b"", "record_type": "revisit"},
    "record_type_conversion": {"payload": b"text", "record_type": "conversion"},
    "record_type_continuation": {"payload": b"text", "record_type": "continuation"},
    "record_type_other": {"payload": b"text", "record_type": "screenshot"},
    "http_status": {"payload": PAGE, "status": "404 Not Found"},
    "not_html": {"payload": b"%PDF", "content_type": "application/pdf"},
    "empty_payload": {"payload": b" \n"},
    "too_large": {"payload": PAGE + b" " * 1000},
    "undecodable": {
        "payload": gzip.compress(PAGE)[:-9],
        "headers": (("Content-Encoding", "gzip"),),
    },
}


@pytest.mark.parametrize("reason", REJECTED)
def test_a_record_that_is_no_page_is_rejected_with_its_reason(warc_of, reason):
    (row,) = _outcomes(warc_of(REJECTED[reason]), max_html_bytes=1000)
    assert row["reason"] == reason
    assert set(row) == {*REJECTS.columns.names, "outcome"}
    assert row["record_type"] == REJECTED[reason].get("record_type", "response")


ENGINES = {
    "timeout": [Fake(hangs=True), Fake("second", text="")],
    "out_of_memory": [Fake(error=MemoryError()), Fake("second", text="")],
    "crashed": [Fake(error=KnownFault(Failure("crashed", "fake: signal 11"))), Fake("2", text="")],
    "extractor_error": [Fake(error=ValueError("no")), Fake("second", text=" \n")],
    "no_main_text": [Fake(text=""), Fake("second", error=ValueError("no"))],
    "text_too_long": [Fake(text="x" * 101)],
}


@pytest.mark.parametrize("reason", ENGINES)
def test_a_page_without_usable_text_is_rejected_with_the_first_engines_reason(warc_of, reason):
    (row,) = _outcomes(warc_of({"payload": PAGE}), *ENGINES[reason], max_text_chars=100)
    assert row["reason"] == reason
    assert all(engine.name in row["detail"] for engine in ENGINES[reason])


def test_a_record_cut_short_is_truncated(warc_of):
    path = Path(warc_of({"payload": PAGE}))
    path.write_bytes(gzip.decompress(path.read_bytes())[:-20])
    (row,) = _outcomes(str(path))
    assert (row["outcome"], row["reason"]) == ("reject", "truncated")


def test_damage_has_a_row_of_its_own(warc_of):
    path = Path(warc_of({"payload": PAGE}))
    path.write_bytes(gzip.decompress(path.read_bytes()) + b"garbage")
    page, damage = _outcomes(str(path))
    assert damage["reason"] == "damaged"
    assert (damage["record_id"], damage["record_type"], damage["url"]) == ("", "", "")
    assert set(damage) == {*REJECTS.columns.names, "outcome"}
    assert damage["doc_id"] != page["doc_id"]


def test_every_reason_has_a_test_and_a_meaning():
    filters = {"taken_down", *FILTER_REASONS}
    assert set(REASONS) == {*REJECTED, *ENGINES, "truncated", "damaged"} | filters
    assert all(REASONS.values())


@pytest.mark.parametrize(
    "first", [Fake(text=""), Fake(hangs=True), Fake(error=RecursionError("deep"))]
)
def test_the_fallback_has_the_page_where_the_first_engine_has_nothing(warc_of, first):
    (row,) = _outcomes(warc_of({"payload": PAGE}), first, Fake("second", text="Found."))
    assert (row["outcome"], row["engine"], row["text"]) == ("page", "second", "Found.")
    assert row["engine_faults"].startswith("fake: ")


def test_a_page_of_exactly_the_largest_size_and_length_is_kept(warc_of):
    path = warc_of({"payload": PAGE})
    limits = {"max_html_bytes": len(PAGE), "max_text_chars": 10}
    assert _outcomes(path, **limits)[0]["outcome"] == "page"
    for name, limit in limits.items():
        (row,) = _outcomes(path, **limits | {name: limit - 1})
        assert (
            row["reason"]
            == {"max_html_bytes": "too_large", "max_text_chars": "text_too_long"}[name]
        )


def test_a_url_that_is_no_address_has_no_host(warc_of):
    rows = _outcomes(*[warc_of(*({"payload": PAGE, "url": url} for url in ("http://[x/", "a b")))])
    assert [row["host"] for row in rows] == ["", ""]


def test_document_ids_differ_where_record_ids_are_missing_or_repeated(warc_of):
    path = warc_of(*({"payload": PAGE, "number": 7} for _ in range(3)))
    ids = [row["doc_id"] for row in _outcomes(path)]
    assert ids[0] == hashlib.blake2b(b"urn:uuid:7", digest_size=16).hexdigest()
    assert len(set(ids)) == 3
    nameless = DocIds(path)
    same_place = [nameless.next_id(Damage(0, 0, "")) for _ in range(3)]
    assert len(set(same_place)) == 3
    other_file = DocIds(path + "2")
    assert other_file.next_id(Damage(0, 0, "")) not in same_place


def test_document_ids_are_the_same_each_time_a_file_is_read(warc_of):
    path = warc_of({"payload": PAGE}, {"payload": PAGE, "number": 0})
    assert [r["doc_id"] for r in _outcomes(path)] == [r["doc_id"] for r in _outcomes(path)]
