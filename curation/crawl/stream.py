"""The bytes of an archive file, decompressed, and the file offsets that lead to them.

Gzip goes through zlib, because FastWARC 2.0.1 and warcio 1.8.1 say nothing when a member ends
early; zstd and lz4 go through FastWARC.
"""

from __future__ import annotations

import re
import zlib
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from fastwarc.stream_io import Lz4Reader, WarcReader, ZstdReader

_GZIP_MAGIC = b"\x1f\x8b\x08"
_ZSTD_MAGICS = (b"\x28\xb5\x2f\xfd", b"\x5d\x2a\x4d\x18")  # a frame, or its dictionary
_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_GZIP_WINDOW = 16 + zlib.MAX_WBITS
_READ_BYTES = 1 << 14
_PIECE_BYTES = 1 << 20
_FRAME_PIECE_BYTES = 1 << 12

_RECORD_HEAD = re.compile(rb"(?i)\s*(?:WARC/\d|[a-z]+:[^\n]* \d{8})")


@dataclass(frozen=True)
class Piece:
    """Bytes, and the file offset of the first of them, or of the member that they come from."""

    offset: int
    data: bytes


@dataclass(frozen=True)
class Break:
    """Where decompression had to stop: file offset of the member, and what is wrong with it."""

    offset: int
    detail: str


_Pieces = Iterator[Piece | Break]


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

    def skip_to(self, pattern: re.Pattern[bytes], *, n_overlap: int) -> None:
        """Moves to the first match of `pattern` behind the next byte, or to the stretch's end.

        Args:
            pattern: What to look for.
            n_overlap: Bytes of the longest match.
        """
        self.skip(1)
        while self.fill(_PIECE_BYTES):
            if match := pattern.search(self._window):
                self._drop(match.start())
                return
            self._drop(len(self._window) - (0 if self._has_ended() else n_overlap))

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


def open_stream(file: BinaryIO) -> ByteStream:
    """A stream over `file`, which stands at its beginning; the first bytes tell how it is packed.

    Neither the name nor the content of the file raises anything; reading it may raise OSError.
    """
    magic = file.read(4)
    file.seek(0)
    if magic.startswith(_GZIP_MAGIC):
        return ByteStream(_gzip_pieces(file), is_compressed=True)
    if magic in _ZSTD_MAGICS:
        return ByteStream(_framed_pieces(ZstdReader(file)), is_compressed=True)
    if magic == _LZ4_MAGIC:
        return ByteStream(_framed_pieces(Lz4Reader(file)), is_compressed=True)
    return ByteStream(_plain_pieces(file), is_compressed=False)


def _plain_pieces(file: BinaryIO) -> _Pieces:
    offset = 0
    while data := file.read(_READ_BYTES):
        yield Piece(offset, data)
        offset += len(data)


def _gzip_pieces(file: BinaryIO) -> _Pieces:
    offset: int | None = 0
    while offset is not None and _has_byte(file, offset):
        end = yield from _member_pieces(file, offset)
        offset = end if end is not None else _next_member(file, offset + 1)


def _has_byte(file: BinaryIO, offset: int) -> bool:
    file.seek(offset)
    return bool(file.read(1))


def _member_pieces(file: BinaryIO, offset: int) -> Generator[Piece | Break, None, int | None]:
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


def _next_member(file: BinaryIO, start: int) -> int | None:
    """Offset of the first gzip member from `start` on in which a record begins."""
    while (offset := _find_magic(file, start)) is not None:
        file.seek(offset)
        if _begins_record(file.read(_READ_BYTES)):
            return offset
        start = offset + 1
    return None


def _find_magic(file: BinaryIO, start: int) -> int | None:
    file.seek(start)
    data = b""
    while block := file.read(_READ_BYTES):
        data = data[-len(_GZIP_MAGIC) + 1 :] + block
        if (index := data.find(_GZIP_MAGIC)) >= 0:
            return file.tell() - len(data) + index
    return None


def _begins_record(packed: bytes) -> bool:
    try:
        head = zlib.decompressobj(_GZIP_WINDOW).decompress(packed, _READ_BYTES)
    except zlib.error:
        return False
    return _RECORD_HEAD.match(head) is not None


def _framed_pieces(reader: WarcReader) -> _Pieces:
    """Pieces of a zstd or lz4 file; the last one before damage is lost, and nothing comes behind.

    Small ones, because FastWARC tells the frame of a piece's last byte only.
    """
    try:
        while data := reader.read(_FRAME_PIECE_BYTES):
            yield Piece(reader.frame_start_position() or 0, data)
    except OSError as error:
        # FastWARC reports damaged data as an OSError without a number; a failing disk has one.
        if error.errno is not None:
            raise
        yield Break(reader.inner_tell(), f"damaged: {error}")
