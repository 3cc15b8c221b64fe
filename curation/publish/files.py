"""A file of the blend as one of JSON lines in the published form, and back. Pure.

Layout and fields are those of Nemotron-CC (2412.02595; data.commoncrawl.org/contrib/Nemotron):
`quality=Q/kind=K/kind2=K2/CRAWL-part-NNNNN.jsonl.zstd`, a line being an object with
`warc_record_id`, `url`, `text` and `language`, which is three letters there (`eng`). Ours has `id`,
`copy` and `source` besides. `warc_record_id` is no key: a page may have many generated texts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError
from curation.tokens.files import replacing

FIELDS = ("warc_record_id", "url", "text", "language", "id", "copy", "source")
"""Of a line, in their order; the first four are the published ones."""
CRAWL = "crawl"
"""Column of the blend by which its texts go into files."""
_LANGUAGES = {"en": "eng"}
"""Published code of a language; others are written as the tables have them."""
_COMPRESSIONS = {".zstd": "zstd", ".zst": "zstd", ".gz": "gzip"}


def part_name(crawl: str, number: int) -> str:
    """Name of the part of that number, counted from 0 in each folder."""
    return f"{crawl}-part-{number:05d}.jsonl.zstd"


def write_parts(source: Path, targets: Mapping[str | None, Path]) -> dict[str | None, int]:
    """Write the rows of a Parquet file of the blend, each crawl's to its own of `targets`, in
    their order; how many, by crawl. Null is the crawl of a blend that does not say it.

    A file appears whole or not at all. One row group is in memory at a time.

    Raises:
        InputError: `source` is no file of the blend, or damaged.
    """
    n_rows = dict.fromkeys(targets, 0)
    with ExitStack() as stack:
        outs = {crawl: _opened(stack, target) for crawl, target in targets.items()}
        for rows in _groups(source):
            for crawl, out in outs.items():
                lines = [_line(row) for row in rows if row[CRAWL] == crawl]
                out.write("".join(lines).encode("utf-8", "surrogatepass"))
                n_rows[crawl] += len(lines)
    return n_rows


def _opened(stack: ExitStack, target: Path) -> Any:
    temporary = stack.enter_context(replacing(target))
    return stack.enter_context(pa.CompressedOutputStream(str(temporary), "zstd"))


def _groups(source: Path) -> Iterator[list[dict[str, Any]]]:
    names = [*FIELDS, CRAWL]
    try:
        with pq.ParquetFile(source) as file:
            for group in range(file.num_row_groups):
                rows = file.read_row_group(group, columns=names).to_pylist()
                yield [{CRAWL: None} | row for row in rows]  # older blends do not say it
    except (OSError, pa.ArrowException) as error:
        said = " ".join(str(error).split())[:200]
        raise InputError(f"{source}: not a file of the blend: {said}; run s08 again") from error


def _line(row: dict[str, Any]) -> str:
    told = row | {"language": _LANGUAGES.get(row["language"], row["language"])}
    return json.dumps({name: told[name] for name in FIELDS}, ensure_ascii=False) + "\n"


def read_part(path: Path) -> Iterator[dict[str, Any]]:
    """Objects of the lines of `path`, in their order: `.zstd` or `.zst`, frames one behind the
    other included, `.gz`, or plain.

    Raises:
        InputError: the file is missing, cut short, or a line of it is no JSON object; its place is
            told.
    """
    n_read = 0
    try:
        with pa.input_stream(str(path), compression=_compression(path)) as stream:
            for line in io.TextIOWrapper(io.BufferedReader(cast(Any, stream)), encoding="utf-8"):
                yield _object(json.loads(line))
                n_read += 1
    except (OSError, EOFError, ValueError) as error:
        raise InputError(f"{path}: not readable after line {n_read}: {error}") from error


def _compression(path: Path) -> Any:
    """By pyarrow's name; None: the file is plain."""
    return _COMPRESSIONS.get(path.suffix)


def language_of(published: str) -> str:
    """The tables' code of a language that is published."""
    return next((ours for ours, theirs in _LANGUAGES.items() if theirs == published), published)


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("no JSON object")
    return value
