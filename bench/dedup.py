"""Deduplication: growth with the number of documents, and side by side with datatrove.

`python -m bench.dedup --json OUT [--documents N] [--scales 1,2,4,8] [--memory-mb M] [--peers N]`

- *growth*: s03 over N times 1, 2, 4, 8 made-up rows of `measures` (no text is needed) on 2 cores,
  with a driver heap of M MB; three in ten documents belong to families of equal and similar ones,
  and one in a hundred to a single family. A process of its own for each; printed are seconds, what
  was shuffled and spilled, and the peak of resident memory of JVM and workers together.
- *batch*: the last eighth of the documents as a batch of its own, against all at once.
- *graphs*: components of a star and of a chain.
- *peers*: texts of 5 KB made of random words, through s02 and s03 (all measures, not MinHash alone)
  and through datatrove's four stages, on 2 cores each. Time is that of the work: without the start
  of JVM or interpreter.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from bench.peak import pss_bytes, tree
from curation.config import RunConfig
from curation.dedup.components import connected_components
from curation.dedup.stage import dedup
from curation.errors import reported
from curation.measure.stage import measure
from curation.pipeline import stage_named
from curation.schemas import CLUSTERS, FUNNEL, MEASURES, PAGES, TABLES, Table
from curation.spark.batches import spark_schema
from curation.spark.funnel import Account
from curation.spark.progress import Silent
from curation.spark.session import open_session
from curation.spark.tables import Store, Txn
from curation.spark.work import CORPUS, Work

CORES, N_CHUNKS = 2, 8
_SHARED_BANDS = 12
"""Of 20, what the members of a family have in common on average: a Jaccard similarity of .96."""
_EMPTY = {"string": "''", "int": "0", "bigint": "0L", "float": "float(0)", "double": "0D",
          "boolean": "false"}  # fmt: skip


class Run:
    """Tables of one run in a folder, and stages over them."""

    def __init__(self, spark: SparkSession, folder: Path, conf: RunConfig) -> None:
        self.store, self.conf = Store(spark, str(folder)), conf
        for table in TABLES:
            if table.name != "blend":
                self.store.create(table)

    def do(self, stage: str, unit: str, attempt: int = 1) -> tuple[Account, float]:
        """One unit of `stage`; its account and the seconds that it took."""
        work = Work(self.store, self.conf, stage_named(stage), unit, "bench", attempt, (), Silent())
        begun = time.perf_counter()
        done = {"s02_measure": measure, "s03_dedup": dedup}[stage](work)
        done.close(stage, unit)
        return done, time.perf_counter() - begun

    def put(self, rows: DataFrame, chunks: Sequence[int]) -> None:
        """Measured documents of `chunks`, as s01 and s02 would have left them."""
        for table in (PAGES, MEASURES):
            mine = rows.where((F.col("number") % N_CHUNKS).isin(list(chunks)))
            self.store.append(filled(mine, table), table, Txn(f"bench/{table.name}/{chunks[0]}", 1))
        self.measured(chunks)

    def measured(self, chunks: Sequence[int]) -> None:
        """Say that s02 has finished `chunks`."""
        rows = self.store.spark.createDataFrame([(f"k{chunk}",) for chunk in chunks], "unit string")
        said = rows.select("unit", F.lit("s02_measure").alias("stage"))
        self.store.append(filled(said, FUNNEL), FUNNEL, Txn(f"bench/funnel/{chunks[0]}", 1))


def filled(rows: DataFrame, table: Table) -> DataFrame:
    """`rows` with zeros and empty strings in the columns of `table` that they lack."""
    return rows.select([
        F.col(field.name).cast(field.dataType).alias(field.name) if field.name in rows.columns
        else F.expr("NULL" if field.nullable else _empty(field.dataType.simpleString()))
        .cast(field.dataType).alias(field.name)
        for field in spark_schema(table)
    ])  # fmt: skip


def _empty(kind: str) -> str:
    if kind.startswith("map"):
        return "map()"
    return "array()" if kind.startswith("array") else _EMPTY.get(kind, "timestamp'2024-01-01'")


def made_up(spark: SparkSession, n: int) -> DataFrame:
    """`n` documents as s02 would leave them: hashes and bands of families, by their number."""
    rows = spark.range(n).withColumnRenamed("id", "number")
    chance = F.pmod(F.xxhash64("number", F.lit("kind")), F.lit(100))
    family = (
        F.when(chance < 1, F.lit(0))
        .when(chance < 30, 1 + F.pmod(F.xxhash64("number", F.lit("family")), F.lit(n // 20)))
        .otherwise(-1 - F.col("number"))
    )
    named = rows.withColumn("family", family)
    is_copy = F.pmod(F.xxhash64("number", F.lit("copy")), F.lit(2)) == 0
    content = F.when(is_copy, F.md5(F.concat(F.lit("f"), "family"))).otherwise(
        F.md5(F.concat(F.lit("d"), "number"))
    )
    return named.select(
        "number",
        F.md5(F.col("number").cast("string")).alias("doc_id"),
        F.lit("bench").alias("crawl"),
        F.concat(F.lit("k"), F.col("number") % N_CHUNKS).alias("chunk"),
        content.alias("content_hash"),
        content.alias("text_hash"),
        F.array(*(_band(k) for k in range(20))).alias("bands"),
    )


def _band(number: int) -> Column:
    k = F.lit(number)
    shares = F.pmod(F.xxhash64("number", k), F.lit(20)) < _SHARED_BANDS
    return F.when(shares, F.xxhash64("family", k)).otherwise(F.xxhash64("number", k, k))


def session(memory_mb: int, folder: Path) -> SparkSession:
    """Two cores, so much heap, and a log of all that tasks shuffle and spill."""
    events = folder / "events"
    events.mkdir(parents=True, exist_ok=True)
    conf = RunConfig.model_validate({
        "out": str(folder),
        "spark": {
            "master": f"local[{CORES}]",
            "driver_memory": f"{memory_mb}m",
            "shuffle_partitions": 32,
            "conf": {
                "spark.eventLog.enabled": True,
                "spark.eventLog.dir": f"file://{events}",
                "spark.eventLog.compress": False,
                "spark.local.dir": str(folder / "spill"),
                "spark.sql.warehouse.dir": str(folder / "warehouse"),
            },
        },
    })  # fmt: skip
    return open_session(conf.spark, "bench.dedup")


def moved(folder: Path) -> dict[str, int]:
    """Bytes that the tasks of a session shuffled and spilled."""
    shuffled, spilled = 0, 0
    for line in _event_lines(folder / "events"):
        if '"SparkListenerTaskEnd"' in line:
            metrics = json.loads(line).get("Task Metrics") or {}
            shuffled += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
            spilled += metrics.get("Disk Bytes Spilled", 0)
    return {"shuffled_bytes": shuffled, "spilled_bytes": spilled}


def _event_lines(folder: Path) -> Iterator[str]:
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name[0] != "."):
        with path.open(encoding="utf-8") as file:
            yield from file


def grow(folder: Path, n: int, memory_mb: int) -> dict[str, Any]:
    """s03 over `n` documents at once."""
    spark = session(memory_mb, folder)
    run = Run(spark, folder / "tables", RunConfig(out=str(folder)))
    run.put(made_up(spark, n), range(N_CHUNKS))
    done, seconds = run.do("s03_dedup", CORPUS)
    spark.stop()
    return {"n": n, "seconds": seconds, "kept": done.rows_out, "reasons": done.reasons,
            **moved(folder)}  # fmt: skip


def batch(folder: Path, n: int, memory_mb: int) -> dict[str, Any]:
    """s03 over seven eighths of `n` documents, then over the last eighth as a batch."""
    spark = session(memory_mb, folder)
    run = Run(spark, folder / "tables", RunConfig(out=str(folder)))
    rows = made_up(spark, n)
    run.put(rows, range(N_CHUNKS - 1))
    _, first_s = run.do("s03_dedup", CORPUS)
    run.put(rows, [N_CHUNKS - 1])
    done, seconds = run.do("s03_dedup", CORPUS, attempt=2)
    clusters = run.store.read(CLUSTERS).count()
    spark.stop()
    return {"n": n, "first_s": first_s, "seconds": seconds, "kept": done.rows_out,
            "clustered": clusters}  # fmt: skip


def graphs(folder: Path, n: int, memory_mb: int) -> dict[str, Any]:
    """Components of a star with `n` leaves, and of a chain of a tenth as many in chance order."""
    spark = session(memory_mb, folder)
    numbers = spark.range(1, n + 1)
    named = F.md5(F.col("id").cast("string"))
    star = numbers.select(F.lit("centre").alias("u"), named.alias("v"))
    step = F.md5((F.col("id") + 1).cast("string"))
    chain = spark.range(n // 10).select(named.alias("u"), step.alias("v"))
    found: dict[str, Any] = {"n": n}
    for name, edges in (("star", star), ("chain", chain)):
        begun = time.perf_counter()
        components = connected_components(edges, max_rounds=100)
        found[f"{name}_components"] = components.select("component").distinct().count()
        found[f"{name}_s"] = time.perf_counter() - begun
    spark.stop()
    return found | moved(folder)


def random_texts(n: int, seed: int = 17) -> Iterator[tuple[str, str]]:
    """Ids and texts of about 5,000 characters; every tenth is a copy with one word in fifty new."""
    chance = np.random.Generator(np.random.PCG64(seed))
    words = np.array(["".join(chance.choice(list("etaoinshrdlucm"), length))
                      for length in chance.integers(2, 9, 20_000)])  # fmt: skip
    last = words[chance.integers(0, words.size, 780)]
    for number in range(n):
        text = last.copy() if number % 10 == 9 else words[chance.integers(0, words.size, 780)]
        if number % 10 == 9:
            text[chance.integers(0, text.size, text.size // 50)] = "edited"
        last = text
        yield f"{number:032x}", " ".join(text)


def ours(folder: Path, n: int, memory_mb: int) -> dict[str, Any]:
    """s02 and s03 over `random_texts`."""
    spark = session(memory_mb, folder)
    run = Run(spark, folder / "tables", RunConfig(out=str(folder)))
    texts = spark.createDataFrame(list(random_texts(n)), "doc_id string, text string")
    pages = texts.withColumns({"crawl": F.lit("bench"), "chunk": F.lit("k0")}).repartition(CORES)
    run.store.append(filled(pages, PAGES), PAGES, Txn("bench/pages", 1))
    _, measure_s = run.do("s02_measure", "k0")
    run.measured([0])
    done, dedup_s = run.do("s03_dedup", CORPUS)
    spark.stop()
    return {"n": n, "seconds": measure_s + dedup_s, "measure_s": measure_s, "kept": done.rows_out}


def datatrove(folder: Path, n: int, memory_mb: int) -> dict[str, Any]:
    """The four MinHash stages of datatrove over `random_texts`, 14 bands by 8 over 5 words."""
    del memory_mb
    import xxhash
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.readers import JsonlReader
    from datatrove.pipeline.writers import JsonlWriter

    signature = MinhashDedupSignature(str(folder / "s"))
    # datatrove 0.10 hands text to a function that takes bytes alone since xxhash 4.
    signature._hash_func = lambda text: xxhash.xxh64_intdigest(text.encode())
    (folder / "in").mkdir(parents=True)
    for part in range(CORES):
        with (folder / "in" / f"{part}.jsonl").open("w") as file:
            for number, (name, text) in enumerate(random_texts(n)):
                if number % CORES == part:
                    file.write(json.dumps({"id": name, "text": text}) + "\n")
    read, where = JsonlReader(str(folder / "in")), {name: str(folder / name) for name in "sbcro"}
    steps: list[tuple[list[Any], int]] = [
        ([read, signature], CORES),
        ([MinhashDedupBuckets(where["s"], where["b"])], 14),
        ([MinhashDedupCluster(where["b"], where["r"])], 1),
        ([read, MinhashDedupFilter(where["r"]), JsonlWriter(where["o"], compression=None)], CORES),
    ]
    begun = time.perf_counter()
    for number, (pipeline, tasks) in enumerate(steps):
        LocalPipelineExecutor(
            pipeline, tasks=tasks, workers=CORES, logging_dir=str(folder / f"logs{number}")
        ).run()
    seconds = time.perf_counter() - begun
    kept = sum(len(p.read_text().splitlines()) for p in (folder / "o").glob("*.jsonl"))
    return {"n": n, "seconds": seconds, "kept": kept}


PARTS: dict[str, Callable[[Path, int, int], dict[str, Any]]] = {
    "grow": grow, "batch": batch, "graphs": graphs, "ours": ours, "datatrove": datatrove,
}  # fmt: skip


def alone(part: str, n: int, memory_mb: int, *, module: str = "bench.dedup") -> dict[str, Any]:
    """One part in a process and a folder of its own, with the peak memory of its process tree.

    `python -m MODULE part PART FOLDER N MEMORY_MB` does it and leaves FOLDER/said.json.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        said, log = Path(folder, "said.json"), Path(folder, "log")
        with log.open("w") as sink:
            process = subprocess.Popen(
                [sys.executable, "-m", module, "part", part, folder, str(n), str(memory_mb)],
                stdout=sink, stderr=sink, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            peak = [0]
            watch = threading.Thread(target=_watch, args=(process, peak))
            watch.start()
            failed = process.wait()
            watch.join()
        if failed:
            said_last = log.read_text()
            why = said_last[max(said_last.rfind("Traceback"), 0) :][:4_000]
            raise SystemExit(f"{part} {n}: ended with {failed}\n{why}")
        found: dict[str, Any] = json.loads(said.read_text())
    return found | {"peak_bytes": peak[0]}


def _watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    while process.poll() is None:
        peak[0] = max(peak[0], sum(pss_bytes(pid) for pid in tree(process.pid)))
        time.sleep(1.0)


def growth_table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Lines: documents, seconds, seconds beside what n log n would give from the first row."""
    head = f"{'documents':>10} {'s':>7} {'of n log n':>10} {'MB shuffled':>11} {'spilled':>8} " \
           f"{'peak MB':>8}"  # fmt: skip
    first = rows[0]
    unit = first["seconds"] / (first["n"] * math.log(first["n"]))
    lines = [
        f"{r['n']:>10,} {r['seconds']:>7.1f} "
        f"{r['seconds'] / (unit * r['n'] * math.log(r['n'])):>10.2f} "
        f"{r['shuffled_bytes'] / 1e6:>11,.0f} {r['spilled_bytes'] / 1e6:>8,.0f} "
        f"{r['peak_bytes'] / 1e6:>8,.0f}"
        for r in rows
    ]
    return [head, *lines]


def main(argv: Sequence[str] | None = None) -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--json", required=True, type=Path, help="file for the results")
    parser.add_argument("--documents", type=int, default=125_000, help="documents at scale 1")
    parser.add_argument("--scales", default="1,2,4,8")
    parser.add_argument("--memory-mb", type=int, default=2_500, help="heap; all is about 1 GB more")
    parser.add_argument("--graph", type=int, default=1_000_000, help="leaves of the star; 0: none")
    parser.add_argument("--peers", type=int, default=16_000, help="texts; 0: no peers")
    options = parser.parse_args(argv)
    scales = [int(scale) for scale in options.scales.split(",") if scale]
    memory_mb, results = options.memory_mb, Results(options.json)
    if scales:
        tell_growth(results, [options.documents * scale for scale in scales], memory_mb)
    if options.graph:
        tell_graphs(results, options.graph, memory_mb)
    if options.peers:
        tell_peers(results, options.peers, memory_mb)


class Results:
    """What was found, in a file that is complete after every part: a later one may fail."""

    def __init__(self, path: Path) -> None:
        self._path, self._found = path, json.loads(path.read_text()) if path.exists() else {}

    def alone(self, name: str, part: str, n: int, memory_mb: int) -> dict[str, Any]:
        """Run a part and keep what it found under `name`."""
        self._found[name] = found = alone(part, n, memory_mb)
        self._path.write_text(json.dumps(self._found, indent=1))
        return found


def tell_growth(results: Results, sizes: Sequence[int], memory_mb: int) -> None:
    """Print growth over `sizes`, and the last eighth of the last one as a batch."""
    rows = [results.alone(f"growth {n}", "grow", n, memory_mb) for n in sizes]
    _print("\n".join(growth_table(rows)))
    found = results.alone("batch", "batch", rows[-1]["n"], memory_mb)
    same = found["kept"] == rows[-1]["kept"]
    ratio = found["seconds"] / rows[-1]["seconds"]
    _print(f"the last eighth as a batch: {found['seconds']:.1f} s, {ratio:.2f} of all at once; "
           f"as many kept: {same}")  # fmt: skip


def tell_graphs(results: Results, n: int, memory_mb: int) -> None:
    """Print the components of a star and a chain."""
    found = results.alone("graphs", "graphs", n, memory_mb)
    for name, n_edges in (("star", n), ("chain", n // 10)):
        parts = found[f"{name}_components"]
        _print(f"components of a {name} of {n_edges:,}: {found[f'{name}_s']:.1f} s, {parts} found")


def tell_peers(results: Results, n: int, memory_mb: int) -> None:
    """Print our seconds and datatrove's over the same texts."""
    mine, theirs = (results.alone(one, one, n, memory_mb) for one in ("ours", "datatrove"))
    for name, one in (("ours", mine), ("datatrove", theirs)):
        _print(f"{n:,} texts, {name}: {one['seconds']:.1f} s, kept {one['kept']:,}")
    _print(f"ours is {theirs['seconds'] / mine['seconds']:.1f} times as fast")


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def part_main(part: str, folder: str, n: str, memory_mb: str) -> None:
    """One part, in the process that `alone` starts."""
    found = PARTS[part](Path(folder), int(n), int(memory_mb))
    Path(folder, "said.json").write_text(json.dumps(found))


if __name__ == "__main__":
    with reported():
        if sys.argv[1:2] == ["part"]:
            part_main(*sys.argv[2:])
        else:
            main()
