"""SQL over a run's tables, for analysts: DuckDB reads them in place."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from curation.report.run import open_run


def run_query(out: Path, sql: str, *, limit: int) -> pa.Table:
    """The first `limit` rows that `sql` gives; every table of the run is a view of its name.

    Raises:
        InputError: the SQL is wrong, or a table it names has not been made or is damaged.
    """
    with open_run(out) as run:
        return run.table(sql, limit=limit)
