"""Chunks: which WARC files belong together, decided once and kept in the ledger.

The ledger has a row for each change of a file's state. A file begins as `expected`, and is expected
once more each time that it is retried: the number of those rows is the number of its tries.
"""

from __future__ import annotations

import glob
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from curation.config import RunConfig, fingerprint
from curation.crawl.client import check_url, is_url
from curation.crawl.commoncrawl import crawl_files, with_sizes
from curation.crawl.listing import (
    UNKNOWN_BYTES,
    State,
    WarcFile,
    chunk_id,
    group,
    list_warcs,
)
from curation.errors import InputError
from curation.pipeline import Stage
from curation.schemas import LEDGER
from curation.spark.tables import Store, Txn, small
from curation.spark.work import Work

NO_RETRY: frozenset[State] = frozenset()
FAILED: frozenset[State] = frozenset({"failed"})
FAILED_AND_DEAD: frozenset[State] = frozenset({"failed", "dead"})

_FILES_PER_NOTE = 5_000
"""New files whose sizes are asked for before they are noted: what a broken-off planning loses."""


@dataclass(frozen=True)
class Chunk:
    """Files that commit together."""

    name: str
    files: tuple[WarcFile, ...]
    wanted: bool
    """Whether the run's input names one of its files."""


@dataclass(frozen=True)
class Known:
    """What the ledger says of a file."""

    chunk: str
    file: WarcFile
    state: State


def plan_chunks(
    store: Store, conf: RunConfig, *, retry: AbstractSet[State] = NO_RETRY
) -> dict[str, Chunk]:
    """Chunks of the crawl by name; files that no chunk has yet are grouped into new ones.

    A file stays in its chunk for good, so that a later run with other files does not read it
    twice. A file that has changed its size is read again, with its chunk; one behind an address
    keeps the size that it was first seen with.

    Args:
        store: The run's tables.
        conf: The run.
        retry: States whose files are asked for again: `NO_RETRY`, `FAILED`, `FAILED_AND_DEAD`. The
            whole chunk of such a file is done again, and its rows replaced.

    Raises:
        InputError: a path or pattern of the input matches nothing, or no crawl has its id.
        FetchFailed: the size of a file cannot be had.
        FetchBanned: a host answered 403.
    """
    listed = {file.path: file for file in _listed(conf)}
    known = _known(store, conf.crawl)
    known |= _expect_new(store, conf, [file for path, file in listed.items() if path not in known])
    known |= _expect_again(store, conf.crawl, _to_retry(known, listed, retry))
    members: dict[str, list[WarcFile]] = {}
    for path, one in known.items():
        members.setdefault(one.chunk, []).append(_as_listed(one.file, listed.get(path)))
    return {name: _chunk(name, files, listed) for name, files in sorted(members.items())}


def _listed(conf: RunConfig) -> list[WarcFile]:
    """Files that the input names."""
    files = list_warcs(input_patterns(conf))
    for file in files:
        if is_url(file.path):
            check_url(file.path, conf.fetch)
    return [*files, *(crawl_files(conf.input, conf.fetch) if conf.input.crawl_id else ())]


def _as_listed(known: WarcFile, listed: WarcFile | None) -> WarcFile:
    if listed is None or listed.n_bytes == UNKNOWN_BYTES:
        return known
    return replace(known, n_bytes=listed.n_bytes)


def _chunk(name: str, files: Sequence[WarcFile], listed: Mapping[str, WarcFile]) -> Chunk:
    ordered = tuple(sorted(files, key=lambda file: file.path))
    return Chunk(name, ordered, wanted=any(file.path in listed for file in ordered))


def _known(store: Store, crawl: str) -> dict[str, Known]:
    """Every file of the ledger with its latest row, by path."""
    columns = ("warc_file", "chunk", "state", "bytes")
    ours = store.read(LEDGER).where(f"crawl = '{crawl}'").orderBy("at").select(*columns)
    found: dict[str, Known] = {}
    for path, chunk, state, n_bytes in small(ours):
        n_retries = -1 if path not in found else found[path].file.n_retries
        file = WarcFile(path, n_bytes, n_retries + (state == "expected"))
        found[path] = Known(chunk, file, state)
    return found


