"""Units of work: planned, done once, accounted for, and skipped when nothing has changed.

A unit is a chunk of WARC files, or the corpus. When work on it begins, `attempts` gets a row;
when its account is closed, `funnel` gets one. Every table that it writes bears a Delta mark made
of unit and attempt, so that a unit broken off between two tables writes only what is missing. A
unit whose fingerprint (settings, stage version, fingerprints of what it reads) is that of its
last finished attempt is not done again.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import re
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, cast

from pyspark.sql import SparkSession

from curation import errors
from curation.config import RunConfig, fingerprint, load_config, overrides
from curation.crawl.listing import State
from curation.errors import AccountingError, EnvironmentFault, InputError, reported
from curation.lock import locked
from curation.pipeline import STAGES, TRAIN, Stage, stage_named, stages_before
from curation.schemas import ATTEMPTS, FUNNEL, LEDGER, TABLES
from curation.spark.chunks import (
    FAILED,
    NO_RETRY,
    Chunk,
    build_sample_if_asked,
    check_input,
    crawl_of_chunks,
    known_files,
    plan_chunks,
)
from curation.spark.funnel import Account
from curation.spark.progress import Progress, Silent
from curation.spark.session import open_session
from curation.spark.tables import SPARK_ERRORS, Store, Txn, small, told_in_one_line
from curation.spark.work import CORPUS, Work

ABANDONED = "abandoned"
log = logging.getLogger(__name__)
_BY_NAME = {table.name: table for table in TABLES}


@dataclass(frozen=True)
class Attempt:
    """The latest attempt at a unit, and whether its account was closed."""

    number: int
    fingerprint: str
    finished: bool


@dataclass
class Job:
    """Stages run over one session, in order."""

    spark: SparkSession
    conf: RunConfig
    run: str
    progress: Progress
    asked: tuple[Stage, ...] = STAGES
    """Stages that this run brings up to date; results of the others are taken if they fit."""
    retry: AbstractSet[State] = NO_RETRY
    """States of files that are asked for again."""

    @cached_property
    def store(self) -> Store:
        """The run's tables, the control tables made."""
        store = Store(self.spark, f"{self.conf.out.rstrip('/')}/tables")
        for table in (ATTEMPTS, FUNNEL, LEDGER):
            store.create(table)
        return store

    @cached_property
    def attempts(self) -> dict[tuple[str, str], Attempt]:
        """Latest attempt by stage and unit."""
        finished = {
            (row["stage"], row["unit"], row["attempt"])
            for row in small(self.store.read(FUNNEL).select("stage", "unit", "attempt"))
        }
        latest: dict[tuple[str, str], Attempt] = {}
        for row in sorted(small(self.store.read(ATTEMPTS)), key=lambda row: row["attempt"]):
            key = (row["stage"], row["unit"])
            done = (*key, row["attempt"]) in finished
            latest[key] = Attempt(row["attempt"], row["fingerprint"], done)
        return latest

    @cached_property
    def crawls(self) -> dict[str, str]:
        """The crawl of every chunk of the run's folder."""
        return crawl_of_chunks(self.store)

    @cached_property
    def chunks(self) -> dict[str, Chunk]:
        """Chunks of this crawl: those of the input, new files grouped into new ones."""
        return plan_chunks(self.store, self.conf, retry=self.retry)

    @cached_property
    def left_out(self) -> frozenset[Stage]:
        """Stages that this run does without: those before s08, where `blend.published` names the
        texts and no file was ever read.
        """
        before = frozenset(stages_before(stage_named("s08_blend")))
        has_begun = any(stage_named(name) in before for name, _ in self.attempts)
        is_alone = bool(self.conf.blend.published) and not has_begun and not before & {*self.asked}
        return before if is_alone else frozenset()

    def finish_takedown(self) -> None:
        """Finish a takedown that was broken off, before anything is made of what is to go."""
        _named("curation.takedown.removal:finish_begun")(self.store, self.conf.out)

    def run_stages(self, stages: Sequence[Stage]) -> None:
        """Do every unit of `stages` that is not done.

        Raises:
            InputError: a stage's input has not been made, or was made by other settings.
            AccountingError: a unit's rows do not add up.
        """
        for stage in stages:
            self.check_earlier([stage])  # what came before in this run may have made it stale
            self.run_stage(stage)

    def is_finished(self, stages: Sequence[Stage]) -> bool:
        """Whether no unit of `stages` is left to do.

        Raises:
            InputError: a stage's input has not been made.
        """
        return all(
            self._is_done(stage, unit, self._fingerprint(stage, unit))
            for stage in stages
            for unit in self._units(stage)
        )

    def run_stage(self, stage: Stage) -> None:
        """Do the units of `stage` that are not done."""
        units = self._units(stage)
        prints = {unit: self._fingerprint(stage, unit) for unit in units}
        pending = [unit for unit in units if not self._is_done(stage, unit, prints[unit])]
        with self.progress.stage(stage.name, len(units), len(units) - len(pending)):
            if not pending:
                return
            for name in stage.writes:
                if name != "blend":  # plain Parquet, made by the stage itself
                    self.store.create(_BY_NAME[name])
            self._begin(stage, {unit: prints[unit] for unit in pending})
            for unit in pending:
                self._do(stage, unit)
                self.progress.unit_done()

    def check_earlier(self, stages: Sequence[Stage], *, then_train: bool = False) -> None:
        """See that what `stages` rest on, and nobody asked for, was all done under these settings.

        Training rests on the last stage.

        Raises:
            InputError: it was not; the message says what, and how to bring it up to date.
        """
        needed = {earlier for stage in stages for earlier in stages_before(stage)}
        if then_train:
            needed |= {*stages_before(STAGES[-1]), STAGES[-1]}
        stale = self._stale([s for s in STAGES if s in needed - {*self.asked, *self.left_out}])
        if stale:
            told = "; ".join(f"{name}: {', '.join(units[:3])}" for name, units in stale.items())
            parts = [s for s in STAGES if s.name in stale or s in self.asked]
            only = ",".join(
                [*(_number(stage) for stage in parts), *([TRAIN] if then_train else [])]
            )
            raise InputError(
                f"{', '.join(stage.name for stage in stages) or TRAIN}: unfinished, or done under "
                f"other settings or on other input: {told}; run these too (--only {only}), or give "
                "the settings that they had"
            )

    def _stale(self, stages: Sequence[Stage]) -> dict[str, list[str]]:
        """Units that are not up to date, by stage; what rests on a stale stage is stale."""
        stale: dict[str, list[str]] = {}
        for stage in stages:
            units = self._all_units(stage)
            if not any(earlier.name in stale for earlier in stages_before(stage)):
                units = [unit for unit in units if not self._is_current(stage, unit)]
            if units:
                stale[stage.name] = units
        return stale

    def _crawl(self, unit: str) -> str:
        """The crawl that a chunk is of; of the corpus, the run's own."""
        return self.conf.crawl if unit == CORPUS else self.crawls[unit]

    def _all_units(self, stage: Stage) -> list[str]:
        if stage.scope == "corpus":
            return [CORPUS]
        if stage.after:
            return self._units(stage)
        return sorted(known_files(self.store, self.conf.crawl))

    def _is_current(self, stage: Stage, unit: str) -> bool:
        try:
            return self._is_done(stage, unit, self._fingerprint(stage, unit))
        except EnvironmentFault as error:
            log.warning("%s: taken as it is, its models are not here: %s", stage.name, error)
            return unit in self._finished(stage)

    def _units(self, stage: Stage) -> list[str]:
        """Units that this run brings up to date.

        The first stage does the chunks of the input. Those behind it do the chunks of every crawl,
        because the stages over the corpus compare and count them all, and settings must be one's.
        """
        if stage.scope == "corpus":
            return [CORPUS]
        if not stage.after:
            return [chunk.name for chunk in self.chunks.values() if chunk.wanted]
        read = sorted(self._finished(STAGES[0]))
        if not read:
            raise InputError(
                f"{stage.name}: no chunk has been through {STAGES[0].name} in {self.store.root}; "
                "run that stage first"
            )
        return read

    def _finished(self, stage: Stage) -> dict[str, str]:
        """Fingerprint by finished unit of `stage`."""
        return {
            unit: attempt.fingerprint
            for (name, unit), attempt in sorted(self.attempts.items())
            if name == stage.name and attempt.finished
        }

    def _fingerprint(self, stage: Stage, unit: str) -> str:
        sections = {name: getattr(self.conf, name) for name in stage.sections}
        return fingerprint(
            {
                "stage": [stage.name, stage.version],
                "settings": {n: s.model_dump(mode="json") for n, s in sections.items()},
                "identity": _named(stage.identity)(self.conf) if stage.identity else None,
                "files": self._file_identities(stage, unit),
                "inputs": [self._input_prints(stage_named(name), unit) for name in stage.after],
            }
        )

    def _file_identities(self, stage: Stage, unit: str) -> list[list[Any]]:
        if stage.after:
            return []
        if stage in self.asked:
            files = self.chunks[unit].files
        else:  # as the ledger has them: the files themselves may be gone
            files = tuple(known_files(self.store, self.conf.crawl)[unit])
        return [file.identity for file in files]

    def _input_prints(self, upstream: Stage, unit: str) -> dict[str, str]:
        finished = self._finished(upstream)
        if upstream.scope == "chunk" and unit != CORPUS:
            finished = {unit: finished[unit]} if unit in finished else {}
        if not finished and upstream not in self.left_out:
            raise InputError(
                f"{unit}: {upstream.name} has not finished in {self.store.root}; run it first"
            )
        return finished

    def _is_done(self, stage: Stage, unit: str, print_: str) -> bool:
        last = self.attempts.get((stage.name, unit))
        return last is not None and last.finished and last.fingerprint == print_

    def _begin(self, stage: Stage, prints: dict[str, str]) -> None:
        """Note that work begins; an unfinished attempt of the same fingerprint goes on."""
        now, rows = datetime.now(UTC), []
        for unit, print_ in prints.items():
            last = self.attempts.get((stage.name, unit))
            if last is not None and not last.finished and last.fingerprint == print_:
                continue
            number = last.number + 1 if last else 1
            self.attempts[stage.name, unit] = Attempt(number, print_, finished=False)
            rows.append((stage.name, unit, number, print_, self.run, now))
        if rows:
            mark = Txn(f"{self.run}/{stage.name}", 1)
            self.store.append(self.store.make(rows, ATTEMPTS), ATTEMPTS, mark)

    def _abandon(self, stage: Stage, unit: str, attempt: Attempt) -> None:
        """Note that the attempt is not to be gone on with: the next one writes every table anew."""
        row = (stage.name, unit, attempt.number + 1, ABANDONED, self.run, datetime.now(UTC))
        mark = Txn(f"{self.run}/{stage.name}/{unit}/{ABANDONED}", 1)
        self.store.append(self.store.make([row], ATTEMPTS), ATTEMPTS, mark)

    def _do(self, stage: Stage, unit: str) -> None:
        begun = time.monotonic()
        attempt = self.attempts[stage.name, unit]
        files = () if stage.after else self.chunks[unit].files
        work = Work(
            self.store, self.conf, stage, unit, self._crawl(unit), attempt.number, files,
            self.progress,
        )  # fmt: skip
        try:
            done: Account = _named(stage.run)(work)
            done.close(stage.name, unit)
        except SPARK_ERRORS as error:
            raise _of_ours(error) from error
        except AccountingError:
            self._abandon(stage, unit, attempt)
            raise
        seconds = time.monotonic() - begun
        self._finish(work, attempt, done, seconds)
        log.info(
            "%s %s: %d rows in, %d out, %.1f s, fingerprint %s",
            *(stage.name, unit, done.rows_in, done.rows_out, seconds, attempt.fingerprint),
        )

    def _finish(self, work: Work, attempt: Attempt, done: Account, seconds: float) -> None:
        row = (
            self.run, work.stage.name, work.unit, attempt.number, attempt.fingerprint, done.rows_in,
            done.rows_out, done.reasons, done.notes or None, done.tokens, seconds,
            datetime.now(UTC),
        )  # fmt: skip
        work.append(self.store.make([row], FUNNEL), FUNNEL)
        key = (work.stage.name, work.unit)
        self.attempts[key] = Attempt(attempt.number, attempt.fingerprint, finished=True)


