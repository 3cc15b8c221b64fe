r"""Formulas in HTML -> LaTeX text: `$...$` in a line, `$$...$$` on display.

The web writes one formula in many ways, often several times over: MathML with its source as an
annotation (KaTeX, MediaWiki, LaTeXML), a script beside what it was rendered to (MathJax 2), a
picture whose text or address is the source (WordPress, CodeCogs), an attribute, or the source as
text. `formula_of` takes the best of what is there and tells each formula once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from selectolax.lexbor import LexborHTMLParser, LexborNode

from curation.extract import latex_text, mathml
from curation.extract.content_mathml import local_name

Attributes = Mapping[str, str | None]


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


_TOLD_ELSEWHERE = Formula("", display=False)

_NAMES = frozenset({"math", "mjx-container", "tex", "tex-math", "latex", "math-renderer"})
_SOURCES = ("data-tex", "data-latex", "data-math", "data-formula", "data-equation", "data-mathml")
"""Attributes that hold a formula. The last is MathML, the others are LaTeX."""
_SOURCE_SET = frozenset(_SOURCES)
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
_IMAGE_CLASS = re.compile(
    r"(?i)(?<![\w-])(?:mwe-math-fallback-image-\w+|(?:wp-|quick)?latex\S*|tex|texmath|"
    r"math(?:-image|image|tex)?|equation|formula|wirisformula)(?![\w-])"
)
_SURE_IMAGE_CLASS = re.compile(r"(?i)(?<![\w-])(?:mwe-math-fallback-image-\w+|(?:wp-)?latex)(?!\S)")
"""Classes of pictures whose text is LaTeX without a doubt."""
_IMAGE_SOURCE = re.compile(
    r"(?i)(?:latex|tex|math|chart|equation|svg|gif|png|render)[\w./-]*\?|upmath\.me/(?:svg|png)/"
)
_CDATA = re.compile(r"%?\s*<!\[CDATA\[\s*(.*?)(?:%?\s*\]\]>\s*|\Z)", re.DOTALL)
_PARAGRAPH = re.compile(r"\n\s*\n")
_WIRIS = str.maketrans("«»¨§`", "<>\"&'")

_MAX_SIBLINGS = 8
_MAX_SOURCE_CHARS = 400
"""Characters of a picture's address in which its server is looked for."""
_INLINE = frozenset({"br", "wbr", "span", "em", "i", "b", "strong", "font", "nobr", "code", "tt"})
_BLOCKS = frozenset({"div", "p", "center", "figure", "li"})


def may_be_formula(tag: str, attributes: Attributes) -> bool:
    """Whether `formula_of` needs to look at an element. No tree is asked. Cost: about 0.5 µs."""
    if tag == "img":
        return _is_candidate_image(attributes)
    if tag == "script":
        return (attributes.get("type") or "")[:5].lower() == "math/"
    if tag in _NAMES or tag.endswith(":math") or not _SOURCE_SET.isdisjoint(attributes):
        return True
    classes = attributes.get("class")
    return classes is not None and _reader_of_classes(classes) is not None


def formula_of(node: LexborNode) -> Formula | None:
    """The formula that `node` is; None where it is none and its children are to be read.

    A formula without LaTeX (`text` is empty) means that the element repeats one that another
    element tells: it is to be passed over. The children of a formula are never to be read.

    Cost: 5 to 15 µs where the source is there, 3 µs an element where MathML is converted.
    """
    tag, attributes = node.tag or "", node.attributes
    if tag == "img":
        return _image(node, attributes)
    if tag == "script":
        return _script(node, attributes)
    if local_name(node) == "math":
        return _math(node, attributes)
    if tag == "mjx-container":
        return _mathjax3(node, attributes)
    reader = _reader_of_classes(attributes.get("class"))
    if reader is not None and (found := reader(node, attributes)) is not None:
        return found
    if not _SOURCE_SET.isdisjoint(attributes):
        return _attribute(node, attributes)
    return _written(node, attributes) if tag in _NAMES else None