def _expect_new(store: Store, conf: RunConfig, files: Sequence[WarcFile]) -> dict[str, Known]:
    """Group new files, ask for their sizes, and note them."""
    groups = group(files, conf.input.files_per_chunk)
    n_groups = max(1, _FILES_PER_NOTE // conf.input.files_per_chunk)
    noted: dict[str, Known] = {}
    for start in range(0, len(groups), n_groups):
        chunk_of = {
            file: chunk_id(conf.crawl, members)
            for members in groups[start : start + n_groups]
            for file in members
        }
        sized = with_sizes(tuple(chunk_of), conf.fetch)
        some = [
            Known(chunk, file, "expected")
            for chunk, file in zip(chunk_of.values(), sized, strict=True)
        ]
        noted |= _expect(store, conf.crawl, some)
    return noted


def _to_retry(
    known: Mapping[str, Known], listed: Mapping[str, WarcFile], retry: AbstractSet[State]
) -> list[Known]:
    """Files in the states `retry`, of the chunks that this run works on."""
    wanted = {one.chunk for path, one in known.items() if path in listed}
    return [one for one in known.values() if one.state in retry and one.chunk in wanted]


def _expect_again(store: Store, crawl: str, files: Sequence[Known]) -> dict[str, Known]:
    again = [
        Known(one.chunk, replace(one.file, n_retries=one.file.n_retries + 1), "expected")
        for one in files
    ]
    return _expect(store, crawl, again)


def _expect(store: Store, crawl: str, files: Sequence[Known]) -> dict[str, Known]:
    """Note that `files` are expected; them by path."""
    if files:
        identity = fingerprint(sorted([one.chunk, *one.file.identity] for one in files))
        rows = _rows(crawl, "expected", ((one.chunk, one.file) for one in files))
        store.append(
            store.make(rows, LEDGER), LEDGER, Txn(f"ledger/{crawl}/expected/{identity}", 1)
        )
    return {one.file.path: one for one in files}


def _rows(
    crawl: str, state: State, files: Iterable[tuple[str, WarcFile]]
) -> list[tuple[object, ...]]:
    """Rows of the ledger for files of which nothing has been read."""
    now = datetime.now(UTC)
    return [
        (crawl, file.path, chunk, state, file.n_bytes, None, None, None, None, now)
        for chunk, file in files
    ]


def note_fetching(work: Work) -> None:
    """Note in the ledger that the files of a chunk that are addresses are being fetched."""
    files = [(work.unit, file) for file in work.files if is_url(file.path)]
    if files:
        rows = work.store.make(_rows(work.conf.crawl, "fetching", files), LEDGER)
        work.append(rows, LEDGER, part="fetching")


def known_files(store: Store, crawl: str) -> dict[str, list[WarcFile]]:
    """Files of every chunk of `crawl`, sorted, with the sizes that the ledger has of them."""
    found: dict[str, list[WarcFile]] = {}
    for _, one in sorted(_known(store, crawl).items()):
        found.setdefault(one.chunk, []).append(one.file)
    return found


def crawl_of_chunks(store: Store) -> dict[str, str]:
    """The crawl of every chunk of the ledger."""
    rows = small(store.read(LEDGER).select("chunk", "crawl").distinct())
    return {row["chunk"]: row["crawl"] for row in rows}


def build_sample_if_asked(conf: RunConfig, stages: Sequence[Stage]) -> None:
    """Write the sample crawl where the input names no files and the first stage is to run."""
    if not names_files(conf) and _reads_files(stages):
        from curation.sample.build import build_sample  # only a demo needs its stock of prose

        pages, seed = conf.input.sample_pages, conf.input.sample_seed
        build_sample(sample_folder(conf), n_pages=pages, seed=seed)


def check_input(conf: RunConfig, stages: Sequence[Stage]) -> None:
    """See that what the first of `stages` reads is there.

    Of addresses, hosts and form are checked, and a crawl's list is asked for.

    Raises:
        InputError: a path or pattern matches nothing; or none is given, and the run's folder
            holds the tables of other files than the sample crawl; or `stages` begin after the
            first and there is no run to go on with; or no crawl has the id given.
        ConfigError: a host is not one of `fetch.hosts`.
    """
    has_run = Path(conf.out, "tables", LEDGER.name).exists()
    if not _reads_files(stages):
        if stages and not has_run and not _begins_with_published(conf, stages):
            raise InputError(f"{stages[0].name}: no run in {conf.out} to go on with; run s01 first")
    elif names_files(conf):
        _listed(conf)
    elif has_run and not sample_folder(conf).is_dir():
        raise InputError(
            f"out: {conf.out} holds a run over files of your own, and input.paths names none: give "
            "--input again (any of the files), or another --out for the sample crawl"
        )


def _reads_files(stages: Sequence[Stage]) -> bool:
    return any(not stage.after for stage in stages)


def _begins_with_published(conf: RunConfig, stages: Sequence[Stage]) -> bool:
    """Whether published texts are what `stages` begin with: no crawl is needed for them."""
    return bool(conf.blend.published) and stages[0].name == "s08_blend"


def names_files(conf: RunConfig) -> bool:
    """Whether the input names files; the sample crawl is built where it does not."""
    return bool(conf.input.paths or conf.input.crawl_id)


def input_patterns(conf: RunConfig) -> Sequence[str]:
    """The input's patterns, or those of the sample crawl in the run's folder."""
    if names_files(conf):
        return conf.input.paths
    return (f"{glob.escape(str(sample_folder(conf)))}/*.warc.gz",)


def sample_folder(conf: RunConfig) -> Path:
    """Where the sample crawl lies that is built when the input names no files."""
    return Path(conf.out, "sample")
