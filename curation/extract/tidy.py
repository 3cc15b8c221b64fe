"""Text as extracted -> text as stored: mojibake undone, lines and blank lines in order."""

from __future__ import annotations

import re

import ftfy

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
_LINE_END = re.compile(r"\r\n?")
_BLANK_LINES = re.compile(r"\n{3,}")


def tidy(text: str) -> str:
    """`text` with mojibake and stray entities repaired, and at most one blank line in a row.

    Lines end in LF and not in white space; the text neither begins nor ends with blank lines.
    """
    repaired = _LINE_END.sub("\n", ftfy.fix_text(text, _REPAIRS))
    lines = "\n".join(line.rstrip() for line in repaired.split("\n"))
    return _BLANK_LINES.sub("\n\n", lines).strip("\n")
