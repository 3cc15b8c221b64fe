"""A URL as it came -> one spelling for all that name the same page; host and registered domain."""

from __future__ import annotations

from functools import cache
from ipaddress import ip_address
from urllib.parse import urldefrag, urljoin, urlsplit

from courlan import normalize_url
from publicsuffixlist import PublicSuffixList


def normalized_url(url: str) -> str:
    """`url` in the spelling that stands for all others of the same page.

    In this order: white space at the ends and the fragment are dropped; then courlan's
    `normalize_url`: scheme and host lower-cased, default port dropped, doubled slashes in the path
    made one, characters outside ASCII percent-encoded, parameters of trackers (`utm_source` and the
    like) dropped, the others sorted by name; at last, of http and https, `.` and `..` in the path
    are resolved and an empty path becomes `/`. Not a URL to fetch with: a server may tell apart
    what is one here. What is no URL comes back without the white space at its ends.

    Cost: about 30 us.
    """
    bare = url.strip()
    try:
        spelled = normalize_url(urldefrag(bare).url)
        parts = urlsplit(spelled)
    except ValueError:  # not an address at all, such as `http://[x/`
        return bare
    if parts.scheme not in ("http", "https"):
        return spelled
    path = urljoin(f"{parts.scheme}://{parts.netloc}/", parts.path or "/")
    return f"{path}?{parts.query}" if parts.query else path


def host_of(url: str) -> str:
    """Host of `url`, lower-cased, without port; empty where it has none."""
    try:
        return urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def registered_domain(host: str) -> str:
    """The public suffix of `host` and the label before it: `example.co.uk` of `www.example.co.uk`.

    Of the public suffix list its ICANN part, so that `github.io` is a domain and no suffix. The
    list comes with the package `publicsuffixlist`, and no network is asked. A top-level domain that
    is not on it counts as a suffix. Empty for an IP address, a bare suffix, a name of one label.
    """
    if not host or _is_address(host):
        return ""
    domain: str | None = _suffixes().privatesuffix(host.rstrip("."))
    return domain or ""


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList(only_icann=True)
