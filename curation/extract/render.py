"""Blocks that were kept -> text: paragraphs, lists and tables keep their lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curation.extract.blocks import TAG_CODES, Page

_ITEM_TAGS = frozenset({TAG_CODES["li"]})
_CELL_TAGS = frozenset({TAG_CODES["td"], TAG_CODES["th"]})
_ENTRY_TAGS = frozenset({TAG_CODES["dt"], TAG_CODES["dd"]})
_PRE_TAG, _TABLE_TAG = TAG_CODES["pre"], TAG_CODES["table"]
_STOPS_AT = frozenset({_TABLE_TAG, TAG_CODES["body"], TAG_CODES["article"]})
_MAX_STEPS = 4
_MAX_CELL_CHARS = 300
"""A longer text in a cell is a paragraph: the table is there for the layout."""


@dataclass(frozen=True)
class _Place:
    """Where a block stands: in which list or row, and in which item or cell of it."""

    kind: str = "paragraph"
    outer: int = -1
    """Element that holds the lines: the list, the row's parent."""
    line: int = -1
    """Element of the line: item, row."""
    cell: int = -1


_PARAGRAPH = _Place()


def render(page: Page, kept: Sequence[int]) -> str:
    """Text of the blocks numbered in `kept`, which rise.

    Paragraphs are separated by a blank line. An item of a list begins with `- ` on a line of its
    own; the cells of a row are joined by ` | ` on one line, empty ones before the last included, so
    that columns stay columns; preformatted text stays as it is.
    """
    parts: list[str] = []
    before: _Place | None = None
    for index in kept:
        place = _place(page, index)
        if before is not None:
            parts.append(_separator(before, place))
        if place.kind == "cell" and (before is None or before.cell != place.cell):
            since = before.cell if before and before.line == place.line else place.line
            parts.append("| " * _n_empty_cells(page, since, place))
        if place.kind == "item" and (before is None or before.line != place.line):
            parts.append("- ")
        parts.append(_one_line(page.blocks.text[index], place))
        before = place
    return "".join(parts)


def _place(page: Page, index: int) -> _Place:
    element = page.blocks.element[index]
    for _ in range(_MAX_STEPS):
        tag, parent = page.elements.tag[element], page.elements.parent[element]
        if tag in _ITEM_TAGS:
            return _Place("item", parent, element)
        if tag in _ENTRY_TAGS:
            return _Place("entry", parent, element)
        if tag in _CELL_TAGS:
            return _cell(page, index, element)
        if tag == _PRE_TAG:
            return _Place("pre", element)
        if tag in _STOPS_AT or element == parent:
            break
        element = parent
    return _PARAGRAPH


def _cell(page: Page, index: int, element: int) -> _Place:
    if len(page.blocks.text[index]) > _MAX_CELL_CHARS:
        return _PARAGRAPH
    row = page.elements.parent[element]
    group = page.elements.parent[row]
    table = group if page.elements.tag[group] == _TABLE_TAG else page.elements.parent[group]
    return _Place("cell", table, row, element)


def _n_empty_cells(page: Page, since: int, place: _Place) -> int:
    """Cells of the row without any text between the element `since` and the place's cell."""
    elements = page.elements
    return sum(
        elements.tag[element] in _CELL_TAGS
        and elements.parent[element] == place.line
        and elements.start[element] == elements.end[element]
        for element in range(since + 1, place.cell)
    )


def _separator(before: _Place, place: _Place) -> str:
    if before.kind == place.kind == "cell":
        if before.cell == place.cell:
            return " "
        if before.line == place.line:
            return " | "
        return "\n" if before.outer == place.outer else "\n\n"
    if before.kind == place.kind == "pre":
        return "\n" if before.outer == place.outer else "\n\n"
    if before.kind == place.kind != "paragraph":
        return "\n"
    return "\n\n"


def _one_line(text: str, place: _Place) -> str:
    """Cells are one line each, even where the page breaks them with `<br>`: the row is a line."""
    if place.kind == "cell" and "\n" in text:
        return text if "  " in text else text.replace("\n", " ")
    return text
