import pytest

from curation.crawl import sniff
from curation.crawl.sniff import is_html, preamble_bytes

LONG = b"<!-- " + b"licence " * 400 + b"-->"
PAGE = b"<!DOCTYPE html><p>Hello."


@pytest.mark.parametrize(
    "preamble",
    [
        b"",
        b" \r\n\t\f" * 600,
        LONG,
        b"\xef\xbb\xbf\n" + LONG + b"\n\n" + LONG,
        b'<?xml version="1.0"?>\n' + LONG,
        b"<!-->" + LONG,
        b"x" * 1000,
    ],
)
@pytest.mark.parametrize("start", [PAGE, b"<HTML lang=en>", b"<head>", b"<body>"])
def test_html_is_seen_behind_any_preamble(preamble, start):
    assert is_html(preamble + start)


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"Hello.",
        b"x" * 1024 + PAGE,
        LONG + b"x" * 1024 + PAGE,
        LONG,
        LONG[:-1] + PAGE,  # the comment has no end
        b"<header>",
        b'{"html": "' + b"a" * 1024 + b'<html>"}',
    ],
)
def test_what_does_not_begin_as_html_is_none(payload):
    assert not is_html(payload)


def test_a_preamble_ends_where_something_else_begins():
    assert preamble_bytes(b" <!-- a --> <?b?>\n<p>") == 18
    assert preamble_bytes(b"\xef\xbb\xbf <p>") == 4
    assert preamble_bytes(b"a <!-- b -->") == 0
    assert preamble_bytes(b" <!-- a ") == 1


def test_a_preamble_is_skipped_up_to_a_bound_only(monkeypatch):
    monkeypatch.setattr(sniff, "MAX_PREAMBLE_BYTES", len(LONG))
    assert preamble_bytes(LONG + b"<!---->") == len(LONG)
    assert preamble_bytes(b" " + LONG) == 1
    assert preamble_bytes(b" " * len(LONG) + b" ") == len(LONG)


def test_a_payload_of_openings_alone_is_told_in_no_time():
    assert not is_html(b"<!--" * 1_000_000)
    assert not is_html(b"<!-->" * 1_000_000)
