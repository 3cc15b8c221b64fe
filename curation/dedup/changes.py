"""What a batch changes in `documents`: the versioned difference."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def survivor_changes(
    before: DataFrame, now: DataFrame, found: DataFrame, measures: DataFrame
) -> DataFrame:
    """Rows of SURVIVOR_CHANGES but for their batch.

    Args:
        before: `fingerprints` of the documents that the last finished batch left.
        now: Those of the documents that survive now.
        found: Rows of CLUSTERS.
        measures: `doc_id` of everything measured.
    """
    sides = _side(before, "before").join(_side(now, "now"), "doc_id", "full")
    differing = sides.where("NOT before <=> now")
    kept = found.select("doc_id", "survivor_id")
    measured = measures.select("doc_id", F.lit(True).alias("measured"))
    told = differing.join(kept, "doc_id", "left").join(measured, "doc_id", "left")
    change = (
        F.when(F.col("before").isNull(), "added")
        .when(F.col("now.chunk") != F.col("before.chunk"), "moved")
        .when(F.col("now.crawl") != F.col("before.crawl"), "moved")
        .when(F.col("now").isNotNull(), "recut")
        .when(F.col("survivor_id") != F.col("doc_id"), "displaced")
        .when(F.col("measured"), "cut")
        .otherwise("gone")
    )
    where = F.coalesce("now", "before")
    return told.select(
        "doc_id", where["crawl"].alias("crawl"), where["chunk"].alias("chunk"),
        change.alias("change"),
        F.when(change == "displaced", F.col("survivor_id")).alias("survivor_id"),
    )  # fmt: skip


def fingerprints(documents: DataFrame, *, are_cut: bool) -> DataFrame:
    """`doc_id`, `crawl`, `chunk`, `content` of rows of DOCUMENTS.

    `content` differs where the text does: its hash where spans are cut, else its length, which
    tells a text that was cut before and no longer is, without a text being read.
    """
    content = F.xxhash64("text") if are_cut else F.col("n_bytes").cast("long")
    return documents.select("doc_id", "crawl", "chunk", content.alias("content"))


def _side(rows: DataFrame, name: str) -> DataFrame:
    return rows.select("doc_id", F.struct("crawl", "chunk", "content").alias(name))


def chunks_to_write(current: DataFrame, now: DataFrame) -> DataFrame:
    """`chunk` of every chunk whose documents are not those that survive now: `fingerprints`."""
    both = _side(current, "current").join(_side(now, "now"), "doc_id", "full")
    differing = both.where("NOT current <=> now")
    chunks = F.array_compact(F.array("current.chunk", "now.chunk"))
    return differing.select(F.explode(chunks).alias("chunk")).distinct()
