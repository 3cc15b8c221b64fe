"""Tables of a run that s03 reads, filled with a few documents, and s03 run over them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from curation.config import RunConfig
from curation.dedup.stage import dedup
from curation.measure.hashing import content_hash, text_hash
from curation.pipeline import stage_named
from curation.schemas import (
    CLUSTERS,
    DOCUMENTS,
    FUNNEL,
    MEASURES,
    PAGES,
    SURVIVOR_CHANGES,
    TABLES,
)
from curation.spark.batches import spark_schema
from curation.spark.progress import Silent
from curation.spark.tables import Store
from curation.spark.work import CORPUS, Work

DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
_EMPTY = {"string": "", "int": 0, "bigint": 0, "float": 0.0, "double": 0.0, "boolean": False}


class Doc(NamedTuple):
    """A document as s03 sees it."""

    doc_id: str
    chunk: str
    text: str
    bands: tuple[int, ...] = ()
    n_words: int = 1
    day: int | None = 0
    url: str = ""
    engine: str = "fast"
    confidence: float | None = None
    crawl: str = "cr"


class Tables:
    """A run's tables in a folder; `put` adds chunks, `dedup` does a batch."""

    def __init__(self, spark: Any, root: Any, **settings: Any) -> None:
        self.store = Store(spark, str(root))
        self.conf = RunConfig(out=str(root), dedup=settings)
        self.attempt = 0
        of_stage = stage_named("s03_dedup").writes
        for table in TABLES:
            if table.name in of_stage:
                self.store.create(table)

    def configure(self, **settings: Any) -> None:
        self.conf = RunConfig(out=self.conf.out, dedup=settings)

    def put(self, docs: Iterable[Doc], print_: str = "p") -> None:
        """Measured documents, in the place of what their chunks held."""
        docs = list(docs)
        chunks = sorted({doc.chunk for doc in docs})
        where = "chunk IN ({})".format(", ".join(f"'{chunk}'" for chunk in chunks))
        for table in (MEASURES, PAGES):
            writer = frame(self.store.spark, docs, table).write.format("delta").mode("overwrite")
            writer.option("replaceWhere", where).save(self.store.path(table))
        closed = [
            ("r", "s02_measure", chunk, self.attempt + 1, print_, 0, 0, {}, None, None, 0.0, DAY)
            for chunk in chunks
        ]
        made = self.store.spark.createDataFrame(closed, spark_schema(FUNNEL))
        made.write.format("delta").mode("append").save(self.store.path(FUNNEL))

    def work(self) -> Work:
        return Work(
            self.store, self.conf, stage_named("s03_dedup"), CORPUS, "cr", self.attempt, (),
            Silent(),
        )  # fmt: skip

    def dedup(self) -> Tables:
        """One batch; its account must close."""
        self.attempt += 1
        self.done = dedup(self.work())
        self.done.close("s03_dedup", CORPUS)
        return self

    def clusters(self) -> set[tuple[str, ...]]:
        names = ("doc_id", "chunk", "cluster_id", "survivor_id", "fate", "n_members")
        return {tuple(row) for row in self.store.read(CLUSTERS).select(*names).collect()}

    def fates(self) -> dict[str, tuple[str, str]]:
        return {row[0]: (row[3], row[4]) for row in self.clusters()}

    def documents(self) -> list[tuple[str, str, str]]:
        rows = self.store.read(DOCUMENTS).select("doc_id", "chunk", "text").collect()
        return sorted(tuple(row) for row in rows)

    def changes(self, attempt: int | None = None) -> dict[str, tuple[str, str | None]]:
        rows = self.store.read(SURVIVOR_CHANGES).where(f"batch = {attempt or self.attempt}")
        return {r["doc_id"]: (r["change"], r["survivor_id"]) for r in rows.collect()}


def frame(spark: Any, docs: Iterable[Doc], table: Any) -> Any:
    """The documents as rows of MEASURES or PAGES."""
    rows = [tuple(_row(doc, table).values()) for doc in docs]
    return spark.createDataFrame(rows, spark_schema(table))


def _row(doc: Doc, table: Any) -> Mapping[str, Any]:
    known = doc._asdict() | {
        "content_hash": content_hash(doc.text),
        "text_hash": text_hash(doc.text),
        "n_bytes": 5 * doc.n_words,
        "warc_date": None if doc.day is None else DAY + dt.timedelta(days=doc.day),
        "url_normalized": doc.url,
        "host": doc.url.split("/")[0],
        "domain": doc.url.split("/")[0],
        "bands": list(doc.bands),
        "optout": [],
        "guests": {},
    }
    return {
        field.name: known.get(field.name, None if field.nullable else _EMPTY.get(
            field.dataType.simpleString(), [])) for field in spark_schema(table)
    }  # fmt: skip
