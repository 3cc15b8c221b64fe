"""A page's tree -> its blocks of text and the elements around them, in one walk.

A block is what stands between two tags that break the line: a paragraph, a heading, a list item, a
cell. Elements keep the range of blocks inside them, so that sums over a subtree are differences.
"""

from __future__ import annotations

import re
from array import array
from dataclasses import dataclass, field

from selectolax.lexbor import LexborHTMLParser, LexborNode

from curation.extract.classes import FORMULA, HIDDEN, NO_NAMES, Names, NamesReader
from curation.extract.formulas import formula_of, may_be_formula

MAX_NODES = 400_000
"""Nodes of the tree that are looked at; what follows in a larger page is not read."""
MAX_BLOCKS = 20_000
"""Likewise of blocks, which bounds the memory for their features at some 200 MB."""
_MAX_JSON_CHARS = 60_000

BLOCK_TAGS = (
    "p", "div", "li", "td", "th", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "dt",
    "dd", "figcaption", "caption", "summary", "button", "label", "section", "article", "main",
    "header", "footer", "nav", "aside", "form", "ul", "ol", "dl", "table", "tr", "figure",
    "details", "address", "fieldset", "option", "body", "other",
)  # fmt: skip
"""Tags that break the line; `other` stands for the rest of them."""
TAG_CODES = {tag: code for code, tag in enumerate(BLOCK_TAGS)}
_OTHERS = (
    "tbody", "thead", "tfoot", "center", "dir", "menu", "hgroup", "search", "legend", "optgroup",
    "select", "dialog", "marquee", "frameset", "colgroup", "picture", "video", "audio", "hr",
)  # fmt: skip
_PRE_CODE = TAG_CODES["pre"]
_BREAKING = (
    TAG_CODES
    | dict.fromkeys(_OTHERS, TAG_CODES["other"])
    | dict.fromkeys(("xmp", "listing", "plaintext"), _PRE_CODE)
)
_SILENT = frozenset({
    "style", "svg", "iframe", "object", "embed", "canvas", "textarea", "datalist", "input", "meta",
    "link", "title", "head", "base", "map", "area", "frame", "noframes",
    "param", "source", "track", "col", "rp", "applet", "template", "noscript", "rt",
})  # fmt: skip
"""Elements whose content is not text of the page."""
_FURNITURE = frozenset({"nav", "footer", "select", "option", "optgroup"})
"""Elements that are read only where the page has next to nothing besides.

Of 1,000 pages whose main text people marked, 0.6 % of that text stands in these, which hold 31 % of
the blocks; leaving them out makes reading and all that follows that much faster.
"""
_MIN_CHARS = 250
_SKIP, _INLINE, _BLOCK, _PRE, _LINK, _BOLD = -1, 0, 1, 2, 3, 4
"""What is to be done on leaving an element."""
_SILENCE, _SPAN, _PLAIN, _ANCHOR, _STRONG, _LINE_BREAK = -1, -2, -3, -4, -5, -6
"""Kinds of elements that do not break the line; those that do have their tag's code."""
_INLINE_KINDS = {"a": _ANCHOR, "b": _STRONG, "strong": _STRONG, "br": _LINE_BREAK} | dict.fromkeys(
    ("em", "i", "u", "small", "sup", "sub", "font", "code", "kbd", "mark", "time"), _PLAIN
)
"""The plain ones are entered without a look at their attributes."""

_KINDS = _BREAKING | _INLINE_KINDS | dict.fromkeys(_SILENT, _SILENCE)


def _numbers_of_tags() -> dict[str, int]:
    """Lexbor's number of each tag in `_KINDS`, of comments and of texts.

    To ask a node for its number takes half as long as to ask for its tag, which makes a string.
    """
    parser = LexborHTMLParser("<body>text<!-- comment -->")
    nodes = [parser.create_node(tag) for tag in _KINDS]
    nodes += [node for body in parser.css("body") for node in body.iter(include_text=True)]
    return {node.tag or "": node.tag_id for node in nodes}


