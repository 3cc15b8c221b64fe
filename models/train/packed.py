"""Packed rows of Parquet, as `curation.tokens.pack` writes them, as a flat file of tokens.

A sample is a few thousand tokens at a random place, a row group millions that are fetched and
decompressed together. So each file is decoded once, from front to back; from then on a sample costs
what one of Megatron's files does, and the disk holds the tokens once more, two or four bytes each.
The rows are one stream: packed by concatenation, the very one of the other files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError
from curation.tokens.dtypes import TokenArray
from curation.tokens.files import replacing
from curation.tokens.manifest import Manifest, ShardEntry
from curation.tokens.pack import packed_schema


def unpack(manifest: Manifest, folder: Path, into: Path) -> None:
    """Write the tokens of the packed files in `folder` to flat files in `into`, if not yet there.

    Memory: one row group.

    Raises:
        InputError: a file is missing, damaged, or is not the one that the manifest lists.
    """
    for entry in manifest.shards:
        target = _flat(entry, into)
        if not target.is_file():
            with replacing(target) as temporary:
                _unpack(folder / f"{entry.name}.parquet", temporary, entry, manifest.dtype)


def open_unpacked(manifest: Manifest, into: Path) -> tuple[TokenArray, ...]:
    """The tokens of each shard, memory-mapped, from where `unpack` has put them.

    Raises:
        InputError: a file was cut short.
    """
    dtype = np.dtype(manifest.dtype).newbyteorder("<")
    return tuple(_opened(_flat(entry, into), entry, dtype) for entry in manifest.shards)


def _opened(path: Path, entry: ShardEntry, dtype: np.dtype[Any]) -> TokenArray:
    found = path.stat().st_size // dtype.itemsize
    if found != entry.n_tokens:
        raise InputError(
            f"{path}: {found} tokens, {entry.name} has {entry.n_tokens}; delete it to decode anew"
        )
    return np.memmap(path, dtype, mode="r") if found else np.empty(0, dtype)


def _flat(entry: ShardEntry, into: Path) -> Path:
    """By hash: what two sources have in common is written once, another shard is never taken."""
    return into / f"{entry.sha256_parquet}.tokens"


def _unpack(path: Path, target: Path, entry: ShardEntry, dtype: str) -> None:
    n_tokens = 0
    with target.open("wb") as file:
        for tokens in _groups(path, dtype):
            file.write(tokens.astype(np.dtype(dtype).newbyteorder("<"), copy=False).tobytes())
            n_tokens += len(tokens)
    if n_tokens != entry.n_tokens:
        raise InputError(
            f"{path}: holds {n_tokens} tokens, the manifest says {entry.n_tokens}; run "
            "s09_tokenize again"
        )


def _groups(path: Path, dtype: str) -> Iterator[TokenArray]:
    """Tokens of each row group in order."""
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(packed_schema(dtype)):
                columns = ", ".join(f"{field.name} {field.type}" for field in file.schema_arrow)
                raise InputError(f"{path}: not packed rows of {dtype}: its columns are {columns}")
            for group in range(file.num_row_groups):
                column = file.read_row_group(group, columns=["tokens"]).column("tokens")
                for chunk in cast("list[pa.ListArray[Any]]", column.chunks):
                    yield chunk.flatten().to_numpy()
    except (OSError, pa.ArrowException) as error:
        told = " ".join(str(error).split())
        raise InputError(
            f"{path}: not readable as Parquet: {told}; run s09_tokenize again"
        ) from error
