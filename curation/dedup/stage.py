"""s03: duplicates over every crawl in the tables; the survivors become `documents`."""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from curation.config import DedupConfig
from curation.dedup.components import connected_components
from curation.schemas import CLUSTERS, DOCUMENTS, MEASURES, PAGES
from curation.spark.funnel import Account, account
from curation.spark.work import Work

SURVIVOR = "survivor"
RECORD = ["doc_id", "crawl", "chunk"]
"""What tells a page from the page of the same record in another chunk."""


def dedup(work: Work) -> Account:
    """Find clusters of equal and similar documents and keep one of each."""
    everything, pages = work.read(MEASURES), work.read(PAGES)
    measures, repeated = once_each(everything)
    work.write(clusters(measures, pages, work.conf.dedup), CLUSTERS)
    found = work.read(CLUSTERS)
    work.write(documents(measures, pages, found), DOCUMENTS)
    kept = work.read(DOCUMENTS).select(
        "doc_id", F.lit(None).alias("reason"), F.col("n_words").alias("tokens")
    )
    lost = found.where(F.col("fate") != SURVIVOR)
    again = repeated.select(
        "doc_id", F.lit("same_record").alias("reason"), F.lit(0).alias("tokens")
    )
    outcomes = kept.unionByName(again).unionByName(
        lost.select("doc_id", F.col("fate").alias("reason"), F.lit(0).alias("tokens"))
    )
    return account(everything, outcomes, "doc_id")


def once_each(measures: DataFrame) -> tuple[DataFrame, DataFrame]:
    """Measures of each record once, and those of the same record read again.

    A WARC file that lies in two places gives every record twice; the first crawl and chunk count.
    """
    nth = F.row_number().over(Window.partitionBy("doc_id").orderBy("crawl", "chunk"))
    numbered = measures.withColumn("nth", nth)
    return numbered.where("nth = 1").drop("nth"), numbered.where("nth > 1").drop("nth")


def duplicate_edges(measures: DataFrame, *, fuzzy: bool) -> DataFrame:
    """Edges `u`, `v` between documents that are equal, or share an LSH band.

    Each group is a star round its least document rather than all pairs: as many edges as members.
    """
    keyed = measures.select("doc_id", F.col("content_hash").alias("key"))
    if fuzzy:
        bands = measures.select("doc_id", F.posexplode("bands").alias("band", "hash"))
        keyed = keyed.unionAll(bands.select("doc_id", F.concat_ws(":", "band", "hash")))
    least = keyed.groupBy("key").agg(F.min("doc_id").alias("v"), F.count(F.lit(1)).alias("n"))
    members = keyed.join(least.where("n > 1"), "key").where("doc_id != v")
    return members.select(F.col("doc_id").alias("u"), "v").distinct()


def clusters(measures: DataFrame, pages: DataFrame, conf: DedupConfig) -> DataFrame:
    """Rows of CLUSTERS: members, their survivor, and how each member ends."""
    edges = duplicate_edges(measures, fuzzy=conf.fuzzy)
    components = connected_components(edges, max_rounds=conf.max_rounds)
    dates = pages.select("doc_id", "crawl", "chunk", "warc_date").dropDuplicates(RECORD)
    members = (
        components.withColumnRenamed("vertex", "doc_id")
        .join(measures, "doc_id")
        .join(dates, RECORD)
    )
    order = Window.partitionBy("component").orderBy(*survivor_order(conf.survivor))
    ranked = members.withColumn("survivor_id", F.first("doc_id").over(order)).withColumn(
        "survivor_hash", F.first("content_hash").over(order)
    )
    fate = (
        F.when(F.col("doc_id") == F.col("survivor_id"), SURVIVOR)
        .when(F.col("content_hash") == F.col("survivor_hash"), "exact_duplicate")
        .otherwise("near_duplicate")
    )
    return ranked.select("doc_id", "crawl", "chunk", F.col("component").alias("cluster_id"),
                         "survivor_id", fate.alias("fate"))  # fmt: skip


def survivor_order(policy: str) -> list[Column]:
    """Sort keys whose first row survives; doc_id last makes the order total."""
    keys = {
        "oldest": F.col("warc_date").asc_nulls_last(),
        "newest": F.col("warc_date").desc_nulls_last(),
        "longest": F.col("n_words").desc(),
    }
    return [keys[policy], F.col("doc_id")]


def documents(measures: DataFrame, pages: DataFrame, found: DataFrame) -> DataFrame:
    """Rows of DOCUMENTS: pages that no cluster drops, with what later stages ask of them."""
    sizes = found.groupBy("cluster_id").agg(F.count(F.lit(1)).cast("int").alias("size"))
    survivors = (
        found.where(F.col("fate") == SURVIVOR).join(sizes, "cluster_id").select("doc_id", "size")
    )
    lost = found.where(F.col("fate") != SURVIVOR).select("doc_id")
    kept = measures.join(lost, "doc_id", "left_anti").join(survivors, "doc_id", "left")
    columns = [*RECORD, "url", "host", "warc_date", "record_id", "title", "text"]
    rows = kept.join(pages.select(*columns).dropDuplicates(RECORD), RECORD).withColumn(
        "n_copies", F.coalesce("size", F.lit(1))
    )
    return rows.select(*DOCUMENTS.columns.names)
