"""Batches of documents to rows of SCORES: every member reads every text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.config import RunConfig, ScoreConfig
from curation.schemas import SCORES
from curation.score.members import Model, load_member, members_of
from curation.score.members import identity as identity_of_members
from curation.score.sequence import Scores

Columns = Mapping[str, NDArray[np.generic]]

_CARRIED = ("doc_id", "crawl", "chunk", "text_hash")
READ = (*_CARRIED, "text")
"""Columns of a batch that the kernel reads; `text_hash` is the xxHash64 of `text`."""


def identity(conf: RunConfig) -> dict[str, str]:
    """Hashes of all models: others give other scores.

    Raises:
        As `members.identity`.
    """
    return identity_of_members(conf.score)


def make_score_kernel(
    conf: ScoreConfig, models: str, *, n_threads: int
) -> Callable[[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    """A kernel that scores batches of the columns `READ`; loads the models."""
    loaded = {one.name: load_member(one, n_threads=n_threads) for one in members_of(conf)}

    def kernel(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        yield score_batch(batch, loaded, models)

    return kernel


def score_batch(batch: pa.RecordBatch, loaded: Mapping[str, Model], models: str) -> pa.RecordBatch:
    """Rows of SCORES for the documents of `batch`, in their order.

    Args:
        batch: The columns `READ`.
        loaded: Models by the name of their member.
        models: Fingerprint of the models.
    """
    texts: list[str] = batch["text"].to_pylist()  # type: ignore[assignment]
    found = {name: model.score_texts(texts) for name, model in loaded.items()}
    merged: dict[str, NDArray[np.generic]] = {}
    for scores in found.values():
        merged |= scores.columns
    columns = {name: batch[name] for name in _CARRIED}
    columns["models"] = pa.array([models] * len(texts), pa.string())
    columns["scores"] = _numbers(merged, len(texts))
    classes = {name: values for name, values in merged.items() if values.dtype == object}
    columns["classes"] = _strings(classes, len(texts))
    columns |= _reasons(found, len(texts))
    columns["n_halvings"] = _at_first(sum(one.n_halvings for one in found.values()), len(texts))
    return pa.RecordBatch.from_pydict(columns, schema=SCORES.columns)


def _numbers(columns: Columns, n_rows: int) -> pa.Array[Any]:
    """A map a row of the numbers that it has, shape (n_rows,); NaN is no number."""
    numbers = {k: v.astype(np.float32) for k, v in columns.items() if v.dtype != object}
    has = {name: ~np.isnan(values) for name, values in numbers.items()}
    return _map(numbers, has, n_rows, pa.float32())


def _strings(columns: Columns, n_rows: int) -> pa.Array[Any]:
    """A map a row of the strings that it has; None is none."""
    has = {name: np.array([v is not None for v in values]) for name, values in columns.items()}
    return _map(columns, has, n_rows, pa.string())


def _map(
    columns: Columns, has: Mapping[str, NDArray[np.bool_]], n_rows: int, type_: pa.DataType
) -> pa.Array[Any]:
    """A map a row, keys in the order of `columns`, of the values that `has` marks."""
    marks = np.array(list(has.values()), bool).reshape(len(has), n_rows).T
    kind = object if type_ == pa.string() else np.float32
    values = np.array(list(columns.values()), kind).reshape(len(has), n_rows).T
    offsets = np.concatenate([[0], np.cumsum(marks.sum(axis=1))])
    names = pa.array(list(columns), pa.string())
    keys = names.take(np.nonzero(marks)[1])
    items = pa.array(values[marks], type_)
    made: pa.Array[Any] = pa.MapArray.from_arrays(  # type: ignore[call-overload]
        pa.array(offsets, pa.int32()), keys, items
    )
    return made


def _reasons(found: Mapping[str, Scores], n_rows: int) -> dict[str, pa.Array[Any]]:
    """Columns `reasons`, by member, and `error`: the first one of a text that nobody scored."""
    told = {name: np.array(scores.reasons, object) for name, scores in found.items()}
    by_text = zip(*(scores.reasons for scores in found.values()), strict=True)
    errors = [reasons[0] if all(reasons) else None for reasons in by_text]
    return {"reasons": _strings(told, n_rows), "error": pa.array(errors, pa.string())}


def _at_first(value: int, n_rows: int) -> pa.Array[Any]:
    """`value` in the first of `n_rows`, 0 in the others."""
    column = np.zeros(n_rows, np.int32)
    column[:1] = value
    return pa.array(column)
