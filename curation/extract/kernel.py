"""WARC files -> pages, rejects and one summary a file, as Arrow batches of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

import pyarrow as pa

from curation.config import ExtractConfig
from curation.crawl.warc import read_records, why_ended_early
from curation.extract.engines import Engine, engine
from curation.extract.records import DocIds, Origin, outcome_of
from curation.schemas import OUTCOMES

MAX_BATCH_ROWS = 200
MAX_BATCH_CHARS = 16_000_000
"""Characters of text in a batch after which it is handed on."""


def extract_files(batch: pa.RecordBatch, *, conf: ExtractConfig) -> Iterator[pa.RecordBatch]:
    """OUTCOMES of the files in the columns `warc_file`, `crawl` and `chunk`, file by file.

    A file gives one `page` or `reject` for everything its reader came by, in file order, and then
    one `file` whose `records` is their number. `error` of the `file` says why reading stopped
    before the end; null: it did not.

    Raises:
        OSError: a file cannot be opened or read.
    """
    engines = engines_of(conf)
    origins = [Origin(**row) for row in batch.select(["warc_file", "crawl", "chunk"]).to_pylist()]
    rows = chain.from_iterable(_outcomes(origin, conf, engines) for origin in origins)
    for group in _grouped(rows):
        yield OUTCOMES.conform(pa.RecordBatch.from_pylist(group, schema=OUTCOMES.columns))


def engines_of(conf: ExtractConfig) -> tuple[Engine, ...]:
    """The engines that a page is given to, in order: the chosen one, then its fallback."""
    names = (
        [conf.engine] if conf.fallback in ("none", conf.engine) else [conf.engine, conf.fallback]
    )
    return tuple(engine(name) for name in names)


def _outcomes(
    origin: Origin, conf: ExtractConfig, engines: Sequence[Engine]
) -> Iterator[dict[str, Any]]:
    doc_ids = DocIds(origin.warc_file)
    n_records, error = 0, None
    for item in read_records(origin.warc_file):
        doc_id = doc_ids.next_id(item)
        yield outcome_of(item, doc_id=doc_id, origin=origin, conf=conf, engines=engines)
        n_records, error = n_records + 1, why_ended_early(item)
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
