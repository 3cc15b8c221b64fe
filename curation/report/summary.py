"""What the terminal shows after a run: the funnel, a few rows, where the report is.

Text from the web is wrapped in `rich.text.Text`, which knows no markup, after escape sequences and
control characters have been taken out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from curation.report import samples
from curation.report.read import FunnelRow, funnel
from curation.report.run import REPORT, Run, open_run
from curation.report.wording import compact, duration, excerpt, one_line, percent

EXCERPT_CHARS = 300
URL_CHARS = 100
MAX_REASONS = 3
"""Reasons named in a row of the funnel; the rest is in the report."""


def print_summary(out: Path, console: Console) -> None:
    """Print the funnel of the run in `out`, a few of its rows, and where its report is.

    Raises:
        InputError: `out` is not a folder, or a table in it is damaged.
    """
    with open_run(out) as run:
        parts = [_funnel_table(funnel(run)), *_rows(run)]
    for part in parts:
        console.print(part)
    report = out / REPORT
    where = str(report) if report.is_file() else f"not written yet ({report})"
    console.print(Text(f"Report: {where}"), soft_wrap=True)


def _funnel_table(rows: Sequence[FunnelRow]) -> RenderableType:
    if not rows:
        return Text("No stage has run.")
    table = Table(title="Funnel", title_justify="left")
    table.add_column("Stage", no_wrap=True)
    for name in ("Units", "Rows in", "Rows out", "Kept"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("Did not go on", ratio=1)
    for name in ("Tokens", "Time"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(cell) for cell in _cells(row)))
    return table


def _cells(row: FunnelRow) -> list[str]:
    units = f"{row.n_units:,}"
    if row.n_unfinished:
        units += f" of {row.n_units + row.n_unfinished:,}"
    return [
        one_line(row.stage, 24), units, f"{row.rows_in:,}", f"{row.rows_out:,}",
        percent(row.kept_frac), _reasons(row), "" if row.tokens is None else compact(row.tokens),
        duration(row.seconds),
    ]  # fmt: skip


def _reasons(row: FunnelRow) -> str:
    named = [f"{one_line(reason, 40)} {n:,}" for reason, n in row.reasons.items()][:MAX_REASONS]
    n_more = len(row.reasons) - len(named)
    return ", ".join([*named, f"{n_more} more"] if n_more else named)


def _rows(run: Run) -> Iterator[RenderableType]:
    """What a person would want to see of each part of the flow that has run."""
    if run.has("pages"):
        yield from (_page("A page", page) for page in samples.kept_pages(run, 1))
    if run.has("clusters", "pages"):
        for found in samples.duplicates(run)[:1]:
            yield _beside(
                f"A duplicate removed ({_how(found)})",
                ("Kept: " + found.kept.url, found.kept.text),
                ("Removed: " + found.removed.url, found.removed.text),
            )
    if run.has("synthetic", "requests", "documents"):
        yield from _generated(samples.generated(run))


def _how(found: samples.Duplicate) -> str:
    return ", ".join(filter(None, (found.fate.replace("_", " "), found.why)))


def _generated(texts: Sequence[samples.Generated]) -> Iterator[RenderableType]:
    """One text of each stage: a rewrite, a dialogue."""
    by_stage = {text.stage: text for text in sorted(texts, key=lambda t: t.task, reverse=True)}
    for stage, text in sorted(by_stage.items()):
        title = f"{text.task} ({stage}), from {text.url}"
        yield _beside(title, ("Source", text.source), ("Generated", text.text))


def _page(title: str, page: samples.Page) -> RenderableType:
    head = "\n".join(filter(None, (one_line(page.url, URL_CHARS), one_line(page.title, URL_CHARS))))
    return _panel(title, Text.assemble((head, "bold"), "\n\n", excerpt(page.text, EXCERPT_CHARS)))


def _beside(title: str, left: tuple[str, str], right: tuple[str, str]) -> RenderableType:
    """Two captioned texts in two columns."""
    grid = Table.grid(padding=(0, 2), expand=True)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(ratio=1, overflow="fold")
    grid.add_row(
        *(Text(one_line(caption, URL_CHARS), style="bold") for caption, _ in (left, right))
    )
    grid.add_row(*(Text(excerpt(text, EXCERPT_CHARS)) for _, text in (left, right)))
    return _panel(title, grid)


def _panel(title: str, body: RenderableType) -> RenderableType:
    return Panel(body, title=Text(one_line(title, URL_CHARS)), title_align="left")