def write_formulas(html: str) -> str:
    """`html` with every formula as text; the same object where no sign of one is found.

    For engines that know no MathML, no scripts and no pictures. Cost: 0.13 ms for 100,000
    characters without a sign; a parse and about 2 µs an element else.
    """
    if not _may_have_formulas(html):
        return html
    tree = LexborHTMLParser(html)
    found = list(_found(tree.root)) if tree.root is not None else []
    if not found:
        return html
    for node, formula in found:
        node.replace_with(formula.text)
    return tree.html or html


# Signs of formulas


_SIGNS = ("math", "atex", "equation?tex=")
"""One of these is in every page with a formula of the kinds known here, but for a few rare ones
such as pictures by mimeTeX alone. Each costs 0.05 ms for 100 KB, so there are three: `atex` is for
LaTeX and KaTeX.
"""


def _may_have_formulas(html: str) -> bool:
    return any(sign in html for sign in _SIGNS)


def _found(root: LexborNode) -> Iterator[tuple[LexborNode, Formula]]:
    """Every formula of a tree in the order of the page, none inside another."""
    node: LexborNode | None = root
    while node is not None:
        formula = None
        if node.is_element_node and may_be_formula(node.tag or "", node.attributes):
            formula = formula_of(node)
        if formula is not None:
            yield node, formula
        node = (node.first_child if formula is None else None) or _next(node)


def _next(node: LexborNode) -> LexborNode | None:
    """What follows the whole of `node` in the order of the page."""
    current: LexborNode | None = node
    while current is not None:
        if current.next is not None:
            return current.next
        current = current.parent
    return None


# MathML


def _math(node: LexborNode, attributes: Attributes) -> Formula:
    """Annotation, `alttext`, or the elements converted, in this order."""
    display = attributes.get("display") == "block" or attributes.get("mode") == "display"
    source = _annotation(node)
    if not source:
        alternative = attributes.get("alttext") or ""
        source = alternative if latex_text.is_latex(alternative) else ""
    if source and (formula := _formula(source, display=display)).latex:
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


def _parsed(source: str, *, display: bool) -> Formula | None:
    """Formula of MathML that stands in an attribute or a script."""
    math = LexborHTMLParser(source).css_first("math")
    if math is None:
        return None
    formula = _math(math, math.attributes)
    return Formula(formula.latex, formula.display or display)


# Scripts and what they were rendered to


def _script(node: LexborNode, attributes: Attributes) -> Formula | None:
    type_ = (attributes.get("type") or "").lower()
    if not type_.startswith("math/"):
        return None
    content = node.text() or ""
    display = "display" in type_
    if type_.startswith("math/mml"):
        return _parsed(content, display=display) or _TOLD_ELSEWHERE
    if match := _CDATA.match(content.strip()):
        content = match[1]
    return _formula(content, display=display)


def _rendered(node: LexborNode, attributes: Attributes) -> Formula | None:
    """Told by its script if it has one; else by the MathML that it carries."""
    if any(_is_math_script(sibling) for sibling in _siblings(node)):
        return _TOLD_ELSEWHERE
    classes = (attributes.get("class") or "").lower()
    if "preview" in classes:
        rendered = any(_is_rendered(sibling) for sibling in _siblings(node))
        return _TOLD_ELSEWHERE if rendered else _written(node, attributes)
    display = "display" in classes
    if source := attributes.get("data-mathml"):
        return _parsed(source, display=display)
    if math := _assistive(node):
        formula = _math(math, math.attributes)
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
    return node.tag == "script" and may_be_formula("script", node.attributes)


def _is_rendered(node: LexborNode) -> bool:
    return _reader_of_classes(node.attributes.get("class")) in (_rendered, _katex)


