r"""Share of a text that is mathematics, by its marks: LaTeX and Unicode's mathematical symbols.

Ours, not the reference's: it finds the pages that MIND (2410.12881) makes dialogues of. Counted,
each character once:

- formulas, with their delimiters: `$...$` in a line, `$$...$$`, `\(...\)`, `\[...\]`, and the
  mathematical environments `\begin{align}...\end{align}`; all but the last only where the content
  looks like mathematics. `It costs $5 and $10!`, `US$5m or A$7m`, `\[edit\]`, `\[1\]` do not; nor
  does a bare number, `$5$`;
- LaTeX commands of mathematics outside formulas, with their arguments: `\frac{1}{2}`, `\alpha`;
  `C:\Users` is none;
- symbols: the Unicode blocks of mathematical operators and symbols, and a few outside of them
  (`×`, `ℝ`). Not `+`, `=`, `<`, not arrows, not bullets (`∙`); letters of the mathematical
  alphabets (`𝑥`) one or two at a time, because a whole word of them is decoration.

A formula cannot contain another of its delimiters, so that the search stays linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

# No delimiter inside; `\\[2pt]` is a line break of LaTeX and no delimiter.
_INSIDE = r"([^\\]*+(?:(?:\\\\|\\(?![()\[\]]))[^\\]*+)*+)"
_ENVIRONMENTS = r"\{(?:equation|align|aligned|gather|multline|eqnarray|cases|[bpv]?matrix)\*?\}"
_OPENING = re.compile(r"[$\\]")
_FORMULA = re.compile(
    r"\$\$(?P<display>[^$]++)\$\$"
    r"|(?<![\\\w$])\$(?!\s)(?P<inline>[^$\n]++)(?<![\s\\])\$(?![\d$])"
    rf"|\\\((?P<round>{_INSIDE})\\\)"
    rf"|\\\[(?P<square>{_INSIDE})\\\]"
    rf"|\\begin{_ENVIRONMENTS}[^\\]*+(?:\\(?!begin\{{|end\{{)[^\\]*+)*+\\end{_ENVIRONMENTS}"
)

_NAMES = (
    "frac|dfrac|tfrac|sqrt|int|oint|lim|infty|partial|nabla|cdots?|ldots|pm|mp|leq|geq|neq|equiv|"
    "propto|subseteq|forall|notin|mapsto|rightarrow|leftarrow|Rightarrow|Leftrightarrow|iff|mathbb|"
    "mathbf|mathrm|mathcal|mathit|operatorname|overline|underline|tilde|vec|binom|ln|cos|exp|det|"
    "alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|kappa|lambda|mu|nu|xi|pi|rho|sigma|"
    "tau|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega"
)
_WORDS = (
    "in|to|times|div|sum|prod|cup|cap|subset|approx|sim|exists|implies|hat|bar|left|right|log|sin|"
    "tan|min|max"
)
r"""Commands that are English words too: none where a letter goes before, as in `read\in full`."""
_COMMAND = re.compile(
    rf"(?<![\\:])\\(?:(?:{_NAMES}|(?<![A-Za-z]\\)(?:{_WORDS}))(?![A-Za-z])(?:\{{[^{{}}\n]*+\}})*+"
    rf"|(?:begin|end){_ENVIRONMENTS})"
)

_ALPHABETS = "\U0001d400-\U0001d7ff"
_SYMBOL = re.compile(
    "[±×÷¬ℂℍℕℙℚℝℤℵℏℜℑ℘\u2200-\u2218\u221a-\u22ff\u27c0-\u27ef\u2980-\u29bd\u29c0-\u29ff\u2a00-\u2aff]"
    f"|(?<![{_ALPHABETS}])[{_ALPHABETS}]{{1,2}}(?![{_ALPHABETS}])"
)

_MAX_FORMULA_CHARS = 5_000
_ANY_COMMAND = re.compile(r"\\[A-Za-z]{2,}")
_SUBSCRIPTS = re.compile(r"\{[^{}]*+\}|[_^]\w++")
_LONG_WORD = re.compile(r"[^\W\d_]{3}")
_NOT_MATH = re.compile(r"[£€¥%;\"#@]|[=<>+*/-]\s*$")
_SCRIPT = re.compile(r"[_^][A-Za-z0-9{(*+-]")
_OPERATION = re.compile(r"[\w)}\]]\s?[=<>+*/|-]\s?[\w({\[-]")
_AMOUNT = r"\d[\d.,]*[kKmMbB]?n?"
_VARIABLE = re.compile(
    rf"(?=.*[A-Za-z])(?!{_AMOUNT}$)[A-Za-z0-9()\[\],.'!|+-]{{1,12}}"
    rf"|\([\d.\s-]{{1,20}}(?:,[\d.\s-]{{1,20}}){{1,5}}\)[.,]?"
)


def math_frac(text: str, *, has_symbols: bool = True) -> float:
    """Characters of mathematics / characters of `text`; 0.0 for an empty text.

    `has_symbols` false says that no character has the bit `characters.MATH`: none is looked for.
    """
    if not text:
        return 0.0
    n_latex, rest = _without_latex(text) if "$" in text or "\\" in text else (0, text)
    is_plain = not has_symbols or rest.isascii()
    n_symbols = 0 if is_plain else sum(map(len, _SYMBOL.findall(rest)))
    return (n_latex + n_symbols) / len(text)


def looks_like_math(content: str) -> bool:
    """Whether what stands between two delimiters is mathematics and not prices or words."""
    if len(content) > _MAX_FORMULA_CHARS:
        return False
    if _ANY_COMMAND.search(content):
        return True
    if _NOT_MATH.search(content) or _LONG_WORD.search(_SUBSCRIPTS.sub("", content)):
        return False
    return bool(
        _SCRIPT.search(content)
        or _OPERATION.search(content)
        or _VARIABLE.fullmatch(content.strip())
    )


def _without_latex(text: str) -> tuple[int, str]:
    """Characters of formulas and commands in `text`, and what remains of it without them."""
    spans = [(0, 0), *_formula_spans(text), (len(text), len(text))]
    between = [text[end:start] for (_, end), (start, _) in pairwise(spans)]
    # A line end keeps apart what a formula kept apart.
    outside = "\n".join(between)
    # So does it where a command stood: symbols at its two sides are no run.
    rest, n_commands = _COMMAND.subn("\n", outside) if "\\" in outside else (outside, 0)
    n_formulas = len(text) - sum(map(len, between))
    return n_formulas + len(outside) - (len(rest) - n_commands), rest


def _formula_spans(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of every formula, in order."""
    position = 0
    # Asked only where one can begin: in prose with a price or two that is ten times as fast.
    while opening := _OPENING.search(text, position):
        match = _FORMULA.match(text, opening.start())
        if match is None:
            position = opening.end()
            continue
        position = match.end()
        kind = match.lastgroup
        if kind is None or looks_like_math(match[kind]):
            yield match.span()
        elif kind in ("inline", "display"):
            # What seemed to close nothing may open a formula.
            position -= len("$") if kind == "inline" else len("$$")
        else:  # brackets around words, which may have a formula among them
            position = match.start(kind)
