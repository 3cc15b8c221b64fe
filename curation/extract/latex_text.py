r"""LaTeX as pages write it -> LaTeX on one line: delimiters, comments, wrappers, addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, unquote_plus

from curation.measure.formulas import looks_like_math

MAX_LATEX_CHARS = 20_000
"""A text longer than this is no formula."""
_MAX_ADDRESS_CHARS = 4_000

_COMMAND = re.compile(r"\\[A-Za-z]+|[_^]\{?[\w\\]")
_WORDS = re.compile(r"(?<![^\W\d_])[^\W\d_]{3,}+\s++[^\W\d_]{3}")
_TEXT_COMMAND = re.compile(r"\\(?:text\w*|mbox|hbox|math\w*|operatorname|tag)\s*\*?\s*\{[^{}]*\}")
_SURE_COMMAND = re.compile(
    r"\\(?:[dt]?frac|sqrt|displaystyle|textstyle|sum|prod|i{0,3}nt|lim|infty|partial|nabla|l?dots|"
    r"cdots?|times|pm|leq?|geq?|neq?|equiv|in|to|mapsto|(?:long)?(?:left)?rightarrow|Rightarrow|"
    r"subset(?:eq)?|math(?:bb|bf|cal|rm|frak|it)|operatorname|left|begin|text|over(?:line|set)?|"
    r"vec|hat|bar|tilde|binom|log|ln|exp|sin|cos|tan|alpha|beta|gamma|delta|(?:var)?epsilon|zeta|"
    r"eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|tau|(?:var)?phi|chi|psi|omega|Gamma|Delta|"
    r"Theta|Lambda|Sigma|Phi|Psi|Omega)(?![A-Za-z])"
)

_COMMENT = re.compile(r"(?<!\\)%[^\n]*(?:\n|\Z)")
_BLANKS = re.compile(r"[\s\u00a0]+")
_DELIMITED = re.compile(
    r"\s*(?:(?P<display>\$\$(.+)\$\$|\\\[(.+)\\\]|\[tex\](.+)\[/tex\]"
    r"|\\begin\{(equation\*?|displaymath)\}(.+)\\end\{\5\})"
    r"|\$(?:latex\s)?(.+)\$|\\\((.+)\\\)|\[latex\](.+)\[/latex\])\s*",
    re.DOTALL,
)
_INNER_DELIMITER = re.compile(r"(?<!\\)(?:\\\\)*(?:\$|\\[()\[\]](?!\d*\.?\d*(?:pt|em|ex|mm)))")
_STYLE = re.compile(r"\\(?:displaystyle|textstyle|scriptstyle)(?![A-Za-z])\s*")
_LAYOUT = re.compile(
    r"\\(?:dpi|bg|fg|fn|color)\{[^{}]*\}"
    r"|\\(?:inline|bg_\w+|fn_\w+|tiny|small|large|Large|LARGE|huge)(?![A-Za-z])"
)
_BRACES = re.compile(r"\\.|[{}]", re.DOTALL)

_QUERY = re.compile(
    r"(?i)(?:[?&](?:latex|tex|math)|math\.now\.sh/?\?from|[?&]cht=tx&(?:[^#]*&)?chl)=([^&#]*)"
)
_BARE_QUERY = re.compile(
    r"(?i)(?<!\w)(?:codecogs\.com/[\w./]*|(?:math|mime|la)?tex[\w.]*)\?([^#]+)"
)
_PARAMETER = re.compile(r"\w+=[\w.-]*(?:&|\Z)")
"""What a bare query is where it is none of LaTeX: `?v=12`."""
_PATH = re.compile(r"(?i)upmath\.me/(?:svg|png)/([^?#]+)")


@dataclass(frozen=True)
class Written:
    """LaTeX without its delimiters, and whether those were of a displayed formula."""

    latex: str
    is_display: bool


def is_latex(text: str) -> bool:
    r"""Whether `text` reads as a formula: no two words in a row outside of `\text{...}`."""
    if not text.strip() or len(text) > MAX_LATEX_CHARS:
        return False
    return _WORDS.search(_TEXT_COMMAND.sub("", text)) is None


def is_formula(text: str) -> bool:
    """Whether `text` is a formula where it may be anything else: a word, a number, JSON."""
    if '"' in text or not is_latex(text):
        return False
    return has_command(text) or looks_like_math(text)


def has_command(text: str) -> bool:
    """Whether `text` has a command of LaTeX, a subscript or a superscript."""
    return _COMMAND.search(text) is not None


def is_surely_latex(text: str) -> bool:
    r"""Whether `text` is LaTeX wherever it comes from: well-known commands, or `$...$` around all.

    A path of Windows and an escaped quote have backslashes too.
    """
    if _SURE_COMMAND.search(text):
        return True
    match = _DELIMITED.fullmatch(text) if text.lstrip()[:1] in ("$", "\\") else None
    return match is not None and looks_like_math(_content(match))


def is_delimited(text: str) -> bool:
    r"""Whether `text` stands between delimiters as a whole; `$a$ and $b$` does not."""
    match = _DELIMITED.fullmatch(text)
    return match is not None and _INNER_DELIMITER.search(_content(match)) is None


def has_delimiter(text: str) -> bool:
    r"""Whether `text` has `$`, `\(` or `\[` anywhere."""
    return _INNER_DELIMITER.search(text) is not None


def written(source: str) -> Written:
    r"""`source` on one line, without comments, delimiters and wrappers that say only the style.

    `{\displaystyle x}` of MediaWiki is `x`; it stands around formulas in a line as well.
    """
    latex, is_display = source, False
    if "%" in latex and "\n" in latex:
        latex = _COMMENT.sub("", latex)
    latex = _BLANKS.sub(" ", latex).strip()
    if latex[:1] in ("$", "\\", "[") and (match := _DELIMITED.fullmatch(latex)):
        latex, is_display = _content(match), match["display"] is not None
    return Written(_unwrapped(latex), is_display)


def in_address(address: str) -> str:
    """LaTeX that the server of a picture is asked for; empty where it is asked for none.

    `+` is a space in a named parameter and a plus in CodeCogs' bare query.
    """
    address = address[:_MAX_ADDRESS_CHARS]
    if match := _QUERY.search(address):
        return _without_layout(unquote_plus(match[1]))
    match = _BARE_QUERY.search(address) or _PATH.search(address)
    if match is None or _PARAMETER.match(match[1]):
        return ""
    return _without_layout(unquote(match[1].replace("&space;", " ").replace("&plus;", "+")))


def _without_layout(latex: str) -> str:
    return _LAYOUT.sub("", latex).strip()


def _content(match: re.Match[str]) -> str:
    """What stands between the delimiters: the last group that matched."""
    return next(group for group in match.groups()[:0:-1] if group).strip()


def _unwrapped(latex: str) -> str:
    r"""Without `{\displaystyle ...}` around it, and `\displaystyle` in front."""
    if latex.startswith("{\\") and _STYLE.match(latex, 1) and _closes_at_end(latex):
        latex = latex[1:-1]
    return _STYLE.sub("", latex, count=1).strip() if _STYLE.match(latex) else latex.strip()


def _closes_at_end(latex: str) -> bool:
    """Whether the brace that begins `latex` ends it."""
    depth = 0
    for brace in _BRACES.finditer(latex):
        depth += {"{": 1, "}": -1}.get(brace[0], 0)
        if depth == 0:
            return brace.end() == len(latex)
    return False
