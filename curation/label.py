"""s05: scores to buckets 0..19, the maximum of the ensemble, five labels, heuristics. SQL only.

Source: Nemotron-CC (2412.02595), sections 2.2, 2.3 and 3.3: each member's score is ranked and cut
into twenty, the document takes the highest of its buckets, buckets are grouped into five labels,
and heuristic filters apply only to labels that are not exempt.
"""

from __future__ import annotations

import hashlib
from functools import reduce

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from curation.config import LabelConfig, RunConfig
from curation.errors import ConfigError
from curation.measure.rules import drop_reason, drop_reasons, rules
from curation.schemas import BUCKET_EDGES, DOCUMENTS, LABELS, MEASURES, MEMBERS, SCORES
from curation.spark.funnel import Account, account
from curation.spark.work import Work

N_BUCKETS = 20
LABEL_FLOORS = (("high", 19), ("medium-high", 18), ("medium", 12), ("medium-low", 7), ("low", 0))
"""Lowest bucket of each label. Table 2 of the paper."""


def label(work: Work) -> Account:
    """Cut the scores into buckets, name the labels, and decide who is kept."""
    scored = scored_documents(work.read(SCORES), work.read(DOCUMENTS))
    work.write(bucket_edges(scored, work.conf.label.weight), BUCKET_EDGES)
    # A record that lies in two files, of one chunk or of two, was measured twice.
    key = ["doc_id", "crawl", "chunk"]
    measures = work.read(MEASURES).drop("language", "n_words", "n_bytes").dropDuplicates(key)
    measured = scored.join(measures, key)
    work.write(labels(measured, work.read(BUCKET_EDGES), work.conf.label), LABELS)
    words = scored.select("doc_id", F.col("n_words").alias("tokens"))
    decided = work.read(LABELS).select("doc_id", F.col("drop_reason").alias("reason"))
    return account(scored, decided.join(words, "doc_id"), "doc_id")


def scored_documents(scores: DataFrame, documents: DataFrame) -> DataFrame:
    """Documents that have scores, with their size and language."""
    about = documents.select("doc_id", "language", "n_words", "n_bytes")
    return scores.where("error IS NULL").join(about, "doc_id")


def bucket_edges(scored: DataFrame, weight: str) -> DataFrame:
    """Rows of BUCKET_EDGES: weighted 5th, 10th, ..., 95th percentiles by member and language.

    The inverted distribution function: the first score at which the share of weight reaches p.
    Weights are whole numbers and compared as such, so that no rounding decides.
    """
    size = F.col("n_bytes") if weight == "bytes" else F.lit(1)
    parts = [scored.select(F.lit(member).alias("member"), "language",
                           F.col(f"score_{member}").alias("score"), size.cast("long").alias("w"))
             for member in MEMBERS]  # fmt: skip
    weights = reduce(DataFrame.unionByName, parts).groupBy("member", "language", "score")
    by_score = weights.agg(F.sum("w").alias("w"), F.count(F.lit(1)).alias("n"))
    group = Window.partitionBy("member", "language")
    reached = by_score.withColumn("cum", F.sum("w").over(group.orderBy("score"))).withColumn(
        "total", F.sum("w").over(group)
    )
    edges = [_edge(k).alias(f"e{k}") for k in range(1, N_BUCKETS)]
    cuts = reached.groupBy("member", "language").agg(F.sum("n").alias("n_documents"), *edges)
    as_array = F.array(*[f"e{k}" for k in range(1, N_BUCKETS)])
    rows = cuts.withColumn("edges", as_array).withColumn("weight", F.lit(weight))
    return rows.select(*BUCKET_EDGES.columns.names)


def _edge(k: int) -> Column:
    """Least score at which at least k twentieths of the weight are reached."""
    return F.min(F.when(F.col("cum") * N_BUCKETS >= F.col("total") * k, F.col("score")))


def labels(measured: DataFrame, edges: DataFrame, conf: LabelConfig) -> DataFrame:
    """Rows of LABELS for documents with scores and measures."""
    for member in MEMBERS:
        cuts = edges.where(F.col("member") == member).select(
            "language", F.col("edges").alias("cuts")
        )
        measured = measured.join(F.broadcast(cuts), "language").withColumn(
            f"bucket_{member}", _bucket(f"score_{member}")
        ).drop("cuts")  # fmt: skip
    bucketed = measured.withColumn("bucket", F.greatest(*[f"bucket_{m}" for m in MEMBERS]))
    named = bucketed.withColumn("label", label_of(F.col("bucket")))
    failing = F.expr(drop_reasons(rules(conf.preset)))
    decided = named.withColumn("drop_reason", _drop_reason(conf)).withColumn(
        "drop_reasons", F.concat(F.array_compact(F.array(_toxic(conf))), failing)
    )
    return decided.withColumn("keep", F.col("drop_reason").isNull()).select(*LABELS.columns.names)


def _bucket(score: str) -> Column:
    """Number of edges that the score reaches: 0..19."""
    return F.size(F.filter("cuts", lambda edge: F.col(score) >= edge))


def label_of(bucket: Column) -> Column:
    """The label of a bucket."""
    named = [F.when(bucket >= floor, F.lit(name)) for name, floor in LABEL_FLOORS]
    return F.coalesce(*named)


def _drop_reason(conf: LabelConfig) -> Column:
    exempt = F.col("label").isin(list(conf.exempt))
    return F.coalesce(_toxic(conf), F.when(~exempt, F.expr(drop_reason(rules(conf.preset)))))


def _toxic(conf: LabelConfig) -> Column:
    return F.when(F.col("toxicity") > conf.max_toxicity, F.lit("toxic"))


def identity(conf: RunConfig) -> dict[str, object]:
    """The rules of the preset, which the name alone does not tell.

    Raises:
        ConfigError: there is no such preset, it is not rightly written, or it takes the verdict of
            a guest that is not asked.
    """
    asked, guests = rules(conf.label.preset), [guest.name for guest in conf.measure.guests]
    missing = sorted({rule.guest for rule in asked if rule.guest} - {*guests})
    if missing:
        raise ConfigError(
            f"label.preset {conf.label.preset}: measure.guests has no {', '.join(missing)}; "
            f"it has: {', '.join(guests) or 'none'}"
        )
    sql = drop_reasons(asked)
    return {"preset": hashlib.sha256(sql.encode()).hexdigest()[:16]}
