"""Token shards without the copies of some documents.

The shards are consecutive stretches of the blend's global order, so the place of a copy in that
order is its place in the shards. What is found there is compared with the copy's text first. The
manifest is what commits: until it is replaced, readers see the old shards, and then the new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from curation.blend.stage import blend_path
from curation.config import TokensConfig
from curation.errors import InputError
from curation.model_store import tokenizer_file
from curation.schemas import ATTEMPTS, BLEND, SHARDS, Table, column
from curation.spark.batches import Kernel, map_batches
from curation.spark.tables import Store, Txn, small
from curation.takedown.files import remove_other_shards, shard_number, without_documents
from curation.tokens.encode import load_encoder
from curation.tokens.files import sha256_of
from curation.tokens.fim import document_key
from curation.tokens.manifest import Manifest, read_manifest, write_manifest
from curation.tokens.megatron import read_indexed
from curation.tokens.stage import tokens_folder

MAX_COPIES = 500_000
"""With more copies to remove than this, making the shards anew costs less than mending them."""
BLENDED, TOKENIZED = "s08_blend", "s09_tokenize"
COMPARED = 1_000
"""Copies whose tokens are compared with their text before any is removed."""

_SLOTS = Table(
    "slots",
    "Rows of the blend between two copies that go. Not a table of the run.",
    pa.schema([
        column("slot", pa.int64(), "How many of the copies that go do not come after them"),
        column("n", pa.int64(), "Rows"),
    ]),
    key=("slot",),
)  # fmt: skip


@dataclass(frozen=True)
class ShardPlan:
    """What is to be done to the shards."""

    state: Literal["none", "cut", "drop"]
    """none: nothing | cut: the documents at `places` go | drop: all shards go, to be made anew."""
    places: tuple[tuple[str, int], ...] = ()
    n_tokens: int = 0
    why: str = ""


def plan_shards(store: Store, out: str, copies: DataFrame | None, *, is_open: bool) -> ShardPlan:
    """What a takedown does to the shards.

    Args:
        store: The run's tables.
        out: Folder of the run.
        copies: `copies_of` the documents; None: the run has no blend.
        is_open: Whether a tombstone is not dealt with yet, or a table has rows of the documents.
            Only then are shards dropped of which it is not known what is in them.
    """
    path = tokens_folder(out) / "manifest.json"
    if not path.exists():
        return ShardPlan("none")
    manifest = read_manifest(path)
    n_blend = store.read_parquet(blend_path(out), BLEND).count() if copies is not None else 0
    n_copies = copies.count() if copies is not None else 0
    why = _not_of_blend(store, manifest, None if copies is None else n_blend, n_copies)
    if why:
        return _dropped(manifest, why) if is_open or n_copies else ShardPlan("none")
    if copies is None or n_blend - n_copies == manifest.n_documents:
        return ShardPlan("none")  # also where a takedown was broken off
    if n_copies > MAX_COPIES:
        return _dropped(manifest, f"{n_copies} copies go, more than {MAX_COPIES}")
    return _cut(store, out, copies, manifest)


def _not_of_blend(
    store: Store, manifest: Manifest, n_blend: int | None, n_copies: int
) -> str | None:
    """Why the shards are not those of the blend beside them; None: they are.

    A takedown that was broken off may have taken the copies out of the shards, and not of the
    blend yet.
    """
    if n_blend is None:
        return "there is no blend beside them"
    if manifest.n_documents not in (n_blend, n_blend - n_copies):
        return f"they hold {manifest.n_documents} documents, the blend {n_blend}"
    if _begun(store, BLENDED) > _begun(store, TOKENIZED):
        return "the blend was made anew after them"
    return None


def _begun(store: Store, stage: str) -> datetime:
    """When work on `stage` last began; the beginning of time where it never did."""
    if not store.exists(ATTEMPTS):
        return datetime.min
    tries = store.read(ATTEMPTS).where(F.col("stage") == stage)
    return small(tries.agg(F.max("begun_at").alias("at")))[0]["at"] or datetime.min


def _dropped(manifest: Manifest, why: str) -> ShardPlan:
    return ShardPlan("drop", n_tokens=manifest.n_tokens, why=why)


def _cut(store: Store, out: str, copies: DataFrame, manifest: Manifest) -> ShardPlan:
    rows = small(copies.select("order", "id", "copy").orderBy("order", "id", "copy"))
    orders = np.array([row["order"] for row in rows], np.int64)
    blend = store.read_parquet(blend_path(out), BLEND)
    places = places_in_shards(_ranks(blend, orders), manifest)
    folder = tokens_folder(out)
    texts = copies.select("order", "id", "copy", "text").orderBy("order", "id", "copy")
    if not _are_there(folder, places, small(texts.limit(COMPARED)), manifest):
        return _dropped(manifest, "their tokens are not those of the blend's texts")
    return ShardPlan("cut", tuple(places), _n_tokens(folder, places))


def _ranks(blend: DataFrame, orders: npt.NDArray[np.int64]) -> list[int]:
    """How many rows of the blend come before each of the sorted `orders`."""
    slots = map_batches(blend.select("order"), _slot_kernel(orders), _SLOTS)
    sums = small(slots.groupBy("slot").agg(F.sum("n").alias("n")))
    counts = np.zeros(len(orders) + 1, np.int64)
    for row in sums:
        counts[row["slot"]] = row["n"]
    return [int(rank) for rank in np.cumsum(counts)[:-1]]


def _slot_kernel(orders: npt.NDArray[np.int64]) -> Callable[[], Kernel]:
    def count(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        slots = np.searchsorted(orders, batch["order"].to_numpy(), side="right")
        found, n_rows = np.unique(slots, return_counts=True)
        columns = {"slot": found.astype(np.int64), "n": n_rows.astype(np.int64)}
        return [pa.RecordBatch.from_pydict(columns, schema=_SLOTS.columns)]

    return lambda: count


def places_in_shards(ranks: Sequence[int], manifest: Manifest) -> list[tuple[str, int]]:
    """Name of the shard, and number in it, of the documents at `ranks` of the global order."""
    ends = list(accumulate(shard.n_documents for shard in manifest.shards))
    found = np.searchsorted(np.array(ends), np.array(ranks), side="right")
    return [
        (manifest.shards[shard].name, rank - ends[shard] + manifest.shards[shard].n_documents)
        for shard, rank in zip(found.tolist(), ranks, strict=True)
    ]


def _are_there(
    folder: Path, places: Sequence[tuple[str, int]], copies: Sequence[Row], manifest: Manifest
) -> bool:
    """Whether the documents at the first of `places` are `copies` of the blend, by their tokens."""
    file = tokenizer_file(manifest.tokenizer)
    if sha256_of(file) != manifest.tokenizer_sha256:
        raise InputError(f"tokens: {file} is not the tokenizer that the shards were made with")
    encoder = load_encoder(str(file))
    made_by = TokensConfig(tokenizer=manifest.tokenizer)
    if manifest.fim_rate:
        made_by = TokensConfig(
            tokenizer=manifest.tokenizer, fim_rate=manifest.fim_rate,
            fim_tokens=manifest.fim_tokens, seed=manifest.fim_seed,
        )  # fmt: skip
    texts = [row["text"] for row in copies]
    keys = [document_key(row["id"], row["copy"]) for row in copies]
    tokens = encoder.encode_documents(texts, keys, made_by)
    stored = {name: read_indexed(folder / name) for name, _ in places[: len(copies)]}
    return all(
        np.array_equal(stored[name][number], [*ids, encoder.eod_id])
        for (name, number), ids in zip(places, tokens, strict=False)
    )


def _n_tokens(folder: Path, places: Sequence[tuple[str, int]]) -> int:
    lengths = {name: read_indexed(folder / name).lengths for name in {name for name, _ in places}}
    return sum(int(lengths[name][number]) for name, number in places)


def apply_plan(store: Store, out: str, plan: ShardPlan) -> None:
    """Do what `plan` says, and bring `shards` in step with the manifest."""
    folder = tokens_folder(out)
    path = folder / "manifest.json"
    if plan.state == "drop":
        path.unlink()  # first: without it the files are nobody's
    elif plan.state == "cut":
        write_manifest(without_documents(folder, read_manifest(path), plan.places), path)
    manifest = read_manifest(path) if path.exists() else None
    if folder.is_dir():
        names = {entry.name for entry in manifest.shards} if manifest else set()
        remove_other_shards(folder, names)
    _note_shards(store, manifest)


def _note_shards(store: Store, manifest: Manifest | None) -> None:
    if not store.exists(SHARDS):
        return
    rows: list[tuple[Any, ...]] = [
        (shard_number(entry.name), *entry.model_dump().values())
        for entry in (manifest.shards if manifest else ())
    ]
    noted = {tuple(row) for row in small(store.read(SHARDS))}
    if noted != set(rows):
        mark = Txn(f"takedown/shards/{store.version(SHARDS)}", 1)
        store.replace(store.make(rows, SHARDS), SHARDS, mark, where="")
