"""The tombstones of a run: written before anything is removed, marked when all is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.schemas import TOMBSTONES
from curation.spark.batches import spark_schema
from curation.spark.tables import Store
from curation.takedown.selectors import Selector

_KEY = list(TOMBSTONES.key)


def read_tombstones(store: Store) -> DataFrame | None:
    """Rows of TOMBSTONES; None where nothing was ever taken down."""
    return store.read(TOMBSTONES) if store.exists(TOMBSTONES) else None


def wanted_tombstones(store: Store, wanted: Sequence[Selector], reason: str) -> DataFrame:
    """Rows of TOMBSTONES for what is asked for by name."""
    now = datetime.now(UTC)
    rows = [(one.kind, one.value, None, reason, now, None) for one in wanted]
    return store.make(rows, TOMBSTONES)


def with_known(store: Store, asked: DataFrame) -> DataFrame:
    """The tombstones there are, and those `asked` that are new."""
    known = read_tombstones(store)
    if known is None:
        return asked
    return known.unionByName(asked.join(known, _KEY, "left_anti").select(*known.columns))


def add_tombstones(store: Store, asked: DataFrame) -> int:
    """Write those `asked` that are new, in one commit; how many."""
    store.create(TOMBSTONES)
    new = asked.dropDuplicates(_KEY).join(store.read(TOMBSTONES), _KEY, "left_anti")
    rows = new.select(*TOMBSTONES.columns.names).localCheckpoint()
    n_new = rows.count()
    if n_new:
        conformed = rows.to(spark_schema(TOMBSTONES, nullable=True))
        conformed.write.format("delta").mode("append").save(store.path(TOMBSTONES))
    return n_new


def unfinished(store: Store) -> int:
    """Tombstones whose rows may not all be removed yet."""
    known = read_tombstones(store)
    return 0 if known is None else known.where("done_at IS NULL").count()


def mark_done(store: Store) -> None:
    """Note that every row of every tombstone is removed."""
    if unfinished(store):
        table = DeltaTable.forPath(store.spark, store.path(TOMBSTONES))
        table.update("done_at IS NULL", {"done_at": F.lit(datetime.now(UTC))})
