"""Delta tables of a run: read by name, replaced or appended once and only once."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from delta.tables import DeltaTable
from py4j.protocol import Py4JError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, Row, SparkSession

from curation.errors import EnvironmentFault, InputError
from curation.schemas import Table
from curation.spark.batches import spark_schema

MAX_SMALL_ROWS = 1_000_000

SPARK_ERRORS = (PySparkException, Py4JError)
"""How Spark's failures reach Python: some are translated by PySpark, some come as they are."""


@dataclass(frozen=True)
class Txn:
    """Delta's mark of a write: a write with a mark that a table already bears is skipped."""

    app_id: str
    version: int


@dataclass(frozen=True)
class Store:
    """The tables of one run, under `OUT/tables`."""

    spark: SparkSession
    root: str

    def path(self, table: Table) -> str:
        """Folder of `table`."""
        return f"{self.root}/{table.name}"

    def exists(self, table: Table) -> bool:
        """Whether `table` has been made.

        Raises:
            InputError: what lies there is damaged.
        """
        try:
            return bool(DeltaTable.isDeltaTable(self.spark, self.path(table)))
        except SPARK_ERRORS as error:
            raise self._damaged(table, error) from error

    def create(self, table: Table) -> None:
        """Make `table`, empty, where it is not there, so that its writers never race to make it.

        One that an older version made gets the columns that were added since, null in its rows;
        those that were given up since may be null from then on.
        """
        if self.exists(table):
            self._renew(table)
            return
        builder = DeltaTable.createIfNotExists(self.spark).location(self.path(table))
        builder = builder.addColumns(spark_schema(table)).comment(table.doc)
        builder.partitionedBy(*table.partition_by).execute()

    def _renew(self, table: Table) -> None:
        known = self.spark.read.format("delta").load(self.path(table)).schema
        for field in known:
            if field.name not in table.columns.names and not field.nullable:
                self.spark.sql(
                    f"ALTER TABLE delta.`{self.path(table)}` "
                    f"ALTER COLUMN `{field.name}` DROP NOT NULL"
                )
        if not set(table.columns.names) <= set(known.names):
            none = self.spark.createDataFrame([], spark_schema(table, nullable=True))
            writer = none.write.format("delta").mode("append").option("mergeSchema", "true")
            writer.save(self.path(table))

    def read(self, table: Table) -> DataFrame:
        """All rows of `table`, with the columns that `schemas.py` gives it.

        Raises:
            InputError: it is not there, is damaged, or has other columns.
        """
        path = self.path(table)
        if not self.exists(table):
            raise InputError(f"table {table.name}: nothing at {path}; run the stage that writes it")
        try:
            return self.spark.read.format("delta").load(path).select(*table.columns.names)
        except SPARK_ERRORS as error:
            raise self._damaged(table, error) from error

    def version(self, table: Table) -> int:
        """Number of the latest version of `table`."""
        history = DeltaTable.forPath(self.spark, self.path(table)).history(1)
        return int(small(history.select("version"))[0]["version"])

    def read_version(self, table: Table, version: int) -> DataFrame:
        """Rows of `table` as they were at `version`."""
        reader = self.spark.read.format("delta").option("versionAsOf", version)
        return reader.load(self.path(table)).select(*table.columns.names)

    def read_parquet(self, folder: str, table: Table) -> DataFrame:
        """Rows of a table that is plain Parquet under `folder`."""
        # Spark takes the path for a pattern, in which a folder may have brackets.
        escaped = re.sub(r"([\[\]{}*?\\])", r"\\\1", folder)
        return self.spark.read.schema(spark_schema(table)).parquet(escaped)

    def _damaged(self, table: Table, error: Exception) -> InputError:
        where = f"table {table.name} at {self.path(table)}"
        return InputError(
            f"{where} cannot be read: {one_line(error)}; restore it or use another out"
        )

    def append(self, rows: DataFrame, table: Table, txn: Txn) -> None:
        """Add `rows`, unless a write with the same `txn` has been committed."""
        self._write(rows, table, txn, mode="append", options={})

    def replace(self, rows: DataFrame, table: Table, txn: Txn, *, where: str) -> None:
        """Put `rows` in the place of those that fulfil `where`; an empty `where` means all."""
        options = {"replaceWhere": where} if where else {}
        self._write(rows, table, txn, mode="overwrite", options=options)

    def _write(
        self, rows: DataFrame, table: Table, txn: Txn, *, mode: str, options: dict[str, str]
    ) -> None:
        marks = {"txnAppId": txn.app_id, "txnVersion": str(txn.version)}
        # Joins make columns nullable in Spark's eyes; Delta itself checks NOT NULL as it writes.
        conformed = rows.to(spark_schema(table, nullable=True))
        writer = conformed.write.format("delta").mode(mode)
        writer.options(**marks, **options).save(self.path(table))

    def make(self, rows: Sequence[tuple[Any, ...]], table: Table) -> DataFrame:
        """A small DataFrame of `table` from Python values, in the order of its columns."""
        return self.spark.createDataFrame(list(rows), spark_schema(table))


def small(rows: DataFrame) -> list[Row]:
    """`rows` in the driver: for control tables and summaries, never for data.

    Raises:
        InputError: there are more than `MAX_SMALL_ROWS`.
    """
    found = rows.limit(MAX_SMALL_ROWS + 1).collect()
    if len(found) > MAX_SMALL_ROWS:
        raise InputError(f"over {MAX_SMALL_ROWS} rows where a summary was expected: {rows.columns}")
    return found


@contextlib.contextmanager
def told_in_one_line(log: str = "") -> Iterator[None]:
    """Turn Spark's own failure into an error of ours, which is told in one line.

    Raises:
        EnvironmentFault: Spark failed; `log` is where the whole story lies.
    """
    try:
        yield
    except SPARK_ERRORS as error:
        where = f" (the whole story: {log})" if log else ""
        raise EnvironmentFault(f"Spark failed: {one_line(error)}{where}") from error


def one_line(error: Exception) -> str:
    """The line of a Spark error that says what happened."""
    lines = [line.strip(" :") for line in str(error).splitlines()]
    telling = [line for line in lines if line and not line.startswith("An error occurred while")]
    return telling[0] if telling else repr(error)


def path_of(file: str) -> Path:
    """The path that Spark's address of a file means: `file:///a%20b` is `/a b`."""
    parts = urlsplit(file)
    return Path(unquote(parts.path) if parts.scheme == "file" else file)
