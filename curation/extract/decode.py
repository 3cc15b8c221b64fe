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

from curation.extract.prescan import meta_labels, wide_xml_label, xml_label

Source = Literal["bom", "header", "meta", "xml", "detected", "fallback"]

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PRESCAN_BYTES = 1024
_LATE_META_BYTES = 1 << 16
"""How far a later `<meta>` is looked for. A browser that meets one starts again with its charset;
of 2,489 real pages 8 % have theirs behind the first 1,024 bytes."""
_REMOVED = re.compile("[\0\ud800-\udfff]")
_ASCII = bytes(range(128))
_CONTROLS = re.compile(rb"[\x80-\x9f]")

_MAX_BAD_FRAC = 0.1
"""Share of the characters beyond ASCII that may be unreadable before a charset is given up."""
_MIN_UTF8_CHARS = 4
"""Characters beyond ASCII in valid UTF-8 that outweigh a declaration of another charset."""
_MIN_DETECTED_BYTES = 4
"""Bytes beyond ASCII without which statistics are not asked: Windows-1252 is likelier."""
_MIN_NUL_FRAC = 0.2
"""Share of NUL among every second byte from which a page is UTF-16. Markup has nearly nothing
else; a text in another script than Latin has one for each space, digit and letter of a tag."""
_MIN_NULS = 8
"""NUL bytes from which that is no accident: eight characters."""
_MAX_OTHER_NUL_FRAC = 0.6
"""NUL among the bytes between those, for each NUL there, up to which a page is UTF-16. Text has
next to none; half as many are UTF-32, which browsers do not know and which reads alike, as NUL is
taken out; as many are no text."""

_OTHER_LABELS = {
    # WHATWG's labels that resiliparse does not know.
    "x-mac-cyrillic": "mac-cyrillic",
    "x-mac-ukrainian": "mac-cyrillic",
    # WHATWG refuses these, because they can smuggle scripts past a filter. Text has no such danger.
    "hz-gb-2312": "hz",
    "iso-2022-kr": "iso2022_kr",
    "csiso2022kr": "iso2022_kr",
    # What the detector says for EUC-KR with its extension.
    "cp949": "euc_kr",
    "iso2022_kr": "iso2022_kr",
    "iso2022_jp": "iso2022_jp",
    "hz": "hz",
}
_SUPERSETS = {
    "iso8859-2": "cp1250",
    "iso8859-7": "cp1253",
    "iso8859-13": "cp1257",
}
"""What a detected charset is taken for where bytes 80..9F occur: those are controls in ISO 8859."""

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
    "hz": "hz-gb-2312",
    "iso8859-11": "windows-874",
    "mac-cyrillic": "x-mac-cyrillic",
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
    """`payload` as text: the charset of its BOM, HTTP header, `<meta>`, XML declaration, or bytes.

    That is the order of the HTML standard, section 13.2.3.2. Pages say what is not true, so a
    charset is passed over that plainly fails: an unknown name, more than a tenth of the characters
    beyond ASCII unreadable, UTF-16 without a NUL byte, any other charset than UTF-16 where every
    second byte is NUL, or than UTF-8 where the bytes are valid UTF-8 with at least four characters
    beyond ASCII. Where nothing is left, the standard's default: Windows-1252, in which every byte
    is a character.
    """
    for bom, codec in _BOMS:
        if payload.startswith(bom):
            return _decoded(payload[len(bom) :], codec, "bom")
    if wide_codec := _wide_codec(payload[:_PRESCAN_BYTES]):
        return _decoded(payload, wide_codec, _wide_source(payload, http_charset, wide_codec))
    utf8_text = _utf8_text(payload)
    n_utf8_chars = 0 if utf8_text is None else _n_wide_chars(payload, utf8_text)
    is_utf8 = utf8_text is not None
    for codec, source in _candidates(
        payload, http_charset, is_utf8=is_utf8, n_utf8_chars=n_utf8_chars
    ):
        if codec == "utf-8" and utf8_text is not None:
            return Decoded(utf8_text.replace("\0", ""), codec, source)
        if codec != "utf-8" and n_utf8_chars >= _MIN_UTF8_CHARS:
            continue
        decoded = _decoded(payload, codec, source)
        if not _fails(payload, codec, decoded.text):
            return decoded
    return _decoded(payload, "cp1252", "fallback")


def _wide_codec(head: bytes) -> str | None:
    """UTF-16 in the byte order that the beginning of a page shows; None where it is not UTF-16.

    The standard's prescan looks for `<?x` in two-byte characters only. Where every second byte is
    NUL, no other charset can be true, whatever is declared: there is no NUL in HTML.
    """
    if label := wide_xml_label(head):
        return label.replace("utf-16", "utf-16-")
    n_first, n_second = head[::2].count(0), head[1::2].count(0)
    n_most, n_other = max(n_first, n_second), min(n_first, n_second)
    if n_most < max(_MIN_NULS, _MIN_NUL_FRAC * len(head) / 2):
        return None
    if n_other > _MAX_OTHER_NUL_FRAC * n_most:
        return None
    return "utf-16-le" if n_second > n_first else "utf-16-be"


