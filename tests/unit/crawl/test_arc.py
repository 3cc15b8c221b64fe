import gzip
from datetime import UTC, datetime

import pytest

from curation.crawl.warc import Damage, read_records

FILEDESC = b"1 1 Crawler\nURL IP-address Archive-date Content-type Archive-length\n\n"
PAGE = b"HTTP/1.0 200 OK\r\nContent-Type: text/html\r\n\r\n<html><p>Hello.</p></html>"
VERSION_1 = (
    b"filedesc://a.arc 0.0.0.0 20080430204825 text/plain %d\n" % len(FILEDESC)
    + FILEDESC
    + b"\nhttp://example.org/a b 10.0.0.1 20080430204826 text/plain %d\n" % len(PAGE)
    + PAGE
    + b"\nhttp://example.org/2 10.0.0.1 20080430204827  5\nplain\n"
)
VERSION_2 = (
    b"http://example.org/2 10.0.0.1 20080430204826 text/html 200 CHK - 12345678 a.arc %d\n"
    % len(PAGE)
    + PAGE
    + b"\n"
)


def _read(path, data):
    path.write_bytes(data)
    return list(read_records(str(path)))


def test_arc_1_is_read_and_its_file_description_is_a_warcinfo(tmp_path):
    description, page, plain = _read(tmp_path / "a.arc", VERSION_1)
    assert (description.record_type, description.payload) == ("warcinfo", FILEDESC)
    assert page.record_type == plain.record_type == "response"
    assert page.url == "http://example.org/a b"
    assert page.date == datetime(2008, 4, 30, 20, 48, 26, tzinfo=UTC)
    assert (page.http_status, page.content_type) == (200, "text/html")
    assert page.payload == b"<html><p>Hello.</p></html>"
    assert (plain.http_status, plain.content_type, plain.payload) == (None, "", b"plain")
    assert page.record_id == ""


def test_arc_2_is_read(tmp_path):
    (page,) = _read(tmp_path / "a.arc", VERSION_2)
    assert (page.url, page.http_status) == ("http://example.org/2", 200)
    assert page.date == datetime(2008, 4, 30, 20, 48, 26, tzinfo=UTC)


def test_compressed_arc_is_read(tmp_path):
    items = _read(tmp_path / "a.arc.gz", gzip.compress(VERSION_2) + gzip.compress(VERSION_2))
    assert [item.offset for item in items] == [0, len(gzip.compress(VERSION_2))]


def test_arc_that_is_cut_short_has_a_truncated_last_record(tmp_path):
    items = _read(tmp_path / "a.arc", VERSION_2 + VERSION_2[:-10])
    assert [item.problem for item in items] == [None, "truncated"]


def test_a_wrong_length_costs_no_other_record(tmp_path):
    short, long = (
        VERSION_2.replace(b" %d\n" % len(PAGE), b" %d\n" % (len(PAGE) + wrong))
        for wrong in (-5, 40)
    )
    items = _read(tmp_path / "a.arc", short + long + VERSION_2)
    assert [isinstance(item, Damage) or item.problem for item in items] == [
        None,
        True,
        "truncated",
        None,
    ]


def test_digits_that_are_missing_in_a_date_are_the_first_of_their_kind(tmp_path):
    data = VERSION_2.replace(b"20080430204826", b"20080430")
    assert _read(tmp_path / "a.arc", data)[0].date == datetime(2008, 4, 30, tzinfo=UTC)
    data = VERSION_2.replace(b"20080430204826", b"20089930204826")
    assert _read(tmp_path / "a.arc", data)[0].date is None


@pytest.mark.parametrize("n_more", [1, 4, 5, 9])
def test_a_length_that_reaches_into_the_next_url_costs_no_part_of_it(tmp_path, n_more):
    told = VERSION_2.replace(b" %d\n" % len(PAGE), b" %d\n" % (len(PAGE) + 1 + n_more))
    long, page = _read(tmp_path / "a.arc", told + VERSION_2)
    assert (long.problem, long.length) == ("truncated", len(told))
    assert (page.url, page.problem) == ("http://example.org/2", None)


@pytest.mark.parametrize("text", [b"h", b"http", b"\nhttp:", b"a\nx"])
def test_a_block_without_a_line_end_ends_where_its_length_says(tmp_path, text):
    head = b"http://example.org/1 10.0.0.1 20080430204827 text/plain %d\n" % len(text)
    item, page = _read(tmp_path / "a.arc", head + text + VERSION_2)
    assert (item.payload, item.problem) == (text, None)
    assert (page.url, page.problem) == ("http://example.org/2", None)
