"""Files without some of their rows: a Parquet file of the blend, a shard of tokens. Pure.

Each appears whole or not at all: a reader sees the old file or the new one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.tokens.files import replacing
from curation.tokens.manifest import SUFFIXES, Manifest, ShardEntry
from curation.tokens.megatron import read_indexed
from curation.tokens.shard import write_shard

_REWRITTEN = re.compile(r"(.+)-r(\d+)")


def without_ids(path: Path, ids: Set[str]) -> int:
    """Rewrite a file of the blend without the rows whose `id` is one of `ids`; how many they were.

    A file that keeps no row is removed. One row group is in memory at a time.
    """
    gone = pa.array(sorted(ids), pa.string())
    with pq.ParquetFile(path) as file, replacing(path) as temporary:
        with pq.ParquetWriter(temporary, file.schema_arrow, compression="snappy") as writer:
            n_kept = sum(_copy_group(file, group, gone, writer)
                         for group in range(file.num_row_groups))  # fmt: skip
        n_gone = file.metadata.num_rows - n_kept
        # Hadoop checks a file against this one, and would call the new file damaged.
        path.with_name(f".{path.name}.crc").unlink(missing_ok=True)
    if not n_kept:
        path.unlink()
    return n_gone


def _copy_group(
    file: pq.ParquetFile, group: int, gone: pa.Array[Any], writer: pq.ParquetWriter
) -> int:
    rows = file.read_row_group(group)
    kept = rows.filter(pc.invert(pc.is_in(rows["id"], value_set=gone)))
    if kept.num_rows:
        writer.write_table(kept)
    return int(kept.num_rows)


def without_documents(
    folder: Path, manifest: Manifest, places: Iterable[tuple[str, int]]
) -> Manifest:
    """`manifest` without the documents at `places`: name of a shard, and number in it.

    The shards concerned are written under new names beside the old ones, which stay until the
    caller has put the manifest in place; one that keeps no document is left out.
    """
    gone: dict[str, set[int]] = {}
    for name, number in places:
        gone.setdefault(name, set()).add(number)
    entries = [
        _rewritten(folder, entry, gone[entry.name], manifest) if entry.name in gone else entry
        for entry in manifest.shards
    ]
    shards = tuple(entry for entry in entries if entry is not None)
    totals = {
        "n_documents": sum(entry.n_documents for entry in shards),
        "n_tokens": sum(entry.n_tokens for entry in shards),
    }
    return Manifest.model_validate({**dict(manifest), **totals, "shards": shards})


def _rewritten(
    folder: Path, entry: ShardEntry, gone: Set[int], manifest: Manifest
) -> ShardEntry | None:
    old, name = read_indexed(folder / entry.name), next_name(entry.name)
    kept = [number for number in range(len(old)) if number not in gone]
    if not kept:
        return None
    return write_shard(
        folder, name, (old[number] for number in kept), old.tokens.dtype,
        sequence_length=manifest.sequence_length, packing=manifest.packing,
    )  # fmt: skip


def next_name(name: str) -> str:
    """Name of a shard that was rewritten once more: `shard-00000-r1` of `shard-00000`."""
    found = _REWRITTEN.fullmatch(name)
    return f"{found[1]}-r{int(found[2]) + 1}" if found else f"{name}-r1"


def shard_number(name: str) -> int:
    """The number of a shard, by its name."""
    found = _REWRITTEN.fullmatch(name)
    return int((found[1] if found else name).rpartition("-")[2])


def remove_other_shards(folder: Path, names: Set[str]) -> int:
    """Delete the files of shards that are not called one of `names`; how many files."""
    strays = [
        file
        for suffix in SUFFIXES
        for file in folder.glob(f"shard-*.{suffix}")
        if file.name.removesuffix(f".{suffix}") not in names
    ]
    for file in strays:
        file.unlink()
    return len(strays)
