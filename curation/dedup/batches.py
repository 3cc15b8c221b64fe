"""What has been compared already: the batches of s03, and whether a new one may build on them.

A *batch* is one attempt of s03. It compares the chunks that are new with everything before; what it
wrote counts once `dedup_batches` names it. A batch begins from nothing where an earlier chunk has
been measured anew, has vanished, or other settings decide what is alike: a document that is gone
can have held two others together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as F

from curation.config import DedupConfig, fingerprint
from curation.schemas import DEDUP_BATCHES, DOCUMENTS, Table
from curation.spark.tables import small
from curation.spark.work import Work

_OF_SURVIVORS = {
    "survivor", "survivor_score", "survivor_sources", "survivor_engines", "substring_tokens",
    "substring_tokens_left", "domain_documents", "max_rounds",
}  # fmt: skip
"""Settings that choose among copies or look at survivors; they need no new comparison."""


@dataclass(frozen=True)
class Batch:
    """The batch at hand."""

    number: int
    base: int
    """First batch that counts; its own number where it begins from nothing."""
    settings: str
    new_chunks: Mapping[str, str]
    """Fingerprint of s02 by chunk that no earlier batch has compared."""
    earlier: tuple[int, ...]
    """Finished batches of the same base."""
    documents_version: int | None
    """Version of `documents` that the last finished batch left; None: there was none."""

    @property
    def rebuilds(self) -> bool:
        """Whether it begins from nothing."""
        return self.base == self.number


def plan_batch(work: Work) -> Batch:
    """The batch that `work` is to do, by what the finished ones before it compared."""
    before = work.store.read(DEDUP_BATCHES).where(F.col("batch") < work.attempt)
    return batch_after(
        small(before),
        number=work.attempt,
        settings=likeness(work.conf.dedup),
        measured=work.finished("s02_measure"),
    )


def batch_after(
    before: Sequence[Row], *, number: int, settings: str, measured: Mapping[str, str]
) -> Batch:
    """The batch `number` after those of the rows `before` of DEDUP_BATCHES.

    Args:
        before: Rows of finished batches.
        number: Attempt.
        settings: `likeness` of the configuration.
        measured: Fingerprint of every chunk that is measured.
    """
    if not before:
        return Batch(number, number, settings, measured, (), None)
    last = max(before, key=lambda row: row["batch"])
    version, base = last["documents_version"], last["base"]
    rows = [row for row in before if row["base"] == base]
    compared = {row["chunk"]: row["measured"] for row in rows if row["chunk"] is not None}
    same = all(measured.get(chunk) == print_ for chunk, print_ in compared.items())
    if not same or last["settings"] != settings:
        return Batch(number, number, settings, measured, (), version)
    new = {chunk: print_ for chunk, print_ in measured.items() if chunk not in compared}
    return Batch(number, base, settings, new, tuple({row["batch"] for row in rows}), version)


def likeness(conf: DedupConfig) -> str:
    """Fingerprint of the settings that decide which documents are alike."""
    return fingerprint(conf.model_dump(mode="json", exclude=_OF_SURVIVORS))


def of_batches(work: Work, table: Table, batch: Batch) -> DataFrame:
    """Rows of `table` by the finished batches that `batch` builds on, and by itself."""
    counting = sorted({*batch.earlier, batch.number})
    return work.store.read(table).where(F.col("batch").isin(counting))


def finish_batch(work: Work, batch: Batch) -> None:
    """Make the batch count: after all its other tables are written."""
    version = work.store.version(DOCUMENTS)
    chunks: list[tuple[str | None, str | None]] = [*sorted(batch.new_chunks.items())]
    told = chunks or [(None, None)]
    rows = [(batch.number, batch.base, batch.settings, *chunk, version) for chunk in told]
    work.append(work.store.make(rows, DEDUP_BATCHES), DEDUP_BATCHES)
