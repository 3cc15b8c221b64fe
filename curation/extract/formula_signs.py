"""What shows that an element, or a page, may hold a formula: names, classes, attributes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Attributes = Mapping[str, str | None]

Kind = Literal[
    "written", "rendered", "katex-display", "katex", "katex-mathml", "katex-html", "mediawiki"
]
"""How the formula of an element is to be read, by its class."""

NAMES = frozenset({"math", "mjx-container", "tex", "tex-math", "latex", "math-renderer"})
"""Elements that hold a formula."""
SOURCES = ("data-tex", "data-latex", "data-math", "data-formula", "data-equation", "data-mathml")
"""Attributes that hold a formula. The last is MathML, the others are LaTeX."""
SOURCE_SET = frozenset(SOURCES)
_WRITTEN = frozenset({
    "math", "tex", "latex", "math-inline", "math-display", "math-block", "math-container",
    "math-tex", "mathjax-tex", "math-equation", "math-formula", "math_inline", "math_display",
    "arithmatex", "kdmath", "texmath", "math-expression", "language-math", "ztext-math",
    "mwe-math-fallback-source-inline", "mwe-math-fallback-source-display", "katex-error",
    "mathjaxequ",
})  # fmt: skip
"""Classes of elements whose text is LaTeX, with or without delimiters."""
_RENDERED = frozenset({
    "mathjax_preview", "mathjax", "mathjax_display", "mathjax_svg", "mathjax_svg_display",
    "mathjax_chtml", "mathjax_mathml", "mjxc-display", "mjx-chtml", "mathjax_phtml",
    "mathjax_error",
})  # fmt: skip
"""Classes of what MathJax 2 puts beside its script."""
_KINDS: dict[str, Kind] = {
    "katex-display": "katex-display", "katex": "katex", "katex-mathml": "katex-mathml",
    "katex-html": "katex-html", "mwe-math-element": "mediawiki",
    **dict.fromkeys(_WRITTEN, "written"), **dict.fromkeys(_RENDERED, "rendered"),
}  # fmt: skip
IMAGE_CLASS = re.compile(
    r"(?i)(?<![\w-])(?:mwe-math-fallback-image-\w+|(?:wp-|quick)?latex\S*|tex|texmath|"
    r"math(?:-image|image|tex)?|equation|formula|wirisformula)(?![\w-])"
)
"""Classes of pictures of formulas."""
_IMAGE_SOURCE = re.compile(
    r"(?i)(?:latex|tex|math|chart|equation|svg|gif|png|render)[\w./-]*\?|upmath\.me/(?:svg|png)/"
)
_MAX_SOURCE_CHARS = 400
"""Characters of a picture's address in which its server is looked for."""
_SIGNS = ("math", "atex", "equation?tex=")
"""One of these is in every page with a formula of the kinds known here, but for a few rare ones
such as pictures by mimeTeX alone. Each costs 0.05 ms for 100 KB, so there are three: `atex` is for
LaTeX and KaTeX.
"""


def kind_of_classes(classes: str | None) -> Kind | None:
    """By the first class that is known here; None where none is."""
    names = (classes or "").lower()
    if not ("math" in names or "tex" in names or "mjx" in names):
        return None
    return next((kind for name in names.split() if (kind := _KINDS.get(name))), None)


def is_math_script(attributes: Attributes) -> bool:
    """Whether a script holds a formula for MathJax 2."""
    return (attributes.get("type") or "")[:5].lower() == "math/"


def is_candidate_image(attributes: Attributes) -> bool:
    """Whether a picture may be that of a formula."""
    alternative, source = attributes.get("alt") or "", attributes.get("src") or ""
    if "\\" in alternative or "$" in alternative or "data-mathml" in attributes:
        return True
    if (classes := attributes.get("class")) and IMAGE_CLASS.search(classes):
        return True
    if "?" not in source[:_MAX_SOURCE_CHARS] and "upmath" not in source[:_MAX_SOURCE_CHARS]:
        return False
    return _IMAGE_SOURCE.search(source[:_MAX_SOURCE_CHARS]) is not None


def page_may_have_formulas(html: str) -> bool:
    """Whether a page has a sign of a formula."""
    return any(sign in html for sign in _SIGNS)
