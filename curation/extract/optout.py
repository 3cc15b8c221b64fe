"""What a page says against its use: robots directives and the reservation of text mining rights.

Only what the response itself says; a site's robots.txt and tdmrep.json are other records. Sources:
the Robots meta tag and X-Robots-Tag as search engines read them, the DeviantArt `noai` proposal of
2022, and the TDM Reservation Protocol (W3C community group report, 2024).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

SIGNALS = ("noai", "noimageai", "noindex", "noarchive", "nocache", "tdm-reservation")
"""Every signal, in the order in which a page's are told. `none` is told as `noindex`."""

_HEAD_CHARS = 1 << 16
"""Characters of a page in which a `<meta>` is looked for."""
_META = re.compile(r"<meta\s[^>]*>", re.IGNORECASE)
_NAME = re.compile(r"""\bname\s*=\s*["']?\s*([\w-]+)""", re.IGNORECASE)
_CONTENT = re.compile(r"""\bcontent\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>]+))""", re.IGNORECASE)
_WORDS = re.compile(r"[\w-]+")
_ALIASES = {"none": "noindex"}
_ROBOT_NAMES = ("robots", "ccbot", "googlebot", "bingbot")
_RESERVATION = "tdm-reservation"


def opt_outs(headers: Mapping[str, str], html: str) -> list[str]:
    """The signals of `SIGNALS` that a response gives, each once, in that order.

    Args:
        headers: HTTP fields by lower-cased name, repeated ones joined by commas.
        html: The page.
    """
    found = set(_directives(headers.get("x-robots-tag", "")))
    if headers.get(_RESERVATION, "").strip() == "1":
        found.add(_RESERVATION)
    found.update(_meta_signals(html[:_HEAD_CHARS]))
    return [signal for signal in SIGNALS if signal in found]


def _meta_signals(head: str) -> Iterator[str]:
    for meta in _META.findall(head):
        name, content = _NAME.search(meta), _CONTENT.search(meta)
        if name is None or content is None:
            continue
        value = content[1] or content[2] or content[3] or ""
        if name[1].lower() in _ROBOT_NAMES:
            yield from _directives(value)
        elif name[1].lower() == _RESERVATION and value.strip() == "1":
            yield _RESERVATION


def _directives(value: str) -> Iterator[str]:
    for word in _WORDS.findall(value.lower()):
        yield _ALIASES.get(word, word)
