"""A page nested absurdly deep -> as much of it as a parser gets through."""

from __future__ import annotations

import re

MAX_DEPTH = 3_000
"""Real pages stay below 300. A parser looks through the open elements at each tag, so that its time
grows with the square: 0.02 s for 3,000 levels, 15 s for 100,000 (lexbor, selectolax 1.0.2)."""

MAX_UNSEEN_TAGS = 20_000
"""Pages with fewer tags are not looked at: at the worst lexbor takes half a second for them."""
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9:-]*)")
_CLOSED_BY_THE_NEXT = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr", "p", "li", "dt", "dd", "tr", "td", "th", "thead", "tbody", "tfoot", "colgroup",
    "option", "optgroup", "rp", "rt",
    "path", "use", "circle", "rect", "line", "polygon", "polyline", "ellipse", "stop", "image",
})  # fmt: skip
"""Elements that do not nest: void, closed by the next of their kind, or shapes of a drawing."""


def cut_at_depth(
    html: str, max_depth: int = MAX_DEPTH, *, max_unseen_tags: int = MAX_UNSEEN_TAGS
) -> str:
    """`html` up to the tag that opens the level below `max_depth`; mostly the very same string.

    Cost: a count of one character, and 4 ms for 10,000 tags where there are more than
    `max_unseen_tags`. Levels are counted by the tags as they stand, as no parser has seen them yet.
    """
    if html.count("<") <= max_unseen_tags:
        return html
    depth = 0
    for tag in _TAG.finditer(html):
        if tag[2].lower() not in _CLOSED_BY_THE_NEXT:
            depth = max(0, depth - 1) if tag[1] else depth + 1
            if depth > max_depth:
                return html[: tag.start()]
    return html
