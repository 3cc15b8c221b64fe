"""The `curation` command: run, status, report, query."""

from __future__ import annotations

import itertools
import logging
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Table as RichTable

from curation.config import RunConfig, fingerprint, load_config, overrides
from curation.errors import EnvironmentFault, InputError, reported
from curation.pipeline import TRAIN, Stage, select_stages
from curation.report.html import write_report
from curation.report.query import run_query
from curation.report.status import print_status
from curation.report.summary import print_summary
from curation.spark.chunks import build_sample_if_asked, check_input
from curation.spark.job import Job, check_ready, new_run_id
from curation.spark.lock import locked
from curation.spark.progress import Terminal
from curation.spark.session import check_java, open_session, spark_defaults
from curation.spark.tables import told_in_one_line
from curation.tokens.manifest import read_manifest
from curation.tokens.stage import tokens_folder

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A data refinery for pretraining language models: Common Crawl in, labelled, rephrased, "
    "blended and tokenised text out.",
)

LOG_WIDTH = 120
TRAINED = "finished"
"""File in the model's folder that says its training has come to the end."""

Conf = Annotated[str, typer.Argument(help="YAML file of the run, e.g. conf/demo.yaml.")]
Out = Annotated[
    str, typer.Option("--out", "-o", help="Folder of the run; overrides the file's `out`.")
]
Folder = Annotated[str, typer.Argument(help="Folder of a run, as given to `run --out`.")]


@app.command()
def run(
    conf: Conf,
    out: Out = "",
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input", "-i", help="WARC files or quoted patterns, `**` included; repeatable."
        ),
    ] = None,
    only: Annotated[
        str,
        typer.Option(help="Part of the flow: stage names or numbers, e.g. s01,s02 or s09,train."),
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting: section.key=value, e.g. dedup.survivor=longest."),
    ] = None,
) -> None:
    """Run the flow, or part of it; what is done already is not done again."""
    loaded = load_config(conf, overrides(settings or [], out=out, inputs=inputs or []))
    stages, train = select_stages(only), _wants_training(only)
    console = _console()
    begun = time.monotonic()
    _check(loaded, stages, train=train)
    with locked(loaded.out):
        run_id = _begin(loaded, stages)
        with Terminal(console) as progress:
            _run_stages(loaded, stages, progress, run_id)
            if train:
                _train(loaded, progress)
        write_report(Path(loaded.out))
    print_summary(Path(loaded.out), console)
    console.print(f"Done in {time.monotonic() - begun:.0f} s.")


@app.command()
def status(out: Folder) -> None:
    """Show which WARC files and which units of which stages are done."""
    print_status(_run_folder(out), _console())


@app.command()
def report(out: Folder) -> None:
    """Write OUT/report.html anew from the run's tables, and show the summary."""
    folder = _run_folder(out)
    write_report(folder)
    console = _console()
    print_summary(folder, console)


@app.command()
def query(
    out: Folder,
    sql: Annotated[str, typer.Argument(help="SQL; every table of the run is there by name.")],
    rows: Annotated[int, typer.Option(min=1, help="Most rows shown.")] = 50,
) -> None:
    """Run SQL over the run's tables and show the result (DuckDB's dialect)."""
    console = _console()
    result = run_query(_run_folder(out), sql, limit=rows)
    table = RichTable(*result.column_names)
    for row in result.to_pylist():
        table.add_row(*[_cell(value) for value in row.values()])
    console.print(table, markup=False)


@app.command(name="spark-defaults")
def print_spark_defaults(
    python: Annotated[
        bool, typer.Option(help="Add this interpreter as the one that Spark's workers use.")
    ] = False,
) -> None:
    """Print the Spark settings that spark-submit needs, as a properties file."""
    settings = spark_defaults()
    if python:
        settings |= {"spark.pyspark.python": sys.executable}
    for key, value in settings.items():
        typer.echo(f"{key} {value}")


