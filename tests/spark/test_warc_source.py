import gzip
from datetime import UTC, datetime

import pytest

from curation.errors import ConfigError
from curation.spark.warc_source import RECORDS, WarcDataSource, patterns_of

pytestmark = pytest.mark.spark

BODY = b"<p>Hello.</p>"
BLOCK = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nX-A: one\r\nx-a: two\r\n"
    b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(BODY, mtime=0)
)
RECORD = (
    b"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:1>\r\n"
    b"WARC-Date: 2024-12-03T10:20:30Z\r\nWARC-Target-URI: https://example.org/\r\n"
    b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (len(BLOCK), BLOCK)
)


@pytest.fixture
def frame(spark, tmp_path):
    """Of a good file and one whose only record is cut short."""
    (tmp_path / "a.warc.gz").write_bytes(gzip.compress(RECORD) + gzip.compress(b"junk"))
    (tmp_path / "b.warc").write_bytes(RECORD[:-10])
    spark.dataSource.register(WarcDataSource)
    return lambda **options: (
        spark.read.format("warc").options(**options).load(str(tmp_path / "*.warc*"))
    )


def test_every_record_is_a_row_and_so_is_what_cannot_be_read(frame, tmp_path):
    first, junk, cut = frame().orderBy("warc_file", "offset").collect()
    assert first.asDict() == {
        "warc_file": str(tmp_path / "a.warc.gz"),
        "offset": 0,
        "length": len(gzip.compress(RECORD)),
        "record_type": "response",
        "record_id": "urn:uuid:1",
        "url": "https://example.org/",
        "date": datetime(2024, 12, 3, 10, 20, 30, tzinfo=UTC).astimezone().replace(tzinfo=None),
        "http_status": 200,
        "http_headers": {
            "content-type": "text/html",
            "x-a": "one, two",
            "content-encoding": "gzip",
        },
        "content_type": "text/html",
        "payload": BODY,
        "error": None,
    }
    assert (junk.record_type, junk.payload) == ("", None)
    assert junk.error == "damaged: no record begins with b'junk'"
    assert cut.error.startswith("truncated: ")


def test_payloads_are_left_out_where_they_are_not_asked_for(frame):
    rows = frame(payload="false").where("http_status = 200").collect()
    assert [row.payload for row in rows] == [None, None]


def test_a_file_is_a_partition_and_columns_are_as_declared(frame):
    found = frame()
    assert found.columns == RECORDS.columns.names
    assert found.rdd.getNumPartitions() == 2


def test_several_paths_are_loaded_as_a_list_each_file_once(spark, frame, tmp_path):
    frame()
    named = [str(tmp_path / name) for name in ("b.warc", "a.*", "a.warc.gz")]
    found = spark.read.format("warc").load(named).select("warc_file").distinct().collect()
    assert sorted(row.warc_file for row in found) == [
        str(tmp_path / "a.warc.gz"),
        str(tmp_path / "b.warc"),
    ]
    (one,) = spark.read.format("warc").load(named[:1]).collect()
    assert one.warc_file == named[0]


@pytest.mark.parametrize(
    ("options", "patterns"),
    [
        ({"path": "/a"}, ["/a"]),
        ({"paths": '["/a b", "/c,d"]'}, ["/a b", "/c,d"]),
        ({"path": "/a", "paths": '["/b"]'}, ["/a", "/b"]),
    ],
)
def test_paths_are_one_or_a_list_in_json(options, patterns):
    assert patterns_of(options) == patterns


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "no path; write"),
        ({"path": ""}, "no path; write"),
        ({"paths": "[]"}, "no path; write"),
        ({"paths": "/a,/b"}, "option paths=/a,/b: Expecting value"),
        ({"paths": '{"a": 1}'}, "no list of paths; write"),
        ({"paths": "[1]"}, "no list of paths; write"),
    ],
)
def test_paths_that_are_none_are_told_with_what_to_write(options, message):
    with pytest.raises(ConfigError, match=message):
        patterns_of(options)


def test_an_option_that_means_nothing_is_told(frame):
    with pytest.raises(Exception, match="payload=maybe; it is true or false"):
        frame(payload="maybe").collect()
