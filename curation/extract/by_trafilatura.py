"""Engine `trafilatura`: heuristics over an lxml tree, with two further extractors to fall back on.

Adrien Barbaresi, "Trafilatura: A Web Scraping Library and Command-Line Tool for Text Discovery and
Extraction", ACL 2021. About 40 ms a page.
"""

from __future__ import annotations

import logging
import re

import trafilatura

from curation.extract.engines import Engine
from curation.extract.string_engine import text_engine

# What it logs as an error for every page without text becomes a reject with a reason here.
logging.getLogger("trafilatura").setLevel(logging.CRITICAL)

_PARAGRAPH_END = re.compile(r"(?<!\n)\n(?![\n|]|[-*] )")
"""A line end of trafilatura's that is not inside a table or a list: it ends a paragraph, and the
statistics over paragraphs go by blank lines."""


def make() -> Engine:
    """The engine `trafilatura`."""
    return text_engine("trafilatura", text_of)


def text_of(html: str) -> str:
    """Main text, comments and tables kept; empty where there is none.

    Its balanced mode turns to recall by itself where it found little. `favor_recall` throughout
    costs precision: token F1 0.828 instead of 0.842 on 300 pages whose main text people marked.
    """
    text = trafilatura.extract(
        html, include_comments=True, include_tables=True, deduplicate=False, with_metadata=False
    )
    return _PARAGRAPH_END.sub("\n\n", text or "")
