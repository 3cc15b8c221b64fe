"""Accounts after a takedown: rows that went are in `funnel` and `ledger` as if they never went on.

All of it follows from what the tables hold, so that it can be done again at any time.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import reduce
from typing import Any, NamedTuple

from delta.tables import DeltaTable
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.blend.stage import blend_path
from curation.pipeline import STAGES
from curation.schemas import (
    ATTEMPTS,
    BLEND,
    DEDUP_BATCHES,
    DOCUMENTS,
    FUNNEL,
    JUDGEMENTS,
    LABELS,
    LEDGER,
    MEASURES,
    PAGES,
    PAIRS,
    REJECTS,
    SCORES,
    SHARDS,
    SYNTHETIC,
    SYNTHETIC_MEASURES,
)
from curation.spark.job import ABANDONED
from curation.spark.tables import Store, Txn, small
from curation.spark.work import CORPUS
from curation.takedown.copies import has_blend
from curation.takedown.lineage import rows_of
from curation.takedown.match import TAKEN_DOWN
from curation.tokens.stage import tokens_folder


class Closed(NamedTuple):
    """The account of a unit whose latest attempt came to its end."""

    stage: str
    unit: str
    attempt: int
    rows_out: int


def correct_funnel(store: Store, out: str) -> None:
    """In each account whose rows went, count them as `taken_down` in the place of rows out."""
    accounts = _closed(store)
    rows = [found.withColumn("stage", F.lit(stage))
            for stage in sorted({account.stage for account in accounts})
            if (found := ROWS_OUT[stage](store, out)) is not None]  # fmt: skip
    if not rows:
        return
    held = reduce(DataFrame.unionByName, rows)
    counted = small(held.groupBy("stage", "unit").agg(F.sum("n").alias("n")))
    n_rows = {(row["stage"], row["unit"]): row["n"] for row in counted}
    fewer = [a for a in accounts if n_rows.get((a.stage, a.unit), 0) < a.rows_out]
    if fewer:
        _correct(store, [(a, n_rows.get((a.stage, a.unit), 0)) for a in fewer], held)


def _correct(store: Store, fewer: list[tuple[Closed, int]], held: DataFrame) -> None:
    """Tokens are counted anew, which may take reading text, only where rows are fewer."""
    rows = [(a.stage, a.unit, a.attempt, n_rows) for a, n_rows in fewer]
    types = "stage string, unit string, attempt long, rows_out long"
    concerned = store.spark.createDataFrame(rows, types)
    some = held.where(F.col("unit").isin(sorted({a.unit for a, _ in fewer})))
    tokens = some.groupBy("stage", "unit").agg(F.sum("tokens").alias("tokens"))
    found = concerned.join(tokens, ["stage", "unit"], "left").localCheckpoint()
    target = DeltaTable.forPath(store.spark, store.path(FUNNEL)).alias("f")
    same = "f.stage = c.stage AND f.unit = c.unit AND f.attempt = c.attempt"
    target.merge(found.alias("c"), same).whenMatchedUpdate(set=_CORRECTED).execute()


_CORRECTED: dict[str, str | Column] = {
    "rows_out": "c.rows_out",
    "tokens": "CASE WHEN f.tokens IS NOT NULL THEN coalesce(c.tokens, 0L) END",
    "reasons": f"map_concat(map_filter(f.reasons, (k, v) -> k != '{TAKEN_DOWN}'), map("
    f"'{TAKEN_DOWN}', coalesce(f.reasons['{TAKEN_DOWN}'], 0L) + f.rows_out - c.rows_out))",
}


def _closed(store: Store) -> list[Closed]:
    """The newest attempt of each stage and unit, where it has an account."""
    newest: dict[tuple[str, str], int] = {}
    for row in small(store.read(ATTEMPTS).select("stage", "unit", "attempt")):
        key = (row["stage"], row["unit"])
        newest[key] = max(newest.get(key, 0), row["attempt"])
    accounts = small(store.read(FUNNEL).select(*Closed._fields))
    told = [Closed(*(row[name] for name in Closed._fields)) for row in accounts]
    return [a for a in told if a.attempt >= newest.get((a.stage, a.unit), 0)]


def _words(text: str) -> Column:
    return F.size(F.split(F.trim(text), r"\s+")).cast("long")


def _told(rows: DataFrame, unit: Column, tokens: Column, n: str = "1L") -> DataFrame:
    return rows.select(
        unit.alias("unit"), F.expr(n).alias("n"), tokens.cast("long").alias("tokens")
    )


def _pages(store: Store, out: str) -> DataFrame | None:
    return _told(store.read(PAGES), F.col("chunk"), _words("text"))


def _measures(store: Store, out: str) -> DataFrame | None:
    return _told(store.read(MEASURES), F.col("chunk"), F.col("n_words"))


def _documents(store: Store, out: str) -> DataFrame | None:
    return _told(store.read(DOCUMENTS), F.lit(CORPUS), F.col("n_words"))


def _scores(store: Store, out: str) -> DataFrame | None:
    scored = store.read(SCORES).where("error IS NULL").select("doc_id", "chunk")
    words = store.read(DOCUMENTS).select("doc_id", "n_words")
    return _told(scored.join(words, "doc_id", "left"), F.col("chunk"), F.col("n_words"))


def _labels(store: Store, out: str) -> DataFrame | None:
    kept = store.read(LABELS).where("keep").select("doc_id")
    words = store.read(DOCUMENTS).select("doc_id", "n_words")
    return _told(kept.join(words, "doc_id", "left"), F.lit(CORPUS), F.col("n_words"))


def _texts(stage: str) -> Callable[[Store, str], DataFrame | None]:
    def rows(store: Store, out: str) -> DataFrame | None:
        made = store.read(SYNTHETIC).where(F.col("stage") == stage)
        return _told(made, F.lit(CORPUS), F.col("n_tokens"))

    return rows


def _gated(store: Store, out: str) -> DataFrame | None:
    kept = store.read(SYNTHETIC_MEASURES).where("keep").select("synthetic_id")
    made = store.read(SYNTHETIC).join(kept, "synthetic_id", "left_semi")
    return _told(made, F.lit(CORPUS), F.col("n_tokens"))


def _graded(store: Store, out: str) -> DataFrame | None:
    graded = store.read(JUDGEMENTS).where("judge_score IS NOT NULL").select("synthetic_id")
    made = store.read(SYNTHETIC).join(graded, "synthetic_id", "left_semi")
    return _told(made, F.lit(CORPUS), F.col("n_tokens"))


def _copies(store: Store, out: str) -> DataFrame | None:
    if not has_blend(out):
        return None
    rows = store.read_parquet(blend_path(out), BLEND)
    return _told(rows, F.lit(CORPUS), F.col("n_words"))


def _shards(store: Store, out: str) -> DataFrame | None:
    rows = store.read(SHARDS)
    return _told(rows, F.lit(CORPUS), F.col("n_tokens"), "n_documents")


ROWS_OUT: dict[str, Callable[[Store, str], DataFrame | None]] = {
    "s01_extract": _pages,
    "s02_measure": _measures,
    "s03_dedup": _documents,
    "s04_score": _scores,
    "s05_label": _labels,
    "s06_rephrase": _texts("s06_rephrase"),
    "s07_dialogue": _texts("s07_dialogue"),
    "s07a_judge": _graded,
    "s07b_gate": _gated,
    "s08_blend": _copies,
    "s09_tokenize": _shards,
}
"""What each stage counts as rows out."""


def correct_ledger(store: Store) -> None:
    """Count pages that became rejects as such, in the latest row of each file."""
    ledger = store.read(LEDGER)
    latest = ledger.where("records IS NOT NULL").groupBy("warc_file").agg(F.max("at").alias("at"))
    rows = ledger.join(latest, ["warc_file", "at"])
    for table in (PAGES, REJECTS):
        counted = (
            store.read(table).groupBy("warc_file").agg(F.count(F.lit(1)).alias(f"n_{table.name}"))
        )
        rows = rows.join(counted, "warc_file", "left")
    found = rows.select(
        "warc_file", "at", F.coalesce("n_pages", F.lit(0)).alias("n_pages"),
        F.coalesce("n_rejects", F.lit(0)).alias("n_rejects"), "pages", "records",
    )  # fmt: skip
    # Only whole files: of one that is being read anew the tables hold nothing, or another state.
    changed = found.where("n_pages < pages AND n_pages + n_rejects = records").localCheckpoint()
    if changed.count():
        target = DeltaTable.forPath(store.spark, store.path(LEDGER)).alias("l")
        merge = target.merge(changed.alias("c"), "l.warc_file = c.warc_file AND l.at = c.at")
        merge.whenMatchedUpdate(set={"pages": "c.n_pages", "rejects": "c.n_rejects"}).execute()


def mark_matched_chunks(store: Store, ids: DataFrame) -> None:
    """See that the next batch of s03 begins from nothing, where one of `ids` matched others.

    A document that goes may have held two others together, or may be the one by which the band
    table knows a text.
    """
    if not (store.exists(DEDUP_BATCHES) and store.exists(PAIRS)):
        return
    paired = rows_of(store, PAIRS, ids)
    ends = paired.select("doc_id").unionAll(paired.select("other_id")).distinct()
    concerned = ends.join(ids, "doc_id", "left_semi")
    chunks = store.read(MEASURES).join(concerned, "doc_id", "left_semi").select("chunk").distinct()
    names = [row["chunk"] for row in small(chunks)]
    where = F.col("chunk").isin(names) & (F.col("measured") != TAKEN_DOWN)
    if names and store.read(DEDUP_BATCHES).where(where).count():
        table = DeltaTable.forPath(store.spark, store.path(DEDUP_BATCHES))
        table.update(where, {"measured": F.lit(TAKEN_DOWN)})


def note_documents_version(store: Store) -> None:
    """Let the next batch of s03 compare with `documents` as it is now."""
    if not (store.exists(DEDUP_BATCHES) and store.exists(DOCUMENTS)):
        return
    last = small(store.read(DEDUP_BATCHES).orderBy("batch", ascending=False).limit(1))
    version = store.version(DOCUMENTS)
    if last and last[0]["documents_version"] != version:
        table = DeltaTable.forPath(store.spark, store.path(DEDUP_BATCHES))
        of_last = F.col("batch") == last[0]["batch"]
        table.update(of_last, {"documents_version": F.lit(version).cast("long")})


def abandon_lost_shards(store: Store, out: str) -> None:
    """See that s09 is done again, where it was done and the shards had to go whole."""
    done = [a for a in _closed(store) if a.stage == STAGES[-1].name]
    if done and not (tokens_folder(out) / "manifest.json").exists():
        now, one = datetime.now(UTC), done[0]
        row: tuple[Any, ...] = (one.stage, one.unit, one.attempt + 1, ABANDONED, TAKEN_DOWN, now)
        mark = Txn(f"takedown/{one.stage}/{one.attempt}", 1)
        store.append(store.make([row], ATTEMPTS), ATTEMPTS, mark)
