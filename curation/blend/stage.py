"""s08: real and synthetic text, each source as often as its method says, as plain Parquet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import accumulate
from typing import Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Row
from pyspark.sql import functions as F

from curation.blend.landing import NO_SCORES, dropped_lines, land, published_texts
from curation.blend.layout import order_sql, stretch_sql
from curation.blend.mixing import Merged, Mix, merge_small
from curation.blend.selecting import condition, selected
from curation.blend.sources import source_sql
from curation.blend.weights import epochs_by_source, mix_of_epochs
from curation.config import COMMON_CRAWL, MIND_CORPUS, BlendConfig
from curation.errors import InputError
from curation.schemas import (
    BLEND,
    BLEND_MIX,
    DOCUMENTS,
    LABELS,
    SCORES,
    SYNTHETIC,
    SYNTHETIC_MEASURES,
    Table,
    column,
)
from curation.spark.batches import spark_schema
from curation.spark.funnel import CULPRITS, Account
from curation.spark.tables import small
from curation.spark.work import Work

_HASH_RANGE = 2**53
"""Hashes are cut to what a double holds exactly before they are compared with a share."""

_DIALOGUE = "s07_dialogue"
"""Stage whose texts are a corpus of their own."""

_SCORED = ("domain", "speech", "toxicity", "scores")
"""What `labels` and `scores` say of a document, beside its label."""


_TAKEN = Table(
    "taken",
    "What is taken of each bucket. Not a table of the run.",
    pa.schema([
        column("bucket", pa.string(), "The source before small ones were merged"),
        column("source", pa.string(), "The source"),
        column("epochs", pa.float64(), "Times that it is gone through"),
    ]),
    key=("bucket",),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """What is taken of which source."""

    merged: Merged
    """Sources, the small ones merged, with their words."""
    n_documents: dict[str, int]
    """Texts by source."""
    epochs: dict[str, float]
    mix: Mix
    """The same in shares and words."""


def blend(work: Work) -> Account:
    """Copy each text as often as its source's epochs say; write the copies in global order."""
    conf = work.conf.blend
    land(work)
    own = own_texts(work)
    texts = all_texts(work, own).withColumn("bucket", F.expr(source_sql(conf)))
    fit = condition(texts, conf.where, "blend.where") if conf.where else F.lit(True)
    chosen = selected(work, texts.where(fit))
    planned = plan(chosen.texts, conf)
    chosen.write(work)
    counted = with_epochs(chosen.texts, planned, work).withColumn("copies", copies(conf.seed))
    path = blend_path(work.conf.out)
    _write(with_copies(counted, conf.seed), path, files_of(counted, conf.words_per_file))
    written = _written(work, path)
    work.write(work.store.make(mix_rows(planned, written), BLEND_MIX), BLEND_MIX)
    n_unfit = texts.where(~fit).count() if conf.where else 0
    told = {"not_wanted": n_unfit, "not_selected": chosen.n_others}
    reasons = {reason: n for reason, n in told.items() if n}
    if conf.published:
        reasons |= dropped_lines(work, own)
    account = _account(counted, written, reasons)
    return account if own is None else _with_wanted(work, own, account)


def blend_path(out: str) -> str:
    """Folder of the blend."""
    return f"{out.rstrip('/')}/blend"


def own_texts(work: Work) -> DataFrame | None:
    """The run's own texts, real and made.

    None where it has none: it has published texts, and no stage before this one has run.
    """
    if work.conf.blend.published and not work.store.exists(LABELS):
        return None
    return real_texts(work).unionByName(synthetic_texts(work))


def all_texts(work: Work, own: DataFrame | None) -> DataFrame:
    """The run's own texts, and published ones: columns of BLEND, `doc_id`, and attributes."""
    parts = [] if own is None else [own]
    if work.conf.blend.published:
        parts.append(published_texts(work, own))
    return reduce(DataFrame.unionByName, parts)


def real_texts(work: Work) -> DataFrame:
    """Documents that the labels keep: columns of BLEND, and attributes."""
    kept = _with_scores(work, work.read(LABELS).where("keep")).select(
        "doc_id", F.col("label").alias("quality"), *_SCORED
    )  # fmt: skip
    return work.read(DOCUMENTS).join(kept, "doc_id").select(
        F.col("doc_id").alias("id"), F.col("record_id").alias("warc_record_id"), "url", "language",
        F.col("n_words").cast("long").alias("n_words"), "quality", F.lit("actual").alias("kind"),
        F.lit("actual").alias("kind2"), "text", "crawl", F.lit(COMMON_CRAWL).alias("corpus"),
        "doc_id", *_SCORED,
    )  # fmt: skip


