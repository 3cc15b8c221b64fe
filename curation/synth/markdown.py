"""Markdown marks taken off text that was to be plain, and nothing else. Pure.

What looks like emphasis in an identifier, a product, or a formula is left alone: `snake_case`,
`__init__`, `2 * 3 * 4`, `2**3`, `$a_1 + b_1$` (NeMo Curator's remover damages all of them).

Every pattern is linear in the text: no mark is searched for past the next one of its kind.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from curation.synth.formulas import FORMULA

_PROTECTED = re.compile(
    rf"""
      ```.*?```
    | `[^`\n]++`
    | {FORMULA}
    | (?:https?|ftp)://[^\s()<>\[\]*]++
    | [\ue000\ue001]                                     # our own stand-ins, should they occur
    """,
    re.DOTALL | re.VERBOSE,
)


def _heading(match: re.Match[str]) -> str:
    """The words of a heading. Closing `#` stand apart: the last one of `C#` is a letter of it."""
    words = match[1].rstrip(" \t")
    opened = words.rstrip("#")
    return opened.rstrip(" \t") if opened == "" or opened[-1] in " \t" else words


def _inner(match: re.Match[str]) -> str:
    return match[1]


_MARKS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (
        re.compile(r"!?\[([^\[\]\n]*+)\]\((?:[^()\s]|\([^()\s]*+\))++(?:\s+\"[^\"\n]*+\")?\)"),
        _inner,
    ),
    (re.compile(r"^ {0,3}#{2,6}[ \t]++(.*)$", re.MULTILINE), _heading),
    (re.compile(r"(?<![\w*\\])\*{3}(?=[^\s*])((?:(?!\*{3}).)++)(?<=[^\s*])\*{3}(?![\w*])"), _inner),
    (re.compile(r"(?<![\w*\\])\*\*(?=[^\s*])((?:(?!\*\*).)++)(?<=\S)\*\*(?![\w*])"), _inner),
    (re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*\n]++)(?<=[^\s*])\*(?![\w*])"), _inner),
    # Two underscores around one word are a name in Python; around several, emphasis.
    (re.compile(r"(?<!\w)__(?=\S)(?=[^\s_]++[^\S\n])([^_\n]++)(?<=\S)__(?!\w)"), _inner),
    (re.compile(r"(?<!\w)_(?=[^\s_])([^_\n]++)(?<=[^\s_])_(?!\w)"), _inner),
)
"""Each mark, and what stays of it. A link leaves its words, a heading of level 2 and deeper its
text (one `#` may be a comment of a program)."""

_STAND_IN = re.compile("\ue000(\\d++)\ue001")


def plain_text(text: str) -> str:
    """`text` without Markdown emphasis, links and headings; code, formulas and URLs untouched."""
    kept: list[str] = []

    def stand_in(match: re.Match[str]) -> str:
        kept.append(match[0])
        return f"\ue000{len(kept) - 1}\ue001"

    text = _PROTECTED.sub(stand_in, text)
    for mark, stays in _MARKS:
        text = mark.sub(stays, text)
    return _STAND_IN.sub(lambda match: kept[int(match[1])], text)
