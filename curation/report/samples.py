"""A few rows that a person would want to see, chosen by hash: the same ones each time.

First the keys are chosen from narrow columns, then the text of each key is fetched and cut in a
query of its own: DuckDB's Delta reader applies `=` while it reads (`IN` is only a hint to it), and
so skips files by their statistics of `crawl` and `chunk`, and texts by `doc_id`.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.report.run import Run

MAX_FETCHED_CHARS = 8_000
"""Characters of a text that leave the table: more than is shown, since some are cut in front."""

MAX_SEGMENTS = 4
"""Source segments of a synthetic text that are fetched."""


@dataclass(frozen=True)
class Page:
    """A page or document; `text` is its beginning."""

    doc_id: str
    url: str
    title: str
    text: str


@dataclass(frozen=True)
class Reject:
    """A record without main text."""

    reason: str
    url: str
    detail: str


@dataclass(frozen=True)
class Duplicate:
    """A page that was removed, the one kept in its place, and what made them match."""

    removed: Page
    kept: Page
    fate: str
    n_members: int
    """Documents of the cluster."""
    why: str
    """The pair that joined the removed page to its cluster."""


@dataclass(frozen=True)
class LabelledPage:
    """A document with its quality label."""

    page: Page
    label: str
    bucket: int
    drop_reason: str | None
    """None: kept."""
    domain: str | None
    speech: str | None


@dataclass(frozen=True)
class Generated:
    """A synthetic text and the source segments that it was made from."""

    stage: str
    task: str
    label: str
    url: str
    source: str
    text: str
    """Without the source, where the text begins with it (question-answer pairs)."""
    n_tokens: int


@dataclass(frozen=True)
class _Key:
    doc_id: str
    crawl: str
    chunk: str


def kept_pages(run: Run, n_pages: int) -> list[Page]:
    """Some pages with main text. Reads `pages`."""
    query = "SELECT doc_id, crawl, chunk FROM pages ORDER BY md5(doc_id) LIMIT ?"
    return list(_pages(run, "pages", run.rows(_Key, query, (n_pages,))).values())


def rejects(run: Run, n_reasons: int) -> list[Reject]:
    """One reject of each of the most frequent reasons. Reads `rejects`."""
    return run.rows(
        Reject,
        "SELECT reason, arg_min(url, md5(doc_id)), arg_min(detail, md5(doc_id)) FROM rejects "
        "GROUP BY reason ORDER BY count(*) DESC, reason LIMIT ?",
        (n_reasons,),
    )


def duplicates(run: Run) -> list[Duplicate]:
    """A removed page of every fate, beside the one that is kept.

    Reads `clusters`, `pairs` and `pages`; empty where there are no duplicates.
    """
    chosen = run.rows(
        lambda *row: row,
        "WITH lost AS (SELECT fate, arg_min({'doc_id': doc_id, 'crawl': crawl, 'chunk': chunk, "
        "'survivor_id': survivor_id, 'n_members': n_members}, md5(doc_id)) AS page FROM clusters "
        "WHERE fate <> 'survivor' GROUP BY fate) "
        "SELECT lost.fate, page, {'doc_id': c.doc_id, 'crawl': c.crawl, 'chunk': c.chunk} "
        "FROM lost JOIN clusters AS c ON c.doc_id = page.survivor_id ORDER BY lost.fate DESC",
    )
    return [found for row in chosen for found in _duplicate(run, *row)]


def _duplicate(
    run: Run, fate: str, lost: Mapping[str, Any], kept: Mapping[str, Any]
) -> list[Duplicate]:
    keys = [_Key(one["doc_id"], one["crawl"], one["chunk"]) for one in (lost, kept)]
    pages = _pages(run, "pages", keys)
    if not all(key.doc_id in pages for key in keys):
        return []
    removed, survivor = (pages[key.doc_id] for key in keys)
    why = _why(run, lost["doc_id"], kept["doc_id"])
    return [Duplicate(removed, survivor, fate, lost["n_members"], why)]


def _why(run: Run, lost: str, kept: str) -> str:
    """The strongest pair of the two, in words; that others of the cluster joined them; or empty."""
    if not run.has("pairs"):
        return ""
    pairs = run.rows(
        lambda *row: row,
        "SELECT ? IN (doc_id, other_id) AS is_theirs, kind, n_keys, jaccard FROM pairs "
        "WHERE ? IN (doc_id, other_id) "
        "ORDER BY is_theirs DESC, kind = 'exact' DESC, kind = 'url' DESC, jaccard DESC, "
        "n_keys DESC LIMIT 1",
        (kept, lost),
    )
    if not pairs:
        return ""
    is_theirs, kind, n_keys, jaccard = pairs[0]
    if not is_theirs:
        return "joined by other pages of the cluster"
    told = {"exact": "the same text", "url": "the same URL"}.get(kind, f"{n_keys} bands shared")
    return told if jaccard is None else f"{told}, Jaccard {jaccard:.2f}"


def labelled(run: Run, n_each: int) -> list[LabelledPage]:
    """`n_each` documents of every label, kept or not. Reads `labels` and `documents`."""
    rows = run.rows(
        lambda label, row: (_Key(row["doc_id"], row["crawl"], row["chunk"]), label, row),
        "SELECT label, unnest(arg_min({'doc_id': doc_id, 'crawl': crawl, 'chunk': chunk, "
        "'bucket': bucket, 'drop_reason': drop_reason, 'domain': domain, 'speech': speech}, "
        "md5(doc_id), CAST(? AS INTEGER))) "
        "FROM labels GROUP BY label",
        (n_each,),
    )
    pages = _pages(run, "documents", [key for key, _, _ in rows])
    return [
        LabelledPage(
            pages[key.doc_id],
            label,
            row["bucket"],
            row["drop_reason"],
            row["domain"],
            row["speech"],
        )
        for key, label, row in rows
        if key.doc_id in pages
    ]


def generated(run: Run) -> list[Generated]:
    """One synthetic text of each task. Reads `synthetic`, `requests` and `documents`."""
    ids = run.rows(
        str,
        "SELECT arg_min(synthetic_id, md5(synthetic_id)) FROM synthetic GROUP BY stage, task",
    )
    return [_generated(run, synthetic_id) for synthetic_id in ids]


def _generated(run: Run, synthetic_id: str) -> Generated:
    [(row, request_ids)] = run.rows(
        lambda request_ids, *row: (row, list(request_ids)),
        "SELECT request_ids, stage, task, label, n_tokens, doc_id, crawl, left(text, ?) "
        "FROM synthetic WHERE synthetic_id = ?",
        (MAX_FETCHED_CHARS, synthetic_id),
    )
    stage, task, label, n_tokens, doc_id, crawl, text = row
    source = _source(run, stage, request_ids[:MAX_SEGMENTS])
    answer = text.removeprefix(source).lstrip() or text
    return Generated(stage, task, label, _url(run, doc_id, crawl), source, answer, n_tokens)


def _source(run: Run, stage: str, request_ids: Sequence[str]) -> str:
    """The segments of `request_ids`, in that order."""
    query = "SELECT left(text, ?) FROM requests WHERE stage = ? AND request_id = ?"
    segments = (run.rows(str, query, (MAX_FETCHED_CHARS, stage, id_)) for id_ in request_ids)
    return "\n".join(itertools.chain.from_iterable(segments))


def _url(run: Run, doc_id: str, crawl: str) -> str:
    """The URL of a document; empty where it is no longer one."""
    query = "SELECT url FROM documents WHERE doc_id = ? AND crawl = ?"
    return next(iter(run.rows(str, query, (doc_id, crawl))), "")


def _pages(run: Run, table: str, keys: Sequence[_Key]) -> dict[str, Page]:
    """The pages or documents of `keys` by doc_id, in the order of `keys`."""
    query = (
        f"SELECT doc_id, url, title, left(text, ?) FROM {table} "
        "WHERE crawl = ? AND chunk = ? AND doc_id = ?"
    )
    found = (
        run.rows(Page, query, (MAX_FETCHED_CHARS, key.crawl, key.chunk, key.doc_id)) for key in keys
    )
    return {page.doc_id: page for page in itertools.chain.from_iterable(found)}
