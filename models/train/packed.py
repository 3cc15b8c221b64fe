"""Packed rows of Parquet as tokens at any place: what `curation.tokens.pack` writes, read anyhow.

A row group is fetched whole and decompressed for one sample of it, so the last ones are held. The
rows are one stream, as those of the other format are: packed by concatenation, it is the same one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from curation.errors import InputError
from curation.tokens.dtypes import TokenArray
from curation.tokens.manifest import Manifest, ShardEntry
from curation.tokens.pack import packed_schema

GROUPS_HELD = 32
"""Row groups in memory, over all shards of a source."""

ReadGroup = Callable[[Path, int], TokenArray]


@dataclass(frozen=True, eq=False)
class PackedShard:
    """The tokens of a packed file, row after row."""

    path: Path
    starts: npt.NDArray[np.int64]
    """Position of each row group's first token, and the number of tokens at the end."""
    read_group: ReadGroup

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, part: slice, /) -> TokenArray:
        start, stop, _ = part.indices(len(self))
        parts: list[TokenArray] = []
        group = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            offset = start - int(self.starts[group])
            parts.append(self.read_group(self.path, group)[offset : offset + stop - start])
            start += len(parts[-1])
            group += 1
        return np.concatenate([np.empty(0, np.uint16), *parts])


def open_packed(manifest: Manifest, folder: Path) -> tuple[PackedShard, ...]:
    """The packed files of `manifest` in `folder`; lengths are checked, contents are not.

    Raises:
        InputError: a file is missing, damaged, or is not the one that the manifest lists.
    """
    read_group = lru_cache(maxsize=GROUPS_HELD)(_read_group)
    return tuple(_open(entry, folder, manifest.dtype, read_group) for entry in manifest.shards)


def _open(entry: ShardEntry, folder: Path, dtype: str, read_group: ReadGroup) -> PackedShard:
    path = folder / f"{entry.name}.parquet"
    lengths = _group_lengths(path, dtype)
    if sum(lengths) != entry.n_tokens:
        raise InputError(
            f"{path}: holds {sum(lengths)} tokens, the manifest says {entry.n_tokens}; run "
            "s09_tokenize again"
        )
    return PackedShard(path, np.cumsum([0, *lengths], dtype=np.int64), read_group)


def _group_lengths(path: Path, dtype: str) -> list[int]:
    """Tokens of each row group."""
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(packed_schema(dtype)):
                raise InputError(
                    f"{path}: not packed rows of {dtype}: its columns are {_columns(file)}"
                )
            groups = range(file.num_row_groups)
            tables = [file.read_row_group(group, columns=["n_tokens"]) for group in groups]
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error
    return [int(np.sum(table.column("n_tokens").to_numpy(), dtype=np.int64)) for table in tables]


def _columns(file: pq.ParquetFile) -> str:
    return ", ".join(f"{field.name} {field.type}" for field in file.schema_arrow)


def _read_group(path: Path, group: int) -> TokenArray:
    try:
        with pq.ParquetFile(path) as file:
            column = file.read_row_group(group, columns=["tokens"]).column("tokens")
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error
    chunks = cast("list[pa.ListArray[Any]]", column.chunks)
    return np.concatenate([chunk.flatten().to_numpy() for chunk in chunks])


def _damaged(path: Path, error: Exception) -> InputError:
    told = " ".join(str(error).split())
    return InputError(f"{path}: not readable as Parquet: {told}; run s09_tokenize again")
