"""The blend without the copies of some documents: its files, found by Spark, rewritten by tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.blend.stage import blend_path
from curation.crawl.doc_ids import doc_id_of
from curation.crawl.urls import host_of, normalized_url
from curation.schemas import BLEND, DOCUMENTS, PAGES, REJECTS, Table, column
from curation.spark.batches import Kernel, map_batches, map_partitions
from curation.spark.tables import Store, path_of
from curation.takedown.files import without_ids
from curation.takedown.lineage import known_ids, synthetic_ids
from curation.takedown.match import matched

_REWRITTEN = Table(
    "rewritten",
    "Files of the blend that were rewritten. Not a table of the run.",
    pa.schema([
        column("file", pa.string(), "The file"),
        column("n_rows", pa.int64(), "Rows that it no longer has"),
    ]),
    key=("file",),
)  # fmt: skip

_OWN_KEYS = Table(
    "own_keys",
    "What rows of the blend say that they are of. Not a table of the run.",
    pa.schema([
        column("id", pa.string(), "As in `blend`"),
        column("doc_id", pa.string(), "Of the record that the row names, else its `id`"),
        column("url_normalized", pa.string(), "As in `pages`"),
        column("host", pa.string(), "Host of the URL"),
    ]),
    key=("id",),
)  # fmt: skip
_RECORD = ["warc_record_id", "url"]


def has_blend(out: str) -> bool:
    """Whether the run has a blend."""
    return any(Path(blend_path(out)).glob("quality=*/kind=*/kind2=*/*.parquet"))


def copies_of(store: Store, out: str, ids: DataFrame, tombstones: DataFrame) -> DataFrame:
    """Rows of the blend that come of the documents `ids`, with the `file` that each is in.

    A blend may be older than the tables: a row is found by what its text was made of, too, and
    one that no table knows any more by its own record and URL.
    """
    path = blend_path(out)
    rows = store.read_parquet(path, BLEND).withColumn("file", F.col("_metadata.file_path"))
    by_id = ids.select(F.col("doc_id").alias("id")).unionAll(synthetic_ids(store, ids)).distinct()
    marked = by_id.withColumn("by_id", F.lit(True))
    records = _records(store, ids).withColumn("by_record", F.lit(True))
    own = _by_own_keys(store, rows, ids, tombstones).withColumn("by_keys", F.lit(True))
    found = rows.join(marked, "id", "left").join(records, _RECORD, "left").join(own, "id", "left")
    return found.where("by_id OR by_record OR by_keys").drop("by_id", "by_record", "by_keys")


def _by_own_keys(store: Store, rows: DataFrame, ids: DataFrame, tombstones: DataFrame) -> DataFrame:
    """`id` of the `rows` that no table knows, and whose own record or URL is taken down."""
    strangers = rows.select("id", *_RECORD).distinct()
    for known in known_ids(store):
        strangers = strangers.join(known, "id", "left_anti")
    keys = map_batches(strangers, _key_kernel, _OWN_KEYS).localCheckpoint()
    named = matched(keys, tombstones).select("doc_id").unionAll(ids).distinct()
    return keys.join(named, "doc_id", "left_semi").select("id").distinct()


def _key_kernel() -> Kernel:
    def keyed(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        rows = [_own_keys(row) for row in batch.to_pylist()]
        return [pa.RecordBatch.from_pylist(rows, schema=_OWN_KEYS.columns)]

    return keyed


def _own_keys(row: Mapping[str, str]) -> dict[str, str]:
    spelled = normalized_url(row["url"]) if row["url"] else ""
    # Texts of no record have each a name of their own: none stands for another.
    doc_id = doc_id_of(row["warc_record_id"]) if row["warc_record_id"] else row["id"]
    return {"id": row["id"], "doc_id": doc_id, "url_normalized": spelled, "host": host_of(spelled)}


def _records(store: Store, ids: DataFrame) -> DataFrame:
    """`warc_record_id`, `url` of the documents `ids`, wherever something is left of them."""
    tables = [table for table in (PAGES, DOCUMENTS, REJECTS) if store.exists(table)]
    found = ids.limit(0).select(F.lit("").alias("warc_record_id"), F.lit("").alias("url"))
    for table in tables:
        rows = store.read(table).join(ids, "doc_id", "left_semi")
        found = found.unionAll(rows.select("record_id", "url"))
    return found.where("warc_record_id != ''").distinct()


def remove_copies(copies: DataFrame) -> int:
    """Rewrite the files of the blend without the rows `copies`; how many they were."""
    keys = copies.select("file", "id")
    together = keys.repartition("file").sortWithinPartitions("file")
    done = map_partitions(together, _rewrite, _REWRITTEN).localCheckpoint()
    return int(done.agg(F.coalesce(F.sum("n_rows"), F.lit(0)).alias("n")).first()["n"])  # type: ignore[index]


def _rewrite(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Rewrites each file of a partition once; its rows come one file after the other."""
    ids: dict[str, set[str]] = {}
    for batch in batches:
        for row in batch.to_pylist():
            ids.setdefault(row["file"], set()).add(row["id"])
    rows = [{"file": file, "n_rows": without_ids(path_of(file), gone)}
            for file, gone in sorted(ids.items())]  # fmt: skip
    yield pa.RecordBatch.from_pylist(rows, schema=_REWRITTEN.columns)