def _number(stage: Stage) -> str:
    return stage.name.partition("_")[0]


def check_ready(conf: RunConfig, stages: Iterable[Stage]) -> None:
    """Find what the stages need beside their tables, before any of them begins.

    Raises:
        CurationError: a model, a file of weights, a tokenizer or a prompt is missing.
    """
    for stage in stages:
        if stage.identity:
            _named(stage.identity)(conf)


def _of_ours(error: Exception) -> Exception:
    """The CurationError that a worker raised, if that is what stopped Spark; else the error."""
    found = re.search(r"curation\.errors\.(\w+): (.+)", str(error))
    kind = getattr(errors, found.group(1), None) if found else None
    return kind(found.group(2).strip()) if found and kind else error


def _named(where: str) -> Callable[..., Any]:
    """The function at `module:function`."""
    module, _, name = where.partition(":")
    return cast(Callable[..., Any], getattr(importlib.import_module(module), name))


def new_run_id() -> str:
    """A name for a run: the time in UTC to the microsecond."""
    return datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%f")


def main(stage_name: str, argv: Iterable[str] | None = None) -> None:
    """Entry point of `jobs/`: one stage, as `spark-submit` or Python starts it."""
    stage = stage_named(stage_name)
    parser = argparse.ArgumentParser(description=stage.doc)
    parser.add_argument("--conf", required=True, help="YAML file of the run, e.g. conf/demo.yaml")
    parser.add_argument("--out", help="folder of the run; overrides the file's")
    parser.add_argument("--input", action="append", default=[], help="WARC files or patterns")
    parser.add_argument("--retry-failed", action="store_true", help="ask for failed files again")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.KEY=VALUE")
    arguments = parser.parse_args(None if argv is None else list(argv))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    with reported():
        said = overrides(arguments.set, out=arguments.out, inputs=arguments.input)
        conf = load_config(arguments.conf, said)
        check_ready(conf, [stage])
        check_input(conf, [stage])
        with locked(conf.out), told_in_one_line():
            build_sample_if_asked(conf, [stage])
            spark = open_session(conf.spark, f"curation {stage.name}")
            try:
                retry = FAILED if arguments.retry_failed else NO_RETRY
                job = Job(spark, conf, new_run_id(), Silent(), asked=(stage,), retry=retry)
                job.finish_takedown()
                job.run_stages([stage])
            finally:
                spark.stop()
