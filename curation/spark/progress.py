"""Progress of a stage: units done, and tasks done of the unit in hand."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Protocol

from pyspark import SparkContext
from rich.console import Console
from rich.progress import (
    BarColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import (
    Progress as Bars,
)

POLL_S = 0.5


class Progress(Protocol):
    """What a job tells about how far it is."""

    def stage(self, name: str, units: int, done: int) -> contextlib.AbstractContextManager[None]:
        """Around the work of a stage of so many `units`, of which `done` need no work."""

    def unit_done(self) -> None:
        """A unit is finished."""

    def part_done(self, done: int, of: int) -> None:
        """`done` of `of` parts of the unit in hand, where the stage counts them itself."""


class Silent:
    """Tells nothing: for jobs whose output is a log."""

    @contextlib.contextmanager
    def stage(self, name: str, units: int, done: int) -> Iterator[None]:
        """Nothing to show."""
        yield

    def unit_done(self) -> None:
        """Nothing to show."""

    def part_done(self, done: int, of: int) -> None:
        """Nothing to show."""


class Terminal:
    """A bar a stage with elapsed and remaining time; plain lines where there is no terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars = Bars(
            TextColumn("{task.description:<14}"),
            BarColumn(32),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeElapsedColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
        )
        self._task: TaskID | None = None
        self._units = self._done = 0
        self._part = 0.0

    def __enter__(self) -> Terminal:
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()

    @contextlib.contextmanager
    def stage(self, name: str, units: int, done: int) -> Iterator[None]:
        """A bar for the stage, moved by a thread that asks Spark for finished tasks."""
        self._units, self._done, self._part = units, done, 0.0
        note = "" if done < units else "nothing to do"
        self._task = self._bars.add_task(name, total=1.0, note=note)
        stop = threading.Event()
        watcher = threading.Thread(target=self._watch, args=(stop,), daemon=True)
        watcher.start()
        try:
            yield
            self._bars.update(self._task, completed=1.0)
        finally:
            stop.set()
            watcher.join()
        if not self._console.is_terminal:
            self._console.print(f"{name}: {units} units, {done} of them done before")

    def unit_done(self) -> None:
        """Move to the next unit."""
        self._done += 1
        self._part = 0.0
        self._show()

    def part_done(self, done: int, of: int) -> None:
        """Show the stage's own count in place of Spark's."""
        self._part = done / of if of else 1.0
        self._show(note=f"{done} of {of}")

    def _watch(self, stop: threading.Event) -> None:
        while not stop.wait(POLL_S):
            self._part = max(self._part, min(_tasks_done_frac(), 0.95))
            self._show()

    def _show(self, note: str | None = None) -> None:
        if self._task is None or not self._units:
            return
        self._bars.update(self._task, completed=(self._done + self._part) / self._units)
        if note is not None:
            self._bars.update(self._task, note=note)


def _tasks_done_frac() -> float:
    """Share of finished tasks in Spark's active stages; 0 where none is active."""
    context = SparkContext._active_spark_context
    if context is None:
        return 0.0
    tracker = context.statusTracker()
    infos = [tracker.getStageInfo(stage) for stage in tracker.getActiveStageIds()]
    n_tasks = sum(info.numTasks for info in infos if info)
    return sum(info.numCompletedTasks for info in infos if info) / n_tasks if n_tasks else 0.0
