"""Pages of the documentation that are made from the code: tables, data flow, settings.

`python -m curation.docs DIR` writes them; a test fails where they are stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from curation.config import RunConfig, bounds
from curation.pipeline import STAGES, TRAIN, Stage
from curation.schemas import TABLES, Table

_PLAIN: dict[Any, str] = {type(None): "None", ...: "..."}
_GENERATED = "<!-- Made by `make docs` from {source}; edit that, not this. -->\n"


def pages() -> dict[str, str]:
    """Text of every generated page by file name."""
    return {"tables.md": tables_page(), "dataflow.md": dataflow_page(), "config.md": config_page()}


def write_pages(folder: Path) -> None:
    """Write the generated pages into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")


def tables_page() -> str:
    """Every table with its columns, key and partitions."""
    head = _GENERATED.format(source="`curation/schemas.py`") + "# Tables\n\n"
    intro = (
        "A run's tables are Delta tables under `OUT/tables/<name>`; `blend` is plain Parquet under "
        "`OUT/blend`. Columns hold no nulls except where the third column says so.\n\n"
    )
    index = "".join(
        f"- [{table.name}](#{table.name}): {_first_sentence(table.doc)}\n" for table in TABLES
    )
    return head + intro + index + "".join(_table(table) for table in TABLES)


def _table(table: Table) -> str:
    lines = [f"\n## {table.name}\n", table.doc, ""]
    lines.append(
        f"Key: {_names(table.key)}. Written by: {_names(_writers(table)) or _otherwise(table)}."
    )
    if table.partition_by:
        lines.append(f"Partitioned by: {_names(table.partition_by)}.")
    lines += ["", "| column | type | null | meaning |", "|---|---|---|---|"]
    lines += [_column(field) for field in table.columns]
    return "\n".join(lines) + "\n"


def _column(field: pa.Field[Any]) -> str:
    meaning = (field.metadata or {}).get(b"comment", b"").decode().replace("|", "\\|")
    null = "yes" if field.nullable else ""
    type_ = str(field.type).replace(" not null", "")
    return f"| `{field.name}` | {type_} | {null} | {meaning} |"


def _otherwise(table: Table) -> str:
    return "`curation takedown`" if table.name == "tombstones" else "every stage"


def _writers(table: Table) -> tuple[str, ...]:
    return tuple(stage.name for stage in STAGES if table.name in stage.writes)


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].split(": ")[0].rstrip(".") + "."


def dataflow_page() -> str:
    """The stages as a picture and as a table."""
    head = _GENERATED.format(source="`curation/pipeline.py`") + "# Data flow\n\n"
    picture = "```mermaid\nflowchart TD\n" + "\n".join(_arrows()) + "\n```\n\n"
    rows = "".join(_stage_row(stage) for stage in STAGES)
    table = (
        "| stage | reads | writes | unit | runs on | what it does |\n|---|---|---|---|---|---|\n"
        + rows
    )
    last = f"| `{TRAIN}` | `shards` | checkpoint, log | run | CPU or GPU | A language model. |\n"
    return head + picture + table + last


def _arrows() -> Iterator[str]:
    yield "    warc([WARC files]) --> s01_extract"
    for stage in STAGES:
        for name in stage.reads:
            yield f"    {name}[({name})] --> {stage.name}"
        for name in stage.writes:
            yield f"    {stage.name} --> {name}[({name})]"
    yield f"    shards[(shards)] --> {TRAIN}"
    yield f"    {TRAIN} --> model([checkpoint])"


def _stage_row(stage: Stage) -> str:
    reads = _names(stage.reads) or "WARC files"
    return (
        f"| `{stage.name}` | {reads} | {_names(stage.writes)} | {stage.scope} | {stage.device} "
        f"| {stage.doc} |\n"
    )


def config_page() -> str:
    """Every setting with its type, range and default."""
    head = _GENERATED.format(source="`curation/config.py`") + "# Settings\n\n"
    intro = (
        "One YAML file is one run; `--set section.key=value` overrides any setting. A section may "
        "be the path of a YAML file that holds it. An unknown key or a value out of range is an "
        "error that names the nearest key or the range.\n"
    )
    top = [(n, f) for n, f in RunConfig.model_fields.items() if _section(f) is None]
    parts = [("The run", top)]
    for name, section in _sections(RunConfig):
        parts.append((f"`{name}`: {_doc_line(section)}", list(section.model_fields.items())))
    return head + intro + "".join(_settings(title, fields) for title, fields in parts)


def _sections(model: type[BaseModel], within: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    """Every section by its dotted name, each before those inside it."""
    for name, field in model.model_fields.items():
        if (section := _section(field)) is not None:
            yield within + name, section
            yield from _sections(section, f"{within}{name}.")


def _section(field: FieldInfo) -> type[BaseModel] | None:
    """The section that a setting is, or is unless it is null."""
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)]
    kind = kinds[0] if len(kinds) == 1 else field.annotation
    return kind if isinstance(kind, type) and issubclass(kind, BaseModel) else None


def _doc_line(section: type[BaseModel]) -> str:
    return (section.__doc__ or "").splitlines()[0].rstrip(".")


def _settings(title: str, fields: list[tuple[str, FieldInfo]]) -> str:
    lines = [
        f"\n## {title}\n",
        "| setting | type and range | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += [_setting(name, field) for name, field in fields]
    return "\n".join(lines) + "\n"


def _setting(name: str, field: FieldInfo) -> str:
    section = _section(field)
    default = "see below" if section and field.default else repr(field.default)
    default = default.replace("|", "\\|")
    meaning = " ".join((field.description or "").split()).replace("|", "\\|")
    return f"| `{name}` | {_type_text(field)} | `{default}` | {meaning} |"


def _type_text(field: FieldInfo) -> str:
    name = _type_name(_section(field) or field.annotation).replace("|", "\\|")
    return " ".join([name, *bounds(field)])


def _type_name(kind: Any) -> str:
    """A type as it is written, bounds of its parts in words; a section by its name."""
    origin, parts = get_origin(kind), get_args(kind)
    if origin is Annotated:
        limits = [of for limit in parts[1:] if isinstance(limit, FieldInfo) for of in bounds(limit)]
        return " ".join([_type_name(parts[0]), *limits])
    if origin is Literal:
        return " | ".join(map(repr, parts))
    if origin in (Union, UnionType):
        return " | ".join(map(_type_name, parts))
    if origin is not None:
        return f"{origin.__name__}[{', '.join(map(_type_name, parts))}]"
    return _PLAIN.get(kind) or str(getattr(kind, "__name__", kind))


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
