"""A few rows that a person would want to see, chosen by hash: the same ones each time.

First the keys are chosen from narrow columns, then the text of each key is fetched and cut in a
query of its own: DuckDB's Delta reader applies `=` while it reads (`IN` is only a hint to it), and
so skips files by their statistics of `crawl` and `chunk`, and texts by `doc_id`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

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
class ClusterMember:
    """A document of a duplicate cluster."""

    page: Page
    fate: str


@dataclass(frozen=True)
class LabelledPage:
    """A document with its quality label."""

    page: Page
    label: str
    bucket: int
    drop_reason: str | None
    """None: kept."""


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


def cluster(run: Run, n_members: int) -> list[ClusterMember]:
    """A cluster, the survivor first; with near duplicates if there are any.

    Reads `clusters` and `pages`; empty where there are no duplicates.
    """
    members = run.rows(
        lambda doc_id, crawl, chunk, fate: (_Key(doc_id, crawl, chunk), fate),
        "WITH chosen AS (SELECT cluster_id FROM clusters GROUP BY cluster_id "
        "ORDER BY bool_or(fate = 'near_duplicate') DESC, md5(cluster_id) LIMIT 1) "
        "SELECT doc_id, crawl, chunk, fate FROM clusters SEMI JOIN chosen USING (cluster_id) "
        "ORDER BY fate = 'survivor' DESC, fate = 'near_duplicate' DESC, md5(doc_id) LIMIT ?",
        (n_members,),
    )
    pages = _pages(run, "pages", [key for key, _ in members])
    return [ClusterMember(pages[key.doc_id], fate) for key, fate in members if key.doc_id in pages]


def labelled(run: Run, n_each: int) -> list[LabelledPage]:
    """`n_each` documents of every label, kept or not. Reads `labels` and `documents`."""
    rows = run.rows(
        lambda label, row: (_Key(row["doc_id"], row["crawl"], row["chunk"]), label, row),
        "SELECT label, unnest(arg_min({'doc_id': doc_id, 'crawl': crawl, 'chunk': chunk, "
        "'bucket': bucket, 'drop_reason': drop_reason}, md5(doc_id), CAST(? AS INTEGER))) "
        "FROM labels GROUP BY label",
        (n_each,),
    )
    pages = _pages(run, "documents", [key for key, _, _ in rows])
    return [
        LabelledPage(pages[key.doc_id], label, row["bucket"], row["drop_reason"])
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
