"""`curation publish`: the blend of a run as JSON lines, written by Spark, a task a file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from curation.config import RunConfig, SparkConfig, settings_of_run
from curation.errors import InputError
from curation.publish.files import part_name, write_part
from curation.schemas import BLEND, Table, column
from curation.spark.batches import Kernel, map_batches
from curation.spark.session import open_session
from curation.spark.tables import Store, small

Tell = Callable[[str], object]

_PARTS = Table(
    "parts",
    "Files of the blend, and what becomes of them. Not a table of the run.",
    pa.schema([
        column("source", pa.string(), "File of the blend"),
        column("target", pa.string(), "File of JSON lines"),
        column("n_rows", pa.int64(), "Lines; 0 before it is written"),
    ]),
    key=("target",),
)  # fmt: skip


def publish(folder: Path, target: Path, tell: Tell) -> None:
    """Write the blend of the run in `folder` into `target`, a folder that is empty or not there.

    Raises:
        InputError: there is no blend, or something lies in `target`.
    """
    parts = _parts(folder, target)
    conf = SparkConfig.model_validate(settings_of_run(folder).get("spark", {}))
    spark = open_session(conf, "curation publish", log=folder / "logs/spark.log")
    try:
        made = Store(spark, f"{folder}/tables").make(parts, _PARTS)
        # As many tasks as files: they are of very different sizes.
        rows = small(map_batches(made.repartition(len(parts), "target"), _kernel, _PARTS))
    finally:
        spark.stop()
    sizes: Counter[str] = Counter()
    for row in rows:
        sizes[str(Path(row["target"]).parent.relative_to(target.resolve()))] += row["n_rows"]
    for name, n_rows in sorted(sizes.items()):
        tell(f"{name}: {n_rows} texts")
    tell(f"{len(rows)} files, {sum(sizes.values())} texts: {target}")


def _parts(folder: Path, target: Path) -> list[tuple[str, str, int]]:
    """Rows of `_PARTS`: files of each folder of the blend, numbered in the order of their names."""
    sources = sorted((folder / BLEND.name).glob("quality=*/kind=*/kind2=*/*.parquet"))
    if not sources:
        raise InputError(f"{folder}: no blend to publish: s08_blend has not run here")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InputError(f"{target}: not empty; name a new folder")
    crawl = str(settings_of_run(folder).get("crawl") or RunConfig().crawl)
    numbers = Counter[Path]()
    parts = []
    for source in sources:
        place = target.resolve() / source.parent.relative_to(folder / BLEND.name)
        name = part_name(crawl, numbers[place])
        parts.append((str(source.resolve()), str(place / name), 0))
        numbers[place] += 1
    return parts


def _kernel() -> Kernel:
    def write(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
        rows = [
            row | {"n_rows": write_part(Path(row["source"]), Path(row["target"]))}
            for row in batch.to_pylist()
        ]
        return [pa.RecordBatch.from_pylist(rows, schema=_PARTS.columns)]

    return write