_NUMBERS = _numbers_of_tags()
_TEXT, _COMMENT = _NUMBERS["-text"], _NUMBERS["-comment"]
_ALL_KINDS = {_NUMBERS[tag]: kind for tag, kind in _KINDS.items()} | {_COMMENT: _SILENCE}
_MAIN_KINDS = _ALL_KINDS | {_NUMBERS[tag]: _SILENCE for tag in _FURNITURE}
_SPEAKING = frozenset({"id", "role", "itemtype", "hidden", "aria-hidden", "style"})
"""Attributes that say something of an element, besides its class."""
_HIDDEN_STYLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_SCHEMA_TYPE = re.compile(r'"@type"\s*:\s*\[?\s*"([^"]{1,60})"')
_NOSCRIPT = re.compile(r"(?i)<(/?)noscript\b")
_BREAK_MARK = "\v"
"""Stands for `<br>` until the white space is squeezed."""


def _ints() -> array[int]:
    return array("q")


def _floats() -> array[float]:
    return array("d")


@dataclass(frozen=True)
class Elements:
    """Line-breaking elements in document order, an array a column. Element 0 is the body."""

    parent: array[int] = field(default_factory=_ints)
    tag: array[int] = field(default_factory=_ints)
    start: array[int] = field(default_factory=_ints)
    """First block inside it or after it."""
    end: array[int] = field(default_factory=_ints)
    """The block behind its last."""
    mask: array[int] = field(default_factory=_ints)
    score: array[float] = field(default_factory=_floats)
    key: array[int] = field(default_factory=_ints)
    """The last three: what its class, id and role say; see `classes.Names`."""


@dataclass(frozen=True)
class Blocks:
    """Blocks in document order, a list or an array a column."""

    text: list[str] = field(default_factory=list)
    element: array[int] = field(default_factory=_ints)
    """The innermost element around it."""
    n_link_chars: array[int] = field(default_factory=_ints)
    n_links: array[int] = field(default_factory=_ints)
    n_bold_chars: array[int] = field(default_factory=_ints)
    n_images: array[int] = field(default_factory=_ints)
    n_breaks: array[int] = field(default_factory=_ints)
    mask: array[int] = field(default_factory=_ints)
    """Groups that the class words of the inline elements in it belong to."""


@dataclass
class Head:
    """What the page says of itself outside its text."""

    title: str = ""
    og_title: str = ""
    og_type: str = ""
    schema_types: str = ""
    """Values of `@type` in JSON-LD and of `itemtype`, lower-cased, joined by blanks."""


@dataclass(frozen=True)
class Page:
    """A page as blocks and elements, in document order, and its head. Element 0 is the body."""

    blocks: Blocks
    elements: Elements
    head: Head
    is_cut: bool = False
    """Whether the page has more than `MAX_NODES` or `MAX_BLOCKS`, and the rest was not read."""


def read_page(html: str, *, names_of: NamesReader) -> Page:
    """`html` as blocks. Any string will do; time is linear in the nodes, and nothing recurses."""
    page = _read(html, names_of, _MAIN_KINDS)
    if sum(map(len, page.blocks.text)) >= _MIN_CHARS:
        return page
    # A parser that knows scripts takes what is in `noscript` for raw text; some pages, such as
    # forums by Discourse, have all of their text there.
    return _read(_NOSCRIPT.sub(r"<\1div", html), names_of, _ALL_KINDS)


def _read(html: str, names_of: NamesReader, kinds: dict[int, int]) -> Page:
    parser = LexborHTMLParser(html)
    walk = _Walk(names_of, kinds=kinds)
    if parser.body is not None:
        walk.run(parser.body)
    return Page(walk.blocks, walk.elements, _head(parser, walk.schema_types), walk.is_cut)


