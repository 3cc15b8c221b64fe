"""What of a run is done: WARC files and their states, stages and their units."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from curation.errors import InputError
from curation.pipeline import STAGES, stages_before
from curation.report.query import run_query
from curation.report.read import funnel_rows
from curation.report.run import open_run

_LATEST = """
    WITH latest AS (
        SELECT *, count(*) FILTER (state = 'expected') OVER (PARTITION BY crawl, warc_file) AS tries
        FROM ledger
        QUALIFY row_number() OVER (PARTITION BY crawl, warc_file ORDER BY "at" DESC, state) = 1
    )
"""
_FILE_STATES = f"""
    {_LATEST}
    SELECT crawl, warc_file, chunk, state, tries, bytes, records, pages, rejects, error FROM latest
    ORDER BY
        list_position(['failed', 'dead', 'fetching', 'expected', 'committed'], state),
        crawl, chunk, warc_file
"""
_STATE_SIZES = f"""
    {_LATEST}
    SELECT state, count(*) AS files, CAST(sum(bytes) AS BIGINT) AS bytes FROM latest
    GROUP BY state
    ORDER BY list_position(['expected', 'fetching', 'committed', 'failed', 'dead'], state)
"""
_LAST_BEGUN = "SELECT stage, max(begun_at) AS begun FROM attempts GROUP BY stage"
_NEVER = datetime.min.replace(tzinfo=UTC)
_TO_DO = ("expected", "fetching")
MAX_FILES = 100_000


def file_states(out: Path) -> list[dict[str, Any]]:
    """The latest row of the ledger for every WARC file, failed ones first, and their tries."""
    return run_query(out, _FILE_STATES, limit=MAX_FILES).to_pylist()


def state_sizes(out: Path) -> list[dict[str, Any]]:
    """For every state that files are in: files and bytes."""
    return run_query(out, _STATE_SIZES, limit=MAX_FILES).to_pylist()


def stage_states(out: Path) -> list[dict[str, Any]]:
    """For every stage that has begun: units begun, units finished, their sums, and whether what
    they rest on was done anew since.
    """
    outdated = older_than(out)
    return [
        {"stage": row.stage, "units": row.n_units + row.n_unfinished,
         "finished": row.n_units, "rows_in": row.rows_in, "rows_out": row.rows_out,
         "seconds": round(row.seconds, 1), "older_than": ", ".join(outdated.get(row.stage, []))}
        for row in funnel_rows(out)
    ]  # fmt: skip


def older_than(out: Path) -> dict[str, list[str]]:
    """For every stage, the stages before it that were begun again after it was done."""
    with open_run(out) as run:
        rows = run.rows(lambda *row: row, _LAST_BEGUN) if run.has("attempts") else []
    begun: dict[str, datetime] = dict(rows)
    return {
        stage.name: [
            earlier.name
            for earlier in stages_before(stage)
            if begun.get(earlier.name, _NEVER) > begun[stage.name]
        ]
        for stage in STAGES
        if stage.name in begun
    }


def remaining_s(sizes: list[dict[str, Any]], stages: list[dict[str, Any]]) -> float | None:
    """Seconds that the first stage needs for the files not done, at its speed so far.

    None where nothing is left, or no file is done and so no speed is known. Fetching is part of the
    stage, and so of its speed.
    """
    left = sum(row["bytes"] for row in sizes if row["state"] in _TO_DO)
    done = sum(row["bytes"] for row in sizes if row["state"] not in _TO_DO)
    spent_s = sum(row["seconds"] for row in stages if row["stage"] == STAGES[0].name)
    return left * spent_s / done if left and done else None


def print_status(out: Path, console: Console, *, shown: int = 40) -> None:
    """Print states, files (the first `shown`, failed and unfinished ones first) and stages.

    Raises:
        InputError: the run has not begun.
    """
    if not (out / "tables" / "ledger").is_dir():
        raise InputError(f"{out}: the run has not begun: it has no ledger")
    files, sizes, stages = file_states(out), state_sizes(out), stage_states(out)
    console.print(_rows_table("States of WARC files", sizes))
    _print_outlook(console, sizes, stages)
    console.print(_rows_table("WARC files", files[:shown]))
    if len(files) > shown:
        console.print(f"... and {len(files) - shown} more; SELECT * FROM ledger shows all")
    begun = {row["stage"] for row in stages}
    waiting = [{"stage": s.name, "units": 0, "finished": 0} for s in STAGES if s.name not in begun]
    console.print(_rows_table("Stages", [*stages, *waiting]))


def print_failed(out: Path, console: Console) -> None:
    """Say how many WARC files failed, if any did, and what to do about them."""
    if (out / "tables" / "ledger").is_dir():
        print_failed_of(state_sizes(out), console)


def print_failed_of(sizes: list[dict[str, Any]], console: Console) -> None:
    """The same, of what `state_sizes` gave."""
    n_failed = sum(row["files"] for row in sizes if row["state"] == "failed")
    if n_failed:
        console.print(
            f"WARC files that failed: {n_failed}. `curation status OUT` says why; "
            "`curation run ... --retry-failed` tries them again"
        )


def _print_outlook(
    console: Console, sizes: list[dict[str, Any]], stages: list[dict[str, Any]]
) -> None:
    left_s = remaining_s(sizes, stages)
    if left_s is not None:
        console.print(f"{STAGES[0].name}: about {_duration(left_s)} left for the files not done")
    print_failed_of(sizes, console)


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


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
