"""WARC files to `pages` on Spark, side by side with datatrove's reader and extractor.

`python -m bench.ingest --warc GLOB --json OUT` runs stage s01 and datatrove's `WarcReader` and
`Trafilatura` over the same files, on 1 and 2 cores, at 1, 2, 4 and 8 times the input (copies in a
temporary folder). Every run is a process of its own, bound to that many cores with all its children
(JVM, workers), so that one core means one. Time is the stage's, without the start of the JVM, or of
the interpreter; `wall s` has all. It prints what each of them says of the records it was given, and
how much of the stage on one core is not the bare kernel (reading, decoding, extraction, rows; no
Spark).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from bench.extract import files_of
from curation.config import RunConfig, load_config, overrides
from curation.crawl.warc import read_records
from curation.errors import CurationError, reported

SCALES = (1, 2, 4, 8)
CORES = (1, 2)
ENGINES = ("fast", "trafilatura")
CONF = "conf/demo.yaml"


@dataclass(frozen=True)
class Run:
    """One run of one system."""

    system: str
    scale: int
    cores: int
    seconds: float
    """Of the work itself."""
    wall_s: float
    """Of the process, start and end included."""
    n_in: int
    n_out: int
    reasons: Mapping[str, int]
    """Rows that did not come out, by the reason that the system gives."""

    @property
    def pages_per_s(self) -> float:
        """Pages that came out, a second: who loses pages is not faster for it."""
        return self.n_out / self.seconds

    @property
    def n_untold(self) -> int:
        """Records of which the system says nothing."""
        return self.n_in - self.n_out - sum(self.reasons.values())


def spread(paths: Sequence[str], scale: int, folder: Path) -> list[str]:
    """`scale` copies of every file, in `folder`; copies, so that caches and paths are as real."""
    folder.mkdir(parents=True)
    copies = [
        (path, folder / f"copy-{number}-{Path(path).name}")
        for number in range(scale)
        for path in paths
    ]
    return [str(shutil.copyfile(path, copy)) for path, copy in copies]


def run_ours(
    engine: str, files: Sequence[str], scale: int, cores: int, *, out: Path, settings: Sequence[str]
) -> Run:
    """Stage s01 over `files`, all of them one chunk."""
    said = [
        f"extract.engine={engine}",
        f"spark.master=local[{cores}]",
        f"input.files_per_chunk={len(files)}",
        *settings,
    ]
    command = [sys.executable, "jobs/s01_extract.py", "--conf", CONF, "--out", str(out)]
    command += [part for path in files for part in ("--input", path)]
    command += [part for setting in said for part in ("--set", setting)]
    wall_s = _timed(command, cores, log=out.with_suffix(".log"))
    row = _funnel(out)
    reasons = dict(row["reasons"])
    return Run(f"ours/{engine}", scale, cores, row["seconds"], wall_s, row["rows_in"],
               row["rows_out"], reasons)  # fmt: skip


def _funnel(out: Path) -> dict[str, Any]:
    # Not at the top: the datatrove process has no use for it.
    from deltalake import DeltaTable

    rows = pa.table(DeltaTable(str(out / "tables" / "funnel")).to_pyarrow_table()).to_pylist()
    (row,) = [row for row in rows if row["stage"] == "s01_extract"]
    return row


def run_kernel(
    engine: str, files: Sequence[str], scale: int, *, out: Path, settings: Sequence[str]
) -> Run:
    """The stage's kernel over `files` in one process on one core, without Spark."""
    wall_s = _timed(
        [
            sys.executable,
            "-m",
            "bench.ingest",
            "kernel",
            str(out),
            engine,
            ",".join(settings),
            *files,
        ],
        1,
        log=out.with_suffix(".log"),
    )
    said = json.loads(out.read_text())
    return Run(
        f"kernel/{engine}",
        scale,
        1,
        said["seconds"],
        wall_s,
        said["n_in"],
        said["n_out"],
        said["reasons"],
    )


def run_datatrove(
    folder: Path, n_files: int, scale: int, cores: int, *, out: Path, n_in: int
) -> Run:
    """Reader and extractor of datatrove over the files in `folder`."""
    command = [sys.executable, "-m", "bench.ingest", "datatrove", str(out), str(folder)]
    command += [str(n_files), str(cores)]
    wall_s = _timed(command, cores, log=out.with_suffix(".log"))
    said = json.loads((out / "said.json").read_text())
    return Run(
        "datatrove", scale, cores, said["seconds"], wall_s, n_in, said["n_out"], said["reasons"]
    )