def synthetic_texts(work: Work) -> DataFrame:
    """Texts that the gates keep, as `real_texts`; they inherit what their document has."""
    scored = _with_scores(work, work.read(LABELS)).select("doc_id", *_SCORED)
    about = work.read(DOCUMENTS).select("doc_id", "record_id", "url", "language").join(
        scored, "doc_id", "left"
    )  # fmt: skip
    kept = work.read(SYNTHETIC_MEASURES).where("keep").select("synthetic_id")
    texts = work.read(SYNTHETIC).join(kept, "synthetic_id", "left_semi")
    return texts.join(about, "doc_id").select(
        F.col("synthetic_id").alias("id"), F.col("record_id").alias("warc_record_id"), "url",
        "language", F.size(F.split(F.trim("text"), r"\s+")).cast("long").alias("n_words"),
        F.col("label").alias("quality"), F.lit("synthetic").alias("kind"), "kind2", "text", "crawl",
        F.when(F.col("stage") == _DIALOGUE, MIND_CORPUS).otherwise(COMMON_CRAWL).alias("corpus"),
        "doc_id", *_SCORED,
    )  # fmt: skip


def _with_scores(work: Work, labels: DataFrame) -> DataFrame:
    """`labels` with the map `scores` of their documents; null where no condition asks for it."""
    select = work.conf.blend.select
    asked = work.conf.blend.where + (select.target if select else "")
    if "scores" not in asked:
        return labels.withColumn("scores", F.expr(NO_SCORES))
    return labels.join(work.read(SCORES).select("doc_id", "scores"), "doc_id", "left")


def plan(texts: DataFrame, conf: BlendConfig) -> Plan:
    """What to take of the sources of `texts`, whose column `bucket` names them.

    Raises:
        ConfigError: the settings name a source that there is not, or ask for more than there is.
        InputError: there is no text.
    """
    counted = texts.groupBy("bucket").agg(
        F.count(F.lit(1)).alias("n_documents"), F.sum("n_words").alias("n_words")
    )
    sizes = {row["bucket"]: row for row in small(counted) if row["n_words"]}
    if not sizes:
        raise InputError(
            "blend: no labelled document is kept, nothing is synthetic and nothing published; see "
            "`labels`, `published` and `selection`"
        )
    n_words = {bucket: row["n_words"] for bucket, row in sizes.items()}
    merged = merge_small(n_words, min_frac=conf.min_source_frac)
    n_documents = dict.fromkeys(merged.sizes, 0)
    for bucket, source in merged.bucket_of.items():
        n_documents[source] += sizes[bucket]["n_documents"]
    epochs = epochs_by_source(merged.sizes, conf)
    return Plan(merged, n_documents, epochs, mix_of_epochs(merged.sizes, epochs))


def with_epochs(texts: DataFrame, planned: Plan, work: Work) -> DataFrame:
    """`texts` with their `source` and its `epochs`; null where a bucket has no words."""
    rows = [
        (bucket, source, planned.epochs[source])
        for bucket, source in planned.merged.bucket_of.items()
    ]
    # Joined, not a CASE: crosses of two attributes may have thousands of buckets.
    return texts.join(F.broadcast(work.store.make(rows, _TAKEN)), "bucket", "left")


def copies(seed: int) -> Column:
    """Copies of a text: the whole epochs, and one more for a share of texts chosen by hash."""
    times = F.coalesce("epochs", F.lit(0.0))
    share = F.pmod(F.xxhash64(F.lit(seed), "id"), F.lit(_HASH_RANGE)) / F.lit(_HASH_RANGE)
    more = (share < times - F.floor(times)).cast("int")
    return (F.floor(times) + more).cast("int")


def with_copies(counted: DataFrame, seed: int) -> DataFrame:
    """A row a copy of the texts `counted`, whose column `copies` says how many, with its order."""
    numbers = F.explode(F.sequence(F.lit(0), F.col("copies") - 1)).alias("copy")
    repeated = counted.where("copies > 0").select("*", numbers)
    order = order_sql(
        home_hash=f"xxhash64({seed}L, 'home', id)",
        copy_hash=f"xxhash64({seed}L, 'copy', id, copy)",
        copy="copy",
        n_copies="copies",
    )
    return repeated.withColumn("order", F.expr(order)).select(*BLEND.columns.names)


