"""s07a: a judge model grades every generated text beside its source.

The questions are requests like those of s06 and s07: planned, asked once, kept with their answers,
under a budget of their own. The grade is a column; the gates decide by it (s07b).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from curation.config import JudgeConfig, RunConfig
from curation.model_store import model_folder, model_print
from curation.schemas import (
    DOCUMENTS,
    GENERATIONS,
    JUDGEMENTS,
    REQUESTS,
    SYNTHETIC,
    Table,
    column,
)
from curation.spark.batches import Kernel, map_batches
from curation.spark.funnel import Account, account
from curation.spark.work import Work
from curation.synth.asking import answer_all
from curation.synth.budget import OVER_BUDGET
from curation.synth.generated import own_text
from curation.synth.judgement import pair_text, read_grade, room_of
from curation.synth.prompts import Prompt, load_judge
from curation.synth.requests import best_answers, request_id, sampling
from curation.synth.sourced import with_sources
from curation.synth.tokenizer import ChatTokenizer, load_chat_tokenizer

_PLANNED = Table(
    "planned",
    "Requests with the text that each is about. Not a table of the run.",
    pa.schema([
        *REQUESTS.columns,
        column("synthetic_id", pa.string(), "The text"),
        column("of_task", pa.string(), "Prompt that it was made by"),
    ]),
    key=("request_id",),
)  # fmt: skip


def judge(work: Work) -> Account:
    """Ask for a grade of every text of `synthetic`; nothing where no judge is enabled."""
    made = work.read(SYNTHETIC)
    if not work.conf.judge.enabled:
        work.write_stage(work.store.make([], REQUESTS), REQUESTS)
        work.write(work.store.make([], JUDGEMENTS), JUDGEMENTS)
        return Account(0, 0, {}, 0)
    sources = work.read(REQUESTS).where(F.col("stage") != work.stage.name)
    planned = _planned(with_sources(made, sources, work.read(DOCUMENTS)), work.conf.judge)
    # Kept: requests and judgements come of the same plan, which tokenises every text.
    planned = planned.persist(StorageLevel.DISK_ONLY)
    try:
        work.write_stage(planned.select(*REQUESTS.columns.names), REQUESTS)
        requests = work.read(REQUESTS).where(F.col("stage") == work.stage.name)
        answer_all(work, requests, work.conf.judge)
        work.write(_judgements(planned, work.read(GENERATIONS)), JUDGEMENTS)
    finally:
        planned.unpersist()
    return _account(work, made)


def identity(conf: RunConfig) -> dict[str, str]:
    """The judge's hash and the version of its prompt: they decide beside the settings.

    Raises:
        EnvironmentFault: the judge is not on this machine, or has no chat template.
        ConfigError: its context is too short for a source and a text.
    """
    if not conf.judge.enabled:
        return {}
    folder, prompt = model_folder(conf.judge.model), load_judge()
    room_of(prompt, load_chat_tokenizer(folder), most_tokens(prompt, conf.judge))
    return {"prompt": prompt.version, "model": model_print(folder)}


def most_tokens(prompt: Prompt, conf: JudgeConfig) -> int:
    """Tokens that a question may have: what the prompt says, and the context beside the answer."""
    return min(prompt.max_input_tokens, conf.max_model_tokens - prompt.max_output_tokens)


def _planned(beside: DataFrame, conf: JudgeConfig) -> DataFrame:
    """Rows of `_PLANNED`, one for each row of GENERATED."""
    return map_batches(beside, _kernel(conf), _PLANNED)


def _kernel(conf: JudgeConfig) -> Callable[[], Kernel]:
    def make() -> Kernel:
        folder, prompt = model_folder(conf.model), load_judge()
        tokenizer, generator = load_chat_tokenizer(folder), model_print(folder)

        def plan(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
            rows = [question(row, prompt, conf, tokenizer, generator) for row in batch.to_pylist()]
            return [pa.RecordBatch.from_pylist(rows, schema=_PLANNED.columns)]

        return plan

    return make


def question(
    row: dict[str, Any], prompt: Prompt, conf: JudgeConfig, tokenizer: ChatTokenizer, model: str
) -> dict[str, Any]:
    """The request for a grade of one row of GENERATED, and which text it is of.

    Args:
        row: The text beside its source.
        prompt: The judge's.
        conf: Its generator.
        tokenizer: Its tokenizer.
        model: Hash of its weights.
    """
    cap, own = prompt.max_output_tokens, own_text(row["text"], row["source"])
    text = pair_text(row["source"], own, prompt, tokenizer, most_tokens(prompt, conf))
    return {
        "request_id": request_id(prompt, conf, model, cap, row["synthetic_id"], 0, text),
        "stage": prompt.stage,
        "task": prompt.name,
        "doc_id": row["doc_id"],
        "crawl": row["crawl"],
        "segment": 0,
        "prompt_version": prompt.version,
        "model": conf.model,
        "revision": model,
        "sampling": sampling(prompt, conf),
        "n_text_tokens": tokenizer.count([text])[0],
        "max_output_tokens": cap,
        "text": text,
        "synthetic_id": row["synthetic_id"],
        "of_task": row["task"],
    }


def _judgements(planned: DataFrame, answers: DataFrame) -> DataFrame:
    """Rows of JUDGEMENTS: those of the questions that have an answer."""
    asked = planned.select(
        "request_id", "synthetic_id", "doc_id", "crawl", F.col("of_task").alias("task"), "model",
        "prompt_version",
    )  # fmt: skip
    last = best_answers(answers).select("request_id", "raw", "finish_reason")
    return map_batches(asked.join(last, "request_id"), lambda: _read_batch, JUDGEMENTS)


def _read_batch(batch: pa.RecordBatch) -> list[pa.RecordBatch]:
    rows = []
    for row in batch.to_pylist():
        score, fault = read_grade(row.pop("raw"), row.pop("finish_reason"))
        rows.append(row | {"judge_score": score, "fault": fault})
    return [pa.RecordBatch.from_pylist(rows, schema=JUDGEMENTS.columns)]


def _account(work: Work, made: DataFrame) -> Account:
    """Texts with a grade go on; tokens are the generator's."""
    graded = work.read(JUDGEMENTS).select("synthetic_id", "fault")
    left = made.join(graded, "synthetic_id", "left_anti").select(
        "synthetic_id", F.lit(OVER_BUDGET).alias("fault")
    )
    outcomes = graded.unionByName(left).withColumnRenamed("fault", "reason")
    tokens = made.select("synthetic_id", F.col("n_tokens").alias("tokens"))
    return account(made, outcomes.join(tokens, "synthetic_id"), "synthetic_id")
