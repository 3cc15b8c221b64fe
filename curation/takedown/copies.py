"""The blend without the copies of some documents: its files, found by Spark, rewritten by tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.blend.stage import blend_path
from curation.schemas import BLEND, DOCUMENTS, PAGES, REJECTS, Table, column
from curation.spark.batches import map_partitions
from curation.spark.tables import Store
from curation.takedown.files import without_ids
from curation.takedown.lineage import synthetic_ids

_REWRITTEN = Table(
    "rewritten",
    "Files of the blend that were rewritten. Not a table of the run.",
    pa.schema([
        column("file", pa.string(), "The file"),
        column("n_rows", pa.int64(), "Rows that it no longer has"),
    ]),
    key=("file",),
)  # fmt: skip


def has_blend(out: str) -> bool:
    """Whether the run has a blend."""
    return any(Path(blend_path(out)).glob("quality=*/kind=*/kind2=*/*.parquet"))


def copies_of(store: Store, out: str, ids: DataFrame) -> DataFrame:
    """Rows of the blend that come of the documents `ids`, with the `file` that each is in.

    A blend may be older than the tables: a row is found by what its text was made of, too.
    """
    path = blend_path(out)
    rows = store.read_parquet(path, BLEND).withColumn("file", F.col("_metadata.file_path"))
    by_id = ids.select(F.col("doc_id").alias("id")).unionAll(synthetic_ids(store, ids)).distinct()
    marked = by_id.withColumn("by_id", F.lit(True))
    records = _records(store, ids).withColumn("by_record", F.lit(True))
    found = rows.join(marked, "id", "left").join(records, ["warc_record_id", "url"], "left")
    return found.where("by_id OR by_record").drop("by_id", "by_record")


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


def path_of(file: str) -> Path:
    """The path that Spark's address of a file means: `file:///a%20b` is `/a b`."""
    parts = urlsplit(file)
    return Path(unquote(parts.path) if parts.scheme == "file" else file)
