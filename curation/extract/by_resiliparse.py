"""Engine `resiliparse`: rules over tags and classes on a lexbor tree. 3 to 5 ms a page."""

from __future__ import annotations

from resiliparse.extract.html2text import extract_plain_text

from curation.extract.nesting import cut_at_depth
from curation.extract.string_engine import StringEngine, text_engine

MAX_DEPTH = 5_000
"""Deepest nesting that it is given: 0.5 s. Its time grows with the square of the depth (9 s for
20,000 levels), and a call into it cannot be interrupted (2.0.1)."""


def make() -> StringEngine:
    """The engine `resiliparse`."""
    return text_engine("resiliparse", text_of, bare=bare_text)


def text_of(html: str) -> str:
    """Main content of a page, of which what is nested more than `MAX_DEPTH` deep is cut off."""
    # A page with fewer tags than that cannot be nested deeper.
    return bare_text(cut_at_depth(html, MAX_DEPTH, max_unseen_tags=MAX_DEPTH))


def bare_text(html: str) -> str:
    """Main content without alternative texts of images, as in NeMo Curator."""
    return extract_plain_text(html, main_content=True, alt_texts=False)
