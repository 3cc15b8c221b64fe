"""Numbers and dates of a record's header that no record can have."""

import pytest

from curation.crawl.http import media_type
from curation.crawl.record import block_of, length_told, warc_record


def date_of(value):
    fields = {"warc-type": "response", "warc-date": value}
    return warc_record(fields, block_of(b"x"), offset=0, length=1).date


def test_a_length_of_thousands_of_digits_is_no_length():
    assert length_told("9" * 5000) is None
    assert length_told("12") == 12


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00:00+14:00", "2605-01-01T00:00:00Z", "1000-01-01T00:00:00Z", "no"]
)
def test_a_date_that_no_page_can_have_is_none(value):
    assert date_of(value) is None


def test_a_date_of_the_web_is_kept():
    assert date_of("2014-02-16T05:02:21Z").year == 2014


def test_a_content_type_without_a_semicolon_is_still_html():
    assert media_type("text/html charset=utf-8") == "text/html"
    assert media_type("") == ""
