"""Runs of the command in processes of their own, and their tables as plain rows."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from deltalake import DeltaTable

from curation.report.run import Run, open_run
from curation.schemas import TABLES

ROOT = Path(__file__).parent.parent
CONF = ROOT / "tests" / "golden" / "run.yaml"
COMMAND = [str(Path(sys.executable).parent / "curation")]

VOLATILE = {
    "attempts": ("run", "begun_at", "attempt"),
    "funnel": ("run", "seconds", "finished_at", "attempt"),
    "ledger": ("at",),
    "generations": ("seconds",),
}
"""Columns that hold a time, or count how often work was begun."""


def run(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """`curation ARGUMENTS`, its output captured."""
    command = [*COMMAND, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=600)
    if check and done.returncode:
        said = f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        raise AssertionError(f"exit {done.returncode}\n{said}")
    return done


def kill_when(condition: Callable[[], bool], *arguments: str, timeout_s: float = 600.0) -> None:
    """Start `curation ARGUMENTS`, and SIGKILL its whole process group once `condition` holds."""
    process = subprocess.Popen(
        [*COMMAND, *arguments], cwd=ROOT, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + timeout_s
    try:
        while not condition():
            if process.poll() is not None:
                raise AssertionError(f"exit {process.returncode} before it could be killed")
            if time.monotonic() > end:
                raise AssertionError(f"not far enough to be killed after {timeout_s:g} s")
            time.sleep(0.02)
    finally:
        with contextlib.suppress(ProcessLookupError):  # it ended by itself
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def version(out: Path, table: str) -> int:
    """Delta version of a table; -1 where it is not there."""
    log = out / "tables" / table / "_delta_log"
    return len(list(log.glob("*.json"))) - 1


def data_files(out: Path, table: str) -> list[Path]:
    """Files of a table's rows, whether a commit names them or not."""
    return list((out / "tables" / table).rglob("*.parquet"))


def versions(out: Path) -> dict[str, int]:
    """Delta version by table."""
    folders = sorted(path for path in (out / "tables").iterdir() if path.is_dir())
    return {folder.name: DeltaTable(str(folder)).version() for folder in folders}


def contents(out: Path) -> dict[str, list[str]]:
    """Sorted rows of every table and of the blend, without volatile columns."""
    with open_run(out) as tables:
        return {t.name: _rows(tables, t.name) for t in TABLES if tables.has(t.name)}


def _rows(tables: Run, name: str) -> list[str]:
    columns = [c for c in tables.table(f"SELECT * FROM {name}", limit=0).column_names
               if c not in VOLATILE.get(name, ())]  # fmt: skip
    kept = ", ".join(f'"{column}"' for column in columns)
    found = tables.rows(lambda *row: str(row), f"SELECT {kept} FROM {name}")
    return sorted(found)


def number(out: Path, sql: str) -> int:
    """The one number that `sql` gives."""
    with open_run(out) as tables:
        return tables.table(sql, limit=1).column(0)[0].as_py()
