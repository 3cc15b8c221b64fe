"""Where the frames of a zstd or lz4 file end, told by their headers without decompressing them.

FastWARC 2.0.1 reads an lz4 frame that lacks its last bytes without a word, and tells the offset of
a frame only by what it has read of it. Sources: RFC 8878 (zstd), the LZ4 frame format 1.6.3, and
the "Zstandard compression" draft of the WARC format, by which a file may begin with a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

FrameEnd = Callable[[BinaryIO, int], int | None]

_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
_LZ4_MAGIC = b"\x04\x22\x4d\x18"
_SKIPPABLE_MAGIC = b"\x2a\x4d\x18"
"""Behind a byte from 0x50 to 0x5f: a frame of any bytes, of which zstd and lz4 take no notice."""
_DICTIONARY_MAGIC = b"\x5d\x2a\x4d\x18"


class Span:
    """The bytes of `file` from `start` to `end`, as a file to read from, behind `prefix`."""

    def __init__(self, file: BinaryIO, start: int, end: int, *, prefix: bytes = b"") -> None:
        self._file = file
        self._position = start
        self._end = end
        self._prefix = prefix
        self._n_read = 0

    def read(self, n_bytes: int = -1) -> bytes:
        """The next bytes, at most `n_bytes` of them; all where it is negative."""
        n_wanted = n_bytes if n_bytes >= 0 else len(self._prefix) + self._end - self._position
        data, self._prefix = self._prefix[:n_wanted], self._prefix[n_wanted:]
        n_left = min(n_wanted - len(data), self._end - self._position)
        self._file.seek(self._position)
        rest = self._file.read(n_left)
        self._position += len(rest)
        self._n_read += len(data) + len(rest)
        return data + rest

    def tell(self) -> int:
        """Bytes read; FastWARC looks for a dictionary only in a stream that stands at 0."""
        return self._n_read


def zstd_dictionary(file: BinaryIO) -> bytes:
    """The frame with the dictionary that `file` begins with; empty where there is none."""
    file.seek(0)
    head = file.read(8)
    if not head.startswith(_DICTIONARY_MAGIC):
        return b""
    return head + file.read(int.from_bytes(head[4:8], "little"))


def is_skippable(file: BinaryIO, start: int) -> bool:
    """Whether the frame at `start` is one without content, a dictionary included."""
    file.seek(start)
    return file.read(4)[1:] == _SKIPPABLE_MAGIC


def zstd_frame_end(file: BinaryIO, start: int) -> int | None:
    """Offset behind the zstd or skippable frame at `start`; None where it is none, or cut short."""
    file.seek(start)
    magic = file.read(4)
    if magic[1:] == _SKIPPABLE_MAGIC:
        return _skippable_end(file)
    if magic != _ZSTD_MAGIC:
        return None
    (descriptor,) = file.read(1) or b"\x08"  # the reserved bit, which no frame has set
    if descriptor & 8 or not _skip(file, _zstd_header_bytes(descriptor)):
        return None
    is_last = False
    while not is_last:
        block = file.read(3)
        header = int.from_bytes(block, "little")
        is_last, kind, n_bytes = bool(header & 1), header >> 1 & 3, header >> 3
        # Kind 1 repeats a single byte; kind 3 is reserved.
        if len(block) < 3 or kind == 3 or not _skip(file, 1 if kind == 1 else n_bytes):
            return None
    return file.tell() if _skip(file, 4 if descriptor & 4 else 0) else None


def _zstd_header_bytes(descriptor: int) -> int:
    is_single_segment = bool(descriptor & 0x20)
    n_size_bytes = (int(is_single_segment), 2, 4, 8)[descriptor >> 6]
    return (0 if is_single_segment else 1) + (0, 1, 2, 4)[descriptor & 3] + n_size_bytes


def lz4_frame_end(file: BinaryIO, start: int) -> int | None:
    """Offset behind the lz4 or skippable frame at `start`; None where it is none, or cut short."""
    file.seek(start)
    magic = file.read(4)
    if magic[1:] == _SKIPPABLE_MAGIC:
        return _skippable_end(file)
    flags = file.read(2)
    if magic != _LZ4_MAGIC or len(flags) < 2 or flags[0] >> 6 != 1:
        return None
    if not _skip(file, (8 if flags[0] & 8 else 0) + (4 if flags[0] & 1 else 0) + 1):
        return None
    n_checksum_bytes = 4 if flags[0] & 0x10 else 0
    while (block := file.read(4)) != b"\0\0\0\0":
        n_bytes = int.from_bytes(block, "little") & 0x7FFFFFFF  # the highest bit: not compressed
        if len(block) < 4 or not _skip(file, n_bytes + n_checksum_bytes):
            return None
    return file.tell() if _skip(file, 4 if flags[0] & 4 else 0) else None


def _skippable_end(file: BinaryIO) -> int | None:
    size = file.read(4)
    return file.tell() if len(size) == 4 and _skip(file, int.from_bytes(size, "little")) else None


def _skip(file: BinaryIO, n_bytes: int) -> bool:
    """Moves on by `n_bytes`; false where the file ends before."""
    if n_bytes == 0:
        return True
    file.seek(n_bytes - 1, 1)
    return len(file.read(1)) == 1
