"""The bytes of an archive file, decompressed, and the file offsets that lead to them.

Gzip goes through zlib, because FastWARC 2.0.1 and warcio 1.8.1 say nothing when a member ends
early; frames of zstd and lz4 are measured by `crawl/frames.py` and go through FastWARC. This is the
exact and slow path; `crawl/members.py` is the fast one for files that are in order.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import BinaryIO

from fastwarc.stream_io import Lz4Reader, WarcReader, ZstdReader

from curation.crawl.frames import (
    FrameEnd,
    Span,
    is_skippable,
    lz4_frame_end,
    zstd_dictionary,
    zstd_frame_end,
)
from curation.crawl.gzip_members import GzipMembers
from curation.crawl.members import Members

_GZIP_MAGIC = b"\x1f\x8b\x08"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_READ_BYTES = 1 << 14
_PIECE_BYTES = 1 << 20
_HEAD_SPAN_BYTES = 1 << 18

_RECORD_HEAD = re.compile(rb"(?i)\s*(?:WARC/\d|[a-z]+:[^\n]* \d{8})")


@dataclass(frozen=True, slots=True)
class Piece:
    """Bytes, and the file offset of the first of them, or of the member that they come from."""

    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Break:
    """Where decompression had to stop: file offset of the member, and what is wrong with it."""

    offset: int
    detail: str


_Pieces = Iterator[Piece | Break]
_Member = Generator[Piece | Break, None, int | None]
Opener = Callable[..., WarcReader]


@dataclass(frozen=True)
class Codec:
    """A way of compressing archives, member by member."""

    name: str
    magics: tuple[bytes, ...]
    """What a member begins with; behind the first, what only a file begins with."""
    members: Callable[..., Members]
    """What goes through all members of a file that is in order."""
    pieces: Callable[[BinaryIO, int, bytes], _Member]
    """The member at an offset, with the file's dictionary."""
    head: Callable[[BinaryIO, int, bytes], bytes]
    """The first bytes of the member at an offset; empty where there is none."""
    dictionary: Callable[[BinaryIO], bytes]
    """What every member needs beside its own bytes."""


@dataclass(frozen=True)
class Start:
    """How a record begins."""

    line: re.Pattern[bytes]
    """Its first line."""

    @cached_property
    def later_line(self) -> re.Pattern[bytes]:
        """The same behind a line end; looking for it is fast only with this condition."""
        return re.compile(rb"(?<=\n)(?:" + self.line.pattern + rb")")


