"""SQL over a run's tables, for analysts: DuckDB reads them in place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, BinaryIO

import duckdb
import pyarrow as pa
from pyarrow.csv import write_csv

from curation.errors import InputError
from curation.report.run import open_run

_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)


def run_query(out: Path, sql: str, *, limit: int | None = None) -> pa.Table:
    """The rows that `sql` gives, at most `limit`; every table of the run is a view of its name.

    Raises:
        InputError: the SQL is wrong or not one SELECT, or a table it names has not been made or is
            damaged.
    """
    _check_select(sql)
    with open_run(out) as run:
        return run.table(sql, limit=limit)


def write_rows(rows: pa.Table, stream: BinaryIO) -> None:
    """Write `rows` as CSV; a list, map or struct is one cell of JSON."""
    for number, field in enumerate(rows.schema):
        if pa.types.is_nested(field.type):
            cells = [_json(value, field.type) for value in rows.column(number).to_pylist()]
            rows = rows.set_column(number, field.name, pa.array(cells, pa.string()))
    write_csv(rows, stream)


def _json(value: Any, kind: pa.DataType) -> str | None:
    if value is None:
        return None
    told = dict(value) if pa.types.is_map(kind) else value
    return json.dumps(told, default=str, ensure_ascii=False)


def _check_select(sql: str) -> None:
    """A query reads; COPY, CREATE and the like have no place here."""
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise InputError(f"query: {' '.join(str(error).split())}") from error
    if len(statements) != 1 or statements[0].type not in _READING:
        found = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise InputError(f"query: write one SELECT, found {found}")
