"""What a batch changes in `documents`: the versioned difference."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F


def survivor_changes(
    before: DataFrame, now: DataFrame, found: DataFrame, measures: DataFrame
) -> DataFrame:
    """Rows of SURVIVOR_CHANGES but for their batch.

    Args:
        before: `doc_id`, `crawl`, `chunk` of the documents that the last finished batch left.
        now: The same of those that survive now.
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
        .when(F.col("now").isNotNull(), "moved")
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


def _side(rows: DataFrame, name: str) -> DataFrame:
    return rows.select("doc_id", F.struct("crawl", "chunk").alias(name))


def chunks_to_write(current: DataFrame, now: DataFrame) -> DataFrame:
    """`chunk` of every chunk whose documents are not those that survive now."""
    both = _side(current, "current").join(_side(now, "now"), "doc_id", "full")
    differing = both.where("NOT current <=> now")
    chunks = F.array_compact(F.array("current.chunk", "now.chunk"))
    return differing.select(F.explode(chunks).alias("chunk")).distinct()
