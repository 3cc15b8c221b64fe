"""A formula as LaTeX, from its two sources: LaTeX as a page writes it, and MathML."""

from __future__ import annotations

from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from curation.extract import latex_text, mathml
from curation.extract.content_mathml import local_name
from curation.extract.formula_signs import Attributes


@dataclass(frozen=True)
class Formula:
    """A formula as LaTeX without delimiters, on one line; empty where another element tells it."""

    latex: str
    display: bool

    @property
    def text(self) -> str:
        """The formula between dollars, as it stands in the text of a page."""
        if not self.latex:
            return ""
        return f"$${self.latex}$$" if self.display else f"${self.latex}$"


TOLD_ELSEWHERE = Formula("", display=False)
"""What an element is that repeats the formula of another one."""


def of_latex(source: str, *, display: bool) -> Formula:
    """Formula of LaTeX as the page writes it; its delimiters may say that it is on display."""
    written = latex_text.written(source)
    return Formula(written.latex, display or written.is_display)


def of_math(node: LexborNode, attributes: Attributes) -> Formula:
    """Annotation, `alttext`, or the elements converted, in this order."""
    display = attributes.get("display") == "block" or attributes.get("mode") == "display"
    source = _annotation(node)
    if not source:
        alternative = attributes.get("alttext") or ""
        source = alternative if latex_text.is_latex(alternative) else ""
    if source and (formula := of_latex(source, display=display)).latex:
        return formula
    return Formula(mathml.latex_of(node), display)


def _annotation(math: LexborNode) -> str:
    """The TeX that `<semantics>` annotates, empty where there is none."""
    for outer in math.iter(include_text=False):
        if local_name(outer) != "semantics":
            continue
        for inner in outer.iter(include_text=False):
            encoding = inner.attributes.get("encoding") or ""
            if local_name(inner) == "annotation" and encoding.lower().endswith("tex"):
                return inner.text() or ""
    return ""


def of_mathml_source(source: str, *, display: bool) -> Formula | None:
    """Formula of MathML that stands in an attribute or a script."""
    math = LexborHTMLParser(source).css_first("math")
    if math is None:
        return None
    formula = of_math(math, math.attributes)
    return Formula(formula.latex, formula.display or display)


def first_child(node: LexborNode, name: str) -> LexborNode | None:
    """The first child called `name`."""
    return next((c for c in node.iter(include_text=False) if local_name(c) == name), None)
