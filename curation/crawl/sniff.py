"""Whether a payload whose type nobody told is HTML, by how it begins."""

from __future__ import annotations

import re

_START = re.compile(rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE)
_START_BYTES = 1024
"""Bytes in which the first tag must begin."""
_BLANK = re.compile(rb"[ \t\r\n\f]*")
_BOM = b"\xef\xbb\xbf"
_BRACKETS = ((b"<!--", b"-->"), (b"<?", b">"))
"""How a comment and a processing instruction (`<?xml ...?>`) begin and end."""
_MAGIC = (
    (b"\x89PNG\r\n", "png"), (b"GIF87a", "gif"), (b"GIF89a", "gif"), (b"\xff\xd8\xff", "jpeg"),
    (b"RIFF", "riff"), (b"%PDF-", "pdf"), (b"PK\x03\x04", "zip"), (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"), (b"7z\xbc\xaf\x27\x1c", "7z"), (b"Rar!\x1a", "rar"),
    (b"OggS", "ogg"), (b"ID3", "mp3"), (b"fLaC", "flac"), (b"\x7fELF", "elf"), (b"wOFF", "woff"),
    (b"wOF2", "woff2"), (b"\xd0\xcf\x11\xe0", "ole"), (b"%!PS", "postscript"), (b"{\\rtf", "rtf"),
)  # fmt: skip
MAX_PREAMBLE_BYTES = 1 << 16
"""Longest preamble that is skipped."""


def is_html(payload: bytes) -> bool:
    """Whether HTML begins in the first 1,024 bytes, or in those behind a preamble.

    A preamble is white space, comments and processing instructions, of at most
    `MAX_PREAMBLE_BYTES` in all.
    """
    if _START.search(payload, 0, _START_BYTES):
        return True
    start = preamble_bytes(payload)
    return bool(start and _START.search(payload, start, start + _START_BYTES))


def binary_kind(payload: bytes) -> str:
    """What `payload` is by its first bytes, where that is a well-known binary format; else empty.

    Servers send pictures and archives as `text/html`; decoded, they would be pages of nonsense.
    """
    return next((kind for magic, kind in _MAGIC if payload.startswith(magic)), "")


def preamble_bytes(payload: bytes) -> int:
    """Length of the white space, comments and processing instructions that `payload` begins with.

    One that does not end within `MAX_PREAMBLE_BYTES` does not count.
    """
    position = len(_BOM) if payload.startswith(_BOM) else 0
    while True:
        position = _end_of_blank(payload, position)
        end = _end_of_bracket(payload, position)
        if end is None:
            return position
        position = end


def _end_of_blank(payload: bytes, start: int) -> int:
    blank = _BLANK.match(payload, start, MAX_PREAMBLE_BYTES)
    return blank.end() if blank else start


def _end_of_bracket(payload: bytes, start: int) -> int | None:
    """Where the comment or the instruction ends that begins at `start`; None: there is none."""
    for opening, closing in _BRACKETS:
        if payload.startswith(opening, start):
            # Both dashes of `<!-->` may be those of its beginning (HTML standard, 13.2.5.43).
            end = payload.find(closing, start + 2, MAX_PREAMBLE_BYTES)
            return end + len(closing) if end >= 0 else None
    return None
