"""The `curation` command: run, status, report, plan, query, rules, takedown, where, publish."""

from __future__ import annotations

import contextlib
import functools
import itertools
import json
import logging
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import pyarrow as pa
import typer
import yaml
from pyspark.sql import SparkSession
from rich.console import Console
from rich.table import Column
from rich.table import Table as RichTable
from rich.text import Text as RichText

from curation.config import RunConfig, load_config, overrides
from curation.crawl.listing import State
from curation.errors import InputError, reported
from curation.lock import locked
from curation.pipeline import TRAIN, Stage, select_stages
from curation.publish.command import publish as publish_blend
from curation.report.html import write_report
from curation.report.planning import PLAN_COLUMNS, plan_cells
from curation.report.query import run_query, write_rows
from curation.report.rules import rule_costs
from curation.report.rules import sweep as swept
from curation.report.run import open_run
from curation.report.status import print_failed, print_status
from curation.report.summary import print_summary
from curation.report.where import where as find_origin
from curation.spark.chunks import FAILED, NO_RETRY, build_sample_if_asked, check_input
from curation.spark.job import Job, check_ready, new_run_id
from curation.spark.progress import Terminal
from curation.spark.session import check_java, open_session, spark_defaults
from curation.spark.tables import told_in_one_line
from curation.synth.plan import plan_tasks, write_plan
from curation.takedown.command import Takedown, take_down
from curation.takedown.selectors import selectors
from models.train.folder import (
    check_train,
    is_trained,
    manifest_path,
    mark_trained,
    open_folder,
)
from models.train.sources import read_sources

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A data refinery for pretraining language models: Common Crawl in, labelled, rephrased, "
    "blended and tokenised text out.",
)

LOG_WIDTH = 120

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
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again for files that failed.")
    ] = False,
) -> None:
    """Run the flow, or part of it; what is done already is not done again."""
    loaded = load_config(conf, overrides(settings or [], out=out, inputs=inputs or []))
    stages, train = select_stages(only), _wants_training(only)
    console = _console()
    begun = time.monotonic()
    _check(loaded, stages, train=train)
    with locked(loaded.out):
        build_sample_if_asked(loaded, stages)
        with Terminal(console) as progress:
            retry = FAILED if retry_failed else NO_RETRY
            _run_stages(loaded, stages, progress, train=train, retry=retry)
            if train:
                _train(loaded, progress)
        write_report(Path(loaded.out))
    print_summary(Path(loaded.out), console)
    print_failed(Path(loaded.out), console)
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
def plan(
    conf: Conf,
    out: Out = "",
    sample: Annotated[int, typer.Option(min=2, help="Documents looked at for each prompt.")] = 200,
    speed: Annotated[
        float,
        typer.Option(
            min=0.0, help="Output tokens a second of one engine; 0: as in answers so far."
        ),
    ] = 0.0,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting, as in run, e.g. synth.max_requests_per_task=0."),
    ] = None,
) -> None:
    """Show what generation (s06, s07) will take, from some labelled documents; asks nothing."""
    loaded = load_config(conf, overrides(settings or [], out=out, inputs=[]))
    folder = _run_folder(loaded.out)
    with open_run(folder) as found:
        plans = plan_tasks(found, loaded.synth, n_sample=sample, speed=speed)
    write_plan(folder, plans)
    table = RichTable(*[Column(title, overflow="fold") for title in PLAN_COLUMNS])
    for row in plan_cells(plans):
        table.add_row(*row)
    console = _console()
    console.print(table, markup=False)
    console.print(
        "Estimates, with the interval that holds 19 times of 20; at most: as long as the caps "
        "allow. Budgets that stop earlier: synth.budget."
    )


@app.command()
def query(
    out: Folder,
    sql: Annotated[str, typer.Argument(help="SQL; every table of the run is there by name.")],
    rows: Annotated[int, typer.Option(min=1, help="Most rows shown.")] = 50,
    csv: Annotated[bool, typer.Option(help="Write all rows as CSV, cells uncut.")] = False,
) -> None:
    """Run SQL over the run's tables and show the result (DuckDB's dialect)."""
    if csv:
        result = run_query(_run_folder(out), sql)
        write_rows(result, sys.stdout.buffer)
        return
    console = _console()
    result = run_query(_run_folder(out), sql, limit=rows + 1)
    table = RichTable(*[Column(name, overflow="fold") for name in result.column_names])
    for row in result.slice(0, rows).to_pylist():
        table.add_row(*[_cell(value) for value in row.values()])
    console.print(table, markup=False)
    if result.num_rows > rows:
        console.print("... and more; --rows N shows N of them, --csv writes all")


@app.command(name="rules")
def show_rules(
    out: Folder,
    preset: Annotated[
        str,
        typer.Option(help="nemotron, gopher, c4, fineweb, fineweb2, redpajama, or a YAML file."),
    ] = "nemotron",
    by: Annotated[str, typer.Option(help="Groups: label, language, or both with a comma.")] = "",
    sweep: Annotated[str, typer.Option(help="A rule: what it would drop at other bounds.")] = "",
    csv: Annotated[bool, typer.Option(help="Write all rows as CSV.")] = False,
) -> None:
    """Show what each rule of a preset costs, alone and last, or one rule at other bounds."""
    folder, groups = _run_folder(out), [name.strip() for name in by.split(",") if name.strip()]
    if sweep and groups:
        raise typer.BadParameter("--sweep is of all documents that the rule judges: leave out --by")
    rows = swept(folder, preset, sweep) if sweep else rule_costs(folder, preset, by=groups)
    if csv:
        write_rows(pa.Table.from_pylist(rows), sys.stdout.buffer)
        return
    table = RichTable(*[Column(name, overflow="fold") for name in rows[0]] if rows else [])
    for row in rows:
        told = {"rule": row["rule"] or "(any rule)"} if "rule" in row else {}
        cells = ("" if value is None else value for value in (row | told).values())
        table.add_row(*map(_cell, cells))
    _console().print(table, markup=False)


