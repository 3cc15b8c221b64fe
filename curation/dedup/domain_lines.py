"""Lines and paragraphs that a domain repeats: boilerplate that survived extraction.

A line (or paragraph) is its domain's boilerplate where so many surviving documents of the
registered domain have it as it stands. The measure is the share of a document's characters in such
pieces.
Source: the idea is CCNet's (Wenzek et al. 2019, 3.1), which drops paragraphs seen before in a whole
shard; counting within a domain spares the quotations that many domains share.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.measure.words import Hashes, Ints, Spans, Words, numbered
from curation.schemas import DOMAIN_REPETITION, PAGES, Table, column
from curation.spark.batches import map_batches, not_broadcast

_KEY = ("doc_id", "crawl", "chunk")
_INPUT = PAGES.select(*_KEY, "domain", "text")
PIECES = Table(
    "pieces",
    "One row a distinct line or paragraph of a document; not a table of the run.",
    pa.schema([
        *(PAGES.columns.field(name) for name in (*_KEY, "domain")),
        column("unit", pa.string(), "line | paragraph"),
        column("hash", pa.int64(), "Hash of the piece as it stands"),
        column("n_chars", pa.int64(), "Characters of all its occurrences in the document"),
    ]),
    key=("doc_id", "unit", "hash"),
)  # fmt: skip


def domain_repetition(pages: DataFrame, n_documents: int) -> DataFrame:
    """Rows of DOMAIN_REPETITION for `pages` (`doc_id`, `crawl`, `chunk`, `domain`, `text`).

    Args:
        pages: Documents that survive, so that copies of a page do not make its text boilerplate.
        n_documents: Documents of a domain from which on a piece counts as repeated.
    """
    pages = pages.select(*_INPUT.columns.names)
    pieces = not_broadcast(map_batches(pages, lambda: _pieces, PIECES))
    key = ["domain", "unit", "hash"]
    of_domain = pieces.where("domain != ''").groupBy(*key).agg(F.count(F.lit(1)).alias("n"))
    repeated = of_domain.where(F.col("n") >= n_documents).select(*key, F.lit(True).alias("again"))
    marked = pieces.join(repeated, key, "left")
    shares = marked.groupBy(*_KEY).agg(
        _share("line").alias("domain_line_frac"),
        _share("paragraph").alias("domain_paragraph_frac"),
        F.count(F.when(F.col("again") & (F.col("unit") == "line"), 1)).alias("n_domain_lines"),
    )
    return shares.select(*DOMAIN_REPETITION.columns.names)


def _share(unit: str) -> Column:
    """Characters of repeated pieces / of all; a document without any has no row."""
    own = F.when(F.col("unit") == unit, F.col("n_chars"))
    return F.sum(F.when(F.col("again"), own).otherwise(0)) / F.sum(own)


def _pieces(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    pages = _INPUT.conform(batch)
    tokens = [Words(str(text)).tokens for text in pages.column("text").to_pylist()]
    for unit in ("line", "paragraph"):
        found = [distinct_pieces(one.lines if unit == "line" else one.paragraphs) for one in tokens]
        row = np.repeat(np.arange(len(found)), [hashes.size for hashes, _ in found])
        key = {name: pages.column(name).take(row) for name in (*_KEY, "domain")}
        yield pa.RecordBatch.from_pydict(key | {
            "unit": pa.repeat(unit, row.size),
            "hash": pa.array(np.concatenate([hashes for hashes, _ in found]).view(np.int64)),
            "n_chars": pa.array(np.concatenate([n_chars for _, n_chars in found])),
        })  # fmt: skip


def distinct_pieces(spans: Spans) -> tuple[Hashes, Ints]:
    """Hash of each distinct piece in order of first occurrence, and its characters in all."""
    found = numbered(spans.hash)
    lengths = spans.end - spans.start
    n_chars = np.bincount(found.number, lengths, minlength=found.first.size).astype(np.int64)
    return spans.hash[found.first], n_chars
