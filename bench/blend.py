"""The blend: growth of s08 with the number of texts, selection by DSIR and weights included.

`python -m bench.blend --json OUT [--documents N] [--scales 1,2,4,8] [--memory-mb M]` runs s08 over
N times 1, 2, 4, 8 made-up documents of 200 words on 2 cores, with a driver heap of M MB, twice:
with weights alone, and with `blend.select` before them (a target of a fifth of the texts, half of
each source chosen). A process of its own for each. Printed are seconds, texts a second, what was
shuffled and spilled, the peak of resident memory of JVM and workers together, and the exponent of
the growth of time: 1 is linear. Time is that of s08, without the start of JVM or interpreter.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.dedup import alone, filled, moved, session
from curation.blend.stage import blend
from curation.config import RunConfig
from curation.errors import reported
from curation.pipeline import stage_named
from curation.schemas import DOCUMENTS, LABELS, TABLES
from curation.spark.progress import Silent
from curation.spark.tables import Store, Txn
from curation.spark.work import CORPUS, Work

N_WORDS, N_KNOWN = 200, 5_000
WEIGHTS = {"high": 0.4, "medium": 0.4, "low": 0.2}
SETTINGS: dict[str, dict[str, Any]] = {
    "weights": {"weights": WEIGHTS},
    "select": {"weights": WEIGHTS, "select": {"target": "quality = 'high'", "frac": 0.5}},
}
COLUMNS = ("texts", "s", "texts/s", "MB shuffled", "spilled", "peak MB")


def made_up(spark: SparkSession, n: int) -> DataFrame:
    """`n` labelled documents, one in five of high quality, whose words are others more often."""
    chance = F.pmod(F.xxhash64("id", F.lit("label")), F.lit(5))
    label = F.when(chance < 1, "high").when(chance < 3, "medium").otherwise("low")
    numbers = F.sequence(F.lit(1), F.lit(N_WORDS))
    text = F.array_join(F.transform(numbers, lambda place: _word(place, chance < 1)), " ")
    return spark.range(n, numPartitions=16).select(
        F.md5(F.col("id").cast("string")).alias("doc_id"),
        F.lit("bench").alias("crawl"), F.lit("k0").alias("chunk"), F.lit("en").alias("language"),
        label.alias("label"), text.alias("text"), F.lit(N_WORDS).alias("n_words"),
        F.lit(True).alias("keep"),
    )  # fmt: skip


def _word(place: Column, is_high: Column) -> Column:
    """A word of a law with a long tail; those of high quality have every other tenth."""
    drawn = F.pmod(F.xxhash64("id", place), F.lit(2**40)) / F.lit(2**40)
    rank = F.floor(F.pow(F.lit(N_KNOWN), drawn))
    shift = F.when(is_high & (rank % 10 < 5), N_KNOWN).otherwise(0)
    return F.concat(F.lit("w"), (rank + shift).cast("string"))


def grow(folder: Path, n: int, memory_mb: int, settings: dict[str, Any]) -> dict[str, Any]:
    """s08 over `n` documents."""
    spark = session(memory_mb, folder)
    store = Store(spark, str(folder / "tables"))
    for table in TABLES:
        if table.name != "blend":
            store.create(table)
    rows = made_up(spark, n)
    for table in (DOCUMENTS, LABELS):
        store.append(filled(rows, table), table, Txn(f"bench/{table.name}", 1))
    conf = RunConfig.model_validate({"out": str(folder), "blend": settings})
    work = Work(store, conf, stage_named("s08_blend"), CORPUS, "bench", 1, (), Silent())
    begun = time.perf_counter()
    done = blend(work)
    seconds = time.perf_counter() - begun
    done.close("s08_blend", CORPUS)
    spark.stop()
    return {"n": n, "seconds": seconds, "copies": done.rows_out, "reasons": done.reasons,
            **moved(folder)}  # fmt: skip


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """The slope of log seconds over log size, by least squares: 1 is linear growth."""
    slope, _ = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(slope)


def lines_of(rows: Sequence[dict[str, Any]]) -> list[str]:
    """The table that is printed."""
    head = " ".join(f"{name:>11}" for name in COLUMNS)
    cells = [
        (f"{r['n']:,}", f"{r['seconds']:.1f}", f"{r['n'] / r['seconds']:,.0f}",
         *(f"{r[name] / 1e6:,.0f}" for name in ("shuffled_bytes", "spilled_bytes", "peak_bytes")))
        for r in rows
    ]  # fmt: skip
    return [head, *(" ".join(f"{cell:>11}" for cell in row) for row in cells)]


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--json", required=True, type=Path, help="file for the results")
    parser.add_argument("--documents", type=int, default=50_000, help="documents at scale 1")
    parser.add_argument("--scales", default="1,2,4,8")
    parser.add_argument("--memory-mb", type=int, default=2_500, help="heap; all is about 1 GB more")
    options = parser.parse_args(argv)
    sizes = [options.documents * int(scale) for scale in options.scales.split(",")]
    found: dict[str, Any] = {}
    for name in SETTINGS:
        rows = found[name] = []
        for n in sizes:
            rows.append(alone(name, n, options.memory_mb, module="bench.blend"))
            options.json.write_text(json.dumps(found, indent=1))
        _print(name, *lines_of(rows))
        if len(sizes) > 1:
            found[f"{name}_exponent"] = exponent(sizes, [row["seconds"] for row in rows])
            _print(f"time grows as n^{found[f'{name}_exponent']:.2f}")
    options.json.write_text(json.dumps(found, indent=1))


def _print(*lines: str) -> None:
    sys.stdout.write("\n".join(lines) + "\n")
    sys.stdout.flush()


def part_main(name: str, folder: str, n: str, memory_mb: str) -> None:
    """One part, in the process that `alone` starts."""
    found = grow(Path(folder), int(n), int(memory_mb), SETTINGS[name])
    Path(folder, "said.json").write_text(json.dumps(found))


if __name__ == "__main__":
    with reported():
        if sys.argv[1:2] == ["part"]:
            part_main(*sys.argv[2:])
        else:
            main()
