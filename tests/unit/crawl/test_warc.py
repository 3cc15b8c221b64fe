import gzip
import io
import os
from datetime import UTC, datetime

import pytest
from fastwarc.stream_io import Lz4Writer, ZstdWriter
from fastwarc.warc import ArchiveIterator
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from curation.crawl import warc
from curation.crawl.warc import Damage, WarcRecord, read_records, why_ended_early


def _page(number, n_words=400):
    words = " ".join(f"word{number}-{i}" for i in range(n_words))
    return f"<html><body><p>{words}</p></body></html>".encode()


def _record(number, *, length=None, line_end=b"\r\n", n_words=400):
    """One response record as bytes; `length` overrides the true Content-Length."""
    head = [b"HTTP/1.1 200 OK", b"Content-Type: text/html; charset=utf-8"]
    block = line_end.join(head) + line_end * 2 + _page(number, n_words)
    header = [
        b"WARC/1.0",
        b"WARC-Type: response",
        b"WARC-Record-ID: <urn:uuid:%d>" % number,
        b"WARC-Date: 2024-12-03T10:20:30Z",
        b"WARC-Target-URI: https://example.org/%d" % number,
        b"Content-Type: application/http; msgtype=response",
        b"Content-Length: %d" % (len(block) if length is None else length),
    ]
    return line_end.join(header) + line_end * 2 + block + line_end * 2


def _block_bytes(number):
    return len(_record(number)) - len(_record(number).split(b"\r\n\r\n")[0]) - 8


def _read(path, data):
    path.write_bytes(data)
    return list(read_records(str(path)))


def _kinds(items):
    """The number in the record's URL and its problem, or `damage`."""
    return [
        "damage" if isinstance(item, Damage) else (int(item.url.rsplit("/", 1)[-1]), item.problem)
        for item in items
    ]


def _members(*records):
    return b"".join(map(gzip.compress, records))


def _by_warcio(path, n_pages):
    with path.open("wb") as file:
        writer = WARCWriter(file, gzip=True)
        writer.write_record(writer.create_warcinfo_record("a.warc.gz", {"software": "test"}))
        for number in range(n_pages):
            headers = StatusAndHeaders("200 OK", [("Content-Type", "text/html")], "HTTP/1.1")
            record = writer.create_warc_record(
                f"https://example.org/{number}",
                "response",
                payload=io.BytesIO(_page(number)),
                http_headers=headers,
            )
            writer.write_record(record)


def test_a_record_has_all_that_its_headers_say(tmp_path):
    (item,) = _read(tmp_path / "a.warc", _record(7))
    assert item == WarcRecord(
        offset=0,
        length=len(_record(7)),
        record_id="urn:uuid:7",
        record_type="response",
        url="https://example.org/7",
        date=datetime(2024, 12, 3, 10, 20, 30, tzinfo=UTC),
        http_status=200,
        content_type="text/html",
        payload=_page(7),
        http_charset="utf-8",
        problem=None,
        detail="",
        truncated=None,
        http_head=b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r",
    )


def test_what_warcio_writes_is_read_as_fastwarc_reads_it(tmp_path):
    path = tmp_path / "a.warc.gz"
    _by_warcio(path, n_pages=5)
    records = list(read_records(str(path)))
    expected = [
        (r.stream_pos, r.record_id.strip("<>"), r.reader.read()) for r in ArchiveIterator(str(path))
    ]
    assert [(r.offset, r.record_id, r.payload) for r in records] == expected
    assert [r.record_type for r in records] == ["warcinfo", *["response"] * 5]
    assert sum(r.length for r in records) == path.stat().st_size
    for record in records:
        member = path.read_bytes()[record.offset : record.offset + record.length]
        assert record.record_id.encode() in gzip.decompress(member)


@pytest.mark.parametrize("name", ["a.warc", "a.warc.gz", "a.txt"])
def test_the_content_tells_the_compression_and_not_the_name(tmp_path, name):
    plain, packed = _record(1) + _record(2), _members(_record(1), _record(2))
    for data in (plain, packed, gzip.compress(plain)):
        assert _kinds(_read(tmp_path / name, data)) == [(1, None), (2, None)]


@pytest.mark.parametrize("writer", [ZstdWriter, Lz4Writer])
def test_zstd_and_lz4_files_are_read(tmp_path, writer):
    path = tmp_path / "a.warc.zst"
    frames = []
    for number in range(3):
        with writer(str(path)) as stream:
            stream.write(_record(number))
        frames.append(path.read_bytes())
    items = _read(path, b"".join(frames))
    assert _kinds(items) == [(0, None), (1, None), (2, None)]
    assert [item.offset for item in items] == [0, len(frames[0]), len(frames[0] + frames[1])]
    cut = _read(path, b"".join(frames)[:-30])
    assert _kinds(cut)[0] == (0, None)
    assert why_ended_early(cut[-1])


