"""`curation where SHARD:OFFSET`: from a token back to its document, WARC record and prompt."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from curation.errors import InputError
from curation.model_store import tokenizer_file
from curation.report.run import Run, open_run
from curation.tokens.files import sha256_of
from curation.tokens.manifest import Manifest, read_manifest
from curation.tokens.megatron import IndexedDataset, read_indexed

TOKENS_AROUND = 24
"""Tokens of the document shown before and from the one asked for."""

_PLACE = re.compile(r"(?P<shard>[^:/]+):(?P<offset>[0-9]+)")


@dataclass(frozen=True)
class Origin:
    """Where a token is from."""

    shard: str
    offset: int
    """Tokens of the shard before it."""
    token: int
    document: int
    """Number in the shard of the document that it is in, from 0; as in NAME.idx."""
    around: str
    """Text of that document about the token."""
    facts: dict[str, str]
    """What the tables know of the document, by column, in the order of the flow backwards."""


def where(out: Path, place: str) -> Origin:
    """The origin of the token at `place`, `SHARD:OFFSET`, of the run in `out`.

    Documents lie in the shards in the blend's order, so that the number of documents before it is
    its place in the blend. Cost: one sort of the blend's keys by DuckDB.

    Raises:
        InputError: `place` is not such, there is no such shard or token, or the shards were made of
            another blend than the one that is there.
    """
    name, offset = _parsed(place)
    folder = out / "tokens"
    manifest = read_manifest(folder / "manifest.json")
    stored = _stored(folder, manifest, name)
    if offset >= len(stored.tokens):
        raise InputError(f"{place}: shard {name} has {len(stored.tokens)} tokens, counted from 0")
    document = int(np.searchsorted(stored.starts, offset, side="right")) - 1
    before = takewhile(lambda entry: entry.name != name, manifest.shards)
    rank = sum(entry.n_documents for entry in before) + document
    with open_run(out) as run:
        facts = _facts(run, rank, manifest)
    around = _around(stored, document, offset, manifest)
    return Origin(name, offset, int(stored.tokens[offset]), document, around, facts)


def _parsed(place: str) -> tuple[str, int]:
    found = _PLACE.fullmatch(place.strip())
    if not found:
        raise InputError(f"where {place}: write SHARD:OFFSET, e.g. shard-00000:1234")
    return found["shard"].removesuffix(".bin"), int(found["offset"])


def _stored(folder: Path, manifest: Manifest, name: str) -> IndexedDataset:
    names = [entry.name for entry in manifest.shards]
    if name not in names:
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        raise InputError(f"{folder}: no shard {name}; there are {len(names)}: {shown}")
    return read_indexed(folder / name)


def _around(stored: IndexedDataset, document: int, offset: int, manifest: Manifest) -> str:
    file = tokenizer_file(manifest.tokenizer)
    if sha256_of(file) != manifest.tokenizer_sha256:
        raise InputError(f"where: {file} is not the tokenizer that the shards were made with")
    begin = int(stored.starts[document])
    end = begin + int(stored.lengths[document])
    shown = stored.tokens[max(begin, offset - TOKENS_AROUND) : min(end, offset + TOKENS_AROUND)]
    decoder: Tokenizer = Tokenizer.from_file(str(file))
    return str(decoder.decode([int(one) for one in shown], skip_special_tokens=False))


def _facts(run: Run, rank: int, manifest: Manifest) -> dict[str, str]:
    """Columns of the blend's row, of the text it was made of, and of the page that this is from."""
    n_blend = run.count("blend")
    if n_blend != manifest.n_documents:
        raise InputError(
            f"{run.out}: the shards hold {manifest.n_documents} documents, the blend {n_blend}; "
            "run s09_tokenize again"
        )
    blended = _row(
        run,
        ("id", "copy", "quality", "kind", "kind2", "language"),
        f'FROM blend ORDER BY "order", id, copy LIMIT 1 OFFSET {rank}',
    )
    if not _is_own(run, blended["id"]):
        return blended | _published(run, blended["id"])
    made = _made(run, blended["id"]) if blended["kind"] == "synthetic" else {}
    doc_id = made.get("doc_id", blended["id"])
    columns = ("doc_id", "url", "crawl", "warc_file", "warc_offset", "record_id", "engine")
    return blended | made | _row(run, columns, "FROM pages WHERE doc_id = ? LIMIT 1", doc_id)


def _is_own(run: Run, id_: str) -> bool:
    """Whether a text is of the run's own crawl, and not of a published file alone."""
    if not run.has("published"):
        return True
    places = (("synthetic", "synthetic_id"), ("pages", "doc_id"))
    queries = [
        f"SELECT count(*) FROM {table} WHERE {key} = ?" for table, key in places if run.has(table)
    ]
    return any(run.rows(int, query, (id_,))[0] for query in queries)


def _published(run: Run, id_: str) -> dict[str, str]:
    """The line that a published text is."""
    columns = ("corpus", "crawl", "file", "line", "warc_record_id", "url")
    rest = "FROM published WHERE id = ? AND drop_reason IS NULL ORDER BY file, line LIMIT 1"
    return _row(run, columns, rest, id_)


def _made(run: Run, synthetic_id: str) -> dict[str, str]:
    columns = ("stage", "task", "prompt_version", "model", "segment", "request_ids", "doc_id")
    return _row(run, columns, "FROM synthetic WHERE synthetic_id = ?", synthetic_id)


def _row(run: Run, columns: tuple[str, ...], rest: str, *values: str) -> dict[str, str]:
    """One row as text by column; nulls are left out."""
    named = ", ".join(f'"{column}"' for column in columns)
    rows = run.rows(lambda *row: row, f"SELECT {named} {rest}", values)
    if not rows:
        raise InputError(f"{run.out}: no row {rest.replace('?', repr(values and values[0]))}")
    pairs = zip(columns, rows[0], strict=True)
    return {column: _said(value) for column, value in pairs if value is not None}


def _said(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
