"""Builds the sample crawl: WARC files of invented pages, and the truth about each page."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from curation.errors import ConfigError
from curation.sample import prose, stories
from curation.sample.catalogue import Stock, load_stock
from curation.sample.compose import compose_pages, count_kinds
from curation.sample.defects import DEFECTS, PLAIN, TEXTLESS, Defect
from curation.sample.designs import Address, Site, address, day_of, sites, to_html
from curation.sample.duplicates import near_duplicate, partial_duplicate
from curation.sample.page import Draft, Quality
from curation.sample.warcs import Capture, cut_response, warc_bytes, write_whole

CUT_URL = "https://archive.example.org/cut-off.html"
"""The page in the record that the last file cuts short; it is not among the pages of the truth."""

MIN_PAGES = 20
_FIRST_FETCH = datetime(2024, 5, 2, 6, 30, 0)
_CRAWL_DAYS = 24
_PAGES_PER_DEFECT = 11
_MIN_BASE_WORDS = 150
_PNG = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x06\x00\x00\x00"
_PDF = b"%PDF-1.4\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"


@dataclass(frozen=True)
class SamplePage:
    """What is true of one page. `text` is the main text that the page was made from."""

    url: str
    kind: str
    language: str
    quality: Quality
    duplicate_of: str | None
    text: str
    defect: str | None = None
    """Name in `defects.DEFECTS` or `defects.TEXTLESS`; None where the page is served properly."""


@dataclass(frozen=True)
class SampleCrawl:
    """The files of a sample crawl, and its pages in the order of the files."""

    paths: tuple[Path, ...]
    pages: tuple[SamplePage, ...]


@dataclass(frozen=True)
class _Served:
    """A page with its bytes."""

    truth: SamplePage
    content_type: str
    body: bytes


def build_sample(out: Path, *, n_pages: int = 600, n_files: int = 4, seed: int = 17) -> SampleCrawl:
    """Write `sample-NNNNN.warc.gz` and `truth.jsonl` into `out`, the same bytes every time.

    The pages are invented: texts of our own in all sorts of qualities and nine languages beside
    English, in several designs, with duplicates and defects. Requests, metadata, revisits, images
    and error pages stand among them, and the last file ends in the middle of a record. Files of an
    earlier sample in `out` that this one does not have are removed.

    Raises:
        ConfigError: `n_pages` is below 20 or below `n_files`, or too large for the stock of text.
    """
    if n_pages < MIN_PAGES or not 1 <= n_files <= n_pages:
        raise ConfigError(
            f"sample crawl: n_pages={n_pages}, n_files={n_files}: at least {MIN_PAGES} pages and "
            "between one file and one file a page are needed"
        )
    served = _serve_all(load_stock(), n_pages, seed)
    out.mkdir(parents=True, exist_ok=True)
    paths = tuple(out / f"sample-{i:05d}.warc.gz" for i in range(n_files))
    for i, path in enumerate(paths):
        write_whole(path, _file_bytes(served, i, n_files, seed))
    for stale in set(out.glob("sample-[0-9][0-9][0-9][0-9][0-9].warc.gz")) - set(paths):
        stale.unlink()
    pages = tuple(page.truth for page in served)
    lines = [json.dumps(asdict(page), ensure_ascii=False, sort_keys=True) for page in pages]
    write_whole(out / "truth.jsonl", ("\n".join(lines) + "\n").encode())
    return SampleCrawl(paths, pages)


def _serve_all(stock: Stock, n_pages: int, seed: int) -> list[_Served]:
    """All pages in the order of the crawl."""
    counts, rng = count_kinds(n_pages), Random(f"{seed}/serve")
    drafts = compose_pages(stock, counts, seed)
    defects = _assign_defects(rng, drafts)
    places = [_place(rng, stock, draft, n) for n, draft in enumerate(drafts, 1)]
    served = [
        _serve(rng, stock, draft, place, defects.get(i))
        for i, (draft, place) in enumerate(zip(drafts, places, strict=True))
    ]
    pool = [
        (draft, page)
        for draft, page in zip(drafts, served, strict=True)
        if page.truth.defect is None and _may_be_copied(draft)
    ]
    served += _exact_duplicates(rng, pool, counts["exact_duplicate"])
    served += _near_duplicates(rng, stock, pool, counts["near_duplicate"], len(drafts))
    served += _partial_duplicates(rng, stock, pool, counts["partial_duplicate"], n_pages)
    served += _textless(rng, stock, counts["empty"])
    rng.shuffle(served)
    return served


def _place(rng: Random, stock: Stock, draft: Draft, number: int) -> Address:
    return address(rng, rng.choice(sites(stock, draft.family)), draft, number)


def _serve(
    rng: Random, stock: Stock, draft: Draft, where: Address, name: str | None, of: str | None = None
) -> _Served:
    defect: Defect = DEFECTS[name] if name else PLAIN
    body = defect.encode(to_html(rng, stock, draft, where, defect.charset))
    truth = SamplePage(where.url, draft.kind, draft.language, draft.quality, of, draft.text, name)
    return _Served(truth, defect.header, body)


def _assign_defects(rng: Random, drafts: Sequence[Draft]) -> dict[int, str]:
    """Index of a draft -> its defect; the defects take turns, one page in eleven has one."""
    order = rng.sample(range(len(drafts)), len(drafts))
    chosen: dict[int, str] = {}
    names = list(DEFECTS)
    for turn in range(len(drafts) // _PAGES_PER_DEFECT):
        name = names[turn % len(names)]
        fits = (
            i
            for i in order
            if i not in chosen and drafts[i].text and drafts[i].language in DEFECTS[name].languages
        )
        if (index := next(fits, None)) is not None:
            chosen[index] = name
    return chosen


def _may_be_copied(draft: Draft) -> bool:
    kinds = ("article", "math", "forum", "product")
    long_enough = len(draft.text.split()) >= _MIN_BASE_WORDS
    return draft.kind in kinds and draft.language == "en" and long_enough


def _exact_duplicates(rng: Random, pool: Sequence[tuple[Draft, _Served]], n: int) -> list[_Served]:
    """Pages served with the same bytes under another host; some of them twice or more."""
    copies = []
    for i in range(n):
        _, page = rng.choice(pool)
        host, _, path = page.truth.url.split("://", 1)[1].partition("/")
        url = f"https://mirror{i + 1}.{host.removeprefix('www.')}/{path}"
        truth = replace(page.truth, url=url, kind="exact_duplicate", duplicate_of=page.truth.url)
        copies.append(replace(page, truth=truth))
    return copies


def _near_duplicates(
    rng: Random, stock: Stock, pool: Sequence[tuple[Draft, _Served]], n: int, first: int
) -> list[_Served]:
    """Edited copies on other sites, perhaps in another design and with another date."""
    articles = [(draft, page) for draft, page in pool if draft.kind == "article"]
    copies: list[_Served] = []
    while len(copies) < n:
        draft, page = rng.choice(articles)
        where = _place(rng, stock, draft, first + len(copies) + 1)
        edited = near_duplicate(rng, draft, f"Updated on {day_of(stock, where.published)}.")
        if edited is not None:
            copies.append(_serve(rng, stock, edited, where, None, page.truth.url))
    return copies


def _partial_duplicates(
    rng: Random, stock: Stock, pool: Sequence[tuple[Draft, _Served]], n: int, first: int
) -> list[_Served]:
    """Pages of their own with a long passage from another page."""
    articles = [(draft, page) for draft, page in pool if draft.kind == "article"]
    copies = []
    for i in range(n):
        draft, page = rng.choice(articles)
        genre = stories.blog if i % 2 else prose.lesson
        # Turns far above those of the composed pages, so that the rest of the page is new too.
        own = genre(rng, stock, 100_003 + 7 * i)
        mixed = partial_duplicate(rng, draft, own)
        where = _place(rng, stock, mixed, first + i + 1)
        copies.append(_serve(rng, stock, mixed, where, None, page.truth.url))
    return copies


def _textless(rng: Random, stock: Stock, n: int) -> list[_Served]:
    pages = []
    for i in range(n):
        name = list(TEXTLESS)[i % len(TEXTLESS)]
        site: Site = rng.choice(sites(stock, rng.choice(("news", "blog", "directory"))))
        url = f"https://{site.host}/app/{i + 1}"
        truth = SamplePage(url, "empty", "en", "poor", None, "", name)
        pages.append(_Served(truth, PLAIN.header, TEXTLESS[name]))
    return pages


def _file_bytes(served: Sequence[_Served], i: int, n_files: int, seed: int) -> bytes:
    """WARC file number `i`: every `n_files`th page, other records among them."""
    name = f"sample-{i:05d}.warc.gz"
    rng = Random(f"{seed}/file/{i}")
    mine = served[i::n_files]
    step = timedelta(days=_CRAWL_DAYS) / (len(mine) + 1)
    times = [_FIRST_FETCH + timedelta(minutes=7 * i) + step * k for k in range(len(mine))]
    captures = [_capture(page, time) for page, time in zip(mine, times, strict=True)]
    for extra in _extras(captures[0], i):
        captures.insert(rng.randint(1, len(captures)), extra)
    data = warc_bytes(name, captures, seed)
    if i == n_files - 1:
        longest = max(captures, key=lambda capture: len(set(capture.body.split())))
        data += cut_response(name, replace(longest, url=CUT_URL), seed)
    return data


def _capture(page: _Served, time: datetime) -> Capture:
    fetched = f"{time:%Y-%m-%dT%H:%M:%SZ}"
    return Capture(page.truth.url, "200 OK", page.content_type, page.body, fetched)


def _extras(seen: Capture, i: int) -> list[Capture]:
    """Captures that are no pages: a revisit of `seen`, files, a redirect, errors."""
    host, html = "https://assets.example.net", "text/html; charset=utf-8"
    missing = (
        b"<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>"
    )
    failed = b"<html><body><h1>500 Internal Server Error</h1><p>Please try later.</p></body></html>"
    moved = b"<html><body>Moved <a href='/new'>here</a>.</body></html>"
    at = seen.fetched
    return [
        Capture(seen.url, "200 OK", seen.content_type, b"", at, revisit_of=seen.url),
        Capture(f"{host}/logo-{i}.png", "200 OK", "image/png", _PNG, at),
        Capture(f"{host}/form-{i}.pdf", "200 OK", "application/pdf", _PDF, at),
        Capture(f"{host}/gone-{i}", "404 Not Found", html, missing, at),
        Capture(f"{host}/old-{i}", "301 Moved Permanently", html, moved, at, location="/new"),
        Capture(f"{host}/broken-{i}", "500 Internal Server Error", html, failed, at),
    ]