def _wide_source(payload: bytes, http_charset: str | None, codec: str) -> Source:
    if http_charset and _codec(http_charset) == codec:
        return "header"
    return "xml" if wide_xml_label(payload) else "detected"


def _candidates(
    payload: bytes, http_charset: str | None, *, is_utf8: bool, n_utf8_chars: int
) -> Iterator[tuple[str, Source]]:
    """Codecs in the order in which the standard asks for them. Detection costs the most: last."""
    if http_charset and (codec := _codec(http_charset)):
        yield codec, "header"
    if declared := _declared(payload, is_late_read=n_utf8_chars < _MIN_UTF8_CHARS):
        yield declared
    if codec := _detected_codec(payload, is_utf8=is_utf8):
        yield codec, "detected"


def _declared(payload: bytes, *, is_late_read: bool) -> tuple[str, Source] | None:
    """Codec that the page itself declares.

    A later `<meta>` comes last: the standard reads it while it parses.
    """
    head = payload[:_PRESCAN_BYTES]
    if codec := _first_codec(meta_labels(head)):
        return codec, "meta"
    if (label := xml_label(head)) and (codec := _codec_in_ascii(label)):
        return codec, "xml"
    late = meta_labels(payload[:_LATE_META_BYTES]) if is_late_read else iter(())
    return (codec, "meta") if (codec := _first_codec(late)) else None


def _first_codec(labels: Iterator[str]) -> str | None:
    return next((codec for label in labels if (codec := _codec_in_ascii(label))), None)


def _codec_in_ascii(label: str) -> str | None:
    """Codec of a label that is itself written in ASCII, so that it cannot be true of UTF-16."""
    if (codec := _codec(label)) in ("utf-16-le", "utf-16-be"):
        return "utf-8"
    return "cp1252" if label == "x-user-defined" else codec


def _codec(label: str) -> str | None:
    """Resiliparse's name of the charset that WHATWG means by `label`; None where it is unknown."""
    label = label.strip(" \t\n\f\r\"'").lower()
    return _OTHER_LABELS.get(label) or map_encoding_to_html5(label, fallback_utf8=False)


def _detected_codec(payload: bytes, *, is_utf8: bool) -> str | None:
    if is_utf8:
        return _escaped_codec(payload) or "utf-8"
    if len(payload.translate(None, _ASCII)) < _MIN_DETECTED_BYTES:
        return None
    return _by_statistics(payload)


def _escaped_codec(payload: bytes) -> str | None:
    """ISO 2022 is ASCII with escapes, and so valid UTF-8."""
    codec = _by_statistics(payload) if b"\x1b$" in payload else None
    return codec if codec in ("iso2022_jp", "iso2022_kr") else None


def _by_statistics(payload: bytes) -> str | None:
    """What uchardet guesses, and the wider charset where only that one fits."""
    guess = detect_encoding(payload, html5_compatible=False)
    codec = _codec(guess) if guess else None
    if codec == "koi8-r":
        return "koi8-u"  # the same but for four letters of Ukrainian in the place of frames
    if codec in _SUPERSETS and _CONTROLS.search(payload):
        return _SUPERSETS[codec]
    return codec


def _utf8_text(payload: bytes) -> str | None:
    """`payload` as UTF-8; None where it is not valid."""
    try:
        return payload.decode("utf-8")
    except UnicodeDecodeError:
        return None


def _n_wide_chars(payload: bytes, utf8_text: str) -> int:
    """Characters beyond ASCII, counted up to `_MIN_UTF8_CHARS`: each has two to four bytes."""
    n_more = len(payload) - len(utf8_text)
    if n_more >= 3 * _MIN_UTF8_CHARS:
        return _MIN_UTF8_CHARS
    return min(_MIN_UTF8_CHARS, _n_beyond_ascii(utf8_text)) if n_more else 0


def _n_beyond_ascii(text: str) -> int:
    return len(text) - len(text.encode("ascii", "ignore"))


def _decoded(payload: bytes, codec: str, source: Source) -> Decoded:
    text = _REMOVED.sub("", payload.decode(_python_codec(codec), "replace"))
    return Decoded(text, _whatwg_name(codec), source)


def _fails(payload: bytes, codec: str, text: str) -> bool:
    if codec.startswith("utf-16"):
        return b"\0" not in payload[:_PRESCAN_BYTES]
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
