"""Documents to rows of equal length, one behind the other, and such rows as Parquet.

Nothing is cropped and nothing is padded: the rows, one after the other, are the documents, one
after the other, each with its end-of-document token. A document that does not fit goes on in the
next row; only the last row may be short. Rows in which fewer documents are cut: `best_fit.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError
from curation.schemas import column
from curation.tokens.dtypes import TokenArray, as_tokens
from curation.tokens.files import replacing, sha256_of

TOKENS_PER_GROUP = 2**24
"""Aim for the size of a row group, the unit in which a reader fetches: 64 MB before zstd."""


@dataclass(frozen=True, eq=False)
class Packed:
    """One row."""

    tokens: TokenArray
    document_starts: npt.NDArray[np.int32]
    """Offsets in `tokens` at which a document starts. The first token of a row that goes on with
    the document of the row before is not a start, unless rows are packed by best fit, where the row
    before is another matter."""
    n_continued: int = 0
    """Pieces of the row that go on with a document which another row begins."""


@dataclass(frozen=True)
class PackedFacts:
    """What one packed file holds, and its hash."""

    n_sequences: int
    n_tokens: int
    n_continued: int
    """Places where a document is cut between two rows."""
    sha256: str


def pack(
    documents: Iterable[npt.NDArray[Any]], *, sequence_length: int, eod: int
) -> Iterator[Packed]:
    """`documents` with an end-of-document token each, cut into rows of `sequence_length`."""
    return cut(append_eod(documents, eod), sequence_length=sequence_length)


def append_eod(documents: Iterable[npt.NDArray[Any]], eod: int) -> Iterator[TokenArray]:
    """Each document with the token `eod` at its end, in its own type.

    Raises:
        OverflowError: the type of a document cannot hold `eod`.
    """
    for document in documents:
        yield np.concatenate([document, np.array([eod], document.dtype)])


def cut(documents: Iterable[npt.NDArray[Any]], *, sequence_length: int) -> Iterator[Packed]:
    """The concatenated `documents` in rows of `sequence_length` tokens, the last one shorter.

    A document without tokens leaves no trace. Memory: one row and one document.
    """
    assert sequence_length > 0, sequence_length
    parts: list[TokenArray] = []
    starts: list[int] = []
    n_held = 0
    for document in documents:
        if len(document):
            starts.append(n_held)
        rest = document
        while len(rest):
            parts.append(rest[: sequence_length - n_held])
            n_held += len(parts[-1])
            rest = rest[len(parts[-1]) :]
            if n_held == sequence_length:
                yield _row(parts, starts)
                parts, starts, n_held = [], [], 0
    if parts:
        yield _row(parts, starts)


def packed_schema(dtype: npt.DTypeLike) -> pa.Schema:
    """Columns of a packed file whose tokens are `dtype`."""
    tokens = pa.list_(pa.from_numpy_dtype(np.dtype(dtype)))
    return pa.schema([
        column("tokens", tokens, "Token ids of the row"),
        column("document_starts", pa.list_(pa.int32()), "Offsets at which a document starts"),
        column("n_tokens", pa.int32(), "Tokens of the row"),
    ])  # fmt: skip


def write_packed(
    path: Path,
    rows: Iterable[Packed],
    dtype: npt.DTypeLike,
    *,
    tokens_per_group: int = TOKENS_PER_GROUP,
) -> PackedFacts:
    """Write `rows` to the Parquet file `path`, a row group at a time; what was written.

    Raises:
        InputError: a row holds an id that `dtype` cannot.
    """
    n_sequences = n_tokens = n_continued = 0
    with replacing(path) as temporary:
        # No dictionary: a row group holds nearly every token id, so it would only be given up.
        writer = pq.ParquetWriter(
            temporary, packed_schema(dtype), compression="zstd", use_dictionary=False
        )
        with writer:
            for group in _groups(rows, tokens_per_group):
                writer.write_table(_to_table(group, dtype), row_group_size=len(group))
                n_sequences += len(group)
                n_tokens += sum(len(row.tokens) for row in group)
                n_continued += sum(row.n_continued for row in group)
        sha256 = sha256_of(temporary)
    return PackedFacts(n_sequences, n_tokens, n_continued, sha256)


def read_packed(path: Path) -> Iterator[Packed]:
    """Rows of the packed file `path` in order, one row group in memory at a time.

    Raises:
        InputError: the file is missing, damaged, or is not a packed file.
    """
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise InputError(f"{path}: not readable as Parquet: {_one_line(error)}") from error
    with file:
        if file.schema_arrow.names != packed_schema(np.uint16).names:
            names = file.schema_arrow.names
            raise InputError(f"{path}: not a packed file: its columns are {names}")
        for group in range(file.num_row_groups):
            yield from _from_table(_read_group(file, group, path))


def _row(parts: Sequence[TokenArray], starts: Sequence[int]) -> Packed:
    is_continued = not starts or starts[0] > 0
    return Packed(np.concatenate(parts), np.array(starts, np.int32), int(is_continued))


def _groups(rows: Iterable[Packed], tokens_per_group: int) -> Iterator[list[Packed]]:
    """`rows` in lists that hold `tokens_per_group` tokens or a little more, the last one fewer."""
    group: list[Packed] = []
    n_held = 0
    for row in rows:
        group.append(row)
        n_held += len(row.tokens)
        if n_held >= tokens_per_group:
            yield group
            group, n_held = [], 0
    if group:
        yield group


def _to_table(rows: Sequence[Packed], dtype: npt.DTypeLike) -> pa.Table:
    n_tokens = [len(row.tokens) for row in rows]
    columns = [
        _lists([as_tokens(row.tokens, dtype) for row in rows]),
        _lists([row.document_starts for row in rows]),
        pa.array(n_tokens, pa.int32()),
    ]
    return pa.Table.from_arrays(columns, schema=packed_schema(dtype))


def _lists(arrays: Sequence[npt.NDArray[Any]]) -> pa.ListArray[Any]:
    """One list for each of `arrays`, without a Python object for each value."""
    offsets = pa.array(np.cumsum([0, *map(len, arrays)]), pa.int32())
    values: pa.Array[Any] = pa.array(np.concatenate(arrays))
    return pa.ListArray.from_arrays(offsets, values)


def _read_group(file: pq.ParquetFile, group: int, path: Path) -> pa.Table:
    try:
        return file.read_row_group(group)
    except (OSError, pa.ArrowException) as error:
        where = f"{path}, row group {group}"
        raise InputError(f"{where}: damaged: {_one_line(error)}; run s09_tokenize again") from error


def _from_table(table: pa.Table) -> Iterator[Packed]:
    tokens, starts = (_split(table, name) for name in ("tokens", "document_starts"))
    for row_tokens, row_starts in zip(tokens, starts, strict=True):
        yield Packed(row_tokens, row_starts)


def _split(table: pa.Table, name: str) -> Iterator[npt.NDArray[Any]]:
    """Values of each list in a column."""
    for chunk in cast("list[pa.ListArray[Any]]", table.column(name).chunks):
        values = chunk.values.to_numpy()
        for start, stop in pairwise(chunk.offsets.to_numpy().tolist()):
            yield values[start:stop]


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