def _assistive(node: LexborNode) -> LexborNode | None:
    """The MathML for screen readers that MathJax hides in what it renders."""
    for child in node.iter(include_text=False):
        name = local_name(child)
        if name == "math":
            return child
        classes = child.attributes.get("class") or ""
        if name == "mjx-assistive-mml" or "Assistive" in classes:
            return _first(child, "math")
    return None


def _formula(source: str, *, display: bool) -> Formula:
    """Formula of LaTeX as the page writes it; its delimiters may say that it is on display."""
    written = latex_text.written(source)
    return Formula(written.latex, display or written.is_display)


def _first(node: LexborNode, name: str) -> LexborNode | None:
    """The first child called `name`."""
    return next((c for c in node.iter(include_text=False) if local_name(c) == name), None)


def _mathjax3(node: LexborNode, attributes: Attributes) -> Formula | None:
    display = attributes.get("display") in ("true", "block")
    for child in islice(node.iter(include_text=False), _MAX_SIBLINGS):
        if source := child.attributes.get("data-latex"):
            return _formula(source, display=display)
    if math := _assistive(node):
        formula = _math(math, math.attributes)
        return Formula(formula.latex, formula.display or display)
    text = _formula(node.text() or "", display=display)
    return text if text.latex else Formula(_glyphs(node), display)


_GLYPH = re.compile(r"mjx-c([0-9A-F]{2,5})(?![0-9A-F])")


def _glyphs(node: LexborNode) -> str:
    """The characters that MathJax 3 draws by classes such as `mjx-c1D465`, in a row."""
    codes = (int(code, 16) for code in _GLYPH.findall(node.html or ""))
    return mathml.latex_of_text("".join(map(chr, filter(_is_character, codes))))


def _is_character(code: int) -> bool:
    return 0x20 <= code < 0xD800 or 0xE000 <= code < 0x110000


# KaTeX and MediaWiki


def _katex_display(node: LexborNode, attributes: Attributes) -> Formula | None:
    for child in islice(node.iter(include_text=False), _MAX_SIBLINGS):
        if "katex" in (child.attributes.get("class") or "").split():
            formula = _katex(child, child.attributes)
            return Formula(formula.latex, display=True)
    return None


def _katex(node: LexborNode, attributes: Attributes) -> Formula:
    if any(_is_math_script(sibling) for sibling in _siblings(node)):
        return _TOLD_ELSEWHERE
    for child in islice(node.iter(include_text=False), _MAX_SIBLINGS):
        if local_name(child) == "math":
            return _math(child, child.attributes)
        if "katex-mathml" in (child.attributes.get("class") or ""):
            return _katex_mathml(child, child.attributes)
    return _formula(node.text() or "", display=False)


def _katex_mathml(node: LexborNode, attributes: Attributes) -> Formula:
    """By its MathML; where a site has taken the tags away, by its last paragraph, the source."""
    if math := _first(node, "math"):
        return _math(math, math.attributes)
    paragraphs = _PARAGRAPH.split((node.text() or "").strip())
    return _formula(paragraphs[-1], display=False)


def _katex_html(node: LexborNode, attributes: Attributes) -> Formula | None:
    """Beside its MathML it says the same again."""
    before = node.prev
    if before is not None and before.is_text_node:
        before = before.prev
    if before is not None and "katex-mathml" in (before.attributes.get("class") or ""):
        return _TOLD_ELSEWHERE
    return None


def _mediawiki(node: LexborNode, attributes: Attributes) -> Formula | None:
    """MathML in a hidden element and a picture: the MathML, or the text of the picture."""
    display = "block" in (attributes.get("class") or "")
    for child in islice(node.iter(include_text=False), _MAX_SIBLINGS):
        math = child if local_name(child) == "math" else _first(child, "math")
        found = _math(math, math.attributes) if math is not None else None
        if found is None and child.tag == "img":
            found = _image(child, child.attributes)
        if found is not None and found.latex:
            return Formula(found.latex, found.display or display)
    return None