def mix_rows(planned: Plan, written: Sequence[Row]) -> list[tuple[Any, ...]]:
    """Rows of BLEND_MIX: the plan, and `written`, rows of `source`, `n_copies`, `n_words`."""
    found = planned.mix
    real = {row["source"]: (row["n_copies"], row["n_words"]) for row in written}
    parts: dict[str, list[str]] = {source: [] for source in found.sources}
    for bucket in planned.merged.merged:
        parts[planned.merged.bucket_of[bucket]].append(bucket)
    return [
        (source, parts[source], planned.n_documents[source], round(one.size), one.natural_share,
         one.share, one.tokens, one.epochs, *real.get(source, (0, 0)), found.n_effective,
         found.total_variation, found.kl_nats)
        for source, one in found.sources.items()
    ]  # fmt: skip


def files_of(counted: DataFrame, words_per_file: int) -> dict[str, int]:
    """Files to write in each folder of the blend, by its name; `counted` as for `with_copies`."""
    folders = counted.where("copies > 0").groupBy(_folder().alias("folder"))
    sizes = small(folders.agg(F.sum(F.col("n_words") * F.col("copies")).alias("n_words")))
    return {row["folder"]: max(1, math.ceil(row["n_words"] / words_per_file)) for row in sizes}


def _folder() -> Column:
    return F.concat_ws("/", *BLEND.partition_by)


def _write(rows: DataFrame, path: str, n_files: dict[str, int]) -> None:
    """Each file is the work of one task: a stretch of the order of its folder."""
    firsts = dict(zip(n_files, accumulate(n_files.values(), initial=0), strict=False))
    numbers = {"first": _by_folder(firsts), "n_files": _by_folder(n_files)}
    file = F.expr(f"first + {stretch_sql('`order`', 'n_files')}")
    numbered = rows.withColumns(numbers).withColumn("file", file)
    n_tasks = max(1, sum(n_files.values()))
    ordered = numbered.repartitionById(n_tasks, F.col("file")).sortWithinPartitions(
        *BLEND.partition_by, "order", "id", "copy"
    )
    ordered.to(spark_schema(BLEND, nullable=True)).write.mode("overwrite").partitionBy(
        *BLEND.partition_by
    ).parquet(path)


def _by_folder(numbers: dict[str, int]) -> Column:
    pairs = [F.lit(part) for pair in numbers.items() for part in pair]
    return F.coalesce(F.create_map(*pairs)[_folder()] if pairs else F.lit(None), F.lit(0))


def _written(work: Work, path: str) -> list[Row]:
    """Copies and words that were written, by source."""
    rows = work.store.read_parquet(path, BLEND).groupBy("source")
    return small(
        rows.agg(F.count(F.lit(1)).alias("n_copies"), F.sum("n_words").alias("n_words"))
    )  # fmt: skip


def _account(counted: DataFrame, written: Sequence[Row], before: dict[str, int]) -> Account:
    """Rows in are the copies wanted, the texts of which none is, and what went `before`."""
    planned = small(counted.agg(
        F.sum(F.greatest("copies", F.lit(1))).alias("rows_in"),
        F.count_if(F.col("copies") == 0).alias("idle"),
    ))[0]  # fmt: skip
    n_copies, n_words = (sum(row[name] for row in written) for name in ("n_copies", "n_words"))
    reasons = before | ({"not_sampled": planned["idle"]} if planned["idle"] else {})
    rows_in = planned["rows_in"] + sum(before.values())
    return Account(rows_in, n_copies, reasons, n_words)


def _with_wanted(work: Work, own: DataFrame, account: Account) -> Account:
    """`account`, open where a text that labels or gates keep is not among `own`, or is twice."""
    labels, gates = work.read(LABELS).where("keep"), work.read(SYNTHETIC_MEASURES).where("keep")
    wanted = labels.select(F.col("doc_id").alias("id")).unionAll(
        gates.select(F.col("synthetic_id").alias("id"))
    )  # fmt: skip
    ids = own.select("id")

    def culprits() -> list[str]:
        rows = wanted.exceptAll(ids).unionAll(ids.exceptAll(wanted)).limit(CULPRITS)
        return [row["id"] for row in small(rows)]

    n_missing = wanted.count() - ids.count()
    return replace(account, rows_in=account.rows_in + n_missing, culprits=culprits)
