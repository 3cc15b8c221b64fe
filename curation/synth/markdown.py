"""Markdown marks taken off text that was to be plain, and nothing else. Pure.

What looks like emphasis in an identifier, a product, or a formula is left alone: `snake_case`,
`__init__`, `2 * 3 * 4`, `2**3`, `$a_1 + b_1$` (NeMo Curator's remover damages all of them).
"""

from __future__ import annotations

import re

_PROTECTED = re.compile(
    r"""
      ```.*?```
    | `[^`\n]+`
    | \$\$.+?\$\$
    | \\\[.+?\\\]
    | \\\(.+?\\\)
    | \\begin\{(?P<name>[A-Za-z]+\*?)\}.+?\\end\{(?P=name)\}
    | (?<![\\$])\$(?![\s$])[^$\n]+?(?<![\s\\])\$(?!\d)
    | (?:https?|ftp)://[^\s()<>\[\]*]+
    | [\ue000\ue001]                                     # our own stand-ins, should they occur
    """,
    re.DOTALL | re.VERBOSE,
)

_MARKS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"!?\[([^\[\]\n]*)\]\((?:[^()\s]|\([^()\s]*\))+(?:\s+\"[^\"\n]*\")?\)"), r"\1"),
    (re.compile(r"^ {0,3}#{2,6}[ \t]+(.+?)[ \t]*#*$", re.MULTILINE), r"\1"),
    (re.compile(r"(?<![\w*\\])\*\*\*(?=[^\s*])(.+?)(?<=[^\s*])\*\*\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w*\\])\*\*(?=\S)(.+?)(?<=\S)\*\*(?![\w*])"), r"\1"),
    (re.compile(r"(?<![\w*\\])\*(?=[^\s*])([^*\n]+?)(?<=[^\s*])\*(?![\w*])"), r"\1"),
    # Two underscores around one word are a name in Python; around several, emphasis.
    (re.compile(r"(?<!\w)__(?=\S)([^_\n]*\s[^_\n]*)(?<=\S)__(?!\w)"), r"\1"),
    (re.compile(r"(?<!\w)_(?=[^\s_])([^_\n]+)(?<=[^\s_])_(?!\w)"), r"\1"),
)
"""Each mark, and what stays of it. A link leaves its words, a heading of level 2 and deeper its
text (one `#` may be a comment of a program)."""


_STAND_IN = re.compile("\ue000(\\d+)\ue001")


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
