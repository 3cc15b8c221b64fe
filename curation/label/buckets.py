"""Cuts applied: buckets of the members, and the one bucket and label that they come to."""

from __future__ import annotations

from functools import reduce
from operator import add, or_

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.config import LabelConfig
from curation.label.combination import combination_file, combination_of
from curation.label.cuts import N_BUCKETS
from curation.tokens.files import sha256_of

LABEL_FLOORS = (("high", 19), ("medium-high", 18), ("medium", 12), ("medium-low", 7), ("low", 0))
"""Lowest bucket of each label. Table 2 of the paper."""


def needed_cuts(conf: LabelConfig) -> tuple[str, ...]:
    """Members whose cuts a bucket rests on: those of the ensemble, and their combined score."""
    return conf.members if conf.ensemble == "maximum" else (*conf.members, conf.ensemble)


def combines(conf: LabelConfig) -> str:
    """What tells one combined score from another: its members, or the hash of the combination.

    Raises:
        InputError: the file of the combination is missing.
    """
    if conf.ensemble == "logistic":
        return sha256_of(combination_file(conf))
    return ", ".join(sorted(conf.members))


def in_force(cuts: DataFrame, batch: int, conf: LabelConfig) -> DataFrame:
    """The cuts of `batch`, for the documents that they are good for."""
    return for_documents(cuts.where(F.col("batch") == batch), conf)


def for_documents(edges: DataFrame, conf: LabelConfig) -> DataFrame:
    """`edges` as `with_cuts` takes them: for their own crawls, or from one of them for all."""
    if conf.cuts_from:
        one = edges.where(F.col("crawl") == conf.cuts_from)
        return one.withColumnRenamed("crawl", "cuts_crawl")
    return edges.withColumn("cuts_crawl", F.col("crawl"))


def with_cuts(scored: DataFrame, edges: DataFrame) -> DataFrame:
    """`scored`, the map `cuts` by member that is good for each document, and where it is from.

    `cuts`, `cuts_batch` and `cuts_crawl` are null where there are none.

    Args:
        scored: Documents: `crawl`, `language`, `models`, and more.
        edges: `language`, `models`, `member`, `edges`, `batch`, `cuts_crawl` (whose scores were
            cut), and `crawl`, whose documents they are for; without that column, for those of all.
    """
    of_crawl = ["crawl"] if "crawl" in edges.columns else []
    key = [*of_crawl, "language", "models"]
    by_member = F.map_from_entries(F.collect_list(F.struct("member", "edges")))
    told = edges.groupBy(*key).agg(
        by_member.alias("cuts"), F.max("batch").alias("cuts_batch"),
        F.max("cuts_crawl").alias("cuts_crawl"),
    )  # fmt: skip
    return scored.join(F.broadcast(told), key, "left")


def with_buckets(scored: DataFrame, conf: LabelConfig) -> DataFrame:
    """Documents with `scores` and `cuts`, and their `buckets`, `bucket` and `label`.

    A member without a score has no part in a document's bucket. `bucket` and `label` are null
    where no member has one.
    """
    found = scored.withColumn("buckets", _buckets(conf))
    if conf.ensemble == "maximum":
        bucketed = found.withColumn("bucket", _highest(conf))
    else:
        bucketed = found.withColumn("bucket", _bucket(conf.ensemble, combined(conf)))
    return bucketed.withColumn("label", label_of(F.col("bucket")))


def _highest(conf: LabelConfig) -> Column:
    """The highest bucket of the members that tell documents apart; of all, where none does.

    A member that gives most documents of a group one score has 19 equal cuts, and every one of
    them reaches the highest bucket: it would make all documents high.
    """
    buckets = {name: F.col("buckets")[name] for name in conf.members}
    telling = [F.when(_differ(name), bucket) for name, bucket in buckets.items()]
    highest = F.array_max(F.array(*telling))
    return F.coalesce(highest, F.array_max(F.array(*buckets.values())))


def tells_apart(conf: LabelConfig) -> Column:
    """Whether the cuts that a document's bucket rests on differ from each other.

    Where they do not (one document, one score for all) a high bucket means nothing.
    """
    names = conf.members if conf.ensemble == "maximum" else (conf.ensemble,)
    return F.coalesce(reduce(or_, [_differ(name) for name in names]), F.lit(False))


def _differ(member: str) -> Column:
    edges = F.col("cuts")[member]
    return F.coalesce(F.get(edges, 0) < F.get(edges, N_BUCKETS - 2), F.lit(False))


def combined(conf: LabelConfig) -> Column:
    """One score of all members, for `mean_rank` and `logistic`; null where it cannot be had.

    Raises:
        As `combination_of`.
    """
    if conf.ensemble == "logistic":
        return _logistic(conf)
    ranks = F.array_compact(F.array(*[_rank(name) for name in conf.members]))
    total = F.aggregate(ranks, F.lit(0.0), lambda so_far, rank: so_far + rank)
    return F.when(F.size(ranks) > 0, total / F.size(ranks)).cast("float")


def _logistic(conf: LabelConfig) -> Column:
    found = combination_of(conf)
    terms = [F.lit(w) * F.col("scores")[name] for name, w in sorted(found.weights.items())]
    logit = reduce(add, terms) + found.bias
    return (1.0 / (1.0 + F.exp(-logit))).cast("float")


def _buckets(conf: LabelConfig) -> Column:
    """Bucket by member, of those that have one."""
    names = F.array(*[F.lit(name) for name in conf.members])
    values = F.array(*[_bucket(name, F.col("scores")[name]) for name in conf.members])
    return F.map_filter(F.map_from_arrays(names, values), lambda _, bucket: bucket.isNotNull())


def _bucket(member: str, score: Column) -> Column:
    """Number of the member's edges that `score` reaches: 0..19. Null without score or edges."""
    edges = F.col("cuts")[member]
    reached = F.size(F.filter(edges, lambda edge: score >= edge))
    return F.when(score.isNotNull() & ~F.isnan(score) & edges.isNotNull(), reached)


def _rank(member: str) -> Column:
    """Share of weight below the score, 0..1: evenly between two edges, the middle outside them."""
    edges, score = F.col("cuts")[member], F.col("scores")[member].cast("double")
    bucket = _bucket(member, F.col("scores")[member])
    below, above = F.get(edges, bucket - 1), F.get(edges, bucket)
    part = F.coalesce((score - below) / (above - below), F.lit(0.5))
    return (bucket + part) / N_BUCKETS


def label_of(bucket: Column) -> Column:
    """The label of a bucket."""
    named = [F.when(bucket >= floor, F.lit(name)) for name, floor in LABEL_FLOORS]
    return F.coalesce(*named)
