"""What is wrong with real pages: broken markup, wrong charsets, NUL bytes, pages without text."""

import codecs
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

_LATIN = ("de", "fr", "es", "it", "pt")
_ANY = ("en", *_LATIN, "ru", "zh", "ja", "ar")
_UTF8_HEADER = "text/html; charset=UTF-8"


@dataclass(frozen=True)
class Defect:
    """One way of serving a page.

    `charset` is what the page itself declares, `header` the Content-Type of the response,
    `encode` makes the bytes, and only pages in `languages` can have it.
    """

    charset: str
    header: str
    encode: Callable[[str], bytes]
    languages: Collection[str] = ("en",)


def _unclosed(html: str) -> bytes:
    return re.sub(r"</(p|li|td|tr|font)>", "", html, flags=re.IGNORECASE).encode()


def _crossed(html: str) -> bytes:
    return html.replace("<p>", "<p><b><i>").replace("</p>", "</b></p></i>").encode()


def _bare(html: str) -> bytes:
    return re.sub(r"</?(html|head|body)\b[^>]*>|<!doctype[^>]*>", "", html, flags=re.I).encode()


def _with_nul(html: str) -> bytes:
    return html.replace(". ", ".\x00 ", 12).replace("the ", "t\x00he ", 2).encode()


def _one_line(html: str) -> bytes:
    picture = '<img alt="" src="data:image/gif;base64,' + "R0lGODlhAQABAIAA" * 6000 + '">'
    return (html.replace("\n", " ") + picture).encode()


def _undeclared(html: str) -> bytes:
    return re.sub(r"<meta [^>]*charset[^>]*>", "", html, flags=re.IGNORECASE).encode()


def _as(charset: str) -> Callable[[str], bytes]:
    return lambda html: html.encode(charset, "xmlcharrefreplace")


PLAIN = Defect("utf-8", _UTF8_HEADER, str.encode, _ANY)
"""No defect."""

DEFECTS: Mapping[str, Defect] = {
    "unclosed_tags": Defect("utf-8", _UTF8_HEADER, _unclosed, _ANY),
    "shift_jis": Defect("Shift_JIS", "text/html; charset=Shift_JIS", _as("cp932"), ("ja",)),
    "utf8_declared_latin1": Defect(
        "iso-8859-1", "text/html; charset=ISO-8859-1", str.encode, _LATIN
    ),
    "wrong_nesting": Defect("utf-8", _UTF8_HEADER, _crossed),
    "windows_1252": Defect("windows-1252", "text/html", _as("cp1252"), _LATIN),
    "no_html_body": Defect("utf-8", _UTF8_HEADER, _bare),
    "utf_16": Defect(
        "utf-16",
        "text/html; charset=utf-16",
        lambda html: codecs.BOM_UTF16_LE + html.encode("utf-16-le"),
    ),
    "latin1_declared_utf8": Defect("utf-8", _UTF8_HEADER, _as("cp1252"), _LATIN),
    "nul_bytes": Defect("utf-8", _UTF8_HEADER, _with_nul),
    "utf8_bom": Defect("utf-8", "text/html", lambda html: codecs.BOM_UTF8 + html.encode()),
    "windows_1251": Defect("windows-1251", "text/html", _as("cp1251"), ("ru",)),
    "long_line": Defect("utf-8", _UTF8_HEADER, _one_line),
    "gb18030": Defect("gb2312", "text/html; charset=gb2312", _as("gb18030"), ("zh",)),
    "undeclared_charset": Defect("utf-8", "text/html", _undeclared, _ANY),
}
"""Defect -> how such a page is served. The text of the page is the same in all of them."""

_SCRIPTS = """<!DOCTYPE html><html><head><title>Loading...</title>
<script>window.__STATE__={"user":null,"items":[1,2,3]};</script></head>
<body><div id="app"></div><script src="/static/js/main.8f2c.js"></script>
<script>(function(a,b){var c=a.createElement(b);a.body.appendChild(c)})(document,"script");
</script><noscript>You need to enable JavaScript to run this app.</noscript></body></html>
"""
_FRAMES = """<HTML><HEAD><TITLE>Welcome</TITLE></HEAD><FRAMESET COLS="20%,80%">
<FRAME SRC="menu.htm"><FRAME SRC="main.htm"></FRAMESET></HTML>
"""
_REFRESH = """<html><head><meta http-equiv="refresh" content="0; url=/new/home.html"></head></html>
"""

TEXTLESS: Mapping[str, bytes] = {
    "empty_body": b"",
    "script_only": _SCRIPTS.encode(),
    "whitespace_body": b" \r\n\t\r\n" * 40,
    "frameset": _FRAMES.encode(),
    "meta_refresh": _REFRESH.encode(),
}
"""Defect -> the whole body of a page that has no text."""
