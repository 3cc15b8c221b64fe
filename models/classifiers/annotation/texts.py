"""Texts to annotate: JSON lines, plain or compressed, or parquet, with columns `id` and `text`."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError

_COMPRESSION = {".gz": "gzip", ".zst": "zstd"}
_MAX_ROWS = 1_024
"""Rows of a parquet file in memory at a time."""


def load_texts(
    file: Path, *, max_chars: int, start: int = 0, count: int | None = None
) -> dict[str, str]:
    """The first `max_chars` characters of each text by id, in the file's order.

    `start` texts are passed over, and at most `count` are taken.

    Raises:
        InputError: the file is missing, damaged or of another kind, or a row has no id or text, or
            an id that another row has.
    """
    if not file.is_file():
        raise InputError(f"{file}: no such file; --texts names JSON lines or parquet")
    rows = _parquet_rows(file) if file.suffix == ".parquet" else _json_rows(file)
    return chosen(_checked(file, rows), max_chars=max_chars, start=start, count=count)


def chosen(
    texts: Iterable[tuple[str, str]], *, max_chars: int, start: int = 0, count: int | None = None
) -> dict[str, str]:
    """The texts from the `start`th on, each cut, and half surrogate pairs in it replaced by `?`."""
    stop = None if count is None else start + count
    return {
        key: text[:max_chars].encode("utf-8", "replace").decode("utf-8")
        for key, text in itertools.islice(texts, start, stop)
    }


def _checked(file: Path, rows: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for place, row in rows:
        key, text = (row.get("id"), row.get("text")) if isinstance(row, dict) else (None, None)
        if key is None or key == "" or isinstance(key, (dict, list)) or not isinstance(text, str):
            raise InputError(f"{file}: {place}: needs an `id`, and a `text` that is a string")
        if str(key) in seen:
            raise InputError(f"{file}: {place}: another row has the id {key}")
        seen.add(str(key))
        yield str(key), text


def _json_rows(file: Path) -> Iterator[tuple[str, Any]]:
    number = 0
    try:
        for number, line in enumerate(_lines(file), 1):
            if line.strip():
                yield f"line {number}", json.loads(line)
    except (ValueError, OSError, EOFError) as error:
        raise InputError(
            f"{file}: not readable at or after line {max(1, number)}: {error}"
        ) from error


def _lines(file: Path) -> Iterator[str]:
    compression = cast(Any, _COMPRESSION.get(file.suffix))
    with pa.input_stream(str(file), compression=compression) as stream:
        yield from io.TextIOWrapper(io.BufferedReader(cast(Any, stream)), encoding="utf-8")


def _parquet_rows(file: Path) -> Iterator[tuple[str, Any]]:
    try:
        with pq.ParquetFile(file) as table:
            batches = table.iter_batches(_MAX_ROWS, columns=["id", "text"])
            rows = itertools.chain.from_iterable(batch.to_pylist() for batch in batches)
            yield from ((f"row {number}", row) for number, row in enumerate(rows, 1))
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{file}: not readable as parquet: {error}") from error