def test_records_that_share_a_gzip_member_share_its_offset(tmp_path):
    data = gzip.compress(_record(1) + _record(2))
    places = [(item.offset, item.length) for item in _read(tmp_path / "a.warc.gz", data)]
    assert places == [(0, 0), (0, len(data))]


def test_headers_that_end_in_bare_line_feeds_are_read(tmp_path):
    data = _record(1, line_end=b"\n") + _record(2, line_end=b"\n")
    items = _read(tmp_path / "a.warc", data)
    assert _kinds(items) == [(1, None), (2, None)]
    assert [item.payload for item in items] == [_page(1), _page(2)]


@pytest.mark.parametrize("n_lost", [100, 1, 12])
def test_a_compressed_file_that_is_cut_short_has_a_truncated_or_damaged_last_record(
    tmp_path, n_lost
):
    items = _read(tmp_path / "a.warc.gz", _members(_record(1), _record(2))[:-n_lost])
    assert _kinds(items[:1]) == [(1, None)]
    assert items[1].problem in ("truncated", "damaged")
    assert len(items) == 2
    assert "the file ends inside a gzip member" in why_ended_early(items[-1])


def test_an_uncompressed_file_that_is_cut_short_has_a_truncated_last_record(tmp_path):
    items = _read(tmp_path / "a.warc", (_record(1) + _record(2))[:-100])
    assert _kinds(items) == [(1, None), (2, "truncated")]
    n_bytes = _block_bytes(2)
    assert items[1].detail == f"{n_bytes - 96} of {n_bytes} bytes"
    assert why_ended_early(items[1]) == f"at byte {len(_record(1))}: {items[1].detail}"


@pytest.mark.parametrize("pack", [_members, lambda *records: b"".join(records)])
def test_a_file_that_ends_inside_a_header_has_a_damage_at_its_end(tmp_path, pack):
    data = pack(_record(1), _record(2)[:90])
    items = _read(tmp_path / "a.warc.gz", data)
    assert _kinds(items) == [(1, None), "damage"]
    assert items[1].offset == len(pack(_record(1)))
    assert items[1].offset + items[1].length == len(data)
    assert "a record header without an end" in why_ended_early(items[1])


def test_a_whole_file_ends_early_for_no_reason(tmp_path):
    assert why_ended_early(_read(tmp_path / "a.warc", _record(1))[-1]) is None


def test_bytes_behind_the_last_record_are_a_damage(tmp_path):
    items = _read(tmp_path / "a.warc", _record(1) + b"left over")
    assert _kinds(items) == [(1, None), "damage"]
    assert (items[1].offset, items[1].length) == (len(_record(1)), 9)


@pytest.mark.parametrize("pack", [_members, lambda *records: b"".join(records)])
def test_a_content_length_too_great_swallows_no_other_record(tmp_path, pack):
    data = pack(_record(1), _record(2, length=_block_bytes(2) + 500), _record(3))
    items = _read(tmp_path / "a.warc", data)
    assert _kinds(items) == [(1, None), (2, "truncated"), (3, None)]
    assert items[2].payload == _page(3)


def test_a_content_length_that_goes_beyond_the_file_swallows_no_other_record(tmp_path):
    data = _record(1, length=99_999_999_999_999) + _record(2)
    assert _kinds(_read(tmp_path / "a.warc", data)) == [(1, "truncated")]
    data = _record(1, length=60_000_000) + _record(2)
    assert _kinds(_read(tmp_path / "a.warc", data)) == [(1, "truncated"), (2, None)]


@pytest.mark.parametrize("pack", [_members, lambda *records: b"".join(records)])
def test_a_content_length_too_small_leaves_a_damage_and_loses_no_other_record(tmp_path, pack):
    data = pack(_record(1, length=_block_bytes(1) - 10), _record(2))
    items = _read(tmp_path / "a.warc", data)
    assert _kinds(items) == [(1, None), "damage", (2, None)]
    assert "y></html>" in items[1].detail


@pytest.mark.parametrize("value", [b"", b"-5", b"many"])
def test_a_record_without_a_length_leaves_its_block_as_damage(tmp_path, value):
    data = _record(1).replace(b"Content-Length: %d" % _block_bytes(1), b"Content-Length: " + value)
    assert _kinds(_read(tmp_path / "a.warc", data + _record(2))) == [
        (1, None),
        "damage",
        (2, None),
    ]


def test_garbage_between_records_is_one_damage(tmp_path):
    items = _read(tmp_path / "a.warc", _record(1) + b"junk WARC/ junk\r\n\r\n" + _record(2))
    assert _kinds(items) == [(1, None), "damage", (2, None)]
    assert items[1].length == 19


