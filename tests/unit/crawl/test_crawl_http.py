import gzip
import zlib

import pytest
from fastwarc.stream_io import BrotliWriter, ZstdWriter

from curation.crawl import http
from curation.crawl.http import joined_fields, parse_fields, parse_response

PAGE = b"<html><body>" + b"<p>Hello, world.</p>" * 40 + b"</body></html>"


def _response(body, *headers, line_end=b"\r\n"):
    head = line_end.join([b"HTTP/1.1 200 OK", *headers])
    return parse_response(head + line_end * 2 + body)


def _written_by(writer, path):
    with writer(str(path)) as stream:
        stream.write(PAGE)
    return path.read_bytes()


def test_status_type_and_charset_come_from_the_head():
    found = _response(PAGE, b'Content-Type: Text/HTML; Charset="UTF-8"; x=1', b"X-Y: z")
    assert (found.status, found.content_type, found.charset) == (200, "text/html", "UTF-8")
    assert (found.payload, found.undecodable) == (PAGE, None)


def test_a_head_with_bare_line_feeds_is_read_the_same():
    assert _response(PAGE, b"Content-Type: text/html", line_end=b"\n").payload == PAGE


def test_a_head_without_a_body_has_an_empty_payload():
    found = parse_response(b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html")
    assert (found.status, found.content_type, found.payload) == (404, "text/html", b"")


def test_a_status_line_without_a_number_has_no_status():
    assert parse_response(b"HTTP/1.1 OK\r\n\r\n").status is None
    assert parse_response(b"HTTP/2 204\r\n\r\n").status == 204


def test_a_block_that_is_not_http_is_no_response():
    assert parse_response(PAGE) is None
    assert parse_response(b"") is None


def test_folded_header_lines_are_joined_and_the_first_of_two_fields_wins():
    fields = parse_fields("A: one\r\n two\r\nno colon\r\na: three\r\nB:  four \r\n")
    assert fields == {"a": "one two", "b": "four"}


def test_chunks_are_put_together():
    body = b"5;ext=1\r\nHello\r\n8\r\n, world.\r\n0\r\nTrailer: x\r\n\r\n"
    found = _response(body, b"Transfer-Encoding: chunked")
    assert (found.payload, found.undecodable) == (b"Hello, world.", None)


def test_chunks_with_bare_line_feeds_are_put_together():
    found = _response(b"3\nabc\n2\nde\n0\n", b"transfer-encoding: Chunked")
    assert (found.payload, found.undecodable, found.cut) == (b"abcde", None, None)


@pytest.mark.parametrize(
    ("body", "payload", "cut"),
    [
        (b"3\r\nabc\r\n2\r\nde\r\n", b"abcde", "no last chunk after 2 of 5 bytes"),
        (b"3\r\nabc\r\n2\r\nde\r", b"abcde", "no last chunk after 2 of 5 bytes"),
        (b"3\r\nabc\r\n2\r\nde", b"abcde", "no last chunk after 2 of 5 bytes"),
        (b"3\r\nabc\r\n2", b"abc", "no last chunk after 1 of 3 bytes"),
        (b"3\r\nabc\r\n2;a=b\r", b"abc", "no last chunk after 1 of 3 bytes"),
        (b"ff\r\nshort", b"short", "a chunk of 255 bytes ends after 5"),
        (b"3\r\nabc\r\n2\r\n", b"abc", "a chunk of 2 bytes ends after 0"),
        (b"3\r\nabc\r\n0\r\n", b"abc", None),
        (b"3\r\nabc\r\n0\r\n\r\n", b"abc", None),
        (b"0\r\n\r\n", b"", None),
        (b"", b"", None),
    ],
)
def test_chunks_that_end_before_the_last_one_are_told_and_kept_as_far_as_they_go(
    body, payload, cut
):
    found = _response(body, b"Transfer-Encoding: chunked")
    assert (found.payload, found.undecodable, found.cut) == (payload, None, cut)


def test_a_payload_that_is_not_chunked_any_more_is_kept_as_it_is():
    found = _response(PAGE, b"Transfer-Encoding: chunked", b"Content-Encoding: gzip")
    assert (found.payload, found.undecodable) == (PAGE, None)


def test_broken_chunks_are_told_and_the_payload_stays():
    body = b"5\r\nHello\r\nnot a size\r\n"
    found = _response(body, b"Transfer-Encoding: chunked")
    assert (found.payload, found.cut) == (body, None)
    assert found.undecodable == "no size of a chunk at byte 10"


def test_gzip_and_both_kinds_of_deflate_are_undone():
    raw = zlib.compressobj(wbits=-15)
    packed = {
        b"gzip": gzip.compress(PAGE),
        b"x-gzip": gzip.compress(PAGE),
        b"deflate": zlib.compress(PAGE),
        b"Deflate": raw.compress(PAGE) + raw.flush(),
    }
    for coding, body in packed.items():
        assert _response(body, b"Content-Encoding: " + coding).payload == PAGE


@pytest.mark.parametrize(("coding", "writer"), [(b"br", BrotliWriter), (b"zstd", ZstdWriter)])
def test_brotli_and_zstd_are_undone(tmp_path, coding, writer):
    body = _written_by(writer, tmp_path / "packed")
    assert body != PAGE
    assert _response(body, b"Content-Encoding: " + coding).payload == PAGE


def test_chunks_are_put_together_before_they_are_decompressed():
    packed = gzip.compress(PAGE)
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(packed), packed)
    found = _response(body, b"Transfer-Encoding: chunked", b"Content-Encoding: gzip")
    assert found.payload == PAGE


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        (b"gzip", gzip.compress(PAGE)[:-12]),
        (b"gzip", b"\x1f\x8b\x08 this is no gzip"),
        (b"deflate", b"\x00 neither zlib nor raw"),
        (b"br", b"\xff\xff\xff\xff"),
        (b"zstd", b"\xff\xff\xff\xff"),
    ],
)
def test_damaged_compression_is_told(coding, body):
    found = _response(body, b"Content-Encoding: " + coding)
    assert found.undecodable
    assert found.payload == body


