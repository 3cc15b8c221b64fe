"""A takedown, step by step: what it would remove, and its doing.

What is done follows from the tombstones and the tables alone: a takedown that was broken off is
gone on with by beginning again. Children go before what leads to them: shards, blend, then the
tables against the flow, `pages` last.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.schemas import CLUSTERS, PAGES, TOMBSTONES, Table
from curation.spark.tables import Store, small
from curation.takedown.accounts import (
    abandon_lost_shards,
    correct_funnel,
    correct_ledger,
    mark_matched_chunks,
    note_documents_version,
)
from curation.takedown.copies import copies_of, has_blend, remove_copies
from curation.takedown.lineage import (
    LINEAGE,
    copies_elsewhere,
    count_rows,
    documents_named,
    reject_pages,
    remove_rows,
)
from curation.takedown.shards import ShardPlan, apply_plan, plan_shards
from curation.takedown.tombstones import mark_done, unfinished

Tell = Callable[[str], object]
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What is left of the documents that tombstones name."""

    ids: DataFrame
    """`doc_id` of the documents."""
    rows: dict[str, int]
    """Rows by table, in the order of the flow."""
    n_copies: int
    """Rows of the blend."""
    shards: ShardPlan
    elsewhere: dict[str, int] = field(default_factory=dict)
    """Duplicates at other URLs: `exact`, `near`."""

    @property
    def is_nothing(self) -> bool:
        """Whether no row of any table, copy or token is left."""
        return not self.rows and not self.n_copies and self.shards.state == "none"


def find(store: Store, out: str, tombstones: DataFrame) -> Found:
    """What is left of the documents that `tombstones` name; nothing is changed."""
    ids = documents_named(store, tombstones)
    rows = count_rows(store, ids)
    copies = _copies(store, out, ids, tombstones)
    n_copies = copies.count() if copies is not None else 0
    is_open = bool(rows) or not tombstones.where("done_at IS NULL").isEmpty()
    shards = plan_shards(store, out, copies, is_open=is_open)
    return Found(ids, rows, n_copies, shards, _elsewhere(store, ids))


def _copies(store: Store, out: str, ids: DataFrame, tombstones: DataFrame) -> DataFrame | None:
    # Kept: a path may not be read and overwritten at once.
    return copies_of(store, out, ids, tombstones).localCheckpoint() if has_blend(out) else None


def _elsewhere(store: Store, ids: DataFrame) -> dict[str, int]:
    if not store.exists(CLUSTERS):
        return {}
    counts = small(copies_elsewhere(store, ids).groupBy("is_exact").count())
    named = {True: "exact", False: "near"}
    return {named[row["is_exact"]]: row["count"] for row in counts}


def tombstones_of_duplicates(store: Store, tombstones: DataFrame) -> DataFrame:
    """Rows of TOMBSTONES for the URLs at which duplicates of the documents named lie."""
    others = copies_elsewhere(store, documents_named(store, tombstones))
    asked = tombstones.agg(F.max_by("reason", "asked_at").alias("reason"),
                           F.max("asked_at").alias("asked_at"))  # fmt: skip
    by_url = others.groupBy("url_normalized").agg(F.min("duplicate_of").alias("duplicate_of"))
    return by_url.crossJoin(asked).select(
        F.lit("url").alias("kind"), F.col("url_normalized").alias("value"), "duplicate_of",
        "reason", "asked_at", F.lit(None).cast("timestamp").alias("done_at"),
    )  # fmt: skip


def steps(store: Store, out: str, tell: Tell) -> list[tuple[str, Callable[[], object]]]:
    """The steps of a removal by name, in order; each may be done again."""
    ids = documents_named(store, store.read(TOMBSTONES))
    rows = count_rows(store, ids)
    tables = [
        (table.name, partial(_remove_from, store, table, ids, rows[table.name], tell))
        for table in LINEAGE
        if table.name in rows
    ]
    pages = [step for step in tables if step[0] == PAGES.name]
    # A run of published texts alone has read no record.
    of_records: list[tuple[str, Callable[[], object]]] = (
        [("rejects", partial(_reject, store, ids, tell)), *pages,
         ("ledger", partial(correct_ledger, store))] if store.exists(PAGES) else []
    )  # fmt: skip
    return [
        ("dedup", partial(mark_matched_chunks, store, ids)),
        ("shards", partial(_remove_from_shards, store, out, ids, bool(rows), tell)),
        ("blend", partial(_remove_from_blend, store, out, ids, tell)),
        *(step for step in tables if step not in pages),
        *of_records,
        ("funnel", partial(correct_funnel, store, out)),
        ("attempts", partial(abandon_lost_shards, store, out)),
        ("documents version", partial(note_documents_version, store)),
        ("tombstones", partial(mark_done, store)),
    ]


def remove_all(store: Store, out: str, tell: Tell) -> None:
    """Remove every row of what the tombstones of the run name, and say what was removed."""
    for _, step in steps(store, out, tell):
        step()


def finish_begun(store: Store, out: str) -> None:
    """Finish a takedown that was broken off, before anything is made of what it should remove."""
    if n_left := unfinished(store):
        log.warning("takedown: %d tombstones were not dealt with to the end; now they are", n_left)
        remove_all(store, out, log.warning)


def _remove_from(store: Store, table: Table, ids: DataFrame, n_rows: int, tell: Tell) -> None:
    remove_rows(store, table, ids)
    tell(f"{table.name}: {n_rows} rows removed")


def _reject(store: Store, ids: DataFrame, tell: Tell) -> None:
    if n_rows := reject_pages(store, ids):
        tell(f"rejects: {n_rows} rows added, `taken_down`, without text")


def _remove_from_blend(store: Store, out: str, ids: DataFrame, tell: Tell) -> None:
    copies = _copies(store, out, ids, store.read(TOMBSTONES))
    if copies is not None and (n_rows := remove_copies(copies)):
        tell(f"blend: {n_rows} copies removed")


def _remove_from_shards(store: Store, out: str, ids: DataFrame, has_rows: bool, tell: Tell) -> None:
    copies = _copies(store, out, ids, store.read(TOMBSTONES))
    plan = plan_shards(store, out, copies, is_open=has_rows or unfinished(store) > 0)
    apply_plan(store, out, plan)
    if plan.state != "none":
        tell(shards_said(plan, done=True))


def shards_said(plan: ShardPlan, *, done: bool) -> str:
    """What `plan` does to the shards, or did, in words."""
    verb = "removed" if done else "would go"
    if plan.state == "drop":
        return (
            f"shards: all {plan.n_tokens} tokens {verb}, because {plan.why}; "
            "`curation run ... --only s09` makes them anew"
        )
    n_shards, n_documents = len({name for name, _ in plan.places}), len(plan.places)
    told = f"{plan.n_tokens} tokens of {n_documents} documents in {n_shards}"
    return f"shards: {told} shards {verb}"


def vacuum(store: Store) -> list[str]:
    """Delete the files that only old versions of the tables name; the tables concerned.

    A reader that has an old version open, or asks for one, finds its files gone.
    """
    check = "spark.databricks.delta.retentionDurationCheck.enabled"
    before = store.spark.conf.get(check, "true")
    store.spark.conf.set(check, "false")
    tables = [table for table in LINEAGE if store.exists(table)]
    try:
        for table in tables:
            DeltaTable.forPath(store.spark, store.path(table)).vacuum(0)
    finally:
        store.spark.conf.set(check, before or "true")
    note_documents_version(store)
    return [table.name for table in tables]
