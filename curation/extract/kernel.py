"""WARC files -> pages, rejects and one summary a file, as Arrow batches of bounded size."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa

from curation.config import ExtractConfig
from curation.crawl.warc import read_records, why_ended_early
from curation.errors import FetchFailed
from curation.extract.pages import Place, RowOf, row_maker
from curation.extract.records import DocIds, Origin
from curation.schemas import OUTCOMES

OpenFile = Callable[[str], AbstractContextManager[Path]]
"""What a path or an address is read from, while it is open."""

MAX_BATCH_ROWS = 200
MAX_BATCH_CHARS = 16_000_000
"""Characters of text in a batch after which it is handed on."""


def _as_it_is(path: str) -> AbstractContextManager[Path]:
    return nullcontext(Path(path))


def extract_files(
    batch: pa.RecordBatch, *, conf: ExtractConfig, open_file: OpenFile = _as_it_is
) -> Iterator[pa.RecordBatch]:
    """OUTCOMES of the files in the columns `warc_file`, `crawl` and `chunk`, file by file.

    A file gives one `page` or `reject` for everything its reader came by, in file order, and then
    one `file` whose `records` is their number. `error` of the `file` says why reading stopped
    before the end; null: it did not.

    Raises:
        OSError: a file cannot be opened or read.
    """
    row_of = row_maker(conf)
    origins = [Origin(**row) for row in batch.select(["warc_file", "crawl", "chunk"]).to_pylist()]
    rows = chain.from_iterable(_outcomes(origin, row_of, open_file) for origin in origins)
    for group in _grouped(rows):
        yield OUTCOMES.conform(pa.RecordBatch.from_pylist(group, schema=OUTCOMES.columns))


def _outcomes(origin: Origin, row_of: RowOf, open_file: OpenFile) -> Iterator[dict[str, Any]]:
    doc_ids = DocIds(origin.warc_file)
    n_records, error = 0, None
    try:
        with open_file(origin.warc_file) as path:
            for item in read_records(str(path)):
                yield row_of(Place(item, doc_ids.next_id(item), origin))
                n_records, error = n_records + 1, why_ended_early(item)
    except FetchFailed as failed:
        error = str(failed)
    yield {
        "outcome": "file",
        "crawl": origin.crawl,
        "chunk": origin.chunk,
        "warc_file": origin.warc_file,
        "records": n_records,
        "error": error,
    }


def _grouped(rows: Iterable[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group: list[dict[str, Any]] = []
    n_chars = 0
    for row in rows:
        group.append(row)
        n_chars += row.get("n_chars", 0)
        if len(group) >= MAX_BATCH_ROWS or n_chars >= MAX_BATCH_CHARS:
            yield group
            group, n_chars = [], 0
    if group:
        yield group
