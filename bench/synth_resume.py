"""What a kill costs synthesis: the same requests answered undisturbed, and killed half way.

`python -m bench.synth_resume [--requests 32] [--commit 8] [--max-output-tokens 48]` has a process
of its own answer requests as s06 and s07 do, a commit every `--commit` of them, twice:

- undisturbed, to the end;
- with the driver and the JVM killed (SIGKILL) in the middle of a commit after half of the requests,
  then started again, to the end.

Printed are the seconds of both, what of the difference starting again took (process to first
commit, beside a later commit), how many answers were asked for again because they were not
committed, and how many committed ones were asked for again, which must be none. `--device` as in
`bench.synth`: the engine takes what there is.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deltalake import DeltaTable

from bench.score_texts import read_jsonl
from bench.synth_requests import rounds_of
from curation.config import EngineConfig, RunConfig, SparkConfig, SynthConfig
from curation.errors import ConfigError, reported
from curation.pipeline import stage_named
from curation.schemas import GENERATIONS, REQUESTS
from curation.spark.batches import spark_schema
from curation.spark.progress import Silent
from curation.spark.session import open_session
from curation.spark.tables import Store
from curation.spark.work import CORPUS, Work
from curation.synth.asking import answer_all

_JSONL = Path("../shared/data/crawl/gold.jsonl.gz")
_PROMPTS = ("diverse_qa", "distill", "extract_knowledge", "knowledge_list")
_LIMIT_S = 3_600.0


@dataclass(frozen=True)
class Answered:
    """What one folder holds in the end."""

    seconds: float
    """Of all processes that worked on it."""
    commits: tuple[float, ...]
    """When each commit was made, seconds since the first process began."""
    n_rows: int
    n_requests: int
    """Different requests among the rows."""


def answer(folder: Path) -> None:
    """The process that is timed: answers the requests in `folder`, as a synthesis stage does."""
    asked = json.loads((folder / "asked.json").read_text())
    conf = SynthConfig.model_validate(asked["conf"])
    settings = SparkConfig(master="local[1]", shuffle_partitions=1)
    spark = open_session(settings, "bench-synth-resume", log=folder / "spark.log")
    try:
        store = Store(spark, str(folder / "tables"))
        store.create(GENERATIONS)
        rows = [tuple(row[name] for name in REQUESTS.columns.names) for row in asked["rows"]]
        stage = stage_named("s06_rephrase")
        work = Work(store, RunConfig(synth=conf), stage, CORPUS, "bench", 1, (), Silent())
        answer_all(work, spark.createDataFrame(rows, spark_schema(REQUESTS)), conf)
    finally:
        spark.stop()


@contextmanager
def process(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """`answer` in a process group of its own, which is gone afterwards."""
    command = [sys.executable, "-m", "bench.synth_resume", "--answer", str(folder)]
    with (folder / "log").open("ab") as log:
        child = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        try:
            yield child
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def to_the_end(folder: Path) -> float:
    """Seconds of a process that answers all that is unanswered.

    Raises:
        AssertionError: it failed.
    """
    began = time.monotonic()
    with process(folder) as child:
        if child.wait(_LIMIT_S):
            raise AssertionError(f"it failed:\n{(folder / 'log').read_text()[-2_000:]}")
    return time.monotonic() - began


def killed(folder: Path, n_half: int) -> tuple[float, int]:
    """Seconds of a process killed while it answers what follows `n_half` answers; those kept."""
    began = time.monotonic()
    with process(folder) as child:
        while n_answers(folder) < n_half:
            if child.poll() is not None or time.monotonic() - began > _LIMIT_S:
                raise AssertionError(f"it ended before it was killed: see {folder / 'log'}")
            time.sleep(0.2)
        times = commit_times(folder)
        # The middle of the commit that follows, by how long the last one took.
        time.sleep((times[-1] - times[-2]) / 2 if len(times) > 1 else 0.0)
    return time.monotonic() - began, n_answers(folder)


def _table(folder: Path) -> DeltaTable | None:
    path = folder / "tables" / GENERATIONS.name
    return DeltaTable(path) if DeltaTable.is_deltatable(str(path)) else None


def n_answers(folder: Path) -> int:
    """Rows of `generations` that are committed."""
    table = _table(folder)
    return 0 if table is None else int(table.to_pyarrow_table(columns=["request_id"]).num_rows)


def commit_times(folder: Path) -> list[float]:
    """Epoch seconds of the commits of answers, oldest first."""
    table = _table(folder)
    history = [] if table is None else table.history()
    return sorted(one["timestamp"] / 1_000 for one in history if one["operation"] == "WRITE")


def outcome(folder: Path, began: float, seconds: float) -> Answered:
    """What `folder` holds."""
    table = DeltaTable(folder / "tables" / GENERATIONS.name)
    ids = table.to_pyarrow_table(columns=["request_id"])["request_id"].to_pylist()
    commits = tuple(round(at - began, 1) for at in commit_times(folder))
    return Answered(seconds, commits, len(ids), len({*ids}))


def report(
    undisturbed: Answered, resumed: Answered, *, n_requests: int, n_kept: int, killed_s: float
) -> dict[str, Any]:
    """The numbers that are printed.

    Raises:
        AssertionError: an answer is missing, or a committed one was asked for again.
    """
    for one in (undisturbed, resumed):
        if not one.n_rows == one.n_requests == n_requests:
            raise AssertionError(f"{one.n_rows} answers to {one.n_requests} of {n_requests}")
    first, *later = undisturbed.commits
    gaps = [b - a for a, b in zip(undisturbed.commits, later, strict=False)]
    start_s = first - (statistics.median(gaps) if gaps else 0.0)
    overhead_s = resumed.seconds - undisturbed.seconds
    return {
        "requests": n_requests,
        "kept at the kill": n_kept,
        "committed and asked again": resumed.n_rows - resumed.n_requests,
        "seconds": {"undisturbed": round(undisturbed.seconds, 1),
                    "killed and resumed": round(resumed.seconds, 1),
                    "until the kill": round(killed_s, 1)},
        "overhead_s": round(overhead_s, 1),
        "of which starting again": round(start_s, 1),
        "commits at": {"undisturbed": undisturbed.commits, "killed and resumed": resumed.commits},
    }  # fmt: skip


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line.

    Raises:
        ConfigError: there would be no second half to kill.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--jsonl", type=Path, nargs="+", default=[_JSONL], help="JSON lines, plain or gz")
    add("--field", default="main_text", help="of the JSON lines")
    add("--requests", type=int, default=32)
    add("--commit", type=int, default=8, help="requests a commit")
    add("--max-output-tokens", type=int, default=48, help="cap on an answer")
    add("--model", default="smollm2-135m", help="a name of the model store, or a folder")
    add("--json", type=Path, help="where the numbers go")
    add("--answer", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args(given)
    if not 1 <= args.commit <= args.requests // 4:
        raise ConfigError("--commit: from 1 to a quarter of --requests")
    return args


def run_all(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Both runs."""
    conf = SynthConfig(
        model=args.model, max_model_tokens=2_048, prefill=False, engine=EngineConfig(),
        max_output_tokens=args.max_output_tokens, requests_per_commit=args.commit,
    )  # fmt: skip
    texts = [text for path in args.jsonl for text in read_jsonl(path, args.field)]
    [rows] = rounds_of(texts, _PROMPTS, conf, n_requests=args.requests, n=1)
    asked = json.dumps({"conf": conf.model_dump(mode="json"), "rows": rows})
    for name in ("undisturbed", "killed"):
        (folder / name).mkdir()
        (folder / name / "asked.json").write_text(asked)
    began = time.time()
    undisturbed = outcome(folder / "undisturbed", began, to_the_end(folder / "undisturbed"))
    began = time.time()
    killed_s, n_kept = killed(folder / "killed", args.requests // 2)
    again_s = to_the_end(folder / "killed")
    resumed = outcome(folder / "killed", began, killed_s + again_s)
    return report(undisturbed, resumed, n_requests=args.requests, n_kept=n_kept, killed_s=killed_s)


def main(given: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    args = arguments(given)
    if args.answer:
        answer(args.answer)
        return 0
    with tempfile.TemporaryDirectory(prefix="bench-synth-resume-") as folder:
        found = run_all(args, Path(folder))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
