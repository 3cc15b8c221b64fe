"""A record of a WARC or ARC file: what its header and its block say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple

from curation.crawl.http import (
    HttpResponse,
    joined_fields,
    media_type,
    parse_fields,
    response_of,
    split_head,
)

_MAX_LENGTH_DIGITS = 18
_FIRST_YEAR, _LAST_YEAR = 1990, 2200


class WarcRecord(NamedTuple):
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
    truncated: str | None = None
    """WARC-Truncated, lower-cased: why the crawler kept a part only, such as `length`,
    `disconnect` or `time`; None where it kept all."""
    http_head: bytes = b""
    """Status line and fields of the HTTP response as they came; empty where there is none."""
    is_whole: bool = True
    """Whether the file has all of the record. So it may have all of one that is `truncated` by
    its HTTP chunks: those were cut before the record was written."""

    @property
    def http_headers(self) -> dict[str, str]:
        """HTTP fields by lower-cased name, repeated ones joined by commas. Parsed at each call."""
        return joined_fields(self.http_head.partition(b"\n")[2].decode("latin-1"))


class Damage(NamedTuple):
    """A stretch of a file in which no record can be read."""

    offset: int
    length: int
    detail: str


Item = WarcRecord | Damage


class Block(NamedTuple):
    """The content block of a record, as far as the file has it."""

    http_head: bytes
    """Head of an HTTP response, its blank line left out; empty where the block holds none."""
    body: bytes
    """What follows the head; the whole block where there is none."""
    problem: str | None = None
    detail: str = ""


def block_of(data: bytes, problem: str | None = None, detail: str = "") -> Block:
    """The block whose bytes are `data`."""
    return Block(*split_head(data), problem, detail)


def warc_record(fields: dict[str, str], block: Block, *, offset: int, length: int) -> WarcRecord:
    """A record of a WARC file, from the fields of its header by lower-cased name."""
    return _record(
        block,
        offset=offset,
        length=length,
        content_type=fields.get("content-type", ""),
        record_id=fields.get("warc-record-id", "").strip("<>"),
        record_type=fields.get("warc-type", "").lower(),
        url=fields.get("warc-target-uri", "").strip("<>"),
        date=_iso_date(fields.get("warc-date", "")),
        truncated=fields.get("warc-truncated", "").lower() or None,
    )


def arc_record(fields: dict[str, str], block: Block, *, offset: int) -> WarcRecord:
    """A record of an ARC file, from `url`, `date` and `type` of its line; its length is unknown."""
    return _record(
        block,
        offset=offset,
        length=0,
        content_type=fields["type"],
        record_id="",
        record_type="warcinfo" if fields["url"].startswith("filedesc:") else "response",
        url=fields["url"],
        date=_arc_date(fields["date"]),
        truncated=None,
    )


def warc_fields(header: bytes) -> dict[str, str]:
    """Fields of a WARC record's header by lower-cased name."""
    return parse_fields(header.decode("utf-8", "replace"))


def length_told(value: str) -> int | None:
    """A Content-Length; None where there is none, or one that is no number of bytes."""
    is_number = value.isascii() and value.isdigit() and len(value) <= _MAX_LENGTH_DIGITS
    return int(value) if is_number else None


def _record(
    block: Block,
    *,
    offset: int,
    length: int,
    content_type: str,
    record_id: str,
    record_type: str,
    url: str,
    date: datetime | None,
    truncated: str | None,
) -> WarcRecord:
    response = response_of(block.http_head, block.body) if block.http_head else None
    problem, detail = _problem(block, response, is_told=truncated is not None)
    return WarcRecord(
        offset,
        length,
        record_id,
        record_type,
        url,
        date,
        response.status if response else None,
        response.content_type if response else media_type(content_type),
        response.payload if response else block.body,
        response.charset if response else None,
        problem,
        detail,
        truncated,
        block.http_head,
        block.problem not in ("truncated", "damaged"),
    )


def _problem(
    block: Block, response: HttpResponse | None, *, is_told: bool
) -> tuple[str | None, str]:
    """What is wrong with a record, and the same in words.

    Chunks that end early are no problem where the crawler has told (`is_told`) that it cut them.
    """
    if block.problem:
        return block.problem, block.detail
    if response and response.cut and not is_told:
        return "truncated", response.cut
    if response and response.undecodable:
        return "undecodable_payload", response.undecodable
    return None, ""


def _iso_date(value: str) -> datetime | None:
    try:
        date = datetime.fromisoformat(value)
    except ValueError:
        return None
    if date.tzinfo is not UTC:
        try:
            date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
        except OverflowError:  # the first or the last day that there is, elsewhere
            return None
    return _plausible(date)


def _arc_date(value: str) -> datetime | None:
    """The time of `20140216050221`; missing digits are the first month, day, hour and so on."""
    digits = value + "00000101000000"[len(value) :]
    try:
        return _plausible(datetime.strptime(digits[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC))
    except ValueError:
        return None


def _plausible(date: datetime) -> datetime | None:
    """`date`, where the web was there and nanoseconds of 64 bits hold it; some readers use them."""
    return date if _FIRST_YEAR <= date.year <= _LAST_YEAR else None
