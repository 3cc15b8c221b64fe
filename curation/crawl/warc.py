"""WARC and ARC files -> records, every one of them, and the stretches where none can be read.

The framing is our own because what is lost must be seen: of a file that is cut short, has a wrong
Content-Length, or has headers that end in LF, FastWARC 2.0.1 and warcio 1.8.1 return less than
there is, without a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from curation.crawl.http import media_type, parse_fields, parse_response
from curation.crawl.stream import ByteStream, open_stream

MAX_BLOCK_BYTES = 1 << 26
"""Longest record block that is read whole; of a longer one only the head is looked at."""

_HEAD_BYTES = 1 << 16
_LINE_BYTES = 1 << 13
_HEADER_END = re.compile(rb"\n\r*\n")
_WARC_START = re.compile(rb"(?i:WARC)/\d+\.\d+[ \t\r]*\n")
# URL, IP address, date, type, length; version 2 has result, checksum, location, offset and file
# name before the length. A URL may hold spaces.
_ARC_START = re.compile(
    rb"(?P<url>[A-Za-z][\w.+-]*:[^\r\n]{0,7000}?) [^ \r\n]+ (?P<date>\d{8,18}) (?P<type>[^ \r\n]*)"
    rb"(?: [^ \r\n]+ [^ \r\n]+ [^ \r\n]+ \d+ [^ \r\n]+)? (?P<length>-?\d+)[ \t]*\r?\n"
)
_LATER_START = re.compile(rb"(?<=\n)(?:" + _WARC_START.pattern + rb"|" + _ARC_START.pattern + rb")")
_ZIP_MAGIC = b"PK\x03\x04"


@dataclass(frozen=True)
class WarcRecord:
    """A record of a WARC or ARC file.

    `length` is the distance in the file to the next item. Records that share a gzip member share
    its offset, and only the last of them has its length.
    """

    offset: int
    length: int
    record_id: str
    """WARC-Record-ID without its brackets; empty where there is none, as in ARC."""
    record_type: str
    """WARC-Type, lower-cased; the file description of an ARC file counts as `warcinfo`."""
    url: str
    date: datetime | None
    http_status: int | None
    content_type: str
    """Media type of the payload, lower-cased; empty where there is none."""
    payload: bytes
    """Body of the HTTP response, codings undone; the whole block where it holds no response."""
    http_charset: str | None
    problem: str | None
    """truncated | damaged | too_large | undecodable_payload; None where there is none."""
    detail: str
    """The problem in words; empty where there is none."""


@dataclass(frozen=True)
class Damage:
    """A stretch of a file in which no record can be read."""

    offset: int
    length: int
    detail: str


Item = WarcRecord | Damage


@dataclass(frozen=True)
class _Block:
    """The content block of a record, as far as the file has it."""

    data: bytes
    problem: str | None = None
    detail: str = ""


def read_records(path: str) -> Iterator[Item]:
    """All that the file at `path` holds, in file order; at least one item.

    WARC 0.17 to 1.1 and ARC 1 and 2, uncompressed or in gzip, zstd or lz4, told by content and not
    by name. Behind damage, reading goes on at the next record that can be found. Memory is bounded
    by the longest record block, at most `MAX_BLOCK_BYTES`.

    Raises:
        OSError: the file cannot be opened or read. Broken data never raises.
    """
    with Path(path).open("rb") as file:
        n_bytes = file.seek(0, os.SEEK_END)
        file.seek(0)
        is_zip = file.read(len(_ZIP_MAGIC)) == _ZIP_MAGIC
        file.seek(0)
        items = _zip_items() if is_zip else _items(open_stream(file))
        yield from _with_lengths(items, n_bytes)


def why_ended_early(last: Item) -> str | None:
    """Why the reading of a file stopped before its end, told by its last item; None: it did not."""
    if isinstance(last, Damage) or last.problem in ("truncated", "damaged"):
        return f"at byte {last.offset}: {last.detail}"
    return None


def _zip_items() -> Iterator[Item]:
    yield Damage(0, 0, "a zip archive, perhaps WACZ: unpack the WARC files in it")


def _with_lengths(items: Iterator[Item], n_bytes: int) -> Iterator[Item]:
    previous = next(items, None) or Damage(0, 0, f"no record in a file of {n_bytes} bytes")
    for item in items:
        yield replace(previous, length=item.offset - previous.offset)
        previous = item
    yield replace(previous, length=n_bytes - previous.offset)


def _items(stream: ByteStream) -> Iterator[Item]:
    """Records and damage in turn, lengths still unknown.

    A break is told by the item that it spoils, or by an item of its own where it spoils none.
    """
    while True:
        stream.skip_blank()
        if stream.fill(1):
            item = _read_item(stream)
            stream.skip_blank()
            passed = stream.ended_by()
            if passed is not None and passed.offset == item.offset:
                item = _spoiled(item, passed.detail)
                stream.resume()
            yield item
        elif (passed := stream.ended_by()) is not None:
            yield Damage(passed.offset, 0, passed.detail)
            stream.resume()
        else:
            return


def _spoiled(item: Item, detail: str) -> Item:
    if isinstance(item, WarcRecord) and item.problem != "truncated":
        return replace(item, problem="damaged", detail=detail)
    return replace(item, detail=f"{item.detail}; {detail}")


def _read_item(stream: ByteStream) -> Item:
    stream.fill(_LINE_BYTES)
    if _WARC_START.match(stream.window):
        return _read_warc(stream)
    if match := _ARC_START.match(stream.window):
        return _read_arc(stream, match.groupdict(), match.end())
    return _read_damage(stream, f"no record begins with {bytes(stream.window[:40])!r}")


def _read_damage(stream: ByteStream, detail: str) -> Damage:
    offset = stream.offset
    stream.skip_to(_LATER_START, n_overlap=_LINE_BYTES)
    return Damage(offset, 0, detail)


def _read_warc(stream: ByteStream) -> Item:
    offset = stream.offset
    n_header_bytes = _header_bytes(stream)
    if n_header_bytes is None:
        return _read_damage(stream, "a record header without an end")
    fields = parse_fields(stream.take(n_header_bytes).decode("utf-8", "replace"))
    block = _read_block(stream, _length(fields.get("content-length", "")))
    record = _record(offset, block, media_type(fields.get("content-type", "")))
    return replace(
        record,
        record_id=fields.get("warc-record-id", "").strip("<>"),
        record_type=fields.get("warc-type", "").lower(),
        url=fields.get("warc-target-uri", "").strip("<>"),
        date=_iso_date(fields.get("warc-date", "")),
    )


def _read_arc(stream: ByteStream, fields: dict[str, bytes], n_header_bytes: int) -> Item:
    offset = stream.offset
    stream.skip(n_header_bytes)
    text = {name: value.decode("utf-8", "replace") for name, value in fields.items()}
    record = _record(offset, _read_block(stream, _length(text["length"])), media_type(text["type"]))
    return replace(
        record,
        record_type="warcinfo" if text["url"].startswith("filedesc:") else "response",
        url=text["url"],
        date=_arc_date(text["date"]),
    )


def _header_bytes(stream: ByteStream) -> int | None:
    """Bytes of the record header that comes next, its blank line included; None: it has no end."""
    for n_bytes in (_LINE_BYTES, _HEAD_BYTES):
        n_filled = stream.fill(n_bytes)
        if end := _HEADER_END.search(stream.window, 0, n_filled):
            return end.end()
    return None


def _length(value: str) -> int:
    """A record's length; none, or one that is no number, is read as 0, and what follows tells."""
    return int(value) if value.isascii() and value.isdigit() else 0