@app.command()
def takedown(
    out: Folder,
    url: Annotated[
        list[str] | None, typer.Option(help="A page, by its address; repeatable.")
    ] = None,
    domain: Annotated[
        list[str] | None, typer.Option(help="A domain and all names below it; repeatable.")
    ] = None,
    doc_id: Annotated[
        list[str] | None, typer.Option("--doc-id", help="One document; repeatable.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept with the tombstones.")] = "",
    with_duplicates: Annotated[
        bool, typer.Option("--with-duplicates", help="Their duplicates at other URLs too.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Remove; else it is only shown.")] = False,
    vacuum: Annotated[
        bool, typer.Option("--vacuum", help="Delete the files of old table versions too.")
    ] = False,
) -> None:
    """Show what a takedown would remove, children and tokens included; with --yes, remove it."""
    wanted = selectors(url or [], domain or [], doc_id or [])
    asked = Takedown(wanted, reason, with_duplicates=with_duplicates, yes=yes, vacuum=vacuum)
    folder, tell = _run_folder(out), functools.partial(_console().print, markup=False)
    with locked(out) if yes else contextlib.nullcontext():
        take_down(folder, asked, functools.partial(tell, highlight=False, soft_wrap=True))


@app.command()
def where(
    out: Folder,
    place: Annotated[str, typer.Argument(help="SHARD:OFFSET, e.g. shard-00000:1234.")],
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
) -> None:
    """Show which document a token is of, its WARC record, and how it was made."""
    origin = find_origin(_run_folder(out), place)
    if as_json:
        sys.stdout.write(json.dumps(asdict(origin), ensure_ascii=False) + "\n")
        return
    table = RichTable("", Column(overflow="fold"), show_header=False)
    told = {name: str(value) for name, value in asdict(origin).items() if name != "facts"}
    for name, value in (told | origin.facts).items():
        table.add_row(name, RichText(value))
    _console().print(table, markup=False)


@app.command()
def publish(
    out: Folder,
    target: Annotated[Path, typer.Argument(help="A new folder, or an empty one.")],
) -> None:
    """Write the blend as JSON lines, laid out as the published Nemotron-CC."""
    tell = functools.partial(_console().print, markup=False, highlight=False, soft_wrap=True)
    publish_blend(_run_folder(out), target, tell)


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
    if train:
        check_train(conf)
        if not stages:
            read_sources(conf.train, manifest_path(conf))


def _note_settings(conf: RunConfig, run_id: str) -> None:
    """Write OUT/run.yaml, the settings of the latest run that was let in, and OUT/runs/ID.yaml."""
    folder = Path(conf.out)
    (folder / "runs").mkdir(exist_ok=True)
    text = yaml.safe_dump(conf.model_dump(mode="json"), sort_keys=False)
    for name in (f"runs/{run_id}.yaml", "run.yaml"):
        (folder / name).write_text(text, encoding="utf-8")


def _run_stages(
    conf: RunConfig,
    stages: tuple[Stage, ...],
    progress: Terminal,
    *,
    train: bool,
    retry: frozenset[State],
) -> None:
    """Stages in order; those that need the GPU or an engine, in a Spark application of their own.

    Where such a stage, or one after it, has nothing left to do, no application is begun for it.
    """
    run_id, hosts_engine = new_run_id(), bool(stages) and _is_alone(stages[0], conf)

    def begin(engine: bool) -> Job:
        session = _session(conf, engine=engine)
        return Job(session, conf, run_id, progress, asked=stages, retry=retry)

    job = begin(hosts_engine)
    try:
        job.finish_takedown()
        job.check_earlier(stages, then_train=train and not conf.train.sources)
        _note_settings(conf, run_id)
        for engine, group in itertools.groupby(stages, key=lambda stage: _is_alone(stage, conf)):
            pending = list(group)
            if engine != hosts_engine and not job.is_finished(pending):
                job.spark.stop()
                job = begin(engine)
                hosts_engine = engine
            job.run_stages(pending)
    finally:
        job.spark.stop()


def _is_alone(stage: Stage, conf: RunConfig) -> bool:
    """Whether the stage has a machine's GPU, or its memory, to itself: one task, one worker."""
    return stage.engine or ("score" in stage.sections and conf.score.on_gpu)


def _session(conf: RunConfig, *, engine: bool) -> SparkSession:
    spark_conf = conf.spark
    if engine and spark_conf.master.startswith("local"):
        # One task at a time: a second worker would load a second engine.
        spark_conf = spark_conf.model_copy(update={"master": "local[1]"})
    return open_session(spark_conf, "curation", log=Path(conf.out, "logs", "spark.log"))


def _train(conf: RunConfig, progress: Terminal) -> None:
    """Train on the run's shards, unless the model of these settings and shards is trained."""
    folder = open_folder(conf)
    is_done = is_trained(folder)
    with progress.stage(TRAIN, 1, int(is_done)):
        if is_done:
            return
        from models.train.loop import train  # torch: not part of the CPU core

        train(conf.train, manifest_path(conf), folder,
              on_step=lambda step: progress.part_done(step.step, conf.train.n_steps))  # fmt: skip
        mark_trained(folder)


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
