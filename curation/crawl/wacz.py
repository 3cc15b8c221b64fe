"""The WARC files inside a WACZ, a zip archive, read in place.

Source: the WACZ specification 1.1.1: the WARC files lie under `archive/`, and are stored there
without compression, so that a record can be read by its place in the WACZ.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO, cast

_ZIP_MAGIC = b"PK\x03\x04"
_LOCAL_HEADER_BYTES = 30
_FOLDER = "archive/"
_NAMES = (".warc", ".warc.gz", ".warc.zst", ".warc.lz4", ".arc", ".arc.gz")
_SPOOLED_BYTES = 1 << 26
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True)
class Entry:
    """A WARC file in a zip archive."""

    name: str
    start: int
    """Offset in the archive of its first (compressed) byte."""
    n_packed_bytes: int
    """Its bytes in the archive."""
    n_bytes: int
    is_stored: bool
    """Whether it lies in the archive as it is."""
    fault: str = ""
    """Why it cannot be read; empty where it can."""


def warc_entries(file: BinaryIO) -> list[Entry] | None:
    """The WARC files in `file`, in the order of their bytes.

    None where it is no zip archive, or one whose directory cannot be read or is wrong: its bytes
    are then searched for records like those of any other damaged file.
    """
    file.seek(0)
    if file.read(len(_ZIP_MAGIC)) != _ZIP_MAGIC:
        return None
    listed = _directory(file)
    if listed is None:
        return None
    size = file.seek(0, io.SEEK_END)
    entries = [_entry(file, info, size) for info in listed if _is_warc(info.filename)]
    if None in entries:
        return None
    return sorted((entry for entry in entries if entry is not None), key=lambda entry: entry.start)


def _directory(file: BinaryIO) -> list[zipfile.ZipInfo] | None:
    """What the directory of a zip archive lists; None where it cannot be read.

    Beside its own error, zipfile lets pass that of a name which is not UTF-8 and says it is, and
    raises another for a version that it does not know.
    """
    try:
        with zipfile.ZipFile(file) as archive:
            return archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, UnicodeDecodeError):
        return None


def stored_content(file: BinaryIO, entry: Entry) -> BinaryIO:
    """The content of an entry that is stored as it is."""
    return cast(BinaryIO, io.BufferedReader(_Part(file, entry.start, entry.n_bytes)))


def inflated_content(file: BinaryIO, entry: Entry) -> tuple[BinaryIO, str]:
    """The content of an entry that the zip has deflated, and why it ends early; empty: it does not.

    Kept in memory up to 64 MiB, in a temporary file beyond.
    """
    content = cast(BinaryIO, tempfile.SpooledTemporaryFile(max_size=_SPOOLED_BYTES))  # noqa: SIM115
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    part = _Part(file, entry.start, entry.n_packed_bytes)
    try:
        while not inflater.eof and (packed := inflater.unconsumed_tail or part.read(_PIECE_BYTES)):
            content.write(inflater.decompress(packed, _PIECE_BYTES))
    except zlib.error as error:
        return content, f"{entry.name}: damaged: {error}"
    return content, "" if inflater.eof else f"{entry.name}: compressed data end early"


def _is_warc(name: str) -> bool:
    return name.startswith(_FOLDER) and name.lower().endswith(_NAMES)


def _entry(file: BinaryIO, info: zipfile.ZipInfo, size: int) -> Entry | None:
    """The entry that the directory tells; None where it is not at its place.

    Its local header says where its bytes begin.
    """
    if info.header_offset < 0:
        return None
    file.seek(info.header_offset)
    header = file.read(_LOCAL_HEADER_BYTES)
    if not header.startswith(_ZIP_MAGIC) or len(header) < _LOCAL_HEADER_BYTES:
        return None
    n_name_bytes = int.from_bytes(header[26:28], "little")
    n_extra_bytes = int.from_bytes(header[28:30], "little")
    start = info.header_offset + _LOCAL_HEADER_BYTES + n_name_bytes + n_extra_bytes
    is_stored = info.compress_type == zipfile.ZIP_STORED
    n_packed_bytes = max(0, min(info.compress_size, size - start))
    fault = _fault(info)
    n_bytes = n_packed_bytes if is_stored else info.file_size
    return Entry(info.filename, start, n_packed_bytes, n_bytes, is_stored, fault)


def _fault(info: zipfile.ZipInfo) -> str:
    if info.flag_bits & 1:
        return f"{info.filename}: encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"{info.filename}: compressed by method {info.compress_type} of zip"
    return ""


class _Part(io.RawIOBase):
    """`n_bytes` of `file` from `start` on, as a file of its own."""

    def __init__(self, file: BinaryIO, start: int, n_bytes: int) -> None:
        self._file = file
        self._start = start
        self._n_bytes = n_bytes
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        bases = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._n_bytes}
        self._position = bases[whence] + offset
        return self._position

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        n_left = max(0, self._n_bytes - self._position)
        self._file.seek(self._start + self._position)
        data = self._file.read(min(len(buffer), n_left))
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
