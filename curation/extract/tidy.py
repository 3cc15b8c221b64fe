"""Text as extracted -> text as stored: mojibake undone, lines and blank lines in order."""

from __future__ import annotations

import re

import ftfy
from ftfy.badness import is_bad

# The settings of NeMo Curator's UnicodeReformatter, which the pipeline of 2412.02595 runs: quotes,
# ligatures and widths stay as the author wrote them. Line ends are put in order below.
_REPAIRS = ftfy.TextFixerConfig(
    unescape_html="auto",
    fix_latin_ligatures=False,
    fix_character_width=False,
    uncurl_quotes=False,
    fix_line_breaks=False,
    normalization=None,
    max_decode_length=1_000_000,
    explain=False,
)
_SUSPECT = re.compile(
    "&#?[0-9A-Za-z]{1,24};"  # an entity
    "|[\0-\x08\x0b\x0e-\x1f\x7f-\x9f\u206a-\u206f\ufeff\ufff9-\ufffc\ud800-\udfff]"
    "|\n[ÃÂ] "  # `is_bad` sees it at the beginning of a text, ftfy of every line
)
"""What ftfy repairs under the settings above, beside mojibake: entities, controls, surrogates."""
_ASCII_STRETCH = re.compile(r"[\0-\x7f]{13,}")
_CONTEXT_CHARS = 6
"""More than the longest of ftfy's signs of mojibake, five characters (6.3)."""
_LINE_END = re.compile(r"\r\n?")
_BLANK_LINES = re.compile(r"\n{3,}")


def tidy(text: str) -> str:
    """`text` with mojibake and stray entities repaired, and at most one blank line in a row.

    Lines end in LF and not in white space; the text neither begins nor ends with blank lines.
    """
    repaired = ftfy.fix_text(text, _REPAIRS) if needs_repair(text) else text
    if "\r" in repaired:
        repaired = _LINE_END.sub("\n", repaired)
    lines = "\n".join(line.rstrip() for line in repaired.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip("\n")


def needs_repair(text: str) -> bool:
    """Whether ftfy may change `text`; where this is False it does not.

    ftfy looks at line after line and takes 3 ms a page, as long as a fast extractor. This looks
    once for all that its steps begin with, in a tenth of that; most texts have none of it.
    """
    if _SUSPECT.search(text) is not None:
        return True
    # Signs of mojibake stand around characters beyond ASCII, and looking for them is slow.
    return not text.isascii() and is_bad(_ASCII_STRETCH.sub(_ends, text))


def _ends(stretch: re.Match[str]) -> str:
    return stretch[0][:_CONTEXT_CHARS] + stretch[0][-_CONTEXT_CHARS:]
