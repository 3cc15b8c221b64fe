"""Chunks: which WARC files belong together, decided once and kept in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from curation.config import RunConfig
from curation.crawl.listing import WarcFile, chunk_id, group, list_warcs
from curation.errors import InputError
from curation.pipeline import Stage
from curation.schemas import LEDGER
from curation.spark.tables import Store, Txn, small


@dataclass(frozen=True)
class Chunk:
    """Files that commit together."""

    name: str
    files: tuple[WarcFile, ...]
    wanted: bool
    """Whether the run's input names one of its files."""


def plan_chunks(store: Store, conf: RunConfig) -> dict[str, Chunk]:
    """Chunks of the crawl by name; files that no chunk has yet are grouped into new ones.

    A file stays in its chunk for good, so that a later run with other files does not read it
    twice. A file that has changed its size is read again, with its chunk.

    Raises:
        InputError: a path or pattern of the input matches nothing.
    """
    listed = {file.path: file for file in list_warcs(input_patterns(conf))}
    known = _known(store, conf.crawl)
    new = [file for path, file in listed.items() if path not in known]
    groups = {
        chunk_id(conf.crawl, files): files for files in group(new, conf.input.files_per_chunk)
    }
    _expect(store, conf.crawl, groups)
    members: dict[str, list[WarcFile]] = {name: list(files) for name, files in groups.items()}
    for path, (chunk, n_bytes) in known.items():
        members.setdefault(chunk, []).append(listed.get(path, WarcFile(path, n_bytes)))
    return {name: _chunk(name, files, listed) for name, files in sorted(members.items())}


def _chunk(name: str, files: Sequence[WarcFile], listed: dict[str, WarcFile]) -> Chunk:
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return Chunk(name, ordered, wanted=any(file.path in listed for file in ordered))


def _known(store: Store, crawl: str) -> dict[str, tuple[str, int]]:
    """Chunk and last known size by file."""
    rows = small(store.read(LEDGER).where(f"crawl = '{crawl}'").orderBy("at"))
    return {row["warc_file"]: (row["chunk"], row["bytes"]) for row in rows}


def _expect(store: Store, crawl: str, groups: dict[str, tuple[WarcFile, ...]]) -> None:
    now = datetime.now(UTC)
    rows = [
        (crawl, file.path, chunk, "expected", file.n_bytes, None, None, None, None, now)
        for chunk, files in groups.items()
        for file in files
    ]
    if rows:
        mark = Txn(f"ledger/{crawl}/expected/{','.join(sorted(groups))}", 1)
        store.append(store.make(rows, LEDGER), LEDGER, mark)


def known_files(store: Store, crawl: str) -> dict[str, list[WarcFile]]:
    """Files of every chunk of `crawl`, sorted, with the sizes that the ledger has of them."""
    found: dict[str, list[WarcFile]] = {}
    for path, (chunk, n_bytes) in sorted(_known(store, crawl).items()):
        found.setdefault(chunk, []).append(WarcFile(path, n_bytes))
    return found


def build_sample_if_asked(conf: RunConfig, stages: Sequence[Stage]) -> None:
    """Write the sample crawl where the input names no files and the first stage is to run."""
    if not conf.input.paths and _reads_files(stages):
        from curation.sample.build import build_sample  # only a demo needs its stock of prose

        pages, seed = conf.input.sample_pages, conf.input.sample_seed
        build_sample(sample_folder(conf), n_pages=pages, seed=seed)


def check_input(conf: RunConfig, stages: Sequence[Stage]) -> None:
    """See that what the first of `stages` reads is there.

    Raises:
        InputError: a path or pattern matches nothing; or none is given, and the run's folder
            holds the tables of other files than the sample crawl; or `stages` begin after the
            first and there is no run to go on with.
    """
    has_run = Path(conf.out, "tables", LEDGER.name).exists()
    if not _reads_files(stages):
        if stages and not has_run:
            raise InputError(f"{stages[0].name}: no run in {conf.out} to go on with; run s01 first")
    elif conf.input.paths:
        list_warcs(conf.input.paths)
    elif has_run and not sample_folder(conf).is_dir():
        raise InputError(
            f"out: {conf.out} holds a run over files of your own, and input.paths names none: give "
            "--input again (any of the files), or another --out for the sample crawl"
        )


def _reads_files(stages: Sequence[Stage]) -> bool:
    return any(not stage.after for stage in stages)


def input_patterns(conf: RunConfig) -> Sequence[str]:
    """The input's patterns, or those of the sample crawl in the run's folder."""
    return conf.input.paths or (str(sample_folder(conf) / "*.warc.gz"),)


def sample_folder(conf: RunConfig) -> Path:
    """Where the sample crawl lies that is built when the input names no files."""
    return Path(conf.out, "sample")