class _Walk:
    """State of a walk: the open block, and the open elements."""

    __slots__ = (
        "_after_break", "_bold_depth", "_element", "_kinds", "_link_depth", "_mask",
        "_n_bold_chars", "_n_breaks", "_n_images", "_n_link_chars", "_n_links", "_names_of",
        "_parts", "_pre_depth", "blocks", "elements", "is_cut", "schema_types",
    )  # fmt: skip

    def __init__(self, names_of: NamesReader, *, kinds: dict[int, int]) -> None:
        self.blocks = Blocks()
        self.elements = Elements()
        self.schema_types: list[str] = []
        self.is_cut = False
        self._names_of = names_of
        self._kinds = kinds
        self._parts: list[str] = []
        self._element = 0
        self._link_depth = self._bold_depth = self._pre_depth = 0
        self._start_block()

    def _start_block(self) -> None:
        self._n_link_chars = self._n_bold_chars = 0
        self._n_links = self._n_images = self._n_breaks = self._mask = 0
        self._after_break = False

    def run(self, body: LexborNode) -> None:
        """Visits `body` and all below it, depth first.

        The commonest nodes are dealt with in the loop itself: a call costs more than they do.
        """
        node = body
        open_nodes: list[tuple[LexborNode, int]] = []
        push, pop, parts = open_nodes.append, open_nodes.pop, self._parts
        kind_of, leave, add = self._kinds.get, self._leave, self._add
        for _ in range(MAX_NODES):
            number = node.tag_id
            if number == _TEXT:
                text = node.text_content or ""
                if not text.isspace():
                    add(text)
                elif parts:
                    parts.append(text)
            else:
                code = kind_of(number, _SPAN)
                if code >= 0:
                    kind = self._open(code, node)
                elif code != _SILENCE:
                    kind = self._enter(code, node)
                else:
                    kind = _SKIP
                if kind >= 0:
                    child = node.first_child
                    if child is not None:
                        push((node, kind))
                        node = child
                        continue
                    if kind:
                        leave(kind)
            following = node.next
            while following is None and open_nodes:
                node, kind = pop()
                if kind:
                    leave(kind)
                following = node.next
            if following is None:
                break
            node = following
        else:
            self.is_cut = True
        for _, kind in reversed(open_nodes):
            leave(kind)

    def _add(self, text: str) -> None:
        self._parts.append(text)
        self._after_break = False
        if self._link_depth:
            self._n_link_chars += len(text)
        if self._bold_depth:
            self._n_bold_chars += len(text)

    def _enter(self, code: int, node: LexborNode) -> int:
        """Opens an element within a line. `_SKIP`: nothing in it is read."""
        if code == _ANCHOR:
            self._link_depth += 1
            self._n_links += 1
            return _LINK
        if code == _SPAN:
            return self._inline(node)
        if code == _STRONG:
            self._bold_depth += 1
            return _BOLD
        if code == _LINE_BREAK:
            self._break()
            return _SKIP
        return _INLINE

    def _inline(self, node: LexborNode) -> int:
        """An element within a line: a picture, a script, a formula, or a span of text."""
        tag = node.tag or ""
        attributes = node.attributes
        if tag == "span" and not attributes:
            return _INLINE
        classes = attributes.get("class")
        mask = self._names_of(classes).mask if classes else FORMULA
        if (tag != "span" or mask & FORMULA) and self._is_formula(tag, node, attributes):
            return _SKIP
        if tag == "img":
            self._n_images += 1
            return _SKIP
        if tag == "script":
            if attributes.get("type") == "application/ld+json":
                self.schema_types += _types_in(node.text() or "")
            return _SKIP
        self._mask |= mask
        return _INLINE

    def _is_formula(self, tag: str, node: LexborNode, attributes: dict[str, str | None]) -> bool:
        """Whether `node` is a formula, which is then added, and nothing in it is to be read."""
        if not may_be_formula(tag, attributes):
            return False
        formula = formula_of(node)
        if formula is None:
            return False
        if formula.text:
            self._add(f" {formula.text} " if formula.display else formula.text)
        return True

    def _leave(self, kind: int) -> None:
        if kind in (_BLOCK, _PRE):
            if self._parts:
                self._flush()
            if kind == _PRE:
                self._pre_depth -= 1
            elements = self.elements
            elements.end[self._element] = len(self.blocks.text)
            self._element = elements.parent[self._element]
        elif kind == _LINK:
            self._link_depth -= 1
        elif kind == _BOLD:
            self._bold_depth -= 1

    def _open(self, code: int, node: LexborNode) -> int:
        attributes = node.attributes
        mask, score, key = self._read_names(attributes) if attributes else NO_NAMES
        if mask & FORMULA and self._is_formula(node.tag or "", node, attributes):
            return _SKIP
        if self._parts:
            self._flush()
        elements = self.elements
        elements.parent.append(self._element)
        self._element = len(elements.tag)
        elements.tag.append(code)
        elements.start.append(len(self.blocks.text))
        elements.end.append(0)
        elements.mask.append(mask)
        elements.score.append(score)
        elements.key.append(key)
        if code == _PRE_CODE:
            self._pre_depth += 1
            return _PRE
        return _BLOCK

    def _read_names(self, attributes: dict[str, str | None]) -> Names:
        classes = attributes.get("class")
        names = self._names_of(classes) if classes else NO_NAMES
        if _SPEAKING.isdisjoint(attributes):
            return names
        if value := attributes.get("id"):
            names = self._names_of.with_token(names, value)
        if value := attributes.get("role"):
            names = self._names_of.with_token(names, value)
        if "itemtype" in attributes:
            self.schema_types.append((attributes["itemtype"] or "").rsplit("/", 1)[-1].lower())
        if _is_hidden(attributes):
            return Names(names.mask | HIDDEN, names.score, names.key)
        return names

    def _break(self) -> None:
        if self._after_break and not self._pre_depth:
            self._flush()
        elif self._parts:
            self._parts.append("\n" if self._pre_depth else _BREAK_MARK)
            self._n_breaks += 1
            self._after_break = True

    def _flush(self) -> None:
        """Ends the open block; without text, or beyond `MAX_BLOCKS`, it leaves nothing."""
        joined = "".join(self._parts)
        self._parts.clear()
        if self._pre_depth:
            text = _preformatted(joined)
        elif self._n_breaks:
            text = _squeezed(joined)
        else:
            text = " ".join(joined.split())
        blocks = self.blocks
        if not text:
            return
        if len(blocks.text) >= MAX_BLOCKS:
            self.is_cut = True
            return
        blocks.text.append(text)
        blocks.element.append(self._element)
        blocks.n_link_chars.append(self._n_link_chars)
        blocks.n_links.append(self._n_links)
        blocks.n_bold_chars.append(self._n_bold_chars)
        blocks.n_images.append(self._n_images)
        blocks.n_breaks.append(self._n_breaks)
        blocks.mask.append(self._mask)
        self._start_block()


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    if "hidden" in attributes:
        return True
    if attributes.get("aria-hidden") == "true":
        return True
    style = attributes.get("style")
    return style is not None and _HIDDEN_STYLE.search(style) is not None