class ByteStream:
    """A window on the bytes of one archive, from the next byte on.

    The bytes come in stretches, which end at a break or at the end of the file. `fill` never reads
    past the end of a stretch; `resume` goes on behind it.
    """

    def __init__(self, pieces: _Pieces, *, is_compressed: bool) -> None:
        self._pieces = pieces
        self._is_compressed = is_compressed
        self._window = bytearray()
        self._n_passed = 0
        self._members: deque[tuple[int, int]] = deque()
        self._break: Break | None = None
        self._is_at_end = False

    @property
    def window(self) -> bytearray:
        """The bytes read ahead, the next byte first. To look at, neither to keep nor to change."""
        return self._window

    @property
    def offset(self) -> int:
        """File offset of the next byte, or of the compressed member that it lies in.

        There must be a next byte: call `fill` before.
        """
        while len(self._members) > 1 and self._members[1][0] <= self._n_passed:
            self._members.popleft()
        position, offset = self._members[0]
        return offset if self._is_compressed else offset + self._n_passed - position

    @property
    def member_begun(self) -> int | None:
        """File offset of the compressed member that begins with the next byte; None: it does not.

        There must be a next byte: call `fill` before.
        """
        offset = self.offset
        return offset if self._is_compressed and self._members[0][0] == self._n_passed else None

    def fill(self, n_bytes: int) -> int:
        """Reads on until the window has `n_bytes`; returns how many of them it has."""
        while len(self._window) < n_bytes and not self._has_ended():
            self._read_piece()
        return min(n_bytes, len(self._window))

    def take(self, n_bytes: int) -> bytes:
        """Returns the next `n_bytes` and moves behind them; fewer where the stretch ends before."""
        data = bytes(self._window[: self.fill(n_bytes)])
        self._drop(len(data))
        return data

    def skip(self, n_bytes: int) -> int:
        """Moves on by `n_bytes`; returns by how many, fewer where the stretch ends before."""
        n_left = n_bytes
        while n_left and (n_filled := self.fill(min(n_left, _PIECE_BYTES))):
            self._drop(n_filled)
            n_left -= n_filled
        return n_bytes - n_left

    def skip_blank(self) -> None:
        """Moves behind any line ends."""
        while self.fill(1) and self._window[0] in b"\r\n":
            self._drop(1)

    def find(self, start: Start, n_bytes: int) -> int | None:
        """Where in the next `n_bytes` of the window `start` is, but for its first byte.

        Behind a line end, or at the beginning of a compressed member. None: nowhere.
        """
        members = [at - self._n_passed for at, _ in self._members] if self._is_compressed else []
        found = [i for i in members if 0 < i < n_bytes and start.line.match(self._window, i)][:1]
        if match := start.later_line.search(self._window, 1, n_bytes):
            found.append(match.start())
        return min(found, default=None)

    def skip_to(self, start: Start, *, n_overlap: int) -> None:
        """Moves to the first match of `start` behind the next byte, as `find` has it.

        To the stretch's end where there is none; `n_overlap` are the bytes of the longest match.
        """
        while n_filled := self.fill(_PIECE_BYTES):
            found = self.find(start, len(self._window))
            if found is not None:
                self._drop(found)
                return
            # The last bytes stay: a match may begin in them, behind the line end before it.
            self._drop(len(self._window) if self._has_ended() else n_filled - n_overlap)

    def ended_by(self) -> Break | None:
        """The break that ended the stretch, once it is used up; None at the end of the file."""
        return None if self.fill(1) else self._break

    def resume(self) -> None:
        """Goes on behind the break that ended the stretch, which must be used up."""
        self._break = None

    def _has_ended(self) -> bool:
        return self._is_at_end or self._break is not None

    def _read_piece(self) -> None:
        piece = next(self._pieces, None)
        if piece is None:
            self._is_at_end = True
        elif isinstance(piece, Break):
            self._break = piece
        else:
            self._note_member(piece.offset)
            self._window += piece.data

    def _note_member(self, offset: int) -> None:
        if not self._members or self._members[-1][1] != offset:
            self._members.append((self._n_passed + len(self._window), offset))

    def _drop(self, n_bytes: int) -> None:
        del self._window[:n_bytes]
        self._n_passed += n_bytes


def codec_of(file: BinaryIO) -> Codec | None:
    """How `file` is compressed, told by its first bytes; None where it is not."""
    file.seek(0)
    magic = file.read(4)
    return next((codec for codec in _CODECS if magic.startswith(codec.magics)), None)


def codec_within(file: BinaryIO) -> Codec | None:
    """How the first record is compressed that lies in `file` behind a spoiled beginning.

    None where there is no compressed record. Reads the file up to there, once for each codec.
    """
    found = ((_next_member(file, codec, 0), codec) for codec in _CODECS)
    starts = [(start, codec) for start, codec in found if start is not None]
    return min(starts, key=lambda pair: pair[0])[1] if starts else None


def open_stream(file: BinaryIO, codec: Codec | None, start: int = 0) -> ByteStream:
    """A stream over `file` from the member at the offset `start` on.

    The content of the file raises nothing; reading it may raise OSError.
    """
    if codec is None:
        return ByteStream(_plain_pieces(file, start), is_compressed=False)
    return ByteStream(_member_pieces(file, codec, start), is_compressed=True)


def _plain_pieces(file: BinaryIO, start: int) -> _Pieces:
    file.seek(start)
    while data := file.read(_READ_BYTES):
        yield Piece(start, data)
        start += len(data)


