"""`curation publish`: the blend of a run as JSON lines, written by Spark, a task a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import functions as F

from curation.config import RunConfig, SparkConfig, settings_of_run
from curation.errors import InputError
from curation.publish.files import part_name, write_parts
from curation.schemas import BLEND, Table, column
from curation.spark.batches import Kernel, map_batches
from curation.spark.session import open_session
from curation.spark.tables import Store, path_of, small

Tell = Callable[[str], object]

_PARTS = Table(
    "parts",
    "Files of the blend, and what becomes of them. Not a table of the run.",
    pa.schema([
        column("source", pa.string(), "File of the blend"),
        column("crawls", pa.list_(pa.string()), "Crawls that its texts are of; null: not said"),
        column("targets", pa.list_(pa.string()), "File of JSON lines of each of them"),
        column("n_rows", pa.list_(pa.int64()), "Lines of each of these"),
    ]),
    key=("source",),
)  # fmt: skip


def publish(folder: Path, target: Path, tell: Tell) -> None:
    """Write the blend of the run in `folder` into `target`, a folder that is empty or not there.

    Raises:
        InputError: there is no blend, or something lies in `target`.
    """
    _check(folder, target)
    conf = SparkConfig.model_validate(settings_of_run(folder).get("spark", {}))
    spark = open_session(conf, "curation publish", log=folder / "logs/spark.log")
    try:
        store = Store(spark, f"{folder}/tables")
        parts = _parts(_crawls(store, folder), folder, target.resolve())
        # As many tasks as files: they are of very different sizes.
        made = store.make(parts, _PARTS).repartition(len(parts), "source")
        rows = small(map_batches(made, _kernel, _PARTS))
    finally:
        spark.stop()
    sizes: Counter[str] = Counter()
    n_files = 0
    for row in rows:
        for path, n_rows in zip(row["targets"], row["n_rows"], strict=True):
            sizes[str(Path(path).parent.relative_to(target.resolve()))] += n_rows
            n_files += 1
    for name, n_rows in sorted(sizes.items()):
        tell(f"{name}: {n_rows} texts")
    tell(f"{n_files} files, {sum(sizes.values())} texts: {target}")


def _check(folder: Path, target: Path) -> None:
    if not any((folder / BLEND.name).glob("quality=*/kind=*/kind2=*/*.parquet")):
        raise InputError(f"{folder}: no blend to publish: s08_blend has not run here")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: not empty; name a new folder")


def _crawls(store: Store, folder: Path) -> dict[Path, list[str | None]]:
    """The crawls that the texts of each file of the blend are of; no text is read."""
    rows = store.read_parquet(str(folder / BLEND.name), BLEND)
    found: dict[Path, list[str | None]] = {}
    for row in small(rows.select(F.col("_metadata.file_path").alias("file"), "crawl").distinct()):
        found.setdefault(path_of(row["file"]), []).append(row["crawl"])
    return found


def _parts(
    crawls: Mapping[Path, Sequence[str | None]], folder: Path, target: Path
) -> list[tuple[str, list[str | None], list[str], list[int]]]:
    """Rows of `_PARTS`; the files of a folder and a crawl are numbered by the sources' names."""
    own = str(settings_of_run(folder).get("crawl") or RunConfig().crawl)
    numbers = Counter[tuple[Path, str]]()
    parts = []
    for source in sorted(crawls):
        named = sorted(crawls[source], key=lambda crawl: crawl or "")
        place = target / source.parent.relative_to((folder / BLEND.name).resolve())
        targets = []
        for crawl in named:
            key = (place, crawl or own)
            targets.append(str(place / part_name(crawl or own, numbers[key])))
            numbers[key] += 1
        parts.append((str(source), named, targets, [0] * len(named)))
    return parts


def _kernel() -> Kernel:
    def write(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        rows = [row | {"n_rows": _written(row)} for row in batch.to_pylist()]
        return [pa.RecordBatch.from_pylist(rows, schema=_PARTS.columns)]

    return write


def _written(row: Mapping[str, Any]) -> list[int]:
    targets = dict(zip(row["crawls"], map(Path, row["targets"]), strict=True))
    return list(write_parts(Path(row["source"]), targets).values())
