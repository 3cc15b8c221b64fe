"""The cuts between buckets: weighted percentiles of each score, by crawl and language."""

from __future__ import annotations

import math

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from curation.config import LabelConfig

N_BUCKETS = 20
MISS_PROBABILITY = 1e-6
"""Chance that a cut made from a sample is off by more than `max_error`."""
_GROUP = ("crawl", "language", "member")
_LOG_BOUNDS = math.log(2 * (N_BUCKETS - 1) / MISS_PROBABILITY)


def bucket_edges(scored: DataFrame, scores: Column, conf: LabelConfig) -> DataFrame:
    """Rows of BUCKET_EDGES but for their batch: 5th, 10th, ..., 95th percentiles of each score.

    The inverted distribution function: the first score at which the share of weight reaches p.
    Weights are whole numbers and compared as such, so that no rounding decides.

    Of a crawl and language with more than `conf.max_exact` documents about so many are drawn, by
    the hash of their id. Then the share of the weight below a cut is off by at most `max_error` =
    sqrt(ln(38 / 1e-6) / (2 n)), n = (sum w)^2 / sum w^2 of what was drawn: Hoeffding's bound for
    weighted means, over the 19 cuts. With equal weights and a million drawn that is 0.3 points of
    a hundred.

    Args:
        scored: Documents: `doc_id`, `crawl`, `language`, `models`, `n_words`, `n_bytes`.
        scores: Map of their scores by member; NaN and absent ones are left out.
        conf: Weight, sample size, seed.
    """
    one_each = scored.select(
        "doc_id", "crawl", "language", "models", _weight(conf.weight).cast("long").alias("w"),
        F.explode(scores).alias("member", "score"),
    ).where("score IS NOT NULL AND NOT isnan(score)")  # fmt: skip
    drawn = _drawn(one_each, conf)
    by_score = drawn.groupBy(*_GROUP, "score").agg(
        F.sum("w").alias("w"), F.sum(F.col("w").cast("double") * F.col("w")).alias("ww"),
        F.count(F.lit(1)).alias("n"), F.max("n_documents").alias("n_documents"),
        F.max("models").alias("models"),
    )  # fmt: skip
    group = Window.partitionBy(*_GROUP)
    reached = by_score.withColumn("cum", F.sum("w").over(group.orderBy("score"))).withColumn(
        "total", F.sum("w").over(group)
    )
    edges = F.array(*[F.expr(f"min(IF(cum * {N_BUCKETS} >= total * {k}, score, NULL))")
                      for k in range(1, N_BUCKETS)])  # fmt: skip
    return reached.groupBy(*_GROUP).agg(
        F.max("models").alias("models"), F.lit(conf.weight).alias("weight"), edges.alias("edges"),
        F.max("n_documents").alias("n_documents"), F.sum("n").alias("n_drawn"),
        _max_error().alias("max_error"),
    )  # fmt: skip


def _weight(name: str) -> Column:
    return {"bytes": F.col("n_bytes"), "tokens": F.col("n_words"), "documents": F.lit(1)}[name]


def _drawn(one_each: DataFrame, conf: LabelConfig) -> DataFrame:
    """The documents that the cuts come from, and `n_documents`, how many there are."""
    sizes = one_each.groupBy(*_GROUP).agg(F.count(F.lit(1)).alias("n_documents"))
    sized = one_each.join(F.broadcast(sizes), [*_GROUP])
    # 53 bits of the hash, evenly in [0, 1): the same documents whatever the order of the rows.
    place = F.shiftrightunsigned(F.xxhash64("doc_id", F.lit(conf.seed)), 11) * F.lit(2.0**-53)
    return sized.where(place * F.col("n_documents") < conf.max_exact)


def _max_error() -> Column:
    """How far the share of weight below a cut may be off; 0 where no document was left out."""
    of_sample = F.sqrt(_LOG_BOUNDS * F.sum("ww") / (2.0 * F.pow(F.max("total"), F.lit(2.0))))
    return F.when(F.sum("n") < F.max("n_documents"), of_sample).otherwise(0.0)
