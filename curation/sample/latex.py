"""Formulas as the web writes them: dollars, brackets, scripts, MathML and pictures."""

import re
from html import escape
from typing import Literal
from urllib.parse import quote

Form = Literal["dollars", "brackets", "script", "mathml", "annotated", "image"]
FORMS: tuple[Form, ...] = ("dollars", "brackets", "script", "mathml", "annotated", "image")

FORMULA = re.compile(r"\$\$(.+?)\$\$|\$(.+?)\$")
"""A formula in the text of a draft: group 1 on display, group 2 in line."""

_TOKEN = re.compile(r"\\text\{([^}]*)\}|\\[a-zA-Z]+|\\.|\d+(?:\.\d+)?|[a-zA-Z]|\S")
_NAMES = {"sin", "cos", "tan", "ln", "log", "exp", "gcd", "det", "lim"}
_SYMBOLS = {
    "cdot": "·", "times": "×", "le": "≤", "ge": "≥", "ne": "≠", "equiv": "≡", "approx": "≈",
    "pm": "±", "to": "→", "infty": "∞", "mid": "|", "dots": "…", "int": "∫", "sum": "∑",
    "pi": "π", "lambda": "λ", "mu": "μ", "sigma": "σ", "theta": "θ", "in": "∈",
}  # fmt: skip
_SPACES = {",": "0.17em", "quad": "1em", ";": "0.28em"}


def render(latex: str, form: Form, *, display: bool) -> str:
    """HTML of one formula."""
    if form == "dollars":
        return escape(f"$${latex}$$" if display else f"${latex}$", quote=False)
    if form == "brackets":
        return escape(rf"\[{latex}\]" if display else rf"\({latex}\)", quote=False)
    if form == "script":
        mode = "; mode=display" if display else ""
        return f'<script type="math/tex{mode}">{latex}</script>'
    if form == "image":
        source = f"/cgi-bin/latex.png?{quote(latex)}"
        return f'<img src="{source}" class="latex" alt="{escape(latex)}" title="{escape(latex)}" />'
    return mathml(latex, display=display, annotated=form == "annotated")


def mathml(latex: str, *, display: bool, annotated: bool) -> str:
    """Presentation MathML of the small part of LaTeX that the sample uses.

    Raises:
        ValueError: a command is not known here, or a brace is missing.
    """
    rows = _Reader(latex).row("")
    block = ' display="block"' if display else ""
    if annotated:
        source = (
            f'<annotation encoding="application/x-tex">{escape(latex, quote=False)}</annotation>'
        )
        rows = f"<semantics><mrow>{rows}</mrow>{source}</semantics>"
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML"{block}>{rows}</math>'


class _Reader:
    """Recursive descent over the tokens of one formula."""

    def __init__(self, latex: str) -> None:
        self.tokens = [hit[0] for hit in _TOKEN.finditer(latex)]
        self.i = 0

    def row(self, end: str) -> str:
        """Elements up to the token `end`, which is consumed; an empty `end` is the formula's."""
        out: list[str] = []
        while self.i < len(self.tokens):
            if self.tokens[self.i] == end:
                self.i += 1
                return "".join(out)
            out.append(self.scripted())
        if end:
            raise ValueError(f"{end!r} is missing in the formula {' '.join(self.tokens)}")
        return "".join(out)

    def scripted(self) -> str:
        """One element with its subscript and superscript, if it has them."""
        core = self.atom()
        scripts: dict[str, str] = {}
        while self.i < len(self.tokens) and self.tokens[self.i] in "_^":
            mark = self.take()
            scripts[mark] = self.atom()
        if len(scripts) == 2:
            return f"<msubsup>{core}{scripts['_']}{scripts['^']}</msubsup>"
        for mark, tag in (("_", "msub"), ("^", "msup")):
            if mark in scripts:
                return f"<{tag}>{core}{scripts[mark]}</{tag}>"
        return core

    def take(self) -> str:
        self.i += 1
        return self.tokens[self.i - 1]

    def atom(self) -> str:
        """One element: a group, a command, a number, a letter or a sign."""
        token = self.take()
        if token == "{":
            return f"<mrow>{self.row('}')}</mrow>"
        if (text := _TOKEN.fullmatch(token)) and text[1] is not None:
            return f"<mtext>{escape(text[1])}</mtext>"
        if token.startswith("\\"):
            return self.command(token[1:])
        tag = "mn" if token[0].isdigit() else "mi" if token.isalpha() else "mo"
        return f"<{tag}>{escape(token)}</{tag}>"

    def command(self, name: str) -> str:
        """Element of a LaTeX command; its arguments are read on."""
        if name in _SYMBOLS:
            return f"<mo>{_SYMBOLS[name]}</mo>"
        if name in _NAMES:
            return f"<mi>{name}</mi>"
        if name in _SPACES:
            return f'<mspace width="{_SPACES[name]}"/>'
        if name in ("left", "right"):
            return f"<mo>{escape(self.take())}</mo>"
        if name == "frac":
            return f"<mfrac>{self.atom()}{self.atom()}</mfrac>"
        if name == "binom":
            inside = f'<mfrac linethickness="0">{self.atom()}{self.atom()}</mfrac>'
            return f"<mrow><mo>(</mo>{inside}<mo>)</mo></mrow>"
        return self.decorated(name)

    def decorated(self, name: str) -> str:
        """Roots, bars, moduli and matrices."""
        if name == "sqrt":
            return f"<msqrt>{self.atom()}</msqrt>"
        if name == "bar":
            return f"<mover>{self.atom()}<mo>¯</mo></mover>"
        if name == "pmod":
            return f"<mrow><mo>(</mo><mi>mod</mi>{self.atom()}<mo>)</mo></mrow>"
        if name == "begin":
            return self.matrix()
        raise ValueError(f"the command \\{name} is not known here")

    def matrix(self) -> str:
        r"""A `pmatrix`, read from behind `\begin` to behind `\end{pmatrix}`."""
        self.skip_name()
        rows: list[list[str]] = [[""]]
        while (token := self.tokens[self.i]) != "\\end":
            if token in ("&", "\\\\"):
                self.i += 1
                if token == "&":
                    rows[-1].append("")
                else:
                    rows.append([""])
            else:
                rows[-1][-1] += self.scripted()
        self.i += 1
        self.skip_name()
        cells = ["".join(f"<mtd>{cell}</mtd>" for cell in row) for row in rows]
        table = "".join(f"<mtr>{row}</mtr>" for row in cells)
        return f"<mrow><mo>(</mo><mtable>{table}</mtable><mo>)</mo></mrow>"

    def skip_name(self) -> None:
        """Pass over `{pmatrix}`, which the tokeniser has cut into letters."""
        while self.take() != "}":
            pass