def _preformatted(text: str) -> str:
    lines = text.replace("\r\n", "\n").strip("\n\r").rstrip()
    return lines if lines.strip() else ""


def _squeezed(text: str) -> str:
    """`text` with a line for what stands between two breaks."""
    lines = (" ".join(line.split()) for line in text.split(_BREAK_MARK))
    return "\n".join(line for line in lines if line)


def _types_in(json: str) -> list[str]:
    return [match.lower() for match in _SCHEMA_TYPE.findall(json[:_MAX_JSON_CHARS])]


def _head(parser: LexborHTMLParser, schema_types: list[str]) -> Head:
    """Reads `<title>`, `<meta>` and JSON-LD among the children of `<head>`."""
    head = Head()
    node = parser.head.first_child if parser.head is not None else None
    while node is not None:
        tag = node.tag
        if tag == "title":
            head.title = head.title or " ".join((node.text() or "").split())
        elif tag == "meta":
            _read_meta(node.attributes, head)
        elif tag == "script" and node.attributes.get("type") == "application/ld+json":
            schema_types += _types_in(node.text() or "")
        node = node.next
    head.schema_types = " ".join(schema_types)
    return head


def _read_meta(attributes: dict[str, str | None], head: Head) -> None:
    name = attributes.get("property") or attributes.get("name")
    content = attributes.get("content") or ""
    if name == "og:title":
        head.og_title = " ".join(content.split())
    elif name == "og:type":
        head.og_type = content.strip().lower()
