"""A WARC record -> a row of `pages`, or a row of `rejects` with one reason of a closed list."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any

from curation.config import ExtractConfig
from curation.crawl.doc_ids import hex_hash
from curation.crawl.sniff import binary_kind, is_html
from curation.crawl.urls import host_of, normalized_url, registered_domain
from curation.crawl.warc import Damage, Item, WarcRecord
from curation.extract.decode import Decoded, decode
from curation.extract.engines import UNION_SIGN, Engine, Extracted
from curation.extract.guard import Failure, attempt
from curation.extract.optout import opt_outs
from curation.extract.tidy import tidy

REASONS = MappingProxyType({
    "record_type_warcinfo": "A description of the file, not of a page",
    "record_type_request": "What the crawler asked, not what it was answered",
    "record_type_metadata": "A record about another record",
    "record_type_revisit": "A page unchanged since an earlier visit; the record has no payload",
    "record_type_conversion": "Another form of a record's payload, such as the text of a WET file",
    "record_type_continuation": "A further part of a record that was cut in several",
    "record_type_other": "A record of an unknown type, or of none",
    "damaged": "A stretch of the file, or a record in it, that cannot be read",
    "truncated": "A record, or the chunks of its HTTP body, shorter than its header says",
    "http_status": "The server answered with another status than 200",
    "not_html": "The payload is neither HTML nor XHTML",
    "undecodable": "The payload is not encoded as its HTTP header says",
    "empty_payload": "The payload has no bytes but white space",
    "too_large": "The payload has more bytes than extract.max_html_bytes",
    "timeout": "extract.engine was not done in extract.max_page_s, and its fallback found nothing",
    "out_of_memory": "extract.engine took more memory than it may, and its fallback found nothing",
    "crashed": "extract.engine ended its process, and its fallback found nothing",
    "extractor_error": "extract.engine failed over the page, and its fallback found nothing",
    "no_main_text": "No engine found text in the page",
    "text_too_long": "The text has more characters than extract.max_text_chars",
    "taken_down": "It was taken down, by URL, domain or doc_id: a row of `tombstones` names it",
    "blocked_domain": "Its domain is in a list of filter.block_domains",
    "blocked_url": "It is in a list of filter.block_urls",
    "not_allowed": "Its domain is in no list of filter.allow_domains",
    "robots": "The robots.txt of its host forbids it to one of filter.robots_agents",
    "opted_out": "It is in a list of filter.opted_out, or bears one of filter.optout_signals",
})  # fmt: skip
"""Every reason of a reject, with its meaning. Of several that hold, the first is given."""

_READ_TYPES = ("response", "resource")
_PROBLEMS = {"undecodable_payload": "undecodable"}
_HTML_TYPES = ("text/html", "application/xhtml+xml")
_UNTOLD_TYPES = ("", "application/http", "no-type")


@dataclass(frozen=True)
class Origin:
    """Where the records of a file come from: its path, its crawl, its chunk."""

    warc_file: str
    crawl: str
    chunk: str


@dataclass(frozen=True)
class _Found:
    """Main text of a page, and the engine that gave it."""

    engine: str
    title: str
    text: str
    page_type: str
    confidence: float | None
    part_faults: tuple[str, ...] = ()
    """Why parts of the engine found nothing."""
    faults: str | None = None
    """The same, and why the engines asked before found nothing."""


class DocIds:
    """Document ids for the items of one file, no two alike: 32 hex digits of BLAKE2b.

    The id hashes the WARC record id. Where an item has none, or one that an earlier item of the
    file has, it hashes that, the file's path, the item's offset and its number in the file: items
    that share a gzip member share an offset.
    """

    def __init__(self, warc_file: str) -> None:
        self._warc_file = warc_file
        self._seen: set[str] = set()
        self._n_items = 0

    def next_id(self, item: Item) -> str:
        """Id of `item`, the next of the file."""
        record_id = item.record_id if isinstance(item, WarcRecord) else ""
        place = f"{record_id}\0{self._warc_file}\0{item.offset}\0{self._n_items}"
        is_new = bool(record_id) and record_id not in self._seen
        self._seen.add(record_id)
        self._n_items += 1
        return hex_hash(record_id if is_new else place)


def outcome_of(
    item: Item, *, doc_id: str, origin: Origin, conf: ExtractConfig, engines: Sequence[Engine]
) -> dict[str, Any]:
    """The row of OUTCOMES that `item` becomes, a page or a reject; other columns are left out.

    The engines are asked in turn; the first that finds text has it.
    """
    keys = {"doc_id": doc_id, "crawl": origin.crawl, "chunk": origin.chunk} | _place(item, origin)
    if isinstance(item, Damage):
        return _reject(Failure("damaged", item.detail), keys, record_type="", url="")
    refused = refusal(item, max_html_bytes=conf.max_html_bytes)
    if refused is not None:
        return _reject(refused, keys, record_type=item.record_type, url=item.url)
    decoded = decode(item.payload, item.http_charset)
    found = _main_text(decoded.text, item.url, engines=engines, conf=conf)
    if isinstance(found, Failure):
        return _reject(found, keys, record_type=item.record_type, url=item.url)
    return _page(item, decoded, found, keys)


def refusal(record: WarcRecord, *, max_html_bytes: int) -> Failure | None:
    """Why `record` is no page, as far as that shows without parsing it; None: it may be one."""
    if record.record_type not in _READ_TYPES:
        reason = f"record_type_{record.record_type}"
        return Failure(reason if reason in REASONS else "record_type_other", record.detail)
    if record.problem in ("truncated", "damaged"):
        return Failure(record.problem, record.detail)
    if record.http_status not in (200, None):
        return Failure("http_status", f"status {record.http_status}")
    if not _is_html(record):
        return Failure("not_html", f"content type {record.content_type or 'not told'}")
    if record.problem is not None:
        return Failure(_PROBLEMS.get(record.problem, record.problem), record.detail)
    if kind := binary_kind(record.payload):
        return Failure("not_html", f"content type {record.content_type}, but {kind} by its bytes")
    return _refused_size(record.payload, max_html_bytes)


def _refused_size(payload: bytes, max_html_bytes: int) -> Failure | None:
    if not payload.strip():
        return Failure("empty_payload", f"{len(payload)} bytes")
    if len(payload) > max_html_bytes:
        return Failure("too_large", f"{len(payload)} bytes, more than {max_html_bytes}")
    return None


def _is_html(record: WarcRecord) -> bool:
    if record.content_type in _UNTOLD_TYPES:
        return is_html(record.payload)
    return record.content_type in _HTML_TYPES


def _main_text(
    html: str, url: str, *, engines: Sequence[Engine], conf: ExtractConfig
) -> _Found | Failure:
    """The first text that an engine finds; else the first engine's reason and every detail."""
    failures: list[Failure] = []
    for engine in engines:
        work = partial(_read_page, engine, html, url)
        # A union has the time of all its parts, and sees to theirs.
        n_parts = 1 + engine.name.count(UNION_SIGN)
        found = attempt(work, name=engine.name, max_s=conf.max_page_s * n_parts)
        if isinstance(found, _Found) and found.text:
            told = [*(failure.detail for failure in failures), *found.part_faults]
            faults = "; ".join(told) or None
            return _checked_length(replace(found, faults=faults), conf.max_text_chars)
        empty = Failure("no_main_text", _why_empty(engine.name, found))
        failures.append(found if isinstance(found, Failure) else empty)
    return Failure(failures[0].reason, "; ".join(failure.detail for failure in failures))