def _member_pieces(file: BinaryIO, codec: Codec, start: int) -> _Pieces:
    dictionary = codec.dictionary(file)
    offset: int | None = start
    while offset is not None and _has_byte(file, offset):
        end = yield from codec.pieces(file, offset, dictionary)
        offset = end if end is not None else _next_member(file, codec, offset + 1)


def _has_byte(file: BinaryIO, offset: int) -> bool:
    file.seek(offset)
    return bool(file.read(1))


def _gzip_pieces(file: BinaryIO, offset: int, dictionary: bytes) -> _Member:
    """One gzip member; returns the offset behind it, None where it is damaged."""
    file.seek(offset)
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    while not inflater.eof:
        packed = inflater.unconsumed_tail or file.read(_READ_BYTES)
        if not packed:
            yield Break(offset, "the file ends inside a gzip member")
            return None
        try:
            data = inflater.decompress(packed, _PIECE_BYTES)
        except zlib.error as error:
            yield Break(offset, f"not gzip, or damaged: {error}")
            return None
        if data:
            yield Piece(offset, data)
    return file.tell() - len(inflater.unused_data)


def _frame_pieces(
    file: BinaryIO, offset: int, dictionary: bytes, *, find_end: FrameEnd, opener: Opener
) -> _Member:
    """One zstd or lz4 frame; returns the offset behind it, None where it is damaged."""
    end = find_end(file, offset)
    if end is None:
        yield Break(offset, "not a frame, or the file ends inside it")
        return None
    if is_skippable(file, offset):
        return end
    reader = opener(Span(file, offset, end, prefix=dictionary if offset else b""))
    try:
        while data := reader.read(_PIECE_BYTES):
            yield Piece(offset, data)
    except OSError as error:
        # FastWARC reports damaged data as an OSError without a number; a failing disk has one.
        if error.errno is not None:
            raise
        yield Break(offset, f"damaged: {error}")
        return None
    return end


def _next_member(file: BinaryIO, codec: Codec, start: int) -> int | None:
    """Offset of the first member from `start` on in which a record begins."""
    dictionary = codec.dictionary(file)
    while (offset := _find_magic(file, codec.magics[0], start)) is not None:
        if _RECORD_HEAD.match(codec.head(file, offset, dictionary)):
            return offset
        start = offset + 1
    return None


def _find_magic(file: BinaryIO, magic: bytes, start: int) -> int | None:
    file.seek(start)
    data = b""
    while block := file.read(_READ_BYTES):
        data = data[-len(magic) + 1 :] + block
        if (index := data.find(magic)) >= 0:
            return file.tell() - len(data) + index
    return None


def _gzip_head(file: BinaryIO, offset: int, dictionary: bytes) -> bytes:
    file.seek(offset)
    try:
        return zlib.decompressobj(_GZIP_WINDOW).decompress(file.read(_READ_BYTES), _READ_BYTES)
    except zlib.error:
        return b""


def _frame_head(file: BinaryIO, offset: int, dictionary: bytes, *, opener: Opener) -> bytes:
    try:
        return opener(Span(file, offset, offset + _HEAD_SPAN_BYTES, prefix=dictionary)).read(512)
    except OSError as error:
        if error.errno is not None:
            raise
        return b""


def _no_dictionary(file: BinaryIO) -> bytes:
    return b""


_CODECS = (
    Codec("gzip", (_GZIP_MAGIC,), GzipMembers, _gzip_pieces, _gzip_head, _no_dictionary),
    Codec(
        "zstd",
        (b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18"),  # a frame, or its dictionary
        ZstdReader,
        partial(_frame_pieces, find_end=zstd_frame_end, opener=ZstdReader),
        partial(_frame_head, opener=ZstdReader),
        zstd_dictionary,
    ),
    Codec(
        "lz4",
        (b"\x04\x22\x4d\x18",),
        Lz4Reader,
        partial(_frame_pieces, find_end=lz4_frame_end, opener=Lz4Reader),
        partial(_frame_head, opener=Lz4Reader),
        _no_dictionary,
    ),
)
