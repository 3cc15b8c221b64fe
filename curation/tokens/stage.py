"""s09: the blend as token shards, for Megatron and for torch, with one manifest."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
from pyspark.sql import functions as F

from curation.blend.layout import stretch_sql
from curation.blend.stage import blend_path
from curation.config import TokensConfig, fingerprint
from curation.errors import InputError
from curation.model_store import tokenizer_file
from curation.schemas import BLEND, SHARDS
from curation.spark.batches import PartitionKernel, map_partitions
from curation.spark.funnel import Account
from curation.spark.tables import small
from curation.spark.work import Work
from curation.tokens.encode import load_encoder
from curation.tokens.files import sha256_of
from curation.tokens.fim import document_key
from curation.tokens.manifest import Manifest, ShardEntry, write_manifest
from curation.tokens.pack import append_eod
from curation.tokens.shard import write_shard

TOKENS_PER_WORD = 1.5
"""Rough ratio by which the number of shards is chosen; the shards hold what they hold."""


def tokenize(work: Work) -> Account:
    """Encode the blend in its global order and write the shards and their manifest."""
    path = blend_path(work.conf.out)
    rows = work.store.read_parquet(path, BLEND)
    n_words = small(rows.agg(F.sum("n_words").alias("words")))[0]["words"]
    n_rows = work.rows_out("s08_blend")
    if not n_words:
        raise InputError(f"tokens: the blend at {path} has no rows; see the weights in `blend`")
    n_shards = max(1, round(n_words * TOKENS_PER_WORD / work.conf.tokens.tokens_per_shard))
    shard = F.expr(stretch_sql("`order`", str(n_shards)))
    placed = rows.select(shard.alias("shard"), "order", "id", "copy", "text")
    sorted_rows = placed.repartitionById(n_shards, F.col("shard")).sortWithinPartitions(
        "order", "id", "copy"
    )
    folder = tokens_folder(work.conf.out)
    work.write(map_partitions(sorted_rows, shard_writer(folder, work.conf.tokens), SHARDS), SHARDS)
    return _finish(work, folder, n_rows)


def tokens_folder(out: str) -> Path:
    """Folder of the shards: local, or mounted on every executor."""
    return Path(out, "tokens")


def shard_writer(folder: Path, conf: TokensConfig) -> PartitionKernel:
    """Writes the one shard that a partition holds."""

    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        encoder = load_encoder(str(tokenizer_file(conf.tokenizer)))
        batches = iter(batches)
        first = next(batches, None)
        if first is not None:
            shard = first["shard"][0].as_py()
            ids = (
                ids
                for batch in itertools.chain([first], batches)
                for ids in encoder.encode_documents(_texts(batch), _keys(batch), conf)
            )
            entry = write_shard(
                folder, f"shard-{shard:05d}", append_eod(ids, encoder.eod_id), encoder.dtype,
                sequence_length=conf.sequence_length, packing=conf.packing,
            )  # fmt: skip
            row = {"shard": shard, **entry.model_dump()}
            yield pa.RecordBatch.from_pylist([row], schema=SHARDS.columns)

    return run


def _texts(batch: pa.RecordBatch) -> list[str]:
    return [str(text) for text in batch["text"].to_pylist()]


def _keys(batch: pa.RecordBatch) -> list[str]:
    ids, copies = batch["id"].to_pylist(), batch["copy"].to_pylist()
    return [document_key(str(id_), int(str(copy))) for id_, copy in zip(ids, copies, strict=True)]


def _finish(work: Work, folder: Path, n_rows: int) -> Account:
    rows = small(work.read(SHARDS).orderBy("shard"))
    shards = [ShardEntry(**{k: v for k, v in row.asDict().items() if k != "shard"}) for row in rows]
    write_manifest(_manifest(work, shards), folder / "manifest.json")
    _remove_strays(folder, {entry.name for entry in shards})
    n_documents = sum(entry.n_documents for entry in shards)
    n_tokens = sum(entry.n_tokens for entry in shards)
    return Account(n_rows, n_documents, {}, n_tokens, lambda: [entry.name for entry in shards])


def _manifest(work: Work, shards: list[ShardEntry]) -> Manifest:
    conf = work.conf.tokens
    file = tokenizer_file(conf.tokenizer)
    encoder = load_encoder(str(file))
    return Manifest(
        tokenizer=conf.tokenizer,
        tokenizer_sha256=sha256_of(file),
        vocabulary_size=encoder.vocabulary_size,
        eod_id=encoder.eod_id,
        dtype="uint16" if encoder.dtype.name == "uint16" else "int32",
        sequence_length=conf.sequence_length,
        packing=conf.packing,
        fim_rate=conf.fim_rate,
        fim_tokens=conf.fim_tokens if conf.fim_rate else (),
        fim_seed=conf.seed if conf.fim_rate else 0,
        blend_fingerprint=fingerprint(work.conf.blend),
        n_documents=sum(s.n_documents for s in shards),
        n_tokens=sum(s.n_tokens for s in shards),
        shards=tuple(shards),
    )


def _remove_strays(folder: Path, names: set[str]) -> None:
    """Delete shards of an earlier, larger blend."""
    for file in folder.glob("shard-*"):
        if file.name.partition(".")[0] not in names:
            file.unlink()
