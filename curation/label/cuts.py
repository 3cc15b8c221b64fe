"""The cuts between buckets: weighted percentiles of each score, by crawl and language."""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from curation.config import LabelConfig

N_BUCKETS = 20
MISS_PROBABILITY = 1e-6
"""Chance that any cut made from a sample is off by more than `max_error`."""
_GROUP = ("crawl", "language", "models", "member")
_LARGEST_SHARE = 1 - 1 / N_BUCKETS
_LOG_BOUNDS = math.log(2 * (N_BUCKETS - 1) / MISS_PROBABILITY)


def bucket_edges(scored: DataFrame, scores: Column, conf: LabelConfig) -> DataFrame:
    """Rows of BUCKET_EDGES but for their batch: 5th, 10th, ..., 95th percentiles of each score.

    The inverted distribution function: the first score at which the share of weight reaches p.
    Weights are whole numbers and compared as such, so that no rounding decides.

    A document whose weight is 0 weighs 1: none is without effect, and no sum is 0.

    Of a crawl and language with more than `conf.max_exact` documents about so many are drawn, by
    the hash of their id. How far that may move a cut is its `max_error`, see `_max_error`.

    Args:
        scored: Documents: `doc_id`, `crawl`, `language`, `models`, `n_words`, `n_bytes`.
        scores: Map of their scores by member; NaN and absent ones are left out.
        conf: Weight, sample size, seed.
    """
    one_each = scored.select(
        "doc_id", "crawl", "language", "models", _weight(conf.weight).alias("w"),
        F.explode(scores).alias("member", "score"),
    ).where("score IS NOT NULL AND NOT isnan(score)")  # fmt: skip
    drawn = _drawn(one_each, conf)
    by_score = drawn.groupBy(*_GROUP, "score").agg(
        F.sum("w").alias("w"), F.count(F.lit(1)).alias("n"),
        F.max("n_documents").alias("n_documents"), F.max("max_error").alias("max_error"),
    )  # fmt: skip
    group = Window.partitionBy(*_GROUP)
    reached = by_score.withColumn("cum", F.sum("w").over(group.orderBy("score"))).withColumn(
        "total", F.sum("w").over(group)
    )
    edges = F.array(*[F.expr(f"min(IF(cum * {N_BUCKETS} >= total * {k}, score, NULL))")
                      for k in range(1, N_BUCKETS)])  # fmt: skip
    return reached.groupBy(*_GROUP).agg(
        F.lit(conf.weight).alias("weight"), edges.alias("edges"),
        F.max("n_documents").alias("n_documents"), F.sum("n").alias("n_drawn"),
        F.max("max_error").alias("max_error"),
    )  # fmt: skip


def _weight(name: str) -> Column:
    weights = {"bytes": F.col("n_bytes"), "tokens": F.col("n_words"), "documents": F.lit(1)}
    return F.greatest(weights[name].cast("long"), F.lit(1).cast("long"))


def _drawn(one_each: DataFrame, conf: LabelConfig) -> DataFrame:
    """The documents that the cuts come from; of all: `n_documents`, and `max_error`."""
    n = F.count(F.lit(1))
    sizes = one_each.groupBy(*_GROUP).agg(
        n.alias("n_documents"),
        F.when(n > conf.max_exact, _max_error(conf.max_exact / n)).otherwise(0.0)
        .alias("max_error"),
    )  # fmt: skip
    sized = one_each.join(F.broadcast(sizes), [*_GROUP])
    # 53 bits of the hash, evenly in [0, 1): the same documents whatever the order of the rows.
    place = F.shiftrightunsigned(F.xxhash64("doc_id", F.lit(conf.seed)), 11) * F.lit(2.0**-53)
    return sized.where(place * F.col("n_documents") < conf.max_exact)


def _max_error(p: Column) -> Column:
    """How far the share of weight at a cut may be off, for documents drawn with probability `p`.

    Each document is drawn or not, independently of the others: the hash is taken as random.
    Nothing is assumed of weights and scores, which may go together. Over all documents, drawn or
    not, W = sum w, S = sum w^2 and M = max w; F(s) is the share of W at scores up to s, F(s-) that
    below s. The cut c for q = 0.05, ... 0.95 is the lowest score at which q of the drawn weight is
    reached. For all 19 cuts at once, but for a probability of at most MISS_PROBABILITY,

        F(c-) <= q + t  and  F(c) >= q - t.

    Suppose F(c-) > q + t. Let a be the lowest score with F(a) > q + t. It depends on no draw, and
    a < c, so less than q of the drawn weight lies up to a: over those drawn,
    sum w (1[score <= a] - q) < 0, a sum whose mean is p W (F(a) - q) > p W t.
    Suppose F(c) < q - t. Let b be the lowest score with F(b) >= q - t. Then c < b, so q of the
    drawn weight lies below b: sum w (1[score < b] - q) >= 0, with mean p W (F(b-) - q) < -p W t.

    Either way a sum of independent terms is off its mean by p W t or more. Its variance is at most
    p (1 - p) m^2 S, and no term is off its own mean by more than m M, with m = 0.95, the largest
    of q and 1 - q. By Bernstein's inequality that has a probability of at most

        exp(-(p W t)^2 / (2 p (1 - p) m^2 S + 2/3 m M p W t)),

    which is MISS_PROBABILITY / 38, for two sums by 19 cuts, with L = ln(38 / MISS_PROBABILITY) at

        t = (r + sqrt(r^2 + 2 L p (1 - p) m^2 S)) / (p W),  r = L m M / 3.

    For a million drawn of ten million: 0.5 points of a hundred with equal weights, 1 with
    log-normal ones of sigma 1.
    """
    w = F.col("w").cast("double")
    r = _LOG_BOUNDS * _LARGEST_SHARE / 3 * F.max(w)
    spread = 2 * _LOG_BOUNDS * _LARGEST_SHARE**2 * p * (1 - p) * F.sum(w * w)
    return F.least(F.lit(1.0), (r + F.sqrt(r * r + spread)) / (p * F.sum(w)))
