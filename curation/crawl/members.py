"""The fast path through a well-formed archive: every record alone in a member of its own.

It reads gzip through ISA-L (`crawl/gzip_members.py`), and zstd and lz4 through FastWARC's
decompressors, which say nothing of a member that ends early. So a record is only told here when all
of it is in order: a header, a block of exactly the length that the header tells, two line ends, and
then the next member, which begins with a record. At anything else this path stops and gives the
offset back, and the exact path of `crawl/stream.py` reads on from there. The last member of a file
is always left to the exact path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from typing import BinaryIO, Protocol

from curation.crawl.http import HEAD_END
from curation.crawl.record import Block, WarcRecord, length_told, warc_fields, warc_record

WARC_START = re.compile(rb"(?i:WARC)/\d+\.\d+[ \t\r]*\n")
"""The first line of a WARC record."""

_READ_BYTES = 1 << 17
_HEAD_PIECE_BYTES = 384
_BODY_PIECE_BYTES = 1 << 17
_MAX_HEAD_BYTES = 1 << 13
_RECORD_END = b"\r\n\r\n"


class Members(Protocol):
    """The members of a compressed file, as FastWARC's decompressors give them."""

    def read(self, n_bytes: int, /) -> bytes:
        """The next bytes, also of the members behind; empty at the end."""
        ...

    def frame_start_position(self) -> int | None:
        """File offset of the member that was read from last."""
        ...


class _Member:
    """A member whose first bytes are read: its file offset and its record's header."""

    __slots__ = ("fields", "offset", "rest")

    def __init__(self, offset: int, fields: dict[str, str], rest: bytes) -> None:
        self.offset = offset
        self.fields = fields
        self.rest = rest
        """What was read behind the header."""


class MemberReader:
    """Reads records from the members of a compressed file, beginning at the member at `offset`."""

    def __init__(self, file: BinaryIO, offset: int, opener: Callable[..., Members]) -> None:
        file.seek(offset)
        self._first_offset = offset
        self._reader = opener(file, buffer_size=_READ_BYTES)

    def records(self, max_block_bytes: int) -> Generator[WarcRecord, None, int]:
        """Records up to the first member that is not in order, or up to the last member.

        Returns the file offset of that member.
        """
        member = self._next_member()
        if member is None:
            return self._first_offset
        while True:
            block = self._block(member, max_block_bytes)
            after = self._next_member() if block is not None else None
            if block is None or after is None or after.offset == member.offset:
                return member.offset
            length = after.offset - member.offset
            yield warc_record(member.fields, block, offset=member.offset, length=length)
            member = after

    def _next_member(self) -> _Member | None:
        """The next member; None where no record begins, or the file ends."""
        head = self._read(1)
        if not head:
            return None
        # By the first byte alone, because a longer read may reach into the member behind.
        offset = self._reader.frame_start_position() or 0
        head += self._read(_HEAD_PIECE_BYTES)
        if WARC_START.match(head) is None:
            return None
        return self._with_header(offset, head)

    def _with_header(self, offset: int, head: bytes) -> _Member | None:
        while (end := HEAD_END.search(head)) is None:
            piece = self._read(_HEAD_PIECE_BYTES)
            if not piece or len(head) > _MAX_HEAD_BYTES:
                return None
            head += piece
        return _Member(offset, warc_fields(head[: end.start()]), head[end.end() :])

    def _block(self, member: _Member, max_bytes: int) -> Block | None:
        """The member's block; None where it is not as long as told, or not all that there is."""
        n_bytes = length_told(member.fields.get("content-length", ""))
        if n_bytes is None or not len(member.rest) <= n_bytes <= max_bytes:
            return None
        data = member.rest + self._read(min(_HEAD_PIECE_BYTES, n_bytes - len(member.rest)))
        if not data.startswith(b"HTTP/"):
            return self._whole(b"", data, n_bytes - len(data))
        while (end := HEAD_END.search(data)) is None:
            piece = self._read(min(_HEAD_PIECE_BYTES, n_bytes - len(data)))
            if not piece or len(data) > _MAX_HEAD_BYTES:
                return None
            data += piece
        return self._whole(data[: end.start()], data[end.end() :], n_bytes - len(data))

    def _whole(self, http_head: bytes, body: bytes, n_left: int) -> Block | None:
        """The block of which `n_left` bytes are still to be read; None where it is not whole."""
        parts = [body]
        while n_left > 0:
            # Pieces that fit the processor's cache: a tenth faster than one read of all.
            piece = self._read(min(n_left, _BODY_PIECE_BYTES))
            if not piece:
                return None
            parts.append(piece)
            n_left -= len(piece)
        if self._read(len(_RECORD_END)) != _RECORD_END:
            return None
        return Block(http_head, b"".join(parts))

    def _read(self, n_bytes: int) -> bytes:
        """The next `n_bytes`; fewer where the file ends or is damaged."""
        try:
            return self._reader.read(n_bytes)
        except OSError as error:
            # FastWARC reports damaged data as an OSError without a number; a failing disk has one.
            if error.errno is not None:
                raise
            return b""
