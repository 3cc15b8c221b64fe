"""`curation takedown`: what is asked for, shown and done over the run in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pyspark.sql import DataFrame

from curation.config import SparkConfig, settings_of_run
from curation.errors import InputError
from curation.report.html import write_report
from curation.schemas import CLUSTERS, PAGES, PUBLISHED, TOMBSTONES
from curation.spark.session import open_session
from curation.spark.tables import Store
from curation.takedown.removal import (
    Found,
    Tell,
    find,
    remove_all,
    shards_said,
    tombstones_of_duplicates,
    vacuum,
)
from curation.takedown.selectors import Selector, said
from curation.takedown.tombstones import (
    add_tombstones,
    wanted_tombstones,
    with_known,
)


@dataclass(frozen=True)
class Takedown:
    """What is asked for."""

    wanted: Sequence[Selector]
    """None: what the run's tombstones name already."""
    reason: str = ""
    with_duplicates: bool = False
    yes: bool = False
    """Do it; else it is only shown."""
    vacuum: bool = False


def take_down(folder: Path, asked: Takedown, tell: Tell) -> None:
    """Show what goes, and where `asked` says so, remove it.

    Raises:
        InputError: nothing is named, or the folder has no pages.
    """
    _check(folder, asked)
    conf = SparkConfig.model_validate(settings_of_run(folder).get("spark", {}))
    spark = open_session(conf, "curation takedown", log=folder / "logs/spark.log")
    try:
        store = Store(spark, f"{folder}/tables")
        new = _asked_tombstones(store, asked)
        found = find(store, str(folder), with_known(store, new))
        _show(found, asked, tell)
        if asked.yes:
            _do(store, folder, asked, new, tell)
        else:
            tell("Nothing is changed; --yes removes it.")
    finally:
        spark.stop()


def _check(folder: Path, asked: Takedown) -> None:
    if not any((folder / "tables" / table.name).is_dir() for table in (PAGES, PUBLISHED)):
        raise InputError(f"{folder}: no pages to take down: s01_extract has not run here")
    if not asked.wanted and not (folder / "tables" / TOMBSTONES.name).is_dir():
        raise InputError("takedown: name what to take down: --url, --domain or --doc-id")


def _asked_tombstones(store: Store, asked: Takedown) -> DataFrame:
    """Rows of TOMBSTONES for what is named, and for its duplicates where those are asked for."""
    named = wanted_tombstones(store, asked.wanted, asked.reason)
    has_clusters = store.exists(CLUSTERS)  # a run of published texts alone has none
    if not (asked.wanted and asked.with_duplicates and has_clusters):
        return named
    return named.unionByName(tombstones_of_duplicates(store, named)).localCheckpoint()


def _show(found: Found, asked: Takedown, tell: Tell) -> None:
    named = said(asked.wanted) or "the run's tombstones"
    if found.is_nothing:
        then = "the tombstone is kept, for crawls to come" if asked.yes else "--yes would keep a " \
            "tombstone all the same, for crawls to come"  # fmt: skip
        tell(f"{named}: nothing of it is in this run; {then}.")
        return
    tell(f"{named}: {found.rows.get('pages', 0)} pages. Rows that {_verb(asked)}:")
    for name, n_rows in found.rows.items():
        tell(f"  {name}: {n_rows}")
    if found.n_copies:
        tell(f"  blend: {found.n_copies} copies")
    if found.shards.state != "none":
        tell(f"  {shards_said(found.shards, done=False)}")
    _show_elsewhere(found, tell)


def _verb(asked: Takedown) -> str:
    return "go" if asked.yes else "would go"


def _show_elsewhere(found: Found, tell: Tell) -> None:
    if found.elsewhere:
        told = ", ".join(f"{n} {kind}" for kind, n in sorted(found.elsewhere.items()))
        tell(f"Duplicates at other URLs, which stay: {told}; --with-duplicates takes them too.")


def _do(store: Store, folder: Path, asked: Takedown, new: DataFrame, tell: Tell) -> None:
    tell(f"tombstones: {add_tombstones(store, new)} rows added")
    remove_all(store, str(folder), tell)
    if (folder / "report.html").exists():
        write_report(folder)  # it shows samples of texts
    _say_what_is_left(folder, tell)
    if asked.vacuum:
        names = vacuum(store)
        tell(f"VACUUM of {', '.join(names)}: versions before this one can no longer be read; a "
             "reader that has one open fails, and is to be started again.")  # fmt: skip
    else:
        tell("Old versions of the Delta tables still hold these rows; `curation takedown "
             f"{folder} --yes --vacuum` deletes their files for good.")  # fmt: skip


def _say_what_is_left(folder: Path, tell: Tell) -> None:
    tell("Not touched: the WARC files themselves, and copies made outside this folder.")
    if (folder / "model").is_dir():
        tell("OUT/model, and any model-ID, was trained before; the next run trains anew on what "
             "is left, if the shards have changed.")  # fmt: skip
