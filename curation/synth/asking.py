"""Requests asked of a generator, and their answers kept, a commit's worth at a time.

What is unanswered is looked up anew before each commit, so that an answer is never asked for twice
and a crash loses at most one commit.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from itertools import islice

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.config import AskingConfig
from curation.schemas import GENERATIONS, REQUESTS
from curation.spark.batches import PartitionKernel, map_partitions
from curation.spark.tables import SPARK_ERRORS, small
from curation.spark.work import Work
from curation.synth.backends.loading import load_backend
from curation.synth.backends.protocol import KILLS_ENGINE, Backend, ChatRequest, Completion
from curation.synth.budget import LastCommit, Spent, commit_size
from curation.synth.deaths import Hunt, is_death
from curation.synth.prompts import Prompt, all_prompts, render
from curation.synth.requests import unanswered

ANSWERS_PER_BATCH = 64
"""Answers that go back to Spark together, as soon as there are so many."""

ORDER = ("task", "n_text_tokens", "request_id")
"""In which an engine is asked."""
KEPT = tuple(name for name in GENERATIONS.columns.names if name in REQUESTS.columns.names)


class _ProcessDied(Exception):
    """The process of an engine is gone, and with it the answers of a commit."""


def answer_all(work: Work, requests: DataFrame, conf: AskingConfig) -> None:
    """Ask what is unanswered, a commit's worth at a time, until all is or the budget is spent.

    Raises:
        EnvironmentFault: requests in a row end the process of the engine.
    """
    n_requests, last, hunt = requests.count(), None, Hunt()
    while True:
        answers = work.read(GENERATIONS)
        waiting = unanswered(requests, answers)
        n_waiting = waiting.count()
        work.progress.part_done(n_requests - n_waiting, n_requests)
        n = commit_size(
            conf.budget, _spent(requests, answers), most=hunt.at_most(conf.requests_per_commit),
            minutes=conf.minutes_per_commit, last=last,
        )  # fmt: skip
        if not n_waiting or not n:
            return
        last = _commit(work, conf, waiting, min(n, n_waiting), hunt) or last


def _commit(
    work: Work, conf: AskingConfig, waiting: DataFrame, n: int, hunt: Hunt
) -> LastCommit | None:
    """Ask the first `n` and keep their answers; None where the engine's process ended."""
    began = time.monotonic()
    first = _first(waiting, n)
    try:
        _ask(work, conf, first)
    except _ProcessDied as died:
        if hunt.died(n, str(died)):
            _keep(work, _quarantined(first, str(died)))
        return None
    hunt.survived(n)
    return LastCommit(n, time.monotonic() - began)


def _spent(requests: DataFrame, answers: DataFrame) -> Spent:
    """What the answers to `requests` have taken; an error takes its time too."""
    of_these = answers.join(requests.select("request_id"), "request_id", "left_semi")
    sums = of_these.agg(
        F.count(F.lit(1)), F.coalesce(F.sum("n_output_tokens"), F.lit(0)),
        F.coalesce(F.sum("seconds"), F.lit(0.0)),
    )  # fmt: skip
    return Spent(*small(sums)[0])


def _first(waiting: DataFrame, n: int) -> DataFrame:
    """The `n` requests to ask next.

    Documents come in the order of a hash: where a budget ends it, every prompt has had its share,
    and the segments of a document are answered together.
    """
    return waiting.orderBy(F.xxhash64("doc_id"), *ORDER).limit(n)


def _ask(work: Work, conf: AskingConfig, asked: DataFrame) -> None:
    """Ask, and commit the answers.

    Raises:
        _ProcessDied: a process ended that was answering.
    """
    try:
        _keep(work, answers_to(asked, conf))
    except SPARK_ERRORS as error:
        if not is_death(str(error)):
            raise
        raise _ProcessDied(_last_words(str(error))) from error


def _last_words(said: str) -> str:
    """The line in which Spark says how the process ended, cut to what a column should hold."""
    told = next((line for line in said.splitlines() if is_death(line)), said)
    return told.rpartition("Exception: ")[2][:300]


def _keep(work: Work, answers: DataFrame) -> None:
    # No mark: what is unanswered is looked up anew, so an answer is never asked for twice.
    answers.write.format("delta").mode("append").save(work.store.path(GENERATIONS))


def _quarantined(asked: DataFrame, reason: str) -> DataFrame:
    """Rows of GENERATIONS for requests that end the process, and are not asked again."""
    told = asked.select(
        *KEPT, F.lit("error").alias("finish_reason"),
        F.lit(f"{KILLS_ENGINE}: {reason}").alias("error"), F.lit(0).alias("n_input_tokens"),
        F.lit(0).alias("n_output_tokens"), F.lit(0.0).cast("float").alias("seconds"),
        F.lit("").alias("raw"),
    )  # fmt: skip
    return told.select(*GENERATIONS.columns.names)


def answers_to(requests: DataFrame, conf: AskingConfig) -> DataFrame:
    """Rows of GENERATIONS for rows of REQUESTS, spread over `n_engines`; asked when it is read."""
    spread = requests.repartition(conf.n_engines, "request_id")
    # Neighbours share a prompt, whose keys and values an engine keeps, and a length.
    return map_partitions(spread.sortWithinPartitions(*ORDER), _asker(conf), GENERATIONS)


def _asker(conf: AskingConfig) -> PartitionKernel:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        backend = load_backend(conf, seed=conf.engine_seed)
        yield from answered(batches, backend, conf)

    return run


def answered(
    batches: Iterable[pa.RecordBatch], backend: Backend, conf: AskingConfig
) -> Iterator[pa.RecordBatch]:
    """Rows of GENERATIONS for rows of REQUESTS, as they are answered.

    The backend is fed across the batches, which are Spark's affair; only rows that are being
    answered are held.
    """
    prompts = all_prompts()
    asked: dict[str, dict[str, object]] = {}

    def questions() -> Iterator[ChatRequest]:
        for batch in batches:
            for row in batch.to_pylist():
                asked[row["request_id"]] = {name: row[name] for name in KEPT}
                yield _question(prompts[row["task"]], row, conf)

    completions = backend.generate(questions())
    while some := list(islice(completions, ANSWERS_PER_BATCH)):
        rows = [asked.pop(done.request_id) | _answer(done) for done in some]
        yield pa.RecordBatch.from_pylist(rows, schema=GENERATIONS.columns)


def _question(prompt: Prompt, row: dict[str, object], conf: AskingConfig) -> ChatRequest:
    return ChatRequest(
        request_id=str(row["request_id"]),
        system=prompt.system,
        user=render(prompt, str(row["text"])),
        prefill=prompt.prefill if conf.prefill else "",
        max_tokens=int(str(row["max_output_tokens"])),
        temperature=prompt.temperature,
        top_p=prompt.top_p,
    )


def _answer(completion: Completion) -> dict[str, object]:
    return {
        "finish_reason": completion.finish_reason,
        "error": completion.error,
        "n_input_tokens": completion.n_input_tokens,
        "n_output_tokens": completion.n_output_tokens,
        "seconds": completion.seconds,
        "raw": completion.text,
    }
