"""The documents that tombstones name, and every row of every table that derives from them."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import pyarrow as pa
from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.crawl.urls import normalized_url
from curation.schemas import (
    CLUSTERS,
    DOCUMENTS,
    MEASURES,
    PAGES,
    PAIRS,
    PUBLISHED,
    REJECTS,
    SYNTHETIC,
    TABLES,
    TOMBSTONES,
    Table,
)
from curation.spark.batches import Kernel, map_batches, spark_schema
from curation.spark.tables import Store, small
from curation.takedown.match import TAKEN_DOWN, matched

LINEAGE: tuple[Table, ...] = tuple(
    table for table in reversed(TABLES) if "doc_id" in table.columns.names and table is not REJECTS
)
"""Tables whose rows are of a document, children first: what leads to them goes last. A reject has
no text, and says what became of its record."""

MAX_LISTED = 1_000
"""Documents up to which a removal names them in its condition."""

_KEYS = PAGES.select("doc_id", "url_normalized", "host")
_OTHER_KEYS = {PAIRS.name: "other_id"}
"""Tables in which a second column names a document that the row is of."""


def documents_named(store: Store, tombstones: DataFrame) -> DataFrame:
    """`doc_id`, once each, of what `tombstones` name, whether or not rows of it are left."""
    by_id = tombstones.where("kind = 'doc_id'").select(F.col("value").alias("doc_id"))
    found = by_id.unionAll(matched(_addresses(store), tombstones).select("doc_id"))
    if store.exists(REJECTS):  # taken down before
        rejects = store.read(REJECTS).where(F.col("reason") == TAKEN_DOWN)
        found = found.unionAll(rejects.select("doc_id"))
    return found.distinct().localCheckpoint()


def _addresses(store: Store) -> DataFrame:
    """The keys of all pages and published texts, and of documents whose page is gone."""
    tables = [table for table in (PAGES, PUBLISHED) if store.exists(table)]
    pages = reduce(DataFrame.unionAll, [store.read(t).select(*_KEYS.columns.names) for t in tables])
    if not store.exists(DOCUMENTS):
        return pages
    strays = store.read(DOCUMENTS).join(pages, "doc_id", "left_anti")
    urls = strays.select("doc_id", F.col("url").alias("url_normalized"), "host")
    return pages.unionByName(map_batches(urls, _normalizer(), _KEYS))


def _normalizer() -> Callable[[], Kernel]:
    def normalized(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        rows = [row | {"url_normalized": normalized_url(row["url_normalized"])}
                for row in batch.to_pylist()]  # fmt: skip
        return [pa.RecordBatch.from_pylist(rows, schema=_KEYS.columns)]

    return lambda: normalized


def rows_of(store: Store, table: Table, ids: DataFrame) -> DataFrame:
    """The rows of `table` that are of a document of `ids`."""
    rows = store.read(table)
    found = rows.join(ids, "doc_id", "left_semi")
    if other := _OTHER_KEYS.get(table.name):
        rest = rows.join(ids, "doc_id", "left_anti")
        return found.unionByName(rest.join(_called(ids, other), other, "left_semi"))
    return found


def _called(ids: DataFrame, name: str) -> DataFrame:
    return ids.select(F.col("doc_id").alias(name))


def count_rows(store: Store, ids: DataFrame) -> dict[str, int]:
    """Rows of the documents `ids` by table, in the order of the flow; tables without any left out.

    One query over the keys of all tables.
    """
    tables = [table for table in reversed(LINEAGE) if store.exists(table)]
    named = [rows_of(store, table, ids).select(F.lit(table.name).alias("name")) for table in tables]
    counted = small(reduce(DataFrame.unionAll, named).groupBy("name").count())
    counts = {row["name"]: row["count"] for row in counted}
    return {table.name: counts[table.name] for table in tables if table.name in counts}


def remove_rows(store: Store, table: Table, ids: DataFrame) -> None:
    """Delete the rows of `table` that are of a document of `ids`.

    Few ids are named one by one, which spares Delta a join of the whole table.
    """
    listed = [row["doc_id"] for row in small(ids.limit(MAX_LISTED + 1))]
    for key in ["doc_id", *filter(None, [_OTHER_KEYS.get(table.name)])]:
        target = DeltaTable.forPath(store.spark, store.path(table))
        if len(listed) <= MAX_LISTED:
            target.delete(F.col(key).isin(listed))
        else:
            others = _called(ids, key).alias("i")
            merge = target.alias("t").merge(others, f"t.`{key}` = i.`{key}`")
            merge.whenMatchedDelete().execute()


def reject_pages(store: Store, ids: DataFrame) -> int:
    """Write a reject `taken_down` for each page of `ids` that has none yet; how many."""
    key = ["doc_id", "crawl", "chunk", "warc_file", "warc_offset"]
    pages = store.read(PAGES).join(ids, "doc_id", "left_semi")
    told = store.read(REJECTS).where(F.col("reason") == TAKEN_DOWN).select(*key)
    new = pages.join(told, key, "left_anti").join(_details(store, pages), "doc_id", "left")
    rows = new.withColumns({
        "reason": F.lit(TAKEN_DOWN),
        "record_type": F.lit(""),
        "detail": F.coalesce("tombstone", F.lit("")),
    }).select(*REJECTS.columns.names)  # fmt: skip
    n_rows = rows.count()
    if n_rows:
        conformed = rows.to(spark_schema(REJECTS, nullable=True))
        conformed.write.format("delta").mode("append").save(store.path(REJECTS))
    return n_rows


def _details(store: Store, pages: DataFrame) -> DataFrame:
    return matched(pages, store.read(TOMBSTONES))


def copies_elsewhere(store: Store, ids: DataFrame) -> DataFrame:
    """Duplicates of the documents `ids` that are none of them.

    Columns: `doc_id`, `url_normalized`, `duplicate_of` (one of `ids`), `is_exact`: whether its text
    is that of one of `ids`, but for white space and case.
    """
    found, about = store.read(CLUSTERS), store.read(MEASURES).select("doc_id", "content_hash")
    own = found.join(ids, "doc_id", "left_semi").join(about, "doc_id")
    origin = own.groupBy("cluster_id").agg(
        F.min("doc_id").alias("duplicate_of"), F.collect_set("content_hash").alias("hashes")
    )
    others = found.join(ids, "doc_id", "left_anti").join(origin, "cluster_id")
    addressed = others.join(about, "doc_id").join(store.read(PAGES), "doc_id")
    return addressed.select(
        "doc_id", "url_normalized", "duplicate_of",
        F.array_contains("hashes", F.col("content_hash")).alias("is_exact"),
    )  # fmt: skip


_BLENDED = ((DOCUMENTS, "doc_id"), (SYNTHETIC, "synthetic_id"), (PUBLISHED, "id"))
"""Tables that texts of the blend come from, and what `blend.id` is there."""


def known_ids(store: Store) -> list[DataFrame]:
    """`id` of the texts that a blend made of the tables as they are may hold, by table."""
    return [store.read(table).select(F.col(name).alias("id"))
            for table, name in _BLENDED if store.exists(table)]  # fmt: skip


def synthetic_ids(store: Store, ids: DataFrame) -> DataFrame:
    """`id` of every text that was made of the documents `ids`, published ones included."""
    found = ids.limit(0).select(F.col("doc_id").alias("id"))
    for table, name in _BLENDED[1:]:
        if store.exists(table):
            found = found.unionAll(rows_of(store, table, ids).select(F.col(name).alias("id")))
    return found
