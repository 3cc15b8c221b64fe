"""Formulas of MathJax, KaTeX and MediaWiki, which write each one several times over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from selectolax.lexbor import LexborNode

from curation.extract import mathml
from curation.extract.content_mathml import local_name
from curation.extract.formula import (
    TOLD_ELSEWHERE,
    Formula,
    first_child,
    of_latex,
    of_math,
    of_mathml_source,
)
from curation.extract.formula_signs import Attributes, is_math_script, kind_of_classes
from curation.extract.written_formulas import of_image, of_written

_CDATA = re.compile(r"%?\s*<!\[CDATA\[\s*(.*?)(?:%?\s*\]\]>\s*|\Z)", re.DOTALL)
_PARAGRAPH = re.compile(r"\n\s*\n")
_GLYPH = re.compile(r"mjx-c([0-9A-F]{2,5})(?![0-9A-F])")
_MAX_SIBLINGS = 8


# MathJax


def of_script(node: LexborNode, attributes: Attributes) -> Formula | None:
    """The LaTeX or MathML of a script for MathJax 2; None for other scripts."""
    type_ = (attributes.get("type") or "").lower()
    if not type_.startswith("math/"):
        return None
    content = node.text() or ""
    display = "display" in type_
    if type_.startswith("math/mml"):
        return of_mathml_source(content, display=display) or TOLD_ELSEWHERE
    if match := _CDATA.match(content.strip()):
        content = match[1]
    return of_latex(content, display=display)


def of_rendered(node: LexborNode, attributes: Attributes) -> Formula | None:
    """Told by its script if it has one; else by the MathML that it carries."""
    if any(_is_math_script(sibling) for sibling in _siblings(node)):
        return TOLD_ELSEWHERE
    classes = (attributes.get("class") or "").lower()
    if "preview" in classes:
        rendered = any(_is_rendered(sibling) for sibling in _siblings(node))
        return TOLD_ELSEWHERE if rendered else of_written(node, attributes)
    display = "display" in classes
    if source := attributes.get("data-mathml"):
        return of_mathml_source(source, display=display)
    if math := _assistive(node):
        formula = of_math(math, math.attributes)
        return Formula(formula.latex, formula.display or display)
    return None


def _siblings(node: LexborNode) -> Iterator[LexborNode]:
    """The elements that follow, up to text that says something."""
    current = node.next
    for _ in range(_MAX_SIBLINGS):
        if current is None or (current.is_text_node and (current.text() or "").strip()):
            return
        if current.is_element_node:
            yield current
            if not _is_rendered(current):
                return
        current = current.next


def _is_math_script(node: LexborNode) -> bool:
    return node.tag == "script" and is_math_script(node.attributes)


def _is_rendered(node: LexborNode) -> bool:
    return kind_of_classes(node.attributes.get("class")) in ("rendered", "katex")


def _assistive(node: LexborNode) -> LexborNode | None:
    """The MathML for screen readers that MathJax hides in what it renders."""
    for child in node.iter(include_text=False):
        name = local_name(child)
        if name == "math":
            return child
        classes = child.attributes.get("class") or ""
        if name == "mjx-assistive-mml" or "Assistive" in classes:
            return first_child(child, "math")
    return None


def of_mathjax3(node: LexborNode, attributes: Attributes) -> Formula | None:
    """By the source, by the MathML for screen readers, by text, or by the classes of its signs."""
    display = attributes.get("display") in ("true", "block")
    for child in islice(node.iter(include_text=False), _MAX_SIBLINGS):
        if source := child.attributes.get("data-latex"):
            return of_latex(source, display=display)
    if math := _assistive(node):
        formula = of_math(math, math.attributes)
        return Formula(formula.latex, formula.display or display)
    text = of_latex(node.text() or "", display=display)
    return text if text.latex else Formula(_glyphs(node), display)


def _glyphs(node: LexborNode) -> str:
    """The characters that MathJax 3 draws by classes such as `mjx-c1D465`, in a row."""
    codes = (int(code, 16) for code in _GLYPH.findall(node.html or ""))
    return mathml.latex_of_text("".join(map(chr, filter(_is_character, codes))))


def _is_character(code: int) -> bool:
    return 0x20 <= code < 0xD800 or 0xE000 <= code < 0x110000


# KaTeX and MediaWiki


def of_katex_display(node: LexborNode, attributes: Attributes) -> Formula | None:
    """The formula of KaTeX inside, on display."""
    for child in islice(node.iter(include_text=False), _MAX_SIBLINGS):
        if "katex" in (child.attributes.get("class") or "").split():
            formula = of_katex(child, child.attributes)
            return Formula(formula.latex, display=True)
    return None


def of_katex(node: LexborNode, attributes: Attributes) -> Formula:
    """Told by a script behind it, else by its MathML, else by its text."""
    if any(_is_math_script(sibling) for sibling in _siblings(node)):
        return TOLD_ELSEWHERE
    for child in islice(node.iter(include_text=False), _MAX_SIBLINGS):
        if local_name(child) == "math":
            return of_math(child, child.attributes)
        if "katex-mathml" in (child.attributes.get("class") or ""):
            return of_katex_mathml(child, child.attributes)
    return of_latex(node.text() or "", display=False)


def of_katex_mathml(node: LexborNode, attributes: Attributes) -> Formula:
    """By its MathML; where a site has taken the tags away, by its last paragraph, the source."""
    if math := first_child(node, "math"):
        return of_math(math, math.attributes)
    paragraphs = _PARAGRAPH.split((node.text() or "").strip())
    return of_latex(paragraphs[-1], display=False)


def of_katex_html(node: LexborNode, attributes: Attributes) -> Formula | None:
    """Beside its MathML it says the same again."""
    before = node.prev
    if before is not None and before.is_text_node:
        before = before.prev
    if before is not None and "katex-mathml" in (before.attributes.get("class") or ""):
        return TOLD_ELSEWHERE
    return None


def of_mediawiki(node: LexborNode, attributes: Attributes) -> Formula | None:
    """MathML in a hidden element and a picture: the MathML, or the text of the picture."""
    display = "block" in (attributes.get("class") or "")
    for child in islice(node.iter(include_text=False), _MAX_SIBLINGS):
        math = child if local_name(child) == "math" else first_child(child, "math")
        found = of_math(math, math.attributes) if math is not None else None
        if found is None and child.tag == "img":
            found = of_image(child, child.attributes)
        if found is not None and found.latex:
            return Formula(found.latex, found.display or display)
    return None