def _why_empty(name: str, found: _Found | Failure) -> str:
    faults = found.part_faults if isinstance(found, _Found) else ()
    return "; ".join((f"{name}: no text", *faults))


def _read_page(engine: Engine, html: str, url: str) -> _Found:
    extracted: Extracted = engine(html, url=url)
    return _Found(
        extracted.engine or engine.name,
        tidy(extracted.title),
        tidy(extracted.text),
        extracted.page_type,
        extracted.confidence,
        extracted.faults,
    )


def _checked_length(found: _Found, max_text_chars: int) -> _Found | Failure:
    if len(found.text) > max_text_chars:
        detail = f"{found.engine}: {len(found.text)} characters, more than {max_text_chars}"
        return Failure("text_too_long", detail)
    return found


def _page(
    record: WarcRecord, decoded: Decoded, found: _Found, keys: dict[str, Any]
) -> dict[str, Any]:
    host = host_of(record.url)
    return keys | {
        "outcome": "page",
        "url": record.url,
        "url_normalized": normalized_url(record.url),
        "host": host,
        "domain": registered_domain(host),
        "warc_date": record.date,
        "http_status": record.http_status,
        "content_type": record.content_type,
        "payload_digest": hashlib.sha1(record.payload, usedforsecurity=False).hexdigest(),
        "charset": decoded.charset,
        "charset_source": decoded.source,
        "engine": found.engine,
        "page_type": found.page_type,
        "confidence": found.confidence,
        "engine_faults": found.faults,
        "truncated": record.truncated,
        "optout": opt_outs(record.http_headers, decoded.text),
        "html_bytes": len(record.payload),
        "n_chars": len(found.text),
        "title": found.title,
        "text": found.text,
    }


def _reject(why: Failure, keys: dict[str, Any], *, record_type: str, url: str) -> dict[str, Any]:
    return keys | {
        "outcome": "reject",
        "reason": why.reason,
        "detail": why.detail,
        "record_type": record_type,
        "url": url,
    }


def _place(item: Item, origin: Origin) -> dict[str, Any]:
    return {
        "warc_file": origin.warc_file,
        "warc_offset": item.offset,
        "warc_length": item.length,
        "record_id": item.record_id if isinstance(item, WarcRecord) else "",
    }
