"""What a takedown names: URLs, domains, doc_ids, each spelt as the tables spell it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from curation.crawl.urls import host_of, normalized_url, registered_domain
from curation.errors import InputError

Kind = Literal["url", "domain", "doc_id"]

_DOC_ID = re.compile(r"[0-9a-f]{32}")
_NO_DOMAIN = re.compile(r"[\s/?#@:]")


@dataclass(frozen=True, order=True)
class Selector:
    """One thing to take down."""

    kind: Kind
    value: str

    def __str__(self) -> str:
        return f"{self.kind} {self.value}"


def selectors(
    urls: Iterable[str], domains: Iterable[str], doc_ids: Iterable[str]
) -> tuple[Selector, ...]:
    """What is named, each thing once, sorted.

    Raises:
        InputError: something is not a URL, a domain or a doc_id.
    """
    found = {
        *(Selector("url", _url(url)) for url in urls),
        *(Selector("domain", _domain(name)) for name in domains),
        *(Selector("doc_id", _doc_id(id_)) for id_ in doc_ids),
    }
    return tuple(sorted(found))


def _url(url: str) -> str:
    """`url` as `pages.url_normalized` has it."""
    spelled = normalized_url(url)
    if not host_of(spelled) or urlsplit(spelled).scheme not in ("http", "https"):
        raise InputError(f"--url {url}: not an address; write it whole, e.g. https://example.org/a")
    return spelled


def _domain(name: str) -> str:
    """`name` as `pages.host` spells it, without `*.` and dots at its ends."""
    bare = name.strip().lower().removeprefix("*").strip(".")
    if not _is_address(bare) and (_NO_DOMAIN.search(bare) or not registered_domain(bare)):
        raise InputError(
            f"--domain {name}: not a domain, or one that is many people's; write e.g. example.org, "
            "or use --url for one page"
        )
    return bare


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _doc_id(id_: str) -> str:
    bare = id_.strip().lower()
    if not _DOC_ID.fullmatch(bare):
        raise InputError(f"--doc-id {id_}: not a doc_id, which has 32 hex digits; see pages.doc_id")
    return bare


def said(wanted: Sequence[Selector], *, shown: int = 5) -> str:
    """`wanted` in words, the first few by name."""
    named = ", ".join(map(str, wanted[:shown]))
    return named + (f" and {len(wanted) - shown} more" if len(wanted) > shown else "")
