"""s07b: every generated text measured beside its source, looked for among the others, and judged.

A stage of its own, without an engine: a gate that is changed costs no generation, and the compiled
kernels of `measure` never share a process with vLLM (decision 0007).
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from curation.config import GateConfig, RunConfig
from curation.gates.kernel import Instruments, measure_generated
from curation.gates.rules import drop_reasons, gates
from curation.measure.benchmarks import identity_of_benchmarks, load_benchmarks
from curation.measure.kernel import hasher_of
from curation.measure.language import load_language_model
from curation.model_store import language_model_path
from curation.schemas import (
    DOCUMENTS,
    JUDGEMENTS,
    MEASURES,
    REQUESTS,
    SYNTHETIC,
    SYNTHETIC_MEASURES,
)
from curation.spark.batches import Kernel, map_batches, not_broadcast
from curation.spark.funnel import Account, account
from curation.spark.work import Work
from curation.synth.prompts import load_prompts
from curation.synth.sourced import with_sources


def gate(work: Work) -> Account:
    """Measure and judge all of `synthetic`; what fails stays, with its reasons."""
    conf, synthetic = work.conf.gate, work.read(SYNTHETIC)
    beside = with_sources(synthetic, work.read(REQUESTS), work.read(DOCUMENTS))
    measured = map_batches(beside, _kernel(work.conf), SYNTHETIC_MEASURES)
    # The search for duplicates and the judgement read what was measured several times.
    measured = measured.persist(StorageLevel.DISK_ONLY)
    try:
        marked = with_duplicates(measured, _real(work)) if conf.duplicates else measured
        graded = with_grades(marked, work.read(JUDGEMENTS))
        work.write(judged(graded, synthetic, conf), SYNTHETIC_MEASURES)
    finally:
        measured.unpersist()
    return account(synthetic, _outcomes(work), "synthetic_id")


def _real(work: Work) -> DataFrame:
    """`id` and `key` of the documents: the hash of a content, of each band of a MinHash."""
    kept = work.read(DOCUMENTS).select("doc_id")
    return _keys(work.read(MEASURES).join(kept, "doc_id", "left_semi"), "doc_id")


def _keys(texts: DataFrame, id_: str) -> DataFrame:
    """Two texts with a key in common are duplicates: of one content, or by a band of a MinHash."""
    bands = texts.select(F.col(id_).alias("id"), F.explode("bands").alias("key"))
    content = texts.select(F.col(id_).alias("id"), F.xxhash64("content_hash").alias("key"))
    return bands.unionByName(content)


def with_duplicates(measured: DataFrame, real: DataFrame) -> DataFrame:
    """`measured` with `duplicate_of` and `duplicate_kind`.

    A text is a duplicate of a document with which it shares a key, else of a text with a lower id.
    Texts that hold their source as a whole are not compared with documents: they are meant to be
    like one.

    Args:
        measured: Rows of SYNTHETIC_MEASURES.
        real: `id` and `key` of documents.
    """
    own = not_broadcast(_keys(measured, "synthetic_id"))
    whole = [name for name, prompt in load_prompts().items() if prompt.parser == "pairs"]
    apart = measured.where(~F.col("task").isin(whole))
    of_real = _keys(apart, "synthetic_id").join(
        not_broadcast(real.withColumnRenamed("id", "first")), "key"
    )
    firsts = own.groupBy("key").agg(F.min("id").alias("first"))
    of_made = own.join(not_broadcast(firsts), "key").where("first < id")
    found = _first(of_real, "real").join(_first(of_made, "synthetic"), "synthetic_id", "full")
    told = measured.drop("duplicate_of", "duplicate_kind").join(found, "synthetic_id", "left")
    is_real = F.col("real").isNotNull()
    kind = F.when(is_real, "real").when(F.col("synthetic").isNotNull(), "synthetic")
    return told.withColumn("duplicate_of", F.coalesce("real", "synthetic")).withColumn(
        "duplicate_kind", kind
    ).drop("real", "synthetic")  # fmt: skip


def _first(pairs: DataFrame, kind: str) -> DataFrame:
    return pairs.groupBy(F.col("id").alias("synthetic_id")).agg(F.min("first").alias(kind))


def with_grades(measured: DataFrame, judgements: DataFrame) -> DataFrame:
    """`measured` with the `judge_score` of each text; null where no judge graded it."""
    grades = judgements.select("synthetic_id", "judge_score")
    return measured.drop("judge_score").join(grades, "synthetic_id", "left")


def judged(measured: DataFrame, synthetic: DataFrame, conf: GateConfig) -> DataFrame:
    """`measured` with `drop_reasons` and `keep`; rules may name columns of `synthetic` too."""
    more = [name for name in synthetic.columns if name not in measured.columns]
    joined = measured.join(synthetic.select("synthetic_id", *more), "synthetic_id")
    told = joined.withColumn("drop_reasons", F.expr(drop_reasons(gates(conf.rules))))
    return told.withColumn("keep", F.size("drop_reasons") == 0).select(
        *SYNTHETIC_MEASURES.columns.names
    )


def _outcomes(work: Work) -> DataFrame:
    """The first gate that a text fails is its reason; tokens are the generator's."""
    tokens = work.read(SYNTHETIC).select("synthetic_id", F.col("n_tokens").alias("tokens"))
    reason: Column = F.get("drop_reasons", 0).alias("reason")
    return work.read(SYNTHETIC_MEASURES).select("synthetic_id", reason).join(tokens, "synthetic_id")


def identity(conf: RunConfig) -> dict[str, object]:
    """The rules and the benchmark files, which their names alone do not tell.

    Raises:
        ConfigError: the rules are not rightly written.
        InputError: a file of benchmark items is missing or not JSON lines.
    """
    benchmarks = identity_of_benchmarks(conf.measure)
    return {"rules": drop_reasons(gates(conf.gate.rules)), "benchmarks": benchmarks}


def _kernel(conf: RunConfig) -> Callable[[], Kernel]:
    said = conf.model_dump_json(include={"gate", "measure"})

    def make() -> Kernel:
        tools = _instruments(said)
        return lambda batch: [measure_generated(batch, tools)]

    return make


@functools.lru_cache(maxsize=1)
def _instruments(said: str) -> Instruments:
    """Instruments for the settings in JSON, kept for the next task of the same process."""
    conf = RunConfig.model_validate_json(said)
    return Instruments(
        load_language_model(str(language_model_path())),
        hasher_of(conf.measure),
        load_benchmarks(conf.measure.benchmarks, conf.measure.benchmark_fields),
        conf.measure.max_language_chars,
    )
