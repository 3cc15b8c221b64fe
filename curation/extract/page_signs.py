"""What a page's head and address say of the kind of page it is."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from curation.extract.blocks import Head

_IN_URL = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"/(?:products?|p|item|dp|shop)/",
        r"/(?:collections?|category|categories|c|tags?|browse)/",
        r"forum|thread|topic|viewtopic|/t/|/questions/|discussion|community",
        r"/(?:blog|news|posts?|articles?|\d{4}/\d\d?)(?:/|$)",
        r"docs?\.|/docs?/|manual|reference|guide|api|/wiki/|help",
        r"\.html?$",
        r"\d{4,}",
    )
)
_IN_SCHEMA = (
    "article", "product", "discussionforum", "qapage", "itemlist", "collectionpage", "faqpage",
    "recipe", "website", "organization", "breadcrumb", "event", "person", "webpage", "software",
    "techarticle", "comment", "offer", "review",
)  # fmt: skip
_IN_OG_TYPE = ("article", "website", "product")
_SCHEME_CHARS = len("https://")
_MAX_DEPTH = 10
_MAX_PATH_CHARS = 200

NAMES = (
    *(f"schema_{sign}" for sign in _IN_SCHEMA),
    *(f"og_{sign}" for sign in _IN_OG_TYPE), "og_none",
    *(f"url_{number}" for number in range(len(_IN_URL))),
    "url_depth", "url_chars", "url_query", "url_dashes",
)  # fmt: skip


def signs_of(head: Head, url: str) -> list[float]:
    """Values of `NAMES`; any string will do as address."""
    signs: list[float] = [sign in head.schema_types for sign in _IN_SCHEMA]
    signs += [sign in head.og_type for sign in _IN_OG_TYPE]
    signs.append(not head.og_type)
    signs += [pattern.search(url, _SCHEME_CHARS) is not None for pattern in _IN_URL]
    try:
        parts = urlsplit(url)
    except ValueError:  # not an address at all, such as `http://[x/`
        parts = urlsplit("")
    path = parts.path
    depth = sum(bool(step) for step in path.split("/"))
    shape = min(depth, _MAX_DEPTH), min(len(path), _MAX_PATH_CHARS), bool(parts.query)
    return [*signs, *shape, path.count("-")]
