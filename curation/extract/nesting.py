"""A page nested absurdly deep -> as much of it as a parser gets through."""

from __future__ import annotations

import re
from collections import Counter

MAX_DEPTH = 3_000
"""Real pages stay below 300. A parser looks through the open elements at each tag, so that its time
grows with the square: 0.02 s for 3,000 levels, 15 s for 100,000 (lexbor, selectolax 1.0.2)."""

MAX_UNSEEN_TAGS = 20_000
"""Pages with fewer tags are not looked at. Elements that nest cost lexbor half a second there at
the worst, formatting that is never closed a minute, which the guard over the page ends."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
_LEAVES = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
    "path", "use", "circle", "rect", "line", "polygon", "polyline", "ellipse", "stop", "image",
})  # fmt: skip
"""Elements that hold no others: void ones, and shapes of a drawing."""
_TABLE = ("table",)
_FORMATTING = frozenset({
    "a", "b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u",
})  # fmt: skip
"""Elements that go on behind the end of what they stand in, until they are closed themselves."""
_MAX_ALIKE = 3
"""Formatting elements written the same way that stay open (HTML standard, "Noah's Ark clause")."""
_CELLS = ("td", "th", "caption")
"""Elements that formatting does not leave."""
_TABLE = ("table",)
_CLOSED_BY_THE_NEXT = {
    "p": (*_CELLS, "button"), "li": ("ul", "ol"), "dt": ("dl",), "dd": ("dl",),
    "option": ("select",), "optgroup": ("select",), "tr": _TABLE, "td": _TABLE, "th": _TABLE,
    "thead": _TABLE, "tbody": _TABLE, "tfoot": _TABLE, "colgroup": _TABLE, "rp": ("ruby",),
    "rt": ("ruby",),
}  # fmt: skip
"""Elements that the next of their kind closes, with all that is open in them, unless one of those
named lies between."""


def cut_at_depth(
    html: str, max_depth: int = MAX_DEPTH, *, max_unseen_tags: int = MAX_UNSEEN_TAGS
) -> str:
    """`html` up to the tag that opens the level below `max_depth`; mostly the very same string.

    Cost: a count of one character, and 12 ms for 10,000 tags where there are more than
    `max_unseen_tags`. No parser has seen the tags yet: what they open and close is reckoned as the
    HTML standard does where authors leave out end tags, and not in every case of misnesting.
    """
    if html.count("<") <= max_unseen_tags:
        return html
    elements, formatting = _Open(), _Formatting()
    for tag in _TAG.finditer(html):
        name = tag[2].lower()
        if name in _FORMATTING:
            end = html.find(">", tag.end()) if not tag[1] else -1
            formatting.close(name) if tag[1] else formatting.open(name, html[tag.start() : end])
        elif tag[1]:
            formatting.cut(elements.close(name))
        elif name not in _LEAVES:
            formatting.cut(elements.close_for(name))
            elements.open(name, formatting.n_open)
        if elements.n_open + formatting.n_open > max_depth:
            return html[: tag.start()]
    return html


class _Open:
    """The open elements but for formatting, and where those of each name stand among them."""

    def __init__(self) -> None:
        self._opened: list[tuple[str, int]] = []
        self._places: dict[str, list[int]] = {}

    @property
    def n_open(self) -> int:
        return len(self._opened)

    def open(self, name: str, n_formatting: int) -> None:
        """Opens an element within so many formatting ones."""
        self._places.setdefault(name, []).append(len(self._opened))
        self._opened.append((name, n_formatting))

    def close_for(self, name: str) -> int | None:
        """Closes what an element called `name` closes by its beginning; as `close`."""
        last = self._last(name) if name in _CLOSED_BY_THE_NEXT else -1
        if last < 0 or last < max(map(self._last, _CLOSED_BY_THE_NEXT[name])):
            return None
        return self._close_from(last)

    def close(self, name: str) -> int | None:
        """Closes the innermost element called `name`, if there is one, with all in it.

        Returns how many formatting elements were open around the outermost cell that was closed
        with it; None where none was.
        """
        last = self._last(name)
        return self._close_from(last) if last >= 0 else None

    def _last(self, name: str) -> int:
        places = self._places.get(name)
        return places[-1] if places else -1

    def _close_from(self, place: int) -> int | None:
        closed = self._opened[place:]
        for name, _ in closed:
            self._places[name].pop()
        del self._opened[place:]
        return next((n for name, n in closed if name in _CELLS), None)


class _Formatting:
    """The open formatting elements: name, and the tag as it is written."""

    def __init__(self) -> None:
        self._opened: list[tuple[str, str]] = []
        self._n_alike: Counter[str] = Counter()

    @property
    def n_open(self) -> int:
        return len(self._opened)

    def open(self, name: str, written: str) -> None:
        """Opens one; an `a` closes the one before it, and of those alike only the last stay."""
        if name == "a":
            self.close("a")
        if self._n_alike[written] < _MAX_ALIKE:
            self._opened.append((name, written))
            self._n_alike[written] += 1

    def close(self, name: str) -> None:
        """Closes the last one called `name`, if there is one."""
        for place in range(len(self._opened) - 1, -1, -1):
            if self._opened[place][0] == name:
                self._n_alike[self._opened.pop(place)[1]] -= 1
                return

    def cut(self, n_open: int | None) -> None:
        """Closes all but the first `n_open`; None: nothing."""
        while n_open is not None and len(self._opened) > n_open:
            self._n_alike[self._opened.pop()[1]] -= 1