def test_garbage_longer_than_a_window_is_still_one_damage(tmp_path):
    items = _read(tmp_path / "a.warc", _record(1) + b"x" * 3_000_001 + b"\n" + _record(2))
    assert _kinds(items) == [(1, None), "damage", (2, None)]
    assert items[1].length == 3_000_002


@pytest.mark.parametrize("n_blocks", [64, 65, 66])
def test_a_record_whose_first_line_lies_across_two_windows_is_found(tmp_path, n_blocks):
    n_garbage = n_blocks * (1 << 14) - 4 - len(_record(1))
    items = _read(tmp_path / "a.warc", _record(1) + b"x" * (n_garbage - 1) + b"\n" + _record(2))
    assert _kinds(items) == [(1, None), "damage", (2, None)]


def test_a_corrupt_gzip_member_costs_its_own_record_only(tmp_path):
    first, second, third = (gzip.compress(_record(number)) for number in range(3))
    spoiled = bytearray(second)
    spoiled[len(second) // 2 : len(second) // 2 + 20] = b"\0" * 20
    items = _read(tmp_path / "a.warc.gz", first + bytes(spoiled) + third)
    assert _kinds(items)[0] == (0, None)
    assert _kinds(items)[-1] == (2, None)
    assert len(items) == 3
    assert items[1].offset == len(first)
    assert items[1].length == len(second)
    assert isinstance(items[1], Damage) or items[1].problem in ("truncated", "damaged")


@pytest.mark.parametrize(
    ("member", "kind"),
    [
        (gzip.compress(_record(1)), "damage"),
        (gzip.compress(_record(1, n_words=3000), 0), (1, "truncated")),
        (gzip.compress(_record(1) + b"\r\n" * 20_000, 0), (1, "damaged")),
    ],
)
def test_a_gzip_member_with_a_wrong_checksum_gives_no_page(tmp_path, member, kind):
    # zlib keeps back what it read last when it finds the checksum wrong.
    spoiled = member[:-8] + bytes([member[-8] ^ 1]) + member[-7:]
    items = _read(tmp_path / "a.warc.gz", spoiled + gzip.compress(_record(2)))
    assert _kinds(items) == [kind, (2, None)]


def test_a_member_header_that_is_overwritten_is_a_damage_and_reading_goes_on(tmp_path):
    first, second, third = (gzip.compress(_record(number)) for number in range(3))
    items = _read(tmp_path / "a.warc.gz", first + b"\0" * len(second) + third)
    assert _kinds(items) == [(0, None), "damage", (2, None)]
    assert (items[1].offset, items[1].length) == (len(first), len(second))


def test_a_block_longer_than_the_limit_is_not_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(warc, "MAX_BLOCK_BYTES", 1000)
    items = _read(tmp_path / "a.warc", _record(1) + _record(2))
    assert _kinds(items) == [(1, "too_large"), (2, "too_large")]
    assert items[0].content_type == "text/html"


def test_a_payload_with_a_broken_coding_is_told(tmp_path):
    data = _record(1).replace(b"charset=utf-8", b"\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n")
    length = data.index(b"</html>") + 7 - data.index(b"HTTP/")
    data = data.replace(b"Content-Length: %d" % _block_bytes(1), b"Content-Length: %d" % length)
    (item,) = _read(tmp_path / "a.warc", data)
    assert item.problem == "undecodable_payload"


def _chunked(body, *fields):
    block = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + body
    head = b"".join([b"WARC/1.0\r\nWARC-Type: response\r\n", *fields])
    return head + b"Content-Length: %d\r\n\r\n%s\r\n\r\n" % (len(block), block)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_body_without_its_last_chunk_is_truncated_but_its_file_is_whole(tmp_path, pack):
    whole, cut = _chunked(b"3\r\nabc\r\n0\r\n\r\n"), _chunked(b"3\r\nabc\r\n")
    items = _read(tmp_path / "a.warc", b"".join(map(pack, [whole, cut, whole, cut])))
    assert [item.payload for item in items] == [b"abc"] * 4
    assert [item.problem for item in items] == [None, "truncated"] * 2
    assert items[1].detail == "no last chunk after 1 of 3 bytes"
    assert why_ended_early(items[-1]) is None


def test_a_record_that_is_cut_within_a_chunk_ends_its_file_early(tmp_path):
    items = _read(tmp_path / "a.warc", _chunked(b"9\r\n123456789\r\n0\r\n\r\n")[:-16])
    assert (items[-1].problem, items[-1].payload) == ("truncated", b"1234")
    assert why_ended_early(items[-1]) == "at byte 0: 54 of 66 bytes"


def test_a_damaged_member_with_a_cut_body_ends_its_file_early(tmp_path):
    packed = gzip.compress(_chunked(b"3\r\nabc\r\n"))
    items = _read(tmp_path / "a.warc.gz", packed[:-4])
    assert items[-1].problem == "damaged"
    assert why_ended_early(items[-1]) is not None


def test_chunks_that_the_crawler_told_to_have_cut_are_no_problem(tmp_path):
    told = _chunked(b"3\r\nabc\r\n5\r\nde", b"WARC-Truncated: length\r\n")
    (item,) = _read(tmp_path / "a.warc", told)
    assert (item.payload, item.problem, item.truncated) == (b"abcde", None, "length")


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "no record in a file of 0 bytes"),
        (b"\r\n\r\n", "no record in a file of 4 bytes"),
        (b"PK\x03\x04 and so on", "no record begins with b'PK"),
        (b"some text", "no record begins with b'some text'"),
        (b"\x1f\x8b\x08 not gzip", "not gzip, or damaged"),
    ],
)
def test_a_file_without_records_is_one_damage(tmp_path, data, detail):
    (item,) = _read(tmp_path / "a.warc.gz", data)
    assert isinstance(item, Damage)
    assert item.detail.startswith(detail)
    assert (item.offset, item.length) == (0, len(data))