def test_a_decompression_bomb_is_cut_off(monkeypatch):
    monkeypatch.setattr(http, "MAX_PAYLOAD_BYTES", 1000)
    found = _response(gzip.compress(bytes(100_000)), b"Content-Encoding: gzip")
    assert (len(found.payload), found.undecodable) == (1000, None)


def test_several_codings_are_undone_the_last_one_first():
    body = zlib.compress(gzip.compress(PAGE))
    assert _response(body, b"Content-Encoding: gzip, deflate").payload == PAGE


def test_gzip_in_several_members_is_put_together():
    body = gzip.compress(PAGE[:100]) + gzip.compress(PAGE[100:]) + b"left over"
    assert _response(body, b"Content-Encoding: gzip").payload == PAGE


@pytest.mark.parametrize("label", [b"br", b"deflate", b"zstd"])
def test_gzip_under_a_wrong_label_is_undone(label):
    found = _response(gzip.compress(PAGE), b"Content-Encoding: " + label)
    assert (found.payload, found.undecodable) == (PAGE, None)


@pytest.mark.parametrize("label", [b"utf-8", b"identity", b"none"])
def test_a_label_that_is_no_coding_changes_nothing(label):
    assert _response(gzip.compress(PAGE), b"Content-Encoding: " + label).payload != PAGE


def test_repeated_fields_are_joined_where_all_are_wanted():
    block = "X-A: one\r\nB: two\r\n  lines\r\nx-a: three\r\nno field"
    assert joined_fields(block) == {"x-a": "one, three", "b": "two lines"}
    assert parse_fields(block) == {"x-a": "one", "b": "two lines"}
