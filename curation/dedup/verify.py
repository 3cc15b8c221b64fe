"""Candidate pairs and their exact Jaccard similarity.

A pair is a candidate where the two share a band and one of them is among the `n_each` least of the
band, by hash of the text. The set of candidates so depends on which texts there are, not on the
order in which they came, and a band that n texts share makes at most n * n_each of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from curation.measure.hashing import normalise
from curation.measure.minhash import shingle_hashes
from curation.schemas import PAIRS, Table, column
from curation.spark.batches import Kernel, map_batches, not_broadcast

VERIFIED = Table(
    "verified",
    "Pairs with their similarity; not a table of the run.",
    pa.schema([
        *(PAIRS.columns.field(name) for name in ("doc_id", "other_id")),
        column("jaccard", pa.float32(), "Exact similarity of their shingles"),
    ]),
    key=("doc_id", "other_id"),
)  # fmt: skip
_INPUT = Table(
    "pair_texts",
    "Pairs with their texts.",
    pa.schema([
        *(PAIRS.columns.field(name) for name in ("doc_id", "other_id")),
        column("text", pa.string(), "Of doc_id"),
        column("other_text", pa.string(), "Of other_id"),
    ]),
    key=("doc_id", "other_id"),
)  # fmt: skip


def candidates(texts: DataFrame, n_each: int) -> DataFrame:
    """`doc_id`, `other_id`, `n_keys` (bands shared) of every candidate pair.

    Args:
        texts: `doc_id`, `content_hash`, `text_hash`, `bands`, one row a distinct text.
        n_each: Texts of a band that all others of it are compared with.
    """
    hashes = ["content_hash", "text_hash"]
    members = not_broadcast(texts.select("doc_id", *hashes, F.explode("bands").alias("band")))
    by_hash = Window.partitionBy("band").orderBy(*hashes)
    ranked = members.withColumn("rank", F.row_number().over(by_hash))
    least = ranked.where(F.col("rank") <= n_each).select(
        "band", F.col("doc_id").alias("other_id"), F.col("rank").alias("other_rank")
    )
    pairs = ranked.join(least, "band").where("other_rank < rank")
    counted = pairs.groupBy("doc_id", "other_id").agg(F.count(F.lit(1)).alias("n_keys"))
    return counted.withColumn("n_keys", F.col("n_keys").cast("int"))


def similarities(
    pairs: DataFrame, texts: DataFrame, *, ngram_chars: int, ngram_words: int
) -> DataFrame:
    """Rows of VERIFIED for `pairs` (`doc_id`, `other_id`); `texts` has `doc_id` and `text`."""
    others = texts.select(F.col("doc_id").alias("other_id"), F.col("text").alias("other_text"))
    both = pairs.select("doc_id", "other_id").join(texts, "doc_id").join(others, "other_id")
    return map_batches(
        both.select(*_INPUT.columns.names), _kernel(ngram_chars, ngram_words), VERIFIED
    )


def _kernel(ngram_chars: int, ngram_words: int) -> Callable[[], Kernel]:
    def run(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        pairs = _INPUT.conform(batch)
        texts = zip(*(_strings(pairs, name) for name in ("text", "other_text")), strict=True)
        found = [jaccard(a, b, ngram_chars, ngram_words) for a, b in texts]
        yield pa.RecordBatch.from_pydict({
            "doc_id": pairs.column("doc_id"),
            "other_id": pairs.column("other_id"),
            "jaccard": pa.array(found, pa.float32()),
        })  # fmt: skip

    return lambda: run


def _strings(batch: pa.RecordBatch, name: str) -> list[str]:
    return cast(list[str], batch.column(name).to_pylist())


def jaccard(text: str, other: str, ngram_chars: int, ngram_words: int = 0) -> float:
    """Distinct shingles that both normalised texts have / those that one has; 0 without any.

    Shingles are those of `measure.minhash`, known by their 64-bit hashes. About 0.5 ms for two
    texts of 5,000 characters.
    """
    one, two = (_shingles(t, ngram_chars, ngram_words) for t in (text, other))
    n_both = np.intersect1d(one, two, assume_unique=True).size
    n_either = one.size + two.size - n_both
    return float(n_both / n_either) if n_either else 0.0


def _shingles(text: str, ngram_chars: int, ngram_words: int) -> NDArray[Any]:
    return np.unique(shingle_hashes(normalise(text), ngram_chars, ngram_words))
