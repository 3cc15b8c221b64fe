"""Bytes of a page -> text, with the charset and what it was told by."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

# Registers the codecs `sloppy-*`, which read the bytes that Python leaves undefined as WHATWG does.
import ftfy.bad_codecs  # noqa: F401
from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

Source = Literal["bom", "header", "meta", "detected", "fallback"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_META_BYTES = 1024
_COMMENT = re.compile(rb"<!--.*?(?:-->|\Z)", re.DOTALL)
_META = re.compile(rb"""<meta[\s/][^>]*?charset\s*=\s*["']?\s*([\w.:+-]+)""", re.IGNORECASE)
_REMOVED = re.compile("[\0\ud800-\udfff]")

_MAX_BAD_FRAC = 0.1
"""Share of the characters beyond ASCII that may be unreadable before a charset is given up."""
_MIN_UTF8_CHARS = 4
"""Characters beyond ASCII in valid UTF-8 that outweigh a declaration of another charset."""

_WIDER_CODECS = {
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "gbk": "gb18030",
    "big5": "big5hkscs",
    "iso8859-11": "sloppy-cp874",
}
"""Python's codecs for WHATWG's decoders, where those read more than the name says."""

_WHATWG_NAMES = {
    "cp866": "ibm866",
    "iso8859-11": "windows-874",
    "mac-roman": "macintosh",
    "shift_jis": "shift_jis",
    "utf-16-be": "utf-16be",
    "utf-16-le": "utf-16le",
}


@dataclass(frozen=True)
class Decoded:
    """Text of a page, without NUL and lone surrogates; the charset by its WHATWG name."""

    text: str
    charset: str
    source: Source


def decode(payload: bytes, http_charset: str | None) -> Decoded:
    """`payload` as text. Order of the HTML standard: BOM, HTTP header, meta, detection, UTF-8.

    A declared charset that plainly fails is passed over: an unknown name, more than a tenth of the
    characters beyond ASCII unreadable, UTF-16 without a NUL byte, or any other charset than UTF-8
    where the bytes are valid UTF-8 with at least four characters beyond ASCII. A detected charset
    is held to the same. Where nothing is left, UTF-8 with U+FFFD for what is unreadable.
    """
    for bom, codec in _BOMS:
        if payload.startswith(bom):
            return _decoded(payload[len(bom) :], codec, "bom")
    n_utf8_chars = _n_utf8_chars(payload)
    for codec, source in _candidates(payload, http_charset, is_utf8=n_utf8_chars is not None):
        if codec != "utf-8" and (n_utf8_chars or 0) >= _MIN_UTF8_CHARS:
            continue
        decoded = _decoded(payload, codec, source)
        if not _fails(payload, codec, decoded.text):
            return decoded
    return _decoded(payload, "utf-8", "fallback")


def _candidates(
    payload: bytes, http_charset: str | None, *, is_utf8: bool
) -> Iterator[tuple[str, Source]]:
    """Codecs in the order in which the standard asks for them. Detection costs the most: last."""
    if http_charset and (codec := _codec(http_charset)):
        yield codec, "header"
    if codec := _meta_codec(payload):
        yield codec, "meta"
    if is_utf8:
        yield "utf-8", "detected"
    elif codec := detect_encoding(payload):
        yield codec, "detected"


def _codec(label: str) -> str | None:
    """Resiliparse's name of the charset that WHATWG means by `label`; None where it is unknown."""
    return map_encoding_to_html5(label.strip(" \t\"'").lower(), fallback_utf8=False)


def _meta_codec(payload: bytes) -> str | None:
    match = _META.search(_COMMENT.sub(b"", payload[:_META_BYTES]))
    if match is None:
        return None
    label = match[1].decode("ascii", "replace").lower()
    # The standard reads these two as something else: a page that says so could not be read if true.
    if label.startswith("utf-16"):
        return "utf-8"
    return "cp1252" if label == "x-user-defined" else _codec(label)


def _n_utf8_chars(payload: bytes) -> int | None:
    """Characters beyond ASCII in `payload`; None where it is not valid UTF-8."""
    try:
        return _n_beyond_ascii(payload.decode("utf-8"))
    except UnicodeDecodeError:
        return None


def _n_beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _decoded(payload: bytes, codec: str, source: Source) -> Decoded:
    text = _REMOVED.sub("", payload.decode(_python_codec(codec), "replace"))
    return Decoded(text, _whatwg_name(codec), source)


def _fails(payload: bytes, codec: str, text: str) -> bool:
    if codec.startswith("utf-16"):
        return b"\0" not in payload[:_META_BYTES]
    n_bad = text.count("\ufffd") - payload.count("\ufffd".encode())
    return n_bad > _MAX_BAD_FRAC * _n_beyond_ascii(text)


def _python_codec(codec: str) -> str:
    if codec.startswith("cp125"):
        return f"sloppy-windows-{codec[2:]}"
    return _WIDER_CODECS.get(codec, codec)


def _whatwg_name(codec: str) -> str:
    """`windows-1252` for `cp1252`, `iso-8859-2` for `iso8859-2`, `euc-jp` for `euc_jp`."""
    name = codec.replace("cp125", "windows-125").replace("iso8859", "iso-8859").replace("_", "-")
    return _WHATWG_NAMES.get(codec, name.replace("iso2022", "iso-2022"))
