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
