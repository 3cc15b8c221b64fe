"""Published files as the table `published`, read once, and its rows as texts of the blend."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.blend.published import PublishedFile, list_published, print_of, read_rows
from curation.schemas import PUBLISHED, REJECTS, Table, column
from curation.spark.batches import Kernel, map_batches
from curation.spark.tables import small
from curation.spark.work import Work
from curation.takedown.match import TAKEN_DOWN, matched
from curation.takedown.tombstones import read_tombstones

DUPLICATE = "published_duplicate"
"""Reason in the account of a line whose id an earlier line, or a text of the run's own, has."""

_FILES = Table(
    "published_files",
    "Files to read. Not a table of the run.",
    pa.schema([
        column("path", pa.string(), "Absolute path"),
        column("n_bytes", pa.int64(), "Its size"),
        column("mtime_ns", pa.int64(), "When it was changed"),
        *(column(name, pa.string(), "As in `published`")
          for name in ("corpus", "crawl", "quality", "kind", "kind2")),
    ]),
    key=("path",),
)  # fmt: skip
_ATTRIBUTES = ("domain", "speech")

NO_SCORES = "cast(NULL AS map<string, float>)"
"""Of a text that no model has read."""


def land(work: Work) -> None:
    """Read the files of `blend.published` into `published`, unless it holds them as they are."""
    files = list_published(work.conf.blend.published, work.conf.crawl)
    held = {row["files"] for row in small(work.store.read(PUBLISHED).select("files").limit(1))}
    if held != ({print_of(files)} if files else set()):
        work.write(_read(work, files), PUBLISHED)


def _read(work: Work, files: list[PublishedFile]) -> DataFrame:
    """Rows of PUBLISHED, a task a file; without the text of what is taken down."""
    if not files:
        return work.store.make([], PUBLISHED)
    rows = [(number, *asdict(file).values()) for number, file in enumerate(files)]
    made = work.store.spark.createDataFrame(rows, ["number", *_FILES.columns.names])
    spread = made.repartitionById(len(rows), F.col("number").cast("int"))
    lines = map_batches(spread.select(*_FILES.columns.names), _reader(print_of(files)), PUBLISHED)
    tombstones = read_tombstones(work.store)
    if tombstones is None:
        return lines
    gone = matched(lines, tombstones).select("doc_id")
    if work.store.exists(REJECTS):  # of a page that was taken down, by whatever name
        rejects = work.store.read(REJECTS).where(F.col("reason") == TAKEN_DOWN)
        gone = gone.unionAll(rejects.select("doc_id"))
    gone = gone.distinct().withColumn("tombstone", F.lit(TAKEN_DOWN))
    is_gone = F.col("tombstone").isNotNull()
    return lines.join(gone, "doc_id", "left").withColumns({
        "drop_reason": F.when(is_gone, TAKEN_DOWN).otherwise(F.col("drop_reason")),
        "text": F.when(is_gone, "").otherwise(F.col("text")),
    }).select(*PUBLISHED.columns.names)  # fmt: skip


def _reader(files: str) -> Callable[[], Kernel]:
    def read(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for row in batch.to_pylist():
            yield from read_rows(PublishedFile(**row), files)

    return lambda: read


def published_texts(work: Work, own: DataFrame | None) -> DataFrame:
    """Rows of `published` that go on, each id once: columns of BLEND, and attributes.

    Args:
        work: The unit.
        own: `id` of the run's other texts, which count before published ones; None: there is none.
    """
    rows = work.store.read(PUBLISHED)
    kept = rows.where("drop_reason IS NULL")
    return kept.join(_duplicates(kept, own), ["file", "line"], "left_anti").select(
        "id", "doc_id", "warc_record_id", "url", "language", "n_words", "quality", "kind", "kind2",
        "text", "crawl", "corpus", *(F.lit(None).cast("string").alias(a) for a in _ATTRIBUTES),
        F.lit(None).cast("float").alias("toxicity"), F.expr(NO_SCORES).alias("scores"),
    )  # fmt: skip


def _duplicates(kept: DataFrame, own: DataFrame | None) -> DataFrame:
    """`file`, `line` of the rows whose id another has before them; no text is moved."""
    places = kept.select("id", F.struct("file", "line").alias("place"))
    first = places.groupBy("id").agg(F.min("place").alias("first"), F.count(F.lit(1)).alias("n"))
    again = places.join(first.where("n > 1"), "id").where("place > first").select("place")
    if own is not None:
        again = again.unionAll(places.join(own, "id", "left_semi").select("place")).distinct()
    return again.select("place.file", "place.line")


def dropped_lines(work: Work, own: DataFrame | None) -> dict[str, int]:
    """Lines that do not go on, by reason."""
    rows = work.store.read(PUBLISHED)
    dropped = small(rows.where("drop_reason IS NOT NULL").groupBy("drop_reason").count())
    n_again = _duplicates(rows.where("drop_reason IS NULL"), own).count()
    reasons = {row["drop_reason"]: row["count"] for row in dropped}
    return reasons | ({DUPLICATE: n_again} if n_again else {})
