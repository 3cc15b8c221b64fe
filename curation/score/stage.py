"""s04: model scores of the documents that have none yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.config import RunConfig, ScoreConfig, fingerprint
from curation.schemas import DOCUMENTS, SCORES
from curation.score.kernel import READ, identity, make_score_kernel
from curation.score.members import Member, members_of
from curation.spark.batches import Kernel, map_batches
from curation.spark.funnel import Account, account
from curation.spark.tables import small
from curation.spark.work import Work

READING = 3
"""How members read texts and what their outputs become; a change that moves scores raises it."""


def score(work: Work) -> Account:
    """Score the chunk's documents in the wanted languages; earlier scores are kept."""
    everything = work.read(DOCUMENTS)
    # A document may have another text than before: another engine's, or with other spans cut.
    hashed = everything.withColumn("text_hash", F.xxhash64("text"))
    wanted = in_language(hashed, work.conf.score)
    models = models_fingerprint(work.conf)
    # Those of documents that are no longer wanted, or no longer there, or no longer such, go.
    kept = work.read(SCORES).where(F.col("models") == models)
    earlier = kept.join(wanted.select("doc_id", "text_hash"), ["doc_id", "text_hash"], "left_semi")
    todo = wanted.join(earlier, "doc_id", "left_anti").select(*READ)
    # A chunk's documents lie in a few files: spread over all cores, not over the files.
    spread = todo.repartition(work.conf.spark.shuffle_partitions, "doc_id")
    new = map_batches(spread, _kernel(work.conf.score, models), SCORES)
    work.write(earlier.unionByName(new), SCORES)
    scores = work.read(SCORES)
    told = account(everything, _outcomes(everything, wanted, scores), "doc_id")
    return replace(told, notes=_notes(scores))


def models_fingerprint(conf: RunConfig) -> str:
    """Hash of all that decides a score; how many at a time, or which documents, is not part of it.

    Batches move a score by rounding only. Where a model lies does not matter, only what is in it.
    """
    files = identity(conf)
    members = {one.name: _deciding(one) for one in members_of(conf.score)}
    return fingerprint([READING, members, files])


def _deciding(member: Member) -> list[object]:
    """What else than its files decides a member's scores: a head's own file is among these."""
    columns = member.conf.columns
    has_files = member.conf.kind in ("encoder", "similarity")
    told = sorted(columns) if has_files else sorted(columns.items())
    return [member.conf.kind, told, member.max_tokens, member.device]


def _notes(scores: DataFrame) -> dict[str, int]:
    """Batches halved for memory, and documents that a member could not score, by its reason."""
    halved = scores.select(
        F.lit("batches_halved").alias("note"), F.col("n_halvings").cast("long").alias("n")
    )
    entries = scores.select(F.explode("reasons").alias("member", "reason"))
    named = F.concat_ws(":", "member", "reason").alias("note")
    unscored = entries.select(named, F.lit(1).cast("long").alias("n"))
    sums = halved.unionByName(unscored).groupBy("note").agg(F.sum("n").alias("n"))
    return {row["note"]: row["n"] for row in small(sums.where("n > 0").orderBy("note"))}


def in_language(documents: DataFrame, conf: ScoreConfig) -> DataFrame:
    """Documents whose language is wanted and sure enough."""
    if not conf.languages:
        return documents
    sure = F.col("language_score") >= conf.min_language_score
    return documents.where(F.col("language").isin(list(conf.languages)) & sure)


def _outcomes(everything: DataFrame, wanted: DataFrame, scores: DataFrame) -> DataFrame:
    skipped = everything.join(wanted.select("doc_id"), "doc_id", "left_anti").select(
        "doc_id", F.lit("language_not_wanted").alias("reason"), F.lit(0).alias("tokens")
    )
    words = wanted.select("doc_id", F.col("n_words").alias("tokens"))
    scored = scores.join(words, "doc_id").select("doc_id", F.col("error").alias("reason"), "tokens")
    return scored.unionByName(skipped)


def _kernel(conf: ScoreConfig, models: str) -> Callable[[], Kernel]:
    def make() -> Kernel:
        context = TaskContext.get()
        return make_score_kernel(conf, models, n_threads=context.cpus() if context else 1)

    return make