def _read_block(stream: ByteStream, n_bytes: int) -> _Block:
    """The next `n_bytes`, or up to the next record where they would swallow it."""
    if n_bytes > MAX_BLOCK_BYTES:
        return _skim_block(stream, n_bytes)
    n_found = stream.fill(n_bytes)
    if n_found < n_bytes or not _ends_at(stream, n_bytes):
        n_found = _start_of_next(stream, n_found)
    data = stream.take(n_found)
    if n_found < n_bytes:
        return _Block(data, "truncated", f"{n_found} of {n_bytes} bytes")
    return _Block(data)


def _skim_block(stream: ByteStream, n_bytes: int) -> _Block:
    head = stream.take(min(n_bytes, _HEAD_BYTES))
    n_found = len(head) + stream.skip(n_bytes - len(head))
    if n_found < n_bytes:
        return _Block(head, "truncated", f"{n_found} of {n_bytes} bytes")
    return _Block(head, "too_large", f"{n_bytes} bytes, more than {MAX_BLOCK_BYTES}")


def _ends_at(stream: ByteStream, index: int) -> bool:
    """Whether a record may end at `index` of the window: only another or nothing follows."""
    n_filled = stream.fill(index + _LINE_BYTES)
    rest = bytes(stream.window[index:n_filled]).lstrip(b"\r\n")
    return not rest or bool(_WARC_START.match(rest) or _ARC_START.match(rest))


def _start_of_next(stream: ByteStream, n_bytes: int) -> int:
    """Where in the first `n_bytes` of the window another record begins; `n_bytes`: nowhere."""
    n_filled = stream.fill(n_bytes + _LINE_BYTES)
    start = _LATER_START.search(stream.window, 0, n_filled)
    return min(start.start(), n_bytes) if start else n_bytes


def _record(offset: int, block: _Block, content_type: str) -> WarcRecord:
    """A record with what its block says; the caller adds what its header says."""
    response = parse_response(block.data)
    undecodable = response.undecodable if response else None
    return WarcRecord(
        offset=offset,
        length=0,
        record_id="",
        record_type="",
        url="",
        date=None,
        http_status=response.status if response else None,
        content_type=response.content_type if response else content_type,
        payload=response.payload if response else block.data,
        http_charset=response.charset if response else None,
        problem=block.problem or ("undecodable_payload" if undecodable else None),
        detail=block.detail or undecodable or "",
    )


def _iso_date(value: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(value)
    except ValueError:
        return None
    return date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)


def _arc_date(value: str) -> datetime | None:
    """The time of `20140216050221`; missing digits are the first month, day, hour and so on."""
    digits = value + "00000101000000"[len(value) :]
    try:
        return datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None
