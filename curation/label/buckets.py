"""Cuts applied: buckets of the members, and the one bucket and label that they come to."""

from __future__ import annotations

from functools import reduce
from operator import add

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.config import LabelConfig
from curation.label.combination import combination_file, combination_of
from curation.label.cuts import N_BUCKETS
from curation.tokens.files import sha256_of

LABEL_FLOORS = (("high", 19), ("medium-high", 18), ("medium", 12), ("medium-low", 7), ("low", 0))
"""Lowest bucket of each label. Table 2 of the paper."""


MOST_EQUAL = (N_BUCKETS - 1) // 2
"""Cuts that a score may be equal to and still rank its document: up to about half of the weight."""


def needed_cuts(conf: LabelConfig) -> tuple[str, ...]:
    """Members whose cuts a bucket rests on: those of the ensemble, and their combined score."""
    return conf.members if conf.ensemble == "maximum" else (*conf.members, conf.ensemble)


def combines(conf: LabelConfig) -> str:
    """What tells one combined score from another.

    The hash of the combination; or the members whose ranks are averaged, and the crawl whose cuts
    rank them, where that is not a document's own.

    Raises:
        InputError: the file of the combination is missing.
    """
    if conf.ensemble == "logistic":
        return sha256_of(combination_file(conf))
    ranked_by = f" by the cuts of {conf.cuts_from}" if conf.cuts_from else ""
    return ", ".join(sorted(conf.members)) + ranked_by


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
    """Documents with `scores` and `cuts`, and their `buckets`, `bucket`, `label` and `ranked`.

    A member without a score has no part in a document's bucket. `bucket` and `label` are null
    where no member has one. `ranked` is false where the bucket rests on a score that about half of
    the documents or more share (`MOST_EQUAL`), such as the one score of a constant member; such a
    member is not in `buckets`.
    """
    found = scored.withColumn("buckets", _buckets(conf))
    if conf.ensemble == "maximum":
        ranked = F.array_max(F.map_values("buckets"))
        every = F.array_max(F.array(*[_bucket(name, F.col("scores")[name])
                                      for name in conf.members]))  # fmt: skip
    else:
        one = combined(conf)
        ranked, every = _ranked(conf.ensemble, one), _bucket(conf.ensemble, one)
    bucketed = found.withColumn("bucket", F.coalesce(ranked, every))
    return bucketed.withColumn("ranked", ranked.isNotNull()).withColumn(
        "label", label_of(F.col("bucket"))
    )


def _ranked(member: str, score: Column) -> Column:
    """The bucket of a score; null where it tells nobody apart.

    A score that is equal to many cuts reaches all of them: one that nine documents of ten share
    would be near the top, and make them high whatever the other members say.
    """
    equal = F.size(F.filter(F.col("cuts")[member], lambda edge: score == edge))
    return F.when(equal <= MOST_EQUAL, _bucket(member, score))


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
    """Bucket by member, of those whose score tells documents apart."""
    names = F.array(*[F.lit(name) for name in conf.members])
    values = F.array(*[_ranked(name, F.col("scores")[name]) for name in conf.members])
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
