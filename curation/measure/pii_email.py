"""E-mail addresses in a text that could reach somebody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from publicsuffixlist import PublicSuffixList

from curation.measure.pii_scan import Found

_LETTERS = r"A-Za-z\xc0-\u024f"
"""Latin ones: an address in Chinese or Japanese text has no blanks around it."""
_ADDRESS = re.compile(
    rf"[{_LETTERS}0-9_%+][{_LETTERS}0-9_.%+'-]{{0,63}}(?<![.'])@"
    rf"((?:[{_LETTERS}0-9](?:[{_LETTERS}0-9-]{{0,61}}[{_LETTERS}0-9])?\.){{1,8}}"
    rf"[{_LETTERS}][{_LETTERS}0-9-]{{1,23}})(?![{_LETTERS}0-9_@-])"
)
_IN_URL = re.compile(r"://[^\s/@]*\Z")
_URL_CHARS = 80
_RESERVED = re.compile(
    r"(?:\A|\.)(?:example(?:\.(?:com|org|net|edu))?|test|invalid|local|localhost|localdomain"
    r"|(?:your|my)?(?:domain|site|company|website)\.(?:com|org|net|tld))\Z"
)
"""RFC 2606 and 6761, and what manuals write in their stead."""


def find_email(text: str, start: int, _end: int) -> Iterator[Found]:
    """The address whose local part begins at `start`, if it is one.

    Not an address: `image@2x.png` (no such top-level domain), `git@host:path`, the user of
    `https://user:word@host/`, and what is at a reserved or a placeholder's domain.
    """
    while start < len(text) and text[start] in ".'-":
        start += 1
    match = _ADDRESS.match(text, start)
    if match is None or text[max(0, start - 1) : start] in ("@", "/"):
        return
    if _IN_URL.search(text[max(0, start - _URL_CHARS) : start]):
        return
    domain = _domain(match[1])
    end = match.start(1) + len(domain)
    is_remote = text.startswith("git@", start) and text[end : end + 1] in (":", "/")
    if domain and not is_remote and not _RESERVED.search(domain.lower()):
        yield Found("email", start, end)


def _domain(name: str) -> str:
    """`name` as far as it is a host below a known suffix; empty: nowhere.

    `firm.com.Then` is `firm.com`, where a blank is missing behind the sentence.
    """
    while "." in name:
        if _suffixes().publicsuffix(name.lower()) not in (None, name.lower()):
            return name
        name, _, last = name.rpartition(".")
        if not last[0].isupper():
            return ""
    return ""


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(accept_unknown=False, only_icann=True)
