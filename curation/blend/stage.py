"""s08: real and synthetic text, each source as often as its weight says, as plain Parquet."""

from __future__ import annotations

from collections.abc import Mapping

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.blend.weights import epochs_by_source
from curation.config import BlendConfig
from curation.errors import InputError
from curation.schemas import BLEND, DOCUMENTS, LABELS, SYNTHETIC, SYNTHETIC_MEASURES
from curation.spark.batches import spark_schema
from curation.spark.funnel import Account
from curation.spark.tables import small
from curation.spark.work import Work

_HASH_RANGE = 2**53
"""Hashes are cut to what a double holds exactly before they are compared with a share."""


def blend(work: Work) -> Account:
    """Copy each text as often as its source's epochs say; write the copies in global order."""
    conf = work.conf.blend
    texts = real_texts(work).unionByName(synthetic_texts(work))
    n_words = _words_by_source(texts)
    if not n_words:
        raise InputError(
            "blend: no labelled document is kept and nothing is synthetic; see `labels`"
        )
    counted = texts.withColumn("copies", copies(epochs_by_source(n_words, conf), conf.seed))
    rows = _copied(counted, conf)
    ordered = rows.repartition(*BLEND.partition_by).sortWithinPartitions(
        *BLEND.partition_by, "order"
    )
    path = blend_path(work.conf.out)
    ordered.to(spark_schema(BLEND, nullable=True)).write.mode("overwrite").partitionBy(
        *BLEND.partition_by
    ).parquet(path)
    return _account(work, counted, path)


def blend_path(out: str) -> str:
    """Folder of the blend."""
    return f"{out.rstrip('/')}/blend"


def real_texts(work: Work) -> DataFrame:
    """Documents that the labels keep, in the columns of BLEND."""
    kept = work.read(LABELS).where("keep").select("doc_id", F.col("label").alias("quality"))
    return work.read(DOCUMENTS).join(kept, "doc_id").select(
        F.col("doc_id").alias("id"), F.col("record_id").alias("warc_record_id"), "url", "language",
        F.col("n_words").cast("long").alias("n_words"), "quality", F.lit("actual").alias("kind"),
        F.lit("actual").alias("kind2"), "text",
    )  # fmt: skip


def synthetic_texts(work: Work) -> DataFrame:
    """Texts that the gates keep, in the columns of BLEND; they inherit what their document has."""
    about = work.read(DOCUMENTS).select("doc_id", "record_id", "url", "language")
    kept = work.read(SYNTHETIC_MEASURES).where("keep").select("synthetic_id")
    texts = work.read(SYNTHETIC).join(kept, "synthetic_id", "left_semi")
    return texts.join(about, "doc_id").select(
        F.col("synthetic_id").alias("id"), F.col("record_id").alias("warc_record_id"), "url",
        "language", F.size(F.split(F.trim("text"), r"\s+")).cast("long").alias("n_words"),
        F.col("label").alias("quality"), F.lit("synthetic").alias("kind"), "kind2", "text",
    )  # fmt: skip


def copies(epochs: Mapping[str, float], seed: int) -> Column:
    """Copies of a text: the whole epochs, and one more for a share of texts chosen by hash."""
    entries = [
        F.lit(value) for source, times in sorted(epochs.items()) for value in (source, times)
    ]
    times = F.create_map(*entries)[_source()]
    share = F.pmod(F.xxhash64(F.lit(seed), "id"), F.lit(_HASH_RANGE)) / F.lit(_HASH_RANGE)
    more = (share < times - F.floor(times)).cast("int")
    return (F.floor(times) + more).cast("int")


def _source() -> Column:
    return F.concat_ws("/", "quality", "kind", "kind2")


def _words_by_source(texts: DataFrame) -> dict[str, int]:
    sums = texts.groupBy(_source().alias("source")).agg(F.sum("n_words").alias("n_words"))
    return {row["source"]: row["n_words"] for row in small(sums) if row["n_words"]}


def _copied(counted: DataFrame, conf: BlendConfig) -> DataFrame:
    numbers = F.explode(F.sequence(F.lit(0), F.col("copies") - 1)).alias("copy")
    repeated = counted.where("copies > 0").select("*", numbers).drop("copies")
    order = F.xxhash64(F.lit(conf.seed), "id", "copy")
    return repeated.withColumn("order", order).select(*BLEND.columns.names)


def _account(work: Work, counted: DataFrame, path: str) -> Account:
    """Rows in are the copies wanted, and the texts of which none is."""
    planned = small(counted.agg(
        F.sum(F.greatest("copies", F.lit(1))).alias("rows_in"),
        F.count_if(F.col("copies") == 0).alias("idle"),
    ))[0]  # fmt: skip
    written = work.store.read_parquet(path, BLEND)
    out = small(written.agg(F.count(F.lit(1)).alias("n"), F.sum("n_words").alias("words")))[0]
    reasons = {"not_sampled": planned["idle"]} if planned["idle"] else {}
    return Account(planned["rows_in"], out["n"], reasons, out["words"], lambda: [path])