# Pictures


def _is_candidate_image(attributes: Attributes) -> bool:
    alternative, source = attributes.get("alt") or "", attributes.get("src") or ""
    if "\\" in alternative or "$" in alternative or "data-mathml" in attributes:
        return True
    if (classes := attributes.get("class")) and _IMAGE_CLASS.search(classes):
        return True
    if "?" not in source[:_MAX_SOURCE_CHARS] and "upmath" not in source[:_MAX_SOURCE_CHARS]:
        return False
    return _IMAGE_SOURCE.search(source[:_MAX_SOURCE_CHARS]) is not None


def _image(node: LexborNode, attributes: Attributes) -> Formula | None:
    """By `alt`, by MathML in an attribute, or by the address."""
    classes, alternative = attributes.get("class") or "", attributes.get("alt") or ""
    display = "display" in classes.lower()
    if "mwe-math-fallback" in classes and _repeats_mathml(node):
        return _TOLD_ELSEWHERE
    if source := attributes.get("data-mathml"):
        return _parsed(source.translate(_WIRIS), display=display)
    if _is_told(alternative, classes):
        return _formula(alternative, display=display)
    source = attributes.get("src") or ""
    asked = "" if source.startswith("data:") else latex_text.in_address(source)
    return _formula(asked, display=display) if latex_text.is_formula(asked) else None


def _is_told(alternative: str, classes: str) -> bool:
    """Whether the text of a picture is LaTeX."""
    if _SURE_IMAGE_CLASS.search(classes):
        return 0 < len(alternative.strip()) <= latex_text.MAX_LATEX_CHARS
    if latex_text.is_surely_latex(alternative):
        return True
    return _IMAGE_CLASS.search(classes) is not None and latex_text.is_formula(alternative)


def _repeats_mathml(node: LexborNode) -> bool:
    before = node.prev
    if before is not None and before.is_text_node:
        before = before.prev
    return before is not None and before.is_element_node and _first(before, "math") is not None


# Attributes and text


def _attribute(node: LexborNode, attributes: Attributes) -> Formula | None:
    classes = (attributes.get("class") or "").lower()
    display = "display" in classes or "block" in classes or attributes.get("data-display") == "true"
    if source := attributes.get("data-mathml"):
        return _parsed(source.translate(_WIRIS), display=display)
    source = next((value for name in _SOURCES if (value := attributes.get(name))), "")
    return _formula(source, display=display) if latex_text.is_formula(source) else None


def _written(node: LexborNode, attributes: Attributes) -> Formula | None:
    """An element whose whole text is one formula: delimited, or plainly LaTeX."""
    if node.tag in ("pre", "code") and "math" not in (attributes.get("class") or ""):
        return None  # a listing that shows how LaTeX is written
    text = _flat_text(node)
    if not text.strip() or len(text) > latex_text.MAX_LATEX_CHARS:
        return None
    if latex_text.is_delimited(text):
        return _formula(text, display=False)
    if latex_text.has_delimiter(text):
        return None
    if node.tag not in _NAMES and not latex_text.has_command(text):
        return None
    display = _is_block(node, attributes)
    return _formula(text, display=display) if latex_text.is_latex(text) else None


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


_Reader = Callable[[LexborNode, Attributes], Formula | None]
_READERS: dict[str, _Reader] = {
    "katex-display": _katex_display, "katex": _katex, "katex-mathml": _katex_mathml,
    "katex-html": _katex_html, "mwe-math-element": _mediawiki,
    **dict.fromkeys(_WRITTEN, _written), **dict.fromkeys(_RENDERED, _rendered),
}  # fmt: skip
"""What reads an element with one of these classes."""


def _reader_of_classes(classes: str | None) -> _Reader | None:
    names = (classes or "").lower()
    if not ("math" in names or "tex" in names or "mjx" in names):
        return None
    return next((r for name in names.split() if (r := _READERS.get(name))), None)
