"""One shard: the same tokens as Megatron's files and as packed rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy.typing as npt

from curation.tokens.best_fit import pack_best_fit
from curation.tokens.manifest import Packing, ShardEntry
from curation.tokens.megatron import IndexedDataset, read_indexed, write_indexed
from curation.tokens.pack import Packed, cut, write_packed


def write_shard(
    folder: Path,
    name: str,
    documents: Iterable[npt.NDArray[Any]],
    dtype: npt.DTypeLike,
    *,
    sequence_length: int,
    packing: Packing,
) -> ShardEntry:
    """Write NAME.bin, NAME.idx and NAME.parquet into `folder`; their entry in the manifest.

    Args:
        folder: Made if it is not there.
        name: Of the files, without suffix.
        documents: Token ids, each with its end-of-document token.
        dtype: Of a token in the files.
        sequence_length: Tokens of a packed row.
        packing: How documents are put into rows.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = write_indexed(folder / name, documents, dtype)
    rows = _rows(read_indexed(folder / name), sequence_length, packing)
    packed = write_packed(folder / f"{name}.parquet", rows, dtype)
    return ShardEntry(
        name=name, n_documents=facts.n_documents, n_tokens=facts.n_tokens,
        n_sequences=packed.n_sequences, n_cuts=packed.n_continued, sha256_bin=facts.sha256_bin,
        sha256_idx=facts.sha256_idx, sha256_parquet=packed.sha256,
    )  # fmt: skip


def _rows(stored: IndexedDataset, sequence_length: int, packing: Packing) -> Iterator[Packed]:
    if packing == "best_fit":
        return pack_best_fit(stored, sequence_length=sequence_length)
    return cut(iter(stored), sequence_length=sequence_length)
