"""s01: WARC files to pages, rejects and the ledger. One pass; every record is told."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from curation.config import RunConfig
from curation.crawl.blocklists import identity as list_hashes
from curation.crawl.blocklists import with_filter_reason
from curation.crawl.fetch import cache_folder, opened, release
from curation.crawl.listing import state_after
from curation.extract.kernel import extract_files
from curation.extract.pages import engine_versions
from curation.schemas import FILES_READ, LEDGER, OUTCOMES, PAGES, REJECTS, Table
from curation.spark.batches import Kernel, map_batches
from curation.spark.chunks import note_fetching
from curation.spark.funnel import Account
from curation.spark.tables import small
from curation.spark.work import Work
from curation.takedown.match import with_takedowns
from curation.takedown.tombstones import read_tombstones

_FILES = Table(
    "warc_files",
    "Files of a chunk, one partition each.",
    pa.schema([PAGES.columns.field(name) for name in ("warc_file", "crawl", "chunk")]),
    key=("warc_file",),
)  # fmt: skip


def extract(work: Work) -> Account:
    """Read the chunk's files; write their pages, rejects, and what became of each file."""
    note_fetching(work)
    # Kept on disk: pages, rejects and file summaries come of the same reading, which costs hours.
    outcomes = _outcomes(work).persist(StorageLevel.DISK_ONLY)
    try:
        pages = with_filter_reason(outcomes.where("outcome = 'page'"), work.conf.filter)
        pages = with_takedowns(pages, read_tombstones(work.store))
        kept = pages.where("filter_reason IS NULL")
        filtered = pages.where("filter_reason IS NOT NULL")
        rejects = _kept(outcomes, "reject", REJECTS).unionByName(_as_rejects(filtered))
        work.write(kept.select(*PAGES.columns.names), PAGES)
        work.write(rejects, REJECTS)
        files = small(outcomes.where("outcome = 'file'").select(*FILES_READ.columns.names))
        account = _account(work, files)
        release([file.path for file in work.files], work.conf.fetch, cache=_cache(work.conf))
        return account
    finally:
        outcomes.unpersist()


def identity(conf: RunConfig) -> dict[str, object]:
    """Versions of the engines, and hashes of the lists of what is not to be used.

    Raises:
        ConfigError: an engine is unknown.
        EnvironmentFault: the package of an engine is not installed.
        InputError: a list is not there.
    """
    return {"engines": engine_versions(conf.extract), "lists": list_hashes(conf)}


def _outcomes(work: Work) -> DataFrame:
    rows = [(file.path, work.crawl, work.unit) for file in work.files]
    numbered = [(*row, number) for number, row in enumerate(rows)]
    files = work.store.spark.createDataFrame(numbered, [*_FILES.columns.names, "number"])
    spread = files.repartitionById(len(rows), F.col("number").cast("int"))
    return map_batches(spread.select(*_FILES.columns.names), _kernel(work), OUTCOMES)


def _as_rejects(filtered: DataFrame) -> DataFrame:
    told = {"reason": F.col("filter_reason"), "detail": F.col("filter_detail")}
    return filtered.withColumns(told | {"record_type": F.lit("")}).select(*REJECTS.columns.names)


def _cache(conf: RunConfig) -> Path:
    return cache_folder(conf.fetch, conf.out)


def _kernel(work: Work) -> Callable[[], Kernel]:
    conf, fetch, cache = work.conf.extract, work.conf.fetch, _cache(work.conf)
    sizes = {file.path: file.n_bytes for file in work.files}

    def open_file(path: str) -> AbstractContextManager[Path]:
        return opened(path, fetch, cache=cache, n_bytes=sizes[path])

    def make() -> Kernel:
        return lambda batch: extract_files(batch, conf=conf, open_file=open_file)

    return make


def _kept(outcomes: DataFrame, outcome: str, table: Table) -> DataFrame:
    return outcomes.where(F.col("outcome") == outcome).select(*table.columns.names)


def _account(work: Work, files: list[Row]) -> Account:
    """The chunk's account, from what the tables hold and what the reader counted."""
    pages, rejects = work.read(PAGES), work.read(REJECTS)
    n_pages = {row["warc_file"]: row["count"] for row in small(pages.groupBy("warc_file").count())}
    by_reason = small(rejects.groupBy("warc_file", "reason").count())
    reasons: dict[str, int] = {}
    n_rejects: dict[str, int] = {}
    for row in by_reason:
        reasons[row["reason"]] = reasons.get(row["reason"], 0) + row["count"]
        n_rejects[row["warc_file"]] = n_rejects.get(row["warc_file"], 0) + row["count"]
    account = Account(
        rows_in=sum(file["records"] for file in files),
        rows_out=sum(n_pages.values()),
        reasons=dict(sorted(reasons.items())),
        tokens=_words(pages),
        culprits=lambda: _open_files(files, n_pages, n_rejects),
    )
    # Before the ledger says committed; the job closes every account once more.
    account.close(work.stage.name, work.unit)
    _commit(work, files, n_pages, n_rejects)
    return account


def _commit(work: Work, files: list[Row], pages: dict[str, int], rejects: dict[str, int]) -> None:
    known, dead_after = {file.path: file for file in work.files}, work.conf.fetch.dead_after
    now = datetime.now(UTC)
    rows = [
        (work.crawl, name, work.unit,
         state_after(known[name], file["error"], dead_after=dead_after), known[name].n_bytes,
         file["records"], pages.get(name, 0), rejects.get(name, 0), file["error"], now)
        for file in files
        for name in [file["warc_file"]]
    ]  # fmt: skip
    work.append(work.store.make(rows, LEDGER), LEDGER)


def _open_files(files: list[Row], pages: dict[str, int], rejects: dict[str, int]) -> list[str]:
    told = {
        f["warc_file"]: pages.get(f["warc_file"], 0) + rejects.get(f["warc_file"], 0) for f in files
    }
    return [
        f"{file['warc_file']} (records {file['records']}, told {told[file['warc_file']]})"
        for file in files
        if file["records"] != told[file["warc_file"]]
    ]


def _words(pages: DataFrame) -> int:
    words = F.size(F.split(F.trim("text"), r"\s+")).cast("long")
    return int(small(pages.agg(F.coalesce(F.sum(words), F.lit(0)).alias("words")))[0]["words"])
