"""s05: scores to buckets 0..19, one bucket of the ensemble, five labels, heuristics. SQL only.

Source: Nemotron-CC (2412.02595), sections 2.2, 2.3 and 3.3: each member's score is ranked and cut
into twenty, the document takes the highest of its buckets, buckets are grouped into five labels,
and heuristic filters apply only to labels that are not exempt.
"""

from __future__ import annotations

import hashlib

from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from curation.config import LabelConfig, RunConfig
from curation.errors import ConfigError, InputError
from curation.label.buckets import (
    combined,
    combines,
    in_force,
    needed_cuts,
    with_buckets,
    with_cuts,
)
from curation.label.combination import combination_of
from curation.label.cuts import bucket_edges
from curation.label.drift import label_drift
from curation.measure.rules import drop_reason, drop_reasons, rules
from curation.schemas import (
    BENCHMARK_TEXT,
    BUCKET_EDGES,
    DOCUMENTS,
    LABEL_DRIFT,
    LABELS,
    MEASURES,
    SCORES,
    TOO_TOXIC,
)
from curation.score.members import number_columns, why_no_quality, why_unknown
from curation.spark.funnel import Account, account
from curation.spark.tables import small
from curation.spark.work import Work

NO_CUTS = "no_cuts"
"""There are no cuts for the document's crawl and language."""
NO_SCORE = "no_quality_score"
"""No member of the ensemble has a score; or, for `logistic`, one has none."""


def label(work: Work) -> Account:
    """Cut the scores into buckets, name the labels, and decide who is kept.

    Raises:
        InputError: there are no such cuts as `label.cuts_of` and `label.cuts_from` name.
    """
    conf = work.conf.label
    scored = scored_documents(work.read(SCORES), work.read(DOCUMENTS))
    batch = _cut(work, scored) if conf.cuts_of == "own" else _earlier_batch(work)
    cuts = _whole_cuts(work)
    bucketed = with_buckets(with_cuts(scored, in_force(cuts, batch, conf)), conf)
    # A record that lies in two files, of one chunk or of two, was measured twice.
    key = ["doc_id", "crawl", "chunk"]
    measures = work.read(MEASURES).drop("language", "n_words", "n_bytes").dropDuplicates(key)
    work.write(labels(bucketed.where("bucket IS NOT NULL").join(measures, key), conf), LABELS)
    written = work.read(LABELS)
    work.write(label_drift(scored, written, cuts, batch, conf), LABEL_DRIFT)
    return account(scored, _outcomes(bucketed, written), "doc_id")


def scored_documents(scores: DataFrame, documents: DataFrame) -> DataFrame:
    """Documents that a model has scored, with their size and language."""
    about = documents.select("doc_id", "language", "n_words", "n_bytes")
    return scores.where("error IS NULL").join(about, "doc_id")


def _cut(work: Work, scored: DataFrame) -> int:
    """Make and keep the cuts of this attempt; its number."""
    conf = work.conf.label
    _check_cuts_from(scored, conf)
    wanted = F.map_filter("scores", lambda name, _: name.isin(list(conf.members)))
    work.write_batch(bucket_edges(scored, wanted, conf), BUCKET_EDGES)
    if conf.ensemble != "maximum":
        ranked = with_cuts(scored, in_force(work.read(BUCKET_EDGES), work.attempt, conf))
        one = F.create_map(F.lit(conf.ensemble), combined(conf))
        edges = bucket_edges(ranked, one, conf).withColumn("combines", F.lit(combines(conf)))
        work.add_to_batch(edges, BUCKET_EDGES, conf.ensemble)
    return work.attempt


def _whole_cuts(work: Work) -> DataFrame:
    """Cuts of this attempt and of those that came to their end; others may lack a member."""
    attempts = [work.attempt, *sorted(work.finished_attempts())]
    return work.read(BUCKET_EDGES).where(F.col("batch").isin(attempts))


def _check_cuts_from(rows: DataFrame, conf: LabelConfig) -> None:
    if not conf.cuts_from:
        return
    crawls = sorted(row["crawl"] for row in small(rows.select("crawl").distinct()))
    if conf.cuts_from not in crawls:
        raise InputError(
            f"label.cuts_from: no cuts of crawl {conf.cuts_from}; there are those of "
            f"{', '.join(crawls) or 'none'}"
        )


def _earlier_batch(work: Work) -> int:
    """The batch that `label.cuts_of` names.

    Raises:
        InputError: there is none of that number, or it was made of other models or members.
    """
    conf, batch = work.conf.label, int(work.conf.label.cuts_of)
    ours = {row["models"] for row in small(work.read(SCORES).select("models").distinct())}
    edges = _whole_cuts(work).where(F.col("batch") != work.attempt)
    rows = small(edges.select("batch", "models", "member", "combines").distinct())
    of_batch = [row for row in rows if row["batch"] == batch]
    if not of_batch:
        known = ", ".join(map(str, sorted({row["batch"] for row in rows}))) or "none"
        raise InputError(f"label.cuts_of: no batch {batch} in bucket_edges; there are: {known}")
    if complaint := _why_not_applied(of_batch, ours, conf):
        raise InputError(f"label.cuts_of: batch {batch} {complaint}")
    _check_cuts_from(edges.where(F.col("batch") == batch), conf)
    return batch


