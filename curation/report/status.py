"""What of a run is done: WARC files and their states, stages and their units."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from curation.errors import InputError
from curation.pipeline import STAGES
from curation.report.query import run_query
from curation.report.read import funnel_rows

_LATEST_FILE_STATE = """
    SELECT crawl, warc_file, chunk, state, bytes, records, pages, rejects, error FROM ledger
    QUALIFY row_number() OVER (PARTITION BY crawl, warc_file ORDER BY "at" DESC, state) = 1
    ORDER BY crawl, chunk, warc_file
"""
MAX_FILES = 100_000


def file_states(out: Path) -> list[dict[str, Any]]:
    """The latest row of the ledger for every WARC file."""
    return run_query(out, _LATEST_FILE_STATE, limit=MAX_FILES).to_pylist()


def stage_states(out: Path) -> list[dict[str, Any]]:
    """For every stage that has begun: units begun, units finished, and their sums."""
    return [
        {"stage": row.stage, "units": row.n_units + row.n_unfinished,
         "finished": row.n_units, "rows_in": row.rows_in, "rows_out": row.rows_out,
         "seconds": round(row.seconds, 1)}
        for row in funnel_rows(out)
    ]  # fmt: skip


def print_status(out: Path, console: Console, *, shown: int = 40) -> None:
    """Print files by state (the first `shown`, unfinished and failed ones first) and stages.

    Raises:
        InputError: the run has not begun.
    """
    if not (out / "tables" / "ledger").is_dir():
        raise InputError(f"{out}: the run has not begun: it has no ledger")
    files = sorted(file_states(out), key=lambda row: row["state"] == "committed")
    console.print(_rows_table("WARC files", files[:shown]))
    if len(files) > shown:
        console.print(f"... and {len(files) - shown} more; SELECT * FROM ledger shows all")
    states = stage_states(out)
    begun = {row["stage"] for row in states}
    waiting = [{"stage": s.name, "units": 0, "finished": 0} for s in STAGES if s.name not in begun]
    console.print(_rows_table("Stages", [*states, *waiting]))


def _rows_table(title: str, rows: list[dict[str, Any]]) -> RichTable:
    columns = list(rows[0]) if rows else ["nothing yet"]
    table = RichTable(title=title, title_justify="left")
    for name in columns:
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*[_cell(row.get(name)) for name in columns])
    return table


def _cell(value: Any) -> str:
    return "" if value is None else escape(f"{value:,}" if isinstance(value, int) else str(value))
