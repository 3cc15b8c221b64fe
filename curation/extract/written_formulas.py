"""Formulas whose LaTeX stands in a picture, in an attribute, or as the text of an element."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborNode

from curation.extract import latex_text
from curation.extract.formula import (
    TOLD_ELSEWHERE,
    Formula,
    first_child,
    of_latex,
    of_mathml_source,
)
from curation.extract.formula_signs import IMAGE_CLASS, NAMES, SOURCES, Attributes

_SURE_IMAGE_CLASS = re.compile(r"(?i)(?<![\w-])(?:mwe-math-fallback-image-\w+|(?:wp-)?latex)(?!\S)")
"""Classes of pictures whose text is LaTeX without a doubt."""
_WIRIS = str.maketrans("«»¨§`", "<>\"&'")
_INLINE = frozenset({"br", "wbr", "span", "em", "i", "b", "strong", "font", "nobr", "code", "tt"})
_BLOCKS = frozenset({"div", "p", "center", "figure", "li"})


def of_image(node: LexborNode, attributes: Attributes) -> Formula | None:
    """By `alt`, by MathML in an attribute, or by the address."""
    classes, alternative = attributes.get("class") or "", attributes.get("alt") or ""
    display = "display" in classes.lower()
    if "mwe-math-fallback" in classes and _repeats_mathml(node):
        return TOLD_ELSEWHERE
    if source := attributes.get("data-mathml"):
        return of_mathml_source(source.translate(_WIRIS), display=display)
    if _is_told(alternative, classes):
        return of_latex(alternative, display=display)
    source = attributes.get("src") or ""
    asked = "" if source.startswith("data:") else latex_text.in_address(source)
    return of_latex(asked, display=display) if latex_text.is_formula(asked) else None


def _is_told(alternative: str, classes: str) -> bool:
    """Whether the text of a picture is LaTeX."""
    if _SURE_IMAGE_CLASS.search(classes):
        return 0 < len(alternative.strip()) <= latex_text.MAX_LATEX_CHARS
    if latex_text.is_surely_latex(alternative):
        return True
    return IMAGE_CLASS.search(classes) is not None and latex_text.is_formula(alternative)


def _repeats_mathml(node: LexborNode) -> bool:
    before = node.prev
    if before is not None and before.is_text_node:
        before = before.prev
    return before is not None and before.is_element_node and first_child(before, "math") is not None


def of_attribute(node: LexborNode, attributes: Attributes) -> Formula | None:
    """By the first of the attributes that hold formulas, MathML before all."""
    classes = (attributes.get("class") or "").lower()
    display = "display" in classes or "block" in classes or attributes.get("data-display") == "true"
    if source := attributes.get("data-mathml"):
        return of_mathml_source(source.translate(_WIRIS), display=display)
    source = next((value for name in SOURCES if (value := attributes.get(name))), "")
    return of_latex(source, display=display) if latex_text.is_formula(source) else None


def of_written(node: LexborNode, attributes: Attributes) -> Formula | None:
    """An element whose whole text is one formula: delimited, or plainly LaTeX."""
    if node.tag in ("pre", "code") and "math" not in (attributes.get("class") or ""):
        return None  # a listing that shows how LaTeX is written
    text = _flat_text(node)
    if not text.strip() or len(text) > latex_text.MAX_LATEX_CHARS:
        return None
    if latex_text.is_delimited(text):
        return of_latex(text, display=False)
    if latex_text.has_delimiter(text):
        return None
    if node.tag not in NAMES and not latex_text.has_command(text):
        return None
    display = _is_block(node, attributes)
    return of_latex(text, display=display) if latex_text.is_latex(text) else None


def _is_block(node: LexborNode, attributes: Attributes) -> bool:
    """Whether LaTeX without delimiters is on display here."""
    classes = (attributes.get("class") or "").lower()
    is_block = node.tag in _BLOCKS or "display" in classes or "block" in classes
    return is_block and "inline" not in classes


def _flat_text(node: LexborNode) -> str:
    """Text of an element that holds text, or simple inline elements with text; else empty."""
    parts: list[str] = []
    for child in node.iter(include_text=True):
        if child.is_element_node and not _is_flat(child):
            return ""
        parts.append(child.text() or "")
    return "".join(parts)


def _is_flat(node: LexborNode) -> bool:
    """An inline element with text only: what editors and Markdown put into the LaTeX of a page."""
    return node.tag in _INLINE and all(child.is_text_node for child in node.iter(include_text=True))
