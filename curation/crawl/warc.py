"""WARC and ARC files -> records, every one of them, and the stretches where none can be read.

The framing is our own because what is lost must be seen: of a file that is cut short, has a wrong
Content-Length, or has headers that end in LF, FastWARC 2.0.1 and warcio 1.8.1 return less than
there is, without a word.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from curation.crawl.http import HEAD_END
from curation.crawl.members import WARC_START, MemberReader
from curation.crawl.record import (
    Block,
    Damage,
    Item,
    WarcRecord,
    arc_record,
    block_of,
    length_told,
    warc_fields,
    warc_record,
)
from curation.crawl.stream import ByteStream, Codec, Start, codec_of, codec_within, open_stream
from curation.crawl.wacz import Entry, inflated_content, stored_content, warc_entries

__all__ = ["MAX_BLOCK_BYTES", "Damage", "Item", "WarcRecord", "read_records", "why_ended_early"]

MAX_BLOCK_BYTES = 1 << 26
"""Longest record block that is read whole; of a longer one only the head is looked at."""

_HEAD_BYTES = 1 << 16
_LINE_BYTES = 1 << 13
# URL, IP address, date, type, length; version 2 has result, checksum, location, offset and file
# name before the length. A URL may hold spaces.
_ARC_START = re.compile(
    rb"(?P<url>[A-Za-z][\w.+-]*:[^\r\n]{0,7000}?) [^ \r\n]+ (?P<date>\d{8,18}) (?P<type>[^ \r\n]*)"
    rb"(?: [^ \r\n]+ [^ \r\n]+ [^ \r\n]+ \d+ [^ \r\n]+)? (?P<length>-?\d+)[ \t]*\r?\n"
)
_ARC_SCHEME = re.compile(rb"(?i:https?|ftp|gopher|dns|whois|filedesc|metadata):")
_START = Start(re.compile(WARC_START.pattern + rb"|" + _ARC_START.pattern))


def read_records(path: str) -> Iterator[Item]:
    """All that the file at `path` holds, in file order; at least one item.

    WARC 0.17 to 1.1 and ARC 1 and 2, uncompressed or in gzip, zstd or lz4, and the WARC files in
    the `archive/` folder of a WACZ; told by content and not by name. Behind damage, reading goes on
    at the next record that can be found. Memory is bounded by the longest record block, at most
    `MAX_BLOCK_BYTES`.

    The lengths of the items add up to the file's, without gap or overlap. A WACZ alone has gaps:
    its other entries, and the zip's own headers. Offsets are those in the WACZ itself, so that a
    record can be read from there; records of an entry that the zip has compressed share the
    entry's offset.

    Raises:
        OSError: the file cannot be opened or read. Broken data never raises.
    """
    with Path(path).open("rb") as file:
        n_bytes = file.seek(0, os.SEEK_END)
        entries = warc_entries(file)
        if entries is None:
            yield from _with_lengths(_file_items(file), n_bytes)
        elif not entries:
            yield Damage(0, n_bytes, "a zip archive without a WARC or ARC file in archive/")
        for entry in entries or ():
            yield from _entry_items(file, entry)


def why_ended_early(last: Item) -> str | None:
    """Why the reading of a file stopped before its end, told by its last item; None: it did not."""
    if isinstance(last, Damage) or not last.is_whole:
        return f"at byte {last.offset}: {last.detail}"
    return None


def _entry_items(file: BinaryIO, entry: Entry) -> Iterator[Item]:
    """Items of an entry of a zip archive, by their offsets in the archive."""
    if entry.fault:
        yield Damage(entry.start, entry.n_packed_bytes, entry.fault)
    elif entry.is_stored:
        content = stored_content(file, entry)
        for item in _with_lengths(_file_items(content), entry.n_bytes):
            yield item._replace(offset=entry.start + item.offset)
    else:
        yield from _inflated_items(file, entry)


def _inflated_items(file: BinaryIO, entry: Entry) -> Iterator[Item]:
    """Items that share the offset of their entry; only the last of them has its length."""
    content, fault = inflated_content(file, entry)
    with content:
        items = [_file_items(content)]
        if fault:
            items.append(iter([Damage(0, 0, fault)]))
        placed = (item._replace(offset=entry.start, length=0) for item in chain(*items))
        previous = next(placed, None) or Damage(entry.start, 0, f"{entry.name}: no record in it")
        for item in placed:
            yield previous
            previous = item
        yield previous._replace(length=entry.n_packed_bytes)


def _with_lengths(items: Iterator[Item], n_bytes: int) -> Iterator[Item]:
    previous = next(items, None) or Damage(0, 0, f"no record in a file of {n_bytes} bytes")
    for item in items:
        yield _with_length(previous, item.offset - previous.offset)
        previous = item
    yield _with_length(previous, n_bytes - previous.offset)


def _with_length(item: Item, n_bytes: int) -> Item:
    return item if item.length == n_bytes else item._replace(length=n_bytes)


def _file_items(file: BinaryIO) -> Iterator[Item]:
    """Items of a file by the fast path where it can go, by the exact one elsewhere.

    Their lengths are right or still unknown. The more often the fast path fails, the longer the
    exact one is kept to: a file of tiny records is not read twice.
    """
    codec = codec_of(file)
    if codec is None and not _begins_record(file):
        codec = codec_within(file)
    if codec is None:
        yield from _items(open_stream(file, None))
        return
    dictionary = codec.dictionary(file)
    offset: int | None = 0
    n_exact = 1
    while offset is not None:
        if not (dictionary and offset):
            offset = yield from MemberReader(file, offset, codec.members).records(MAX_BLOCK_BYTES)
        offset = yield from _exact_items(file, codec, offset, at_least=n_exact)
        n_exact *= 2


def _begins_record(file: BinaryIO) -> bool:
    """Whether a file that is not compressed begins as it should."""
    file.seek(0)
    head = file.read(_LINE_BYTES).lstrip(b"\r\n")
    return bool(WARC_START.match(head) or _ARC_START.match(head))


def _exact_items(
    file: BinaryIO, codec: Codec, start: int, *, at_least: int
) -> Generator[Item, None, int | None]:
    """Items from the member at `start` on, until `at_least` are told and a member begins.

    Returns the offset of that member; None at the end of the file.
    """
    stream = open_stream(file, codec, start)
    for number, item in enumerate(_items(stream), 1):
        yield item
        if number >= at_least and stream.fill(1) and (begun := stream.member_begun) is not None:
            return begun
    return None


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
    if isinstance(item, WarcRecord) and (item.is_whole or item.problem != "truncated"):
        return item._replace(problem="damaged", detail=detail, is_whole=False)
    return item._replace(detail=f"{item.detail}; {detail}")


def _read_item(stream: ByteStream) -> Item:
    stream.fill(_LINE_BYTES)
    if WARC_START.match(stream.window):
        return _read_warc(stream)
    if match := _ARC_START.match(stream.window):
        return _read_arc(stream, match.groupdict(), match.end())
    return _read_damage(stream, f"no record begins with {bytes(stream.window[:40])!r}")


def _read_damage(stream: ByteStream, detail: str) -> Damage:
    offset = stream.offset
    stream.skip_to(_START, n_overlap=_LINE_BYTES)
    return Damage(offset, 0, detail)


def _read_warc(stream: ByteStream) -> Item:
    offset = stream.offset
    n_header_bytes = _header_bytes(stream)
    if n_header_bytes is None:
        return _read_damage(stream, "a record header without an end")
    fields = warc_fields(stream.take(n_header_bytes))
    block = _read_block(stream, fields.get("content-length", ""))
    return warc_record(fields, block, offset=offset, length=0)


def _read_arc(stream: ByteStream, fields: dict[str, bytes], n_header_bytes: int) -> Item:
    offset = stream.offset
    stream.skip(n_header_bytes)
    text = {name: value.decode("utf-8", "replace") for name, value in fields.items()}
    return arc_record(text, _read_block(stream, text["length"]), offset=offset)


def _header_bytes(stream: ByteStream) -> int | None:
    """Bytes of the record header that comes next, its blank line included; None: it has no end."""
    for n_bytes in (_LINE_BYTES, _HEAD_BYTES):
        n_filled = stream.fill(n_bytes)
        if end := HEAD_END.search(stream.window, 0, n_filled):
            return end.end()
    return None


def _read_block(stream: ByteStream, told: str) -> Block:
    """The block of the length that is `told`, or up to the next record that it would swallow.

    No length, or one that is no number, is read as 0, and what follows tells.
    """
    n_bytes = length_told(told) or 0
    if n_bytes > MAX_BLOCK_BYTES:
        return _skim_block(stream, n_bytes)
    n_found = stream.fill(n_bytes)
    if n_found < n_bytes or not _ends_at(stream, n_bytes):
        n_found = _start_of_next(stream, n_found)
    data = stream.take(n_found)
    if n_found < n_bytes:
        return block_of(data, "truncated", f"{n_found} of {n_bytes} bytes")
    return block_of(data)


def _skim_block(stream: ByteStream, n_bytes: int) -> Block:
    head = stream.take(min(n_bytes, _HEAD_BYTES))
    n_found = len(head) + stream.skip(n_bytes - len(head))
    if n_found < n_bytes:
        return block_of(head, "truncated", f"{n_found} of {n_bytes} bytes")
    return block_of(head, "too_large", f"{n_bytes} bytes, more than {MAX_BLOCK_BYTES}")


def _ends_at(stream: ByteStream, index: int) -> bool:
    """Whether a record may end at `index` of the window: only another or nothing follows."""
    n_filled = stream.fill(index + _LINE_BYTES)
    rest = bytes(stream.window[index:n_filled]).lstrip(b"\r\n")
    if not rest or WARC_START.match(rest):
        return True
    return bool(_ARC_START.match(rest)) and not _is_within_scheme(stream.window, index)


def _is_within_scheme(window: bytearray, index: int) -> bool:
    """Whether `index` cuts the line of an ARC record within the scheme of its URL.

    A length that is too long by a byte makes `http:` into `ttp:`, which looks like a scheme too.
    """
    start = window.rfind(b"\n", 0, index) + 1
    scheme = _ARC_SCHEME.match(window, start)
    return scheme is not None and start < index < scheme.end()


def _start_of_next(stream: ByteStream, n_bytes: int) -> int:
    """Where in the first `n_bytes` of the window another record begins; `n_bytes`: nowhere."""
    n_filled = stream.fill(n_bytes + _LINE_BYTES)
    start = stream.find(_START, n_filled)
    return n_bytes if start is None else min(start, n_bytes)
