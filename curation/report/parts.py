"""What a section of the report is made of: grids, figures, samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markupsafe import Markup

from curation.report import samples
from curation.report.wording import excerpt, one_line

SAMPLE_CHARS = 600
URL_CHARS = 120
MAX_NARROW_COLUMNS = 6


@dataclass(frozen=True)
class Cell:
    """A cell of a grid; `bar_frac` draws a small bar of that share of the cell under the text."""

    text: str
    bar_frac: float | None = None


@dataclass(frozen=True)
class Column:
    """A column of a grid: numbers to the right, a name with an explanation under it, or a list."""

    title: str
    kind: Literal["number", "name", "list"] = "number"


@dataclass(frozen=True)
class Grid:
    """A table of text; a cell is a list of lines."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[tuple[Cell, ...], ...], ...]

    @property
    def is_wide(self) -> bool:
        """Whether it needs the width of the page rather than a place beside a plot."""
        return len(self.columns) > MAX_NARROW_COLUMNS


@dataclass(frozen=True)
class Pane:
    """A text from a table, beside others of the same sample."""

    caption: str
    text: str


@dataclass(frozen=True)
class Sample:
    """Rows that belong together."""

    title: str
    panes: tuple[Pane, ...]


@dataclass(frozen=True)
class Figure:
    """A plot with what it shows."""

    caption: str
    svg: Markup


@dataclass(frozen=True)
class Section:
    """A part of the report; `missing` names the stage that has not run, instead of all else."""

    title: str
    note: str = ""
    figures: tuple[Figure, ...] = ()
    grid: Grid | None = None
    samples: tuple[Sample, ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Number:
    """A number of the headline."""

    name: str
    value: str


def grid(columns: Sequence[Column], rows: Sequence[Sequence[str | tuple[Cell, ...]]]) -> Grid:
    """A grid whose plain strings are cells of one line."""
    return Grid(
        tuple(columns),
        tuple(
            tuple((Cell(cell),) if isinstance(cell, str) else cell for cell in row) for row in rows
        ),
    )


def name(title: str) -> Column:
    """A column of names."""
    return Column(title, "name")


def filled(found: Sequence[Sample]) -> tuple[Sample, ...]:
    """The samples that have something to show."""
    return tuple(sample for sample in found if sample.panes)


def page_pane(page: samples.Page, note: str = "", n_chars: int = SAMPLE_CHARS) -> Pane:
    """A page's title and its first `n_chars` characters, under `note` and its address."""
    title = one_line(page.title, URL_CHARS)
    text = excerpt(page.text, n_chars)
    return Pane(caption(note, page.url), f"{title}\n\n{text}" if title else text)


def caption(*parts: str) -> str:
    """The parts that are not empty, a line each."""
    return "\n".join(one_line(part, URL_CHARS) for part in parts if part)
