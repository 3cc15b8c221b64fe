"""One unit of one stage: what a stage's function gets to read from and write to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.config import RunConfig
from curation.crawl.listing import WarcFile
from curation.pipeline import Stage
from curation.schemas import FUNNEL, Table
from curation.spark.progress import Progress
from curation.spark.tables import Store, Txn, small

CORPUS = "corpus"
"""The unit of a stage that looks at all crawls at once."""


@dataclass(frozen=True)
class Work:
    """One unit of one stage, as a stage's function gets it."""

    store: Store
    conf: RunConfig
    stage: Stage
    unit: str
    crawl: str
    """The crawl that the chunk is of; of the corpus, the run's own."""
    attempt: int
    files: tuple[WarcFile, ...]
    progress: Progress

    def read(self, table: Table) -> DataFrame:
        """Rows of `table` that concern this unit: the chunk's, or all."""
        rows = self.store.read(table)
        if self.unit != CORPUS and "chunk" in table.columns.names:
            return rows.where(self._chunk)
        return rows

    def rows_out(self, stage: str) -> int:
        """Rows that the latest finished attempt of the corpus stage `stage` gave."""
        of_stage = self.store.read(FUNNEL).where(f"stage = '{stage}'")
        return int(small(of_stage.orderBy("attempt", ascending=False).limit(1))[0]["rows_out"])

    def finished(self, stage: str) -> dict[str, str]:
        """Fingerprint of the latest finished attempt of `stage`, by unit."""
        of_stage = self.store.read(FUNNEL).where(f"stage = '{stage}'")
        rows = small(of_stage.select("unit", "attempt", "fingerprint"))
        ordered = sorted(rows, key=lambda row: row["attempt"])
        return {row["unit"]: row["fingerprint"] for row in ordered}

    def finished_attempts(self) -> frozenset[int]:
        """Numbers of this unit's attempts that came to their end, from first to last."""
        own = f"stage = '{self.stage.name}' AND unit = '{self.unit}'"
        rows = small(self.store.read(FUNNEL).where(own).select("attempt"))
        return frozenset(row["attempt"] for row in rows)

    def write(self, rows: DataFrame, table: Table) -> None:
        """Put `rows` in the place of this unit's rows of `table`."""
        where = "" if self.unit == CORPUS else self._chunk
        self.store.replace(rows, table, self.txn(table), where=where)

    def add_to_batch(self, rows: DataFrame, table: Table, part: str) -> None:
        """Add `rows` to this attempt's rows of a table that has a `batch` column, once."""
        self.append(rows.withColumn("batch", F.lit(self.attempt).cast("long")), table, part)

    def write_stage(self, rows: DataFrame, table: Table) -> None:
        """Put `rows` in the place of this stage's rows of a table that several stages share."""
        self.store.replace(rows, table, self.txn(table), where=f"stage = '{self.stage.name}'")

    def write_batch(self, rows: DataFrame, table: Table) -> None:
        """Put `rows` in the place of this attempt's rows of a table that has a `batch` column."""
        where = f"batch = {self.attempt}"
        numbered = rows.withColumn("batch", F.lit(self.attempt).cast("long"))
        self.store.replace(numbered, table, self.txn(table), where=where)

    def write_chunks(self, rows: DataFrame, table: Table, chunks: Sequence[str]) -> None:
        """Put `rows`, which are of `chunks` alone, in the place of those chunks' rows."""
        named = ", ".join(f"'{chunk}'" for chunk in chunks)
        self.store.replace(rows, table, self.txn(table), where=f"chunk IN ({named})")

    def append(self, rows: DataFrame, table: Table, part: str = "") -> None:
        """Add `rows` to `table`, once an attempt and `part`."""
        self.store.append(rows, table, self.txn(table, part))

    def txn(self, table: Table, part: str = "") -> Txn:
        """This attempt's mark on `table`."""
        return Txn("/".join((self.stage.name, self.unit, table.name, part)), self.attempt)

    @property
    def _chunk(self) -> str:
        return f"crawl = '{self.crawl}' AND chunk = '{self.unit}'"
