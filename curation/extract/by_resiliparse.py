"""Engine `resiliparse`: rules over tags and classes on a lexbor tree. 3 to 5 ms a page."""

from __future__ import annotations

import re

from resiliparse.extract.html2text import extract_plain_text

from curation.extract.engines import Engine
from curation.extract.string_engine import text_engine

MAX_DEPTH = 5_000
"""Deepest nesting that it is given. Its time grows with the square of the depth, and a call into it
cannot be interrupted (2.0.1)."""

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
_CLOSED_BY_THE_NEXT = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup",
    "option", "optgroup", "rp", "rt",
})  # fmt: skip
"""Elements without an end tag, void or closed by what follows them, so that they do not nest."""


def make() -> Engine:
    """The engine `resiliparse`."""
    return text_engine("resiliparse", text_of)


def text_of(html: str) -> str:
    """Main content without alternative texts of images, as in NeMo Curator.

    Raises:
        ValueError: elements are nested more than `MAX_DEPTH` deep.
    """
    if (depth := nesting_depth(html)) > MAX_DEPTH:
        raise ValueError(f"elements nested {depth} deep, more than {MAX_DEPTH}")
    return extract_plain_text(html, main_content=True, alt_texts=False)


def nesting_depth(html: str) -> int:
    """Deepest nesting of the tags in `html`, those left out that close each other."""
    depth = deepest = 0
    for tag in _TAG.finditer(html):
        if tag[2].lower() not in _CLOSED_BY_THE_NEXT:
            depth = max(0, depth - 1) if tag[1] else depth + 1
            deepest = max(depth, deepest)
    return deepest
