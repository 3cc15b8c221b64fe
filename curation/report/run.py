"""A run's folder, opened for reading: its tables as DuckDB views.

DuckDB reads the Delta tables in place: of a table of any size only the columns that a query names
are read, and joins that do not fit in memory go to disk. No Spark, no writing.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import pyarrow as pa

from curation.errors import EnvironmentFault, InputError
from curation.schemas import (
    BLEND,
    DEDUP_BATCHES,
    DEDUP_COMPONENTS,
    DEDUP_KEYS,
    PAIRS,
    REQUESTS,
    SURVIVOR_CHANGES,
    SYNTHETIC,
    TABLES,
)
from curation.synth.corpora import corpora

T = TypeVar("T")
Values = Sequence[object] | Mapping[str, object]

REPORT = "report.html"
"""The report's name in the folder of a run."""

MAX_ERROR_CHARS = 300

MAX_MEMORY = "4GB"
"""What DuckDB may hold in memory before it goes to disk; the driver's machine is shared."""


_OF_LATEST = (
    "WHERE batch IN (SELECT batch FROM dedup_batches "
    "WHERE base = (SELECT arg_max(base, batch) FROM dedup_batches))"
)
_THAT_COUNT = {
    DEDUP_KEYS.name: _OF_LATEST,
    DEDUP_COMPONENTS.name: _OF_LATEST,
    # Verification tells each pair again in every batch.
    PAIRS.name: f"{_OF_LATEST} QUALIFY batch = max(batch) OVER "
    "(PARTITION BY doc_id, other_id, kind)",
    SURVIVOR_CHANGES.name: "WHERE batch IN (SELECT batch FROM dedup_batches)",
}
"""Of tables that keep rows of batches that were broken off, or that a later one does not build on:
which rows of them are shown."""


class Run:
    """One run's folder: its tables are DuckDB views of the same names, and MIND's corpora too.

    Of the tables of s03's batches only the rows that count are shown. A corpus of dialogues of
    `synth/corpora.py` is the view `corpus_<name>`, such as `corpus_longest`.
    """

    def __init__(self, out: Path, connection: duckdb.DuckDBPyConnection) -> None:
        self.out = out
        self._connection = connection
        self._present = {table.name for table in TABLES if self._add_view(table.name)}
        if self.has(DEDUP_BATCHES.name):
            for name in self._present & _THAT_COUNT.keys():
                self._add_view(name, _THAT_COUNT[name])
        if self.has(REQUESTS.name, SYNTHETIC.name):
            for name, sql in corpora().items():
                self._execute(f"CREATE VIEW corpus_{name} AS {sql}", table=f"corpus {name}")

    def has(self, *tables: str) -> bool:
        """Whether all of `tables` have been written."""
        return self._present.issuperset(tables)

    def rows(self, make: Callable[..., T], query: str, values: Values = ()) -> list[T]:
        """`make(*row)` for each row of `query`, whose `?` or `$name` stand for `values`.

        Raises:
            InputError: a table is damaged or lacks a column that `schemas.py` declares.
        """
        return [make(*row) for row in self._execute(query, values)]

    def table(self, sql: str, *, limit: int | None = None) -> pa.Table:
        """The rows of a user's query, at most `limit` of them.

        Raises:
            InputError: DuckDB refuses the query; its message and the tables there are.
        """
        try:
            relation = self._connection.sql(sql)
            if relation is None:
                raise InputError("query: the statement gives no rows; write a SELECT")
            return (relation.limit(limit) if limit else relation).to_arrow_table()
        except duckdb.Error as error:
            told = _one_line(error)
            tables = ", ".join(sorted(self._present))
            raise InputError(f"query: {told}; the tables of this run: {tables}") from error

    def count(self, table: str) -> int | None:
        """Rows of `table`; None where it has not been written."""
        if not self.has(table):
            return None
        return self.rows(int, f"SELECT count(*) FROM {table}")[0]

    def _execute(
        self, query: str, values: Values = (), *, table: str = "a table of this run"
    ) -> list[tuple[Any, ...]]:
        try:
            given = values if isinstance(values, Mapping) else list(values)
            return self._connection.execute(query, given).fetchall()
        except duckdb.Error as error:
            raise InputError(
                f"{self.out}: {table} is damaged, or of another version: "
                f"{_one_line(error)}; restore the table, or run again into another out"
            ) from error

    def _add_view(self, name: str, condition: str = "") -> bool:
        source = _parquet_source(self.out) if name == BLEND.name else _delta_source(self.out, name)
        if source is None:
            return False
        create = f"CREATE OR REPLACE VIEW {name} AS SELECT * FROM {source}"
        self._execute(f"{create} {condition}", table=f"table {name}")
        return True


def _one_line(error: duckdb.Error) -> str:
    """What DuckDB says, without the backtrace of its Delta kernel."""
    told = str(error).partition("stack backtrace")[0].partition("\n   0:")[0]
    return " ".join(told.split())[:MAX_ERROR_CHARS]


def _delta_source(out: Path, name: str) -> str | None:
    folder = out / "tables" / name
    return f"delta_scan({_quoted(folder)})" if (folder / "_delta_log").is_dir() else None


def _parquet_source(out: Path) -> str | None:
    """The blend's files by name: a pattern would stumble over `[` in the path."""
    paths = sorted((out / BLEND.name).glob("quality=*/kind=*/kind2=*/*.parquet"))
    if not paths:
        return None
    names = ", ".join(_quoted(path) for path in paths)
    return f"read_parquet([{names}], hive_partitioning=true, hive_types_autocast=false)"


def _quoted(path: Path) -> str:
    return "'" + str(path.resolve()).replace("'", "''") + "'"


@contextmanager
def open_run(out: Path) -> Iterator[Run]:
    """The run in folder `out`, open for reading.

    Raises:
        InputError: there is no such folder, or a table in it is damaged.
        EnvironmentFault: DuckDB's Delta extension is not installed.
    """
    if not out.is_dir():
        raise InputError(f"{out}: no such folder; give the `out` of a run")
    with tempfile.TemporaryDirectory(prefix="curation-report-") as spill:
        connection = duckdb.connect(config={
            "memory_limit": MAX_MEMORY,
            "temp_directory": spill,
            "autoinstall_known_extensions": False,
            "python_enable_replacements": False,
        })  # fmt: skip
        try:
            _load_delta(connection)
            yield Run(out, connection)
        finally:
            connection.close()


def _load_delta(connection: duckdb.DuckDBPyConnection) -> None:
    """Load the extension from its package, where it lies; nothing is installed or fetched."""
    version = duckdb.__version__
    try:
        package = files("duckdb_extension_delta")
    except ModuleNotFoundError as error:
        raise EnvironmentFault(
            "DuckDB's Delta extension: install duckdb-extension-delta"
        ) from error
    resource = package / "extensions" / f"v{version}" / "delta.duckdb_extension"
    if not resource.is_file():
        raise EnvironmentFault(f"duckdb-extension-delta does not fit DuckDB; install =={version}")
    with as_file(resource) as path:
        connection.load_extension(str(path))
