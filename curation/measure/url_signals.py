"""What the address of a page says about it, without its text.

| column | for a rule or a question such as |
|---|---|
| `n_url_chars`, `url_digit_frac` | long addresses full of digits are sessions and traps |
| `n_url_path_segments` | depth: sections are shallow, articles deep; over ten is a trap |
| `n_url_parameters` | generated listings and search results have several |
| `is_home_page` | a home page is a menu, whatever its text measures |
| `url_tld` | mix by country and kind (`edu`, `gov`); UniMax by top-level domain |
| `has_ip_host`, `n_subdomains` | no name, or five before the domain: seldom a publisher |
| `is_adult_url` | precise complement of the lists of `crawl/blocklists.py`, for hosts on no list |
| `is_shop_url` | products and their listings: little prose, many copies |
| `is_forum_url` | questions and answers, which synthesis may want or a blend may weigh |

The flags look at whole words: parts of the host that `.`, `-` and `_` separate, and whole segments
of the path. `essex.ac.uk` is not adult, nor is `/shopping-bags-banned`. Adult words are looked
for in the host alone: a path that has one is as often a newspaper's. On 986 real pages of known
type, 52 of the 60 called shops are products or lists of them (and 52 of all 138 are found), 62 of
the 63 called forums are (of 83); the lists were written with these pages in sight.
"""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import ip_address
from typing import NamedTuple

ADULT_TLDS = frozenset({"adult", "porn", "sex", "xxx"})
SHOP_SEGMENTS = frozenset({
    "basket", "cart", "checkout", "collections", "dp", "product", "products", "produkt",
    "produkte", "produit", "produits", "producto", "productos", "prodotto", "prodotti",
    "produto", "produtos", "product-category", "shop", "shopping", "store", "tienda",
    "boutique", "panier", "carrito", "carrello", "warenkorb", "winkel", "sklep",
})  # fmt: skip
SHOP_LABELS = frozenset({"shop", "shopping", "store"})
FORUM_SEGMENTS = frozenset({
    "forum", "forums", "foro", "foros", "foren", "thread", "threads", "viewtopic.php",
    "viewforum.php", "showthread.php", "forumdisplay.php", "questions", "discussions",
})  # fmt: skip
FORUM_LABELS = frozenset({"forum", "forums", "foro", "foren", "answers", "discuss"})

_HOME_FILES = frozenset({
    "index.html", "index.htm", "index.php", "index.asp", "index.aspx", "index.jsp",
    "default.asp", "default.aspx", "default.htm", "home.html",
})  # fmt: skip
_ADULT_WORD = re.compile(
    r"(?<![a-z0-9])(?!(?:food|earth|cabin|ruin|word|book|car)porn(?![a-z0-9]))"
    r"(?:[a-z0-9]*porno?s?(?:hub|tube|stars?|videos?|pics?|hd|sex|xxx|sites?|movies?|clips?)?"
    r"|hentai|milfs?|xvideos|xnxx|xhamster|redtube|camgirls?|sexcams?|sexvideos?|sextube|sexshop"
    r"|blowjobs?|gangbangs?|bdsm|erotik|erotica|nudes)(?![a-z0-9])"
)


class _Host(NamedTuple):
    tld: str
    has_address: int
    n_subdomains: int
    is_adult: int
    is_shop: int
    is_forum: int


def url_signals(url: str, host: str, domain: str) -> dict[str, str | int | float]:
    """Columns of the table above; flags are 1 or 0. About 3 us, where the host is known already.

    Args:
        url: As `crawl.urls.normalized_url` spells it; one without `://` has neither path nor query.
        host: Its host, as `host_of` gives it; empty for none.
        domain: Registered domain of the host; empty for none.
    """
    known = _host_signals(host, domain)
    path, query = _path_and_query(url)
    segments = [segment for segment in path.lower().split("/") if segment]
    is_home = not query and (not segments or (len(segments) == 1 and segments[0] in _HOME_FILES))
    return {
        "n_url_chars": len(url),
        "url_digit_frac": sum(map(url.count, "0123456789")) / len(url) if url else 0.0,
        "n_url_path_segments": len(segments),
        "n_url_parameters": sum(1 for parameter in query.split("&") if parameter),
        "is_home_page": int(bool(host) and is_home),
        "url_tld": known.tld,
        "has_ip_host": known.has_address,
        "n_subdomains": known.n_subdomains,
        "is_adult_url": known.is_adult,
        "is_shop_url": int(known.is_shop or not SHOP_SEGMENTS.isdisjoint(segments)),
        "is_forum_url": int(known.is_forum or not FORUM_SEGMENTS.isdisjoint(segments)),
    }


def _path_and_query(url: str) -> tuple[str, str]:
    _, scheme_mark, behind = url.partition("://")
    if not scheme_mark:
        return "", ""
    before, _, query = behind.partition("#")[0].partition("?")
    return before.partition("/")[2], query


@lru_cache(maxsize=1 << 16)
def _host_signals(host: str, domain: str) -> _Host:
    """What the host says; pages of one host follow each other in a crawl."""
    if not host or _is_address(host):
        return _Host("", int(bool(host)), 0, 0, 0, 0)
    labels = host.rstrip(".").split(".")
    below = labels[: -1 - domain.count(".")] if domain else []
    if below and below[0] == "www":
        del below[0]
    is_adult = labels[-1] in ADULT_TLDS or _ADULT_WORD.search(host) is not None
    is_shop, is_forum = (int(not words.isdisjoint(below)) for words in (SHOP_LABELS, FORUM_LABELS))
    return _Host(labels[-1], 0, len(below), int(is_adult), is_shop, is_forum)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
