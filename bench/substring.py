"""Repeated spans over growing corpora: seconds and rows of each step, at 1, 2, 4 and 8 times.

`python -m bench.substring [--documents 2500] [--times 1,2,4,8] [--jsonl FILE] [--json FILE]` makes
documents of 150 to 1,500 words over a vocabulary of Zipf's law, a third of them with boilerplate of
30 to 200 words from templates that are the less common the higher their number, finds their spans
and cuts them. Printed are seconds a step, rows a step, rows shuffled a token, and the slope of
the time over the size (1: linear). With `--jsonl`, a file of JSON lines with `text`, its spans are
also compared with those of a suffix array.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from curation.config import SparkConfig
from curation.dedup.spans import tokens_of
from curation.dedup.substring import (
    anchors,
    candidate_windows,
    cut_documents,
    later_windows,
    repeated_runs,
    spans,
)
from curation.errors import reported
from curation.schemas import Table, column
from curation.spark.batches import map_batches
from curation.spark.session import open_session

MIN_TOKENS = 50
N_TEMPLATES = 2_000
N_WORDS = 50_000
_SEED = 11

MADE = Table(
    name="made",
    doc="Documents that the bench makes.",
    columns=pa.schema([
        column("doc_id", pa.string(), "Number of the document"),
        column("rank", pa.list_(pa.field("element", pa.float64(), nullable=False)), "All the same"),
        column("n_words", pa.int32(), "Words"),
        column("text", pa.string(), "Words, with boilerplate in one of three"),
    ]),
    key=("doc_id",),
)  # fmt: skip


def made_text(number: int) -> str:
    """Text of document `number`; the same number gives the same text everywhere."""
    random = np.random.default_rng([_SEED, 0, number])
    words = _words(random, int(random.integers(150, 1_500)))
    if random.random() < 1 / 3:
        template = int(N_TEMPLATES ** random.random()) - 1
        place = int(random.integers(len(words)))
        words[place:place] = _template(template)
    return " ".join(words)


def _template(number: int) -> list[str]:
    random = np.random.default_rng([_SEED, 1, number])
    return _words(random, int(random.integers(30, 200)))


def _words(random: np.random.Generator, n: int) -> list[str]:
    """`n` words; a word is the less common the higher its number."""
    numbers = np.floor(N_WORDS ** random.random(n)).astype(int) - 1
    return [f"w{number:x}" for number in numbers.tolist()]


def make_batch(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    """Rows of MADE for a batch of numbers `id`."""
    numbers = [int(number) for number in batch.column("id").to_numpy()]
    texts = [made_text(number) for number in numbers]
    columns: dict[str, pa.Array[Any]] = {
        "doc_id": pa.array([f"{number:08d}" for number in numbers]),
        "rank": pa.array([[0.0]] * len(texts), MADE.columns.field("rank").type),
        "n_words": pa.array([text.count(" ") + 1 for text in texts], pa.int32()),
        "text": pa.array(texts),
    }
    return [pa.RecordBatch.from_pydict(columns, schema=MADE.columns)]


class Clock:
    """Seconds and rows of the steps, in the order in which they are done."""

    def __init__(self) -> None:
        self.steps: dict[str, dict[str, float]] = {}

    def do(self, name: str, rows: Callable[[], DataFrame]) -> DataFrame:
        """Compute `rows` now, keep them, and note how long that takes and how many they are."""
        begun = time.monotonic()
        done = rows().localCheckpoint(eager=True)
        self.steps[name] = {"seconds": round(time.monotonic() - begun, 2), "rows": done.count()}
        return done


def measure(documents: DataFrame) -> tuple[dict[str, Any], DataFrame]:
    """Figures of one corpus, and its spans (rows of SPANS without `crawl`, `chunk`)."""
    sums = documents.agg(F.count(F.lit(1)).alias("n"), F.sum("n_words").alias("words")).first()
    assert sums is not None
    clock = Clock()
    found = clock.do("anchors", lambda: anchors(documents, min_tokens=MIN_TOKENS))
    runs = clock.do("repeated_runs", lambda: repeated_runs(found))
    windows = clock.do("windows", lambda: candidate_windows(documents, runs, min_tokens=MIN_TOKENS))
    later = clock.do("later_windows", lambda: later_windows(windows))
    rows = clock.do("spans", lambda: spans(later, min_tokens=MIN_TOKENS))
    clock.do("cut", lambda: cut_documents(documents, rows, min_tokens_left=MIN_TOKENS))
    return _figures(sums["n"], sums["words"], clock.steps), rows


def _figures(n_documents: int, n_words: int, steps: dict[str, dict[str, float]]) -> dict[str, Any]:
    seconds = sum(step["seconds"] for step in steps.values())
    n = {name: step["rows"] for name, step in steps.items()}
    # Anchors are grouped and joined, so are windows; an aggregation sends at most what it reads.
    # Texts are sent twice, to their runs and to their spans.
    shuffled = 2 * n["anchors"] + 2 * n["windows"] + n["later_windows"] + n["spans"]
    return {
        "documents": n_documents,
        "words": n_words,
        "seconds": round(seconds, 2),
        "ms_per_document": round(1_000 * seconds / n_documents, 3),
        "rows_shuffled": shuffled,
        "rows_shuffled_per_word": round(shuffled / n_words, 4),
        "repeated_window_frac": round(n["later_windows"] / n_words, 4),
        "steps": steps,
    }


def growth(session: SparkSession, sizes: Iterable[int]) -> list[dict[str, Any]]:
    """Figures of made corpora of some sizes."""
    found = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            numbers = session.range(size, numPartitions=8)
            made = map_batches(numbers, lambda: make_batch, MADE)
            made.write.parquet(f"{folder}/made")
            found.append(measure(session.read.parquet(f"{folder}/made"))[0])
        sys.stdout.write(json.dumps(found[-1]) + "\n")
        sys.stdout.flush()
    return found


def slopes(found: Sequence[dict[str, Any]]) -> list[float]:
    """Exponent of the time over the size between neighbouring sizes."""
    return [
        round(math.log(b["seconds"] / a["seconds"]) / math.log(b["documents"] / a["documents"]), 2)
        for a, b in itertools.pairwise(found)
    ]


def agreement(session: SparkSession, path: Path) -> dict[str, Any]:
    """Spans of real texts, ours and those of the suffix array, and how many are in both."""
    lines = path.read_text(encoding="utf-8").splitlines()
    texts = [json.loads(line)["text"] for line in lines]
    rows = [(f"{i:08d}", [0.0], len(text.split()), text) for i, text in enumerate(texts)]
    types = "doc_id string, rank array<double>, n_words int, text string"
    documents = session.createDataFrame(rows, types)
    figures, found = measure(documents)
    columns = ("doc_id", "start_token", "end_token", "source_doc_id")
    ours = {tuple(row) for row in found.select(*columns).collect()}
    sys.path.append(str(Path(__file__).parents[1] / "tests"))
    oracle = import_module("unit.dedup.suffix_oracle")
    expected = oracle.spans([_token_strings(text) for text in texts], MIN_TOKENS)
    theirs = {(f"{doc:08d}", start, end, f"{source:08d}") for doc, start, end, source in expected}
    return figures | {
        "spans": len(ours),
        "spans_of_suffix_array": len(theirs),
        "spans_in_both": len(ours & theirs),
        "removed_tokens": sum(end - start for _, start, end, _ in ours),
        "removed_tokens_of_suffix_array": sum(end - start for _, start, end, _ in theirs),
    }


def _token_strings(text: str) -> list[str]:
    found = tokens_of(text)
    bounds = zip(found.start.tolist(), found.end.tolist(), strict=True)
    return [text[start:end] for start, end in bounds]


def main(args: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--documents", type=int, default=2_500, help="documents of one time")
    parser.add_argument("--times", default="1,2,4,8")
    parser.add_argument("--jsonl", type=Path, help="real texts to compare with a suffix array")
    parser.add_argument("--memory", default="1g", help="heap of the JVM")
    parser.add_argument("--json", type=Path, help="where the numbers go")
    options = parser.parse_args(args)
    conf = SparkConfig(master="local[2]", driver_memory=options.memory, shuffle_partitions=4)
    session = open_session(conf, "bench.substring")
    times = [int(one) for one in options.times.split(",")]
    growth(session, [100])  # starts the workers and loads the kernels
    found = growth(session, [options.documents * one for one in times])
    report = {"growth": found, "slopes": slopes(found)}
    if options.jsonl:
        report["agreement"] = agreement(session, options.jsonl)
    session.stop()
    text = json.dumps(report, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