def _timed(command: Sequence[str], cores: int, *, log: Path) -> float:
    """Wall-clock time of `command`, bound to the first `cores` cores.

    Raises:
        CurationError: it failed; the message names the log.
    """
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    if len(allowed) < cores:
        raise CurationError(f"--cores {cores}: this process may use {len(allowed)} only")
    begun = time.monotonic()
    with log.open("wb") as file:
        done = subprocess.run(
            command,
            stdout=file,
            stderr=subprocess.STDOUT,
            check=False,
            preexec_fn=partial(os.sched_setaffinity, 0, allowed),
        )
    if done.returncode:
        tail = log.read_text(errors="replace")[-500:]
        raise CurationError(f"{command[1]} {command[2]} failed, see {log}: {tail}")
    return time.monotonic() - begun


def kernel(out: str, engine: str, settings: str, files: Sequence[str]) -> None:
    """In the process of `run_kernel`: times the kernel and writes what came of the records."""
    from curation.extract.kernel import extract_files

    conf = _conf([f"extract.engine={engine}", *filter(None, settings.split(","))])
    n_out, reasons = 0, dict[str, int]()
    begun = time.monotonic()
    batch = pa.RecordBatch.from_pydict(
        {"warc_file": list(files), "crawl": ["bench"] * len(files), "chunk": ["0"] * len(files)}
    )
    n_in = 0
    for rows in extract_files(batch, conf=conf.extract):
        for row in rows.select(["outcome", "reason", "records"]).to_pylist():
            n_out += row["outcome"] == "page"
            n_in += row["records"] or 0
            if row["outcome"] == "reject":
                reasons[row["reason"]] = reasons.get(row["reason"], 0) + 1
    said = {"seconds": time.monotonic() - begun, "n_in": n_in, "n_out": n_out, "reasons": reasons}
    Path(out).write_text(json.dumps(said))


def _conf(settings: Sequence[str]) -> RunConfig:
    return load_config(CONF, overrides(list(settings), out=None, inputs=[]))


def datatrove(out: str, folder: str, n_files: str, cores: str) -> None:
    """In the process of `run_datatrove`: its pipeline with its own defaults."""
    from datatrove.executor.local import LocalPipelineExecutor  # type: ignore[import-untyped]
    from datatrove.pipeline.extractors import Trafilatura  # type: ignore[import-untyped]
    from datatrove.pipeline.readers import WarcReader  # type: ignore[import-untyped]
    from datatrove.pipeline.writers.jsonl import JsonlWriter  # type: ignore[import-untyped]

    executor = LocalPipelineExecutor(
        pipeline=[WarcReader(folder), Trafilatura(), JsonlWriter(f"{out}/pages")],
        tasks=int(n_files),
        workers=int(cores),
        logging_dir=f"{out}/logs",
    )
    begun = time.monotonic()
    executor.run()
    seconds = time.monotonic() - begun
    stats = json.loads((Path(out) / "logs" / "stats.json").read_text())
    said = {"seconds": seconds} | _datatrove_account(stats)
    (Path(out) / "said.json").write_text(json.dumps(said))


