"""Generated texts beside their sources: what gates and judges read. Pure."""

from __future__ import annotations

import pyarrow as pa

from curation.schemas import SYNTHETIC, Table, column

GENERATED = Table(
    name="generated",
    doc="Generated texts beside their sources. Not a table of the run.",
    columns=pa.schema([
        *(SYNTHETIC.columns.field(name)
          for name in ("synthetic_id", "doc_id", "crawl", "stage", "task")),
        column("text", pa.string(), "The text"),
        column("source", pa.string(), "The segments that it was made of, in order"),
        column("source_language", pa.string(), "Language of the document"),
    ]),
    key=("synthetic_id",),
)  # fmt: skip


def own_text(text: str, source: str) -> str:
    """What the generator wrote of `text`: some kinds begin with the source itself."""
    return text.removeprefix(source).strip() or text