def _why_not_applied(of_batch: list[Row], models: set[str], conf: LabelConfig) -> str | None:
    """What speaks against applying the cuts `of_batch` to scores of `models`; None: nothing."""
    if not models <= {row["models"] for row in of_batch}:
        return "cut the scores of other models; take `own`, or score with those again"
    if absent := {*needed_cuts(conf)} - {row["member"] for row in of_batch}:
        return f"has no cuts of {', '.join(sorted(absent))}"
    combined_of = {row["combines"] for row in of_batch if row["member"] == conf.ensemble}
    if conf.ensemble != "maximum" and combined_of != {combines(conf)}:
        return f"has cuts of another {conf.ensemble}: {', '.join(map(str, sorted(combined_of)))}"
    return None


def _outcomes(bucketed: DataFrame, written: DataFrame) -> DataFrame:
    unlabelled = bucketed.where("bucket IS NULL").select(
        "doc_id", F.when(F.col("cuts").isNull(), NO_CUTS).otherwise(NO_SCORE).alias("reason"),
        F.lit(0).alias("tokens"),
    )  # fmt: skip
    words = bucketed.select("doc_id", F.col("n_words").alias("tokens"))
    decided = written.select("doc_id", F.col("drop_reason").alias("reason"))
    return decided.join(words, "doc_id").unionByName(unlabelled)


def labels(bucketed: DataFrame, conf: LabelConfig) -> DataFrame:
    """Rows of LABELS for documents with buckets, a label, and measures."""
    told = bucketed.withColumn("exempt", F.col("label").isin(list(conf.exempt)) & F.col("ranked"))
    told = told.drop("cuts").withColumnRenamed("cuts_batch", "cuts")
    told = told.withColumn("toxicity", F.col("scores")["toxicity"])
    for name in ("domain", "speech"):
        told = told.withColumn(name, F.col("classes")[name])
    failing = F.expr(drop_reasons(rules(conf.preset)))
    decided = told.withColumn("drop_reason", _drop_reason(conf)).withColumn(
        "drop_reasons", F.concat(F.array_compact(F.array(*_not_exempt(conf))), failing)
    )
    return decided.withColumn("keep", F.col("drop_reason").isNull()).select(*LABELS.columns.names)


def _drop_reason(conf: LabelConfig) -> Column:
    by_rule = F.when(~F.col("exempt"), F.expr(drop_reason(rules(conf.preset))))
    return F.coalesce(*_not_exempt(conf), by_rule)


def _not_exempt(conf: LabelConfig) -> tuple[Column, Column]:
    """Reasons for which a text is dropped whatever its label, each null where it does not hold."""
    shared = F.col("benchmark_frac") > F.lit(conf.max_benchmark_frac).cast("float")
    return (
        F.when(F.col("toxicity") > conf.max_toxicity, F.lit(TOO_TOXIC)),
        F.when(shared, F.lit(BENCHMARK_TEXT)),
    )


def identity(conf: RunConfig) -> dict[str, object]:
    """The rules of the preset and the combination, which their names alone do not tell.

    Raises:
        ConfigError: there is no such preset, it is not rightly written, or it takes the verdict of
            a guest that is not asked; or a score that the labels rest on is given by no member.
        InputError: the file of the combination is missing or damaged.
    """
    asked, guests = rules(conf.label.preset), [guest.name for guest in conf.measure.guests]
    missing = sorted({rule.guest for rule in asked if rule.guest} - {*guests})
    if missing:
        raise ConfigError(
            f"label.preset {conf.label.preset}: measure.guests has no {', '.join(missing)}; "
            f"it has: {', '.join(guests) or 'none'}"
        )
    _check_scores(conf)
    told: dict[str, object] = {}
    if conf.label.ensemble == "logistic":
        combination_of(conf.label)
        told["combination"] = combines(conf.label)
    sql = drop_reasons(asked)
    return told | {"preset": hashlib.sha256(sql.encode()).hexdigest()[:16]}


def _check_scores(conf: RunConfig) -> None:
    given = number_columns(conf.score)
    needed = {"label.members": conf.label.members}
    if conf.label.max_toxicity < 1.0:
        needed["label.max_toxicity"] = ("toxicity",)
    for setting, wanted in needed.items():
        if complaint := why_unknown(wanted, given, setting):
            raise ConfigError(complaint)
    if complaint := why_no_quality(conf.label.members, conf.score, "label.members"):
        raise ConfigError(complaint)
