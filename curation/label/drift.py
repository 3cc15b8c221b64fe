"""What earlier cuts would have called today's documents: drift between crawls and batches."""

from __future__ import annotations

from functools import reduce
from operator import and_

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from curation.config import LabelConfig
from curation.label.buckets import (
    combines,
    for_documents,
    needed_cuts,
    with_buckets,
    with_cuts,
)


def label_drift(
    scored: DataFrame, labels: DataFrame, cuts: DataFrame, batch: int, conf: LabelConfig
) -> DataFrame:
    """Rows of LABEL_DRIFT.

    Two comparisons: with the cuts of the crawl before (the one whose id sorts before it), which
    tells whether a crawl is better or worse; and with the batch before, its cuts taken as now
    (`label.cuts_from`). With that setting all crawls have one crawl's cuts, and the first
    comparison, which would be of these with themselves, is left out.

    Args:
        scored: Documents with their scores, language and words.
        labels: Their rows of LABELS.
        cuts: Rows of BUCKET_EDGES, of all batches that came to their end.
        batch: The batch whose cuts are in force.
        conf: The ensemble.
    """
    now = labels.select("doc_id", "label")
    same = _of_same_combination(cuts, conf)
    before = _against(scored, now, of_batch_before(same, batch, conf), "batch", conf)
    if conf.cuts_from:
        return before
    return before.unionByName(_against(scored, now, of_crawl_before(same, batch), "crawl", conf))


def _of_same_combination(cuts: DataFrame, conf: LabelConfig) -> DataFrame:
    """`cuts` without those of combined scores that were combined in another way."""
    if conf.ensemble == "maximum":
        return cuts
    is_same = F.coalesce(F.col("combines") == F.lit(combines(conf)), F.lit(False))
    return cuts.where((F.col("member") != conf.ensemble) | is_same)


def of_crawl_before(cuts: DataFrame, batch: int) -> DataFrame:
    """For each crawl of `batch` but the first, the cuts of the crawl before it."""
    ours = cuts.where(F.col("batch") == batch)
    crawls = ours.select("crawl").distinct()
    before = F.lag("crawl").over(Window.orderBy("crawl")).alias("cuts_crawl")
    pairs = crawls.select("crawl", before).where("cuts_crawl IS NOT NULL")
    return ours.withColumnRenamed("crawl", "cuts_crawl").join(F.broadcast(pairs), "cuts_crawl")


def of_batch_before(cuts: DataFrame, batch: int, conf: LabelConfig) -> DataFrame:
    """For each crawl, language and models of `batch`, its cuts of the newest batch before."""
    key = ["crawl", "language", "models"]
    ours = cuts.where(F.col("batch") == batch).select(*key).distinct()
    older = cuts.where(F.col("batch") < batch).join(F.broadcast(ours), key)
    newest = F.max("batch").over(Window.partitionBy(*key))
    return for_documents(older.withColumn("newest", newest).where("batch = newest"), conf)


def _against(
    scored: DataFrame, now: DataFrame, earlier: DataFrame, against: str, conf: LabelConfig
) -> DataFrame:
    # Cuts of other members would give a bucket of the few that are left.
    whole = [F.col("cuts")[name].isNotNull() for name in needed_cuts(conf)]
    cut = with_cuts(scored, earlier).where(reduce(and_, whole))
    before = with_buckets(cut, conf).withColumnRenamed("label", "label_before")
    told = before.where("bucket IS NOT NULL").join(now, "doc_id")
    return told.groupBy(
        "crawl", "language", F.lit(against).alias("against"), F.col("cuts_batch").alias("cuts"),
        "cuts_crawl", "label_before", "label",
    ).agg(
        F.count(F.lit(1)).alias("n_documents"), F.sum("n_words").cast("long").alias("n_words")
    )  # fmt: skip
