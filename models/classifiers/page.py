"""Tables of an evaluation, as text, as one HTML page and as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from jinja2 import Environment, StrictUndefined

Cell = str | int | float
TEMPLATE = Path(__file__).with_name("page.html.j2")


@dataclass(frozen=True)
class Table:
    """Rows below named columns."""

    title: str
    columns: tuple[str, ...]
    rows: list[list[Cell]]
    note: str = ""
    heat: Literal["", "row", "share"] = ""
    """Colour of the numbers: by their share of the row (confusion), or as a share of 1."""
    dots: list[tuple[float, float, float]] = field(default_factory=list)
    """Of a reliability table: what was said, what is, and the share of the pages, each 0..1."""


@dataclass(frozen=True)
class Section:
    """Tables about one model."""

    title: str
    note: str
    tables: list[Table]


def as_text(sections: Sequence[Section]) -> Iterator[str]:
    """Lines of the report."""
    for section in sections:
        yield from ("", f"== {section.title}", section.note)
        for table in section.tables:
            yield from ("", f"-- {table.title}")
            yield from _aligned([list(table.columns), *map(_shown, table.rows)])
            if table.note:
                yield table.note


def as_json(sections: Sequence[Section]) -> list[dict[str, Any]]:
    """The sections as JSON can hold them: what is not defined is null."""
    return [_nulled(asdict(section)) for section in sections]


def as_html(title: str, sections: Sequence[Section]) -> str:
    """One page without scripts, fonts or images from outside; everything is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["shown"] = shown
    environment.globals["heat_of"] = heat_of
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    return template.render(title=title, sections=sections)


def shown(cell: Cell) -> str:
    """A cell as it is printed: three decimals, an empty cell for a figure that is not defined."""
    if isinstance(cell, float):
        return "" if math.isnan(cell) else f"{cell:.3f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def heat_of(table: Table, row: Sequence[Cell], place: int) -> int | None:
    """Strength of the colour of a cell, 0..100; None where there is none."""
    value = row[place]
    if not table.heat or isinstance(value, str) or math.isnan(value):
        return None
    if table.heat == "share":
        in_share = isinstance(value, float)
        return round(100 * min(max(value, 0.0), 1.0)) if in_share else None
    total = sum(cell for cell in row[1:] if not isinstance(cell, str))
    return round(100 * value / total) if total else 0


def _shown(row: Sequence[Cell]) -> list[str]:
    return [shown(cell) for cell in row]


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Rows with their columns below each other: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        yield "  ".join(cells).rstrip()


def _nulled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nulled(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_nulled(one) for one in value]
    return None if isinstance(value, float) and math.isnan(value) else value