def main() -> None:
    """Run the command; what a user can mend is one line and exit code 2."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    with reported(), told_in_one_line("OUT/logs/spark.log"):
        app()


def _wants_training(only: str) -> bool:
    return not only.strip() or TRAIN in [part.strip() for part in only.split(",")]


def _check(conf: RunConfig, stages: tuple[Stage, ...], *, train: bool) -> None:
    """Find everything that can be found wrong before anything is written."""
    check_java()
    check_ready(conf, stages)
    check_input(conf, stages)
    missing = [name for name in ("torch", "transformers") if train and not find_spec(name)]
    if missing:
        raise EnvironmentFault(
            f"training needs {' and '.join(missing)}: pip install 'curation[llm-cpu]' (a GPU: "
            "[llm]), or leave it out with --only s01,s02,s03,s04,s05,s06,s07,s08,s09"
        )


def _begin(conf: RunConfig, stages: tuple[Stage, ...]) -> str:
    """Make the sample crawl if it is asked for, note the settings; the run's name."""
    build_sample_if_asked(conf, stages)
    folder, run_id = Path(conf.out), new_run_id()
    (folder / "runs").mkdir(exist_ok=True)
    text = yaml.safe_dump(conf.model_dump(mode="json"), sort_keys=False)
    for name in (f"runs/{run_id}.yaml", "run.yaml"):
        (folder / name).write_text(text, encoding="utf-8")
    return run_id


def _run_stages(
    conf: RunConfig, stages: tuple[Stage, ...], progress: Terminal, run_id: str
) -> None:
    """Stages in order; those that host an engine, in a Spark application of their own.

    Where such a stage, or one after it, has nothing left to do, no application is begun for it.
    """
    hosts_engine, job = False, None
    try:
        for engine, group in itertools.groupby(stages, key=lambda stage: stage.engine):
            pending = list(group)
            if job is None or (engine != hosts_engine and not job.is_finished(pending)):
                if job is not None:
                    job.spark.stop()
                job = Job(_session(conf, engine=engine), conf, run_id, progress, asked=stages)
                hosts_engine = engine
            job.run_stages(pending)
    finally:
        if job is not None:
            job.spark.stop()


def _session(conf: RunConfig, *, engine: bool) -> SparkSession:
    spark_conf = conf.spark
    if engine and spark_conf.master.startswith("local"):
        # One task at a time: a second worker would load a second engine.
        spark_conf = spark_conf.model_copy(update={"master": "local[1]"})
    return open_session(spark_conf, "curation", log=Path(conf.out, "logs", "spark.log"))


def _train(conf: RunConfig, progress: Terminal) -> None:
    """Train on the run's shards; an earlier model of other settings or shards is set aside."""
    manifest = tokens_folder(conf.out) / "manifest.json"
    folder = Path(conf.out, "model")
    identity = fingerprint(
        [conf.train.model_dump(mode="json"), read_manifest(manifest).model_dump(mode="json")]
    )
    _set_aside_other(folder, identity)
    is_done = (folder / TRAINED).is_file()
    with progress.stage(TRAIN, 1, int(is_done)):
        if is_done:
            return
        from models.train.loop import train  # torch: not part of the CPU core

        train(conf.train, manifest, folder,
              on_step=lambda step: progress.part_done(step.step, conf.train.n_steps))  # fmt: skip
        (folder / TRAINED).touch()


def _set_aside_other(folder: Path, identity: str) -> None:
    mark = folder / "identity"
    if mark.is_file() and mark.read_text() != identity:
        folder.rename(folder.with_name(f"model-{mark.read_text()}"))
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(identity)


def _console() -> Console:
    """The terminal, or 120 columns where the output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=LOG_WIDTH)


def _run_folder(out: str) -> Path:
    folder = Path(out)
    if not (folder / "tables").is_dir():
        raise InputError(f"{out}: no run here (no folder tables/); name the folder given to --out")
    return folder


def _cell(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 200 else text[:200] + "…"