def _datatrove_account(stats: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What its statistics say; what its reader passes over is in none of them."""
    told = next(step["stats"] for step in stats if "Trafilatura" in step["name"])
    counts = {name: _total(value) for name, value in told.items()}
    names = ("dropped", "timeout", "broken_process", "clean_error")
    reasons = {name: counts[name] for name in names if counts.get(name)}
    return {"n_out": counts.get("forwarded", 0), "reasons": reasons}


def _total(value: Any) -> int:
    return int(value["total"] if isinstance(value, Mapping) else value)


def table(runs: Sequence[Run]) -> str:
    """The runs as text, ours with ratios to datatrove's and the kernel's of the same size."""
    head = ["system", "input", "cores", "s", "wall s", "pages out", "pages/s"]
    head += ["times datatrove's", "not the kernel", "of what more input costs"]
    return _aligned([head, *(_row(run, runs) for run in runs)]) + "\n"


def _row(run: Run, runs: Sequence[Run]) -> list[str]:
    peer = _of(runs, "datatrove", run.scale, run.cores)
    bare = _of(runs, run.system.replace("ours/", "kernel/"), run.scale, run.cores)
    is_ours = run.system.startswith("ours/")
    return [
        run.system,
        f"{run.scale}x",
        str(run.cores),
        f"{run.seconds:.1f}",
        f"{run.wall_s:.1f}",
        str(run.n_out),
        f"{run.pages_per_s:.1f}",
        f"{run.pages_per_s / peer.pages_per_s:.2f}" if is_ours and peer else "",
        f"{1 - bare.seconds / run.seconds:.0%}" if is_ours and bare else "",
        _of_more(run, bare, runs) if is_ours and bare else "",
    ]


def _of_more(run: Run, bare: Run, runs: Sequence[Run]) -> str:
    """Share that is not the kernel of the seconds that this input takes more than the smallest.

    The first seconds of a stage are Spark's own: plans, compiled code, workers, tables. They do not
    grow, and a chunk of real WARC files is a hundred times as long as the smallest input here.
    """
    smallest = min(one.scale for one in runs)
    first = _of(runs, run.system, smallest, run.cores)
    first_bare = _of(runs, bare.system, smallest, bare.cores)
    if run.scale == smallest or not first or not first_bare or run.cores != bare.cores:
        return ""
    return f"{1 - (bare.seconds - first_bare.seconds) / (run.seconds - first.seconds):.0%}"


def accounts(runs: Sequence[Run]) -> str:
    """What each system says of the records of the smallest input; `untold` is what it does not."""
    smallest = min(run.scale for run in runs)
    firsts = {run.system: run for run in reversed(runs) if run.scale == smallest}
    lines = [
        f"{run.system}: {run.n_in} records in, {run.n_out} out, "
        + ", ".join(f"{name} {n}" for name, n in sorted(run.reasons.items()))
        + f"; untold {run.n_untold}"
        for run in sorted(firsts.values(), key=lambda run: run.system)
    ]
    return "\n".join(lines) + "\n"


def _of(runs: Sequence[Run], system: str, scale: int, cores: int) -> Run | None:
    fits = (r for r in runs if (r.system, r.scale, r.cores) == (system, scale, cores))
    return next(fits, None)


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def measure(options: argparse.Namespace, folder: Path) -> list[Run]:
    """All runs; datatrove's beside ours of the same size, so that both meet the same machine.

    Raises:
        InputError: no WARC file matches.
    """
    paths = files_of(options.warc)
    n_records = sum(1 for path in paths for _ in read_records(path))
    runs: list[Run] = []
    for scale in options.scales:
        files = spread(paths, scale, folder / f"input-{scale}")
        runs += _runs_of(options, files, scale, folder, n_in=scale * n_records)
        shutil.rmtree(folder / f"input-{scale}")
    return runs


def _runs_of(
    options: argparse.Namespace, files: Sequence[str], scale: int, folder: Path, *, n_in: int
) -> list[Run]:
    runs, settings = [], options.set
    for engine in options.engines:
        out = folder / f"kernel-{engine.replace(':', '-')}-{scale}.json"
        runs.append(run_kernel(engine, files, scale, out=out, settings=settings))
        for cores in options.cores:
            out = folder / f"ours-{engine.replace(':', '-')}-{scale}-{cores}"
            runs.append(run_ours(engine, files, scale, cores, out=out, settings=settings))
    for cores in options.cores if options.datatrove else ():
        out = folder / f"datatrove-{scale}-{cores}"
        out.mkdir()
        source = folder / f"input-{scale}"
        runs.append(run_datatrove(source, len(files), scale, cores, out=out, n_in=n_in))
    for run in runs:
        sys.stderr.write(f"{run.system} {run.scale}x {run.cores}: {run.seconds:.1f} s\n")
    return runs


def arguments(args: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--warc", required=True, nargs="+", help="patterns of WARC files")
    parser.add_argument("--json", required=True, help="where the numbers go")
    parser.add_argument("--scales", type=int, nargs="+", default=list(SCALES))
    parser.add_argument("--cores", type=int, nargs="+", default=list(CORES))
    parser.add_argument("--engines", nargs="+", default=list(ENGINES), help="of ours")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    parser.add_argument("--no-datatrove", dest="datatrove", action="store_false")
    return parser.parse_args(args)


def main(args: Sequence[str]) -> None:
    """Measures, prints the tables, writes the JSON."""
    options = arguments(args)
    with reported(), tempfile.TemporaryDirectory(prefix="bench-ingest-") as folder:
        runs = measure(options, Path(folder))
    rows = [vars(run) | {"n_untold": run.n_untold} for run in runs]
    Path(options.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(f"{table(runs)}\n{accounts(runs)}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["kernel"]:
        kernel(sys.argv[2], sys.argv[3], sys.argv[4], sys.argv[5:])
    elif sys.argv[1:2] == ["datatrove"]:
        datatrove(*sys.argv[2:6])
    else:
        main(sys.argv[1:])