def test_a_file_that_cannot_be_opened_raises(tmp_path):
    with pytest.raises(FileNotFoundError):
        list(read_records(str(tmp_path / "absent.warc")))
    locked = tmp_path / "locked.warc"
    locked.touch(mode=0)
    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            list(read_records(str(locked)))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-12-03T10:20:30Z", datetime(2024, 12, 3, 10, 20, 30, tzinfo=UTC)),
        ("2024-12-03T10:20:30.123456Z", datetime(2024, 12, 3, 10, 20, 30, 123456, tzinfo=UTC)),
        ("2024-12-03T12:20:30+02:00", datetime(2024, 12, 3, 10, 20, 30, tzinfo=UTC)),
        ("2024-12-03", datetime(2024, 12, 3, tzinfo=UTC)),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_utc_and_none_where_they_cannot_be_read(tmp_path, value, expected):
    data = _record(1).replace(b"2024-12-03T10:20:30Z", value.encode())
    (item,) = _read(tmp_path / "a.warc", data)
    assert item.date == expected


def test_angle_brackets_around_a_url_and_case_of_names_do_not_matter(tmp_path):
    data = _record(1).replace(b"WARC-Target-URI: https://example.org/1", b"warc-target-uri: <x:/1>")
    (item,) = _read(tmp_path / "a.warc", data.replace(b"WARC/1.0", b"warc/1.0"))
    assert item.url == "x:/1"


def test_why_the_crawler_kept_a_part_only_is_told(tmp_path):
    data = _record(1).replace(b"WARC-Type:", b"WARC-Truncated: Length\r\nWARC-Type:")
    (item,) = _read(tmp_path / "a.warc", data)
    assert (item.truncated, item.problem) == ("length", None)


def test_repeated_http_fields_are_joined_in_the_headers_of_a_record(tmp_path):
    (item,) = _read(tmp_path / "a.warc", _record(1))
    assert item.http_headers == {"content-type": "text/html; charset=utf-8"}


@pytest.mark.parametrize("n_small", [0, 1, 5])
def test_members_of_any_size_are_read_alike(tmp_path, n_small):
    small = b"WARC/1.0\r\nWARC-Target-URI: x:/9\r\nContent-Length: 2\r\n\r\nab\r\n\r\n"
    large = _record(3, n_words=60_000)
    records = [_record(1), *[small] * n_small, large, _record(2)]
    items = _read(tmp_path / "a.warc.gz", _members(*records))
    expected = [(1, None), *[(9, None)] * n_small, (3, None), (2, None)]
    assert _kinds(items) == expected
    assert [i.length for i in items] == [len(gzip.compress(record)) for record in records]
    assert items[-2].payload == _page(3, n_words=60_000)


def test_a_file_whose_first_bytes_are_spoiled_loses_its_first_record_only(tmp_path):
    items = _read(tmp_path / "a.warc.gz", b"\0\0" + _members(*map(_record, range(3)))[2:])
    assert _kinds(items) == ["damage", (1, None), (2, None)]
    assert items[0].offset == 0


def test_a_member_that_ends_in_other_bytes_than_line_ends_is_not_passed_over(tmp_path):
    record = _record(1, length=_block_bytes(1) - 4).removesuffix(b"\r\n\r\n")
    items = _read(tmp_path / "a.warc.gz", _members(_record(0), record, _record(2)))
    assert _kinds(items) == [(0, None), (1, None), "damage", (2, None)]
    assert "tml>" in items[2].detail


def test_a_record_cut_short_in_its_own_member_swallows_no_other_record(tmp_path):
    items = _read(tmp_path / "a.warc.gz", _members(_record(0), _record(1)[:-200], _record(2)))
    assert _kinds(items) == [(0, None), (1, "truncated"), (2, None)]
    assert items[2].payload == _page(2)
