"""s06 and s07: ask a language model about documents, and make texts of the answers.

Requests are planned and written first; answers are appended in commits of a set size, so that a
crash loses at most one; texts are made from the answers by parsing alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from curation.config import SynthConfig
from curation.model_store import model_folder
from curation.schemas import (
    DOCUMENTS,
    GENERATIONS,
    LABELS,
    REQUESTS,
    SYNTHETIC,
    VERDICTS,
    Table,
    column,
)
from curation.spark.batches import Kernel, PartitionKernel, map_batches, map_partitions
from curation.spark.funnel import Account, account
from curation.spark.tables import small
from curation.spark.work import Work
from curation.synth.backends.loading import load_backend
from curation.synth.backends.protocol import Backend, ChatRequest, Completion
from curation.synth.budget import OVER_BUDGET, LastCommit, Spent, commit_size
from curation.synth.postprocess import Parsed, parse
from curation.synth.prompts import Prompt, load_prompts, render
from curation.synth.requests import chosen_prompts, is_meant, plan_requests, unanswered
from curation.synth.tokenizer import load_chat_tokenizer

ANSWERS_PER_BATCH = 64
"""Answers that go back to Spark together, as soon as there are so many."""

ORDER = ("task", "n_text_tokens", "request_id")
"""In which an engine is asked."""
_KEPT = tuple(name for name in GENERATIONS.columns.names if name in REQUESTS.columns.names)

PARSED = Table(
    name="parsed",
    doc="Answers after parsing, `verdict` being accepted or the fault. Not a table of the run.",
    columns=pa.schema([
        *(field for field in VERDICTS.columns if field.name != "reason"),
        column("text", pa.string(), "The text; empty unless accepted"),
    ]),
    key=("request_id",),
)  # fmt: skip


def rephrase(work: Work) -> Account:
    """Rewrite low quality; question, distil, extract and list high quality."""
    return _generate(work, chosen_prompts(work.stage.name, work.conf.synth.tasks))


def dialogue(work: Work) -> Account:
    """Turn documents with mathematics into dialogues, in every style."""
    return _generate(work, chosen_prompts(work.stage.name, work.conf.synth.styles))


def _generate(work: Work, prompts: Sequence[Prompt]) -> Account:
    labels = work.read(LABELS).select("doc_id", "label", "keep", "domain", "drop_reasons")
    labelled = work.read(DOCUMENTS).join(labels, "doc_id")
    documents = labelled.where(is_meant(work.stage.name, work.conf.synth))
    candidates = documents.select("doc_id", "crawl", "label", "text")
    work.write_stage(plan_requests(candidates, prompts, work.conf.synth), REQUESTS)
    requests = work.read(REQUESTS).where(F.col("stage") == work.stage.name)
    _answer_all(work, requests)
    # Kept: the account and the texts come of the same parsing.
    parsed = _parsed(work, requests).persist(StorageLevel.DISK_ONLY)
    try:
        work.write_stage(_verdicts(parsed), VERDICTS)
        work.write_stage(_texts(parsed, documents, prompts), SYNTHETIC)
        return _account(work, requests, parsed)
    finally:
        parsed.unpersist()


def _answer_all(work: Work, requests: DataFrame) -> None:
    """Ask what is unanswered, a commit's worth at a time, until all is or the budget is spent."""
    conf, n_requests, last = work.conf.synth, requests.count(), None
    while True:
        answers = work.read(GENERATIONS)
        waiting = unanswered(requests, answers)
        n_waiting = waiting.count()
        work.progress.part_done(n_requests - n_waiting, n_requests)
        n = commit_size(
            conf.budget, _spent(requests, answers), most=conf.requests_per_commit,
            minutes=conf.minutes_per_commit, last=last,
        )  # fmt: skip
        if not n_waiting or not n:
            return
        began = time.monotonic()
        _ask(work, waiting, n)
        last = LastCommit(min(n, n_waiting), time.monotonic() - began)


def _spent(requests: DataFrame, answers: DataFrame) -> Spent:
    """What the answers to `requests` have taken; an error takes its time too."""
    of_these = answers.join(requests.select("request_id"), "request_id", "left_semi")
    sums = of_these.agg(
        F.count(F.lit(1)), F.coalesce(F.sum("n_output_tokens"), F.lit(0)),
        F.coalesce(F.sum("seconds"), F.lit(0.0)),
    )  # fmt: skip
    return Spent(*small(sums)[0])


def _ask(work: Work, waiting: DataFrame, n: int) -> None:
    """Ask `n` requests and commit their answers, same prompts and lengths together.

    Documents come in the order of a hash: where a budget ends it, every prompt has had its share,
    and the segments of a document are answered together.
    """
    asked = waiting.orderBy(F.xxhash64("doc_id"), *ORDER).limit(n)
    # No mark: what is unanswered is looked up anew, so an answer is never asked for twice.
    path = work.store.path(GENERATIONS)
    answers_to(asked, work.conf.synth).write.format("delta").mode("append").save(path)


def answers_to(requests: DataFrame, conf: SynthConfig) -> DataFrame:
    """Rows of GENERATIONS for rows of REQUESTS, spread over `n_engines`; asked when it is read."""
    spread = requests.repartition(conf.n_engines, "request_id")
    # Neighbours share a prompt, whose keys and values an engine keeps, and a length.
    return map_partitions(spread.sortWithinPartitions(*ORDER), _asker(conf), GENERATIONS)


def _asker(conf: SynthConfig) -> PartitionKernel:
    def run(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        backend = load_backend(conf, seed=conf.engine_seed)
        yield from answered(batches, backend, conf)

    return run


def answered(
    batches: Iterable[pa.RecordBatch], backend: Backend, conf: SynthConfig
) -> Iterator[pa.RecordBatch]:
    """Rows of GENERATIONS for rows of REQUESTS, as they are answered.

    The backend is fed across the batches, which are Spark's affair; only rows that are being
    answered are held.
    """
    prompts = load_prompts()
    asked: dict[str, dict[str, object]] = {}

    def questions() -> Iterator[ChatRequest]:
        for batch in batches:
            for row in batch.to_pylist():
                asked[row["request_id"]] = {name: row[name] for name in _KEPT}
                yield _question(prompts[row["task"]], row, conf)

    completions = backend.generate(questions())
    while some := list(islice(completions, ANSWERS_PER_BATCH)):
        rows = [asked.pop(done.request_id) | _answer(done) for done in some]
        yield pa.RecordBatch.from_pylist(rows, schema=GENERATIONS.columns)


def _question(prompt: Prompt, row: dict[str, object], conf: SynthConfig) -> ChatRequest:
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


def _parsed(work: Work, requests: DataFrame) -> DataFrame:
    """The last word on each request: its answer, or its last error."""
    kept = (name for name in _KEPT if name != "request_id")
    answers = work.read(GENERATIONS).drop(*kept)
    best = answers.groupBy("request_id").agg(
        F.min_by(F.struct(*answers.columns), F.col("error").isNotNull()).alias("a")
    )
    joined = requests.join(best.select("a.*"), "request_id")
    return map_batches(joined, _parser(work.conf.synth.model), PARSED)


def _parser(model: str) -> Callable[[], Kernel]:
    def make() -> Kernel:
        count = load_chat_tokenizer(model_folder(model)).count
        prompts = load_prompts()
        return lambda batch: [_parse_batch(batch, prompts, count)]

    return make


def _parse_batch(
    batch: pa.RecordBatch, prompts: dict[str, Prompt], count: Callable[[list[str]], list[int]]
) -> pa.RecordBatch:
    rows = []
    for row in batch.to_pylist():
        found = parse(
            prompts[row["task"]],
            row["raw"],
            request_id=row["request_id"],
            segment_text=row["text"],
            finish_reason=row["finish_reason"],
            n_output_tokens=row["n_output_tokens"],
            count=count,
        )
        kept = {name: row[name] for name in PARSED.columns.names if name in row}
        rows.append(kept | _outcome(found))
    return pa.RecordBatch.from_pylist(rows, schema=PARSED.columns)


def _outcome(found: Parsed) -> dict[str, object]:
    return {
        "verdict": found.verdict,
        "text": found.text or "",
        "n_numbers": found.numbers.n_numbers,
        "n_source_numbers": found.numbers.n_in_source,
    }


def _verdicts(parsed: DataFrame) -> DataFrame:
    """Rows of VERDICTS."""
    accepted = F.col("verdict") == "accepted"
    told = parsed.withColumn("reason", F.when(~accepted, F.col("verdict")))
    named = told.withColumn("verdict", F.when(accepted, "accepted").otherwise("rejected"))
    return named.select(*VERDICTS.columns.names)


def _texts(parsed: DataFrame, documents: DataFrame, prompts: Sequence[Prompt]) -> DataFrame:
    """Rows of SYNTHETIC: one a request, or one a document where the prompt joins its segments."""
    facts = F.create_map(*[F.lit(x) for p in prompts for x in (p.name, p.kind2)])
    joined = [prompt.name for prompt in prompts if prompt.joins_segments]
    group = F.when(F.col("task").isin(joined), F.lit(-1)).otherwise(F.col("segment"))
    pieces = F.array_sort(F.collect_list(F.struct("segment", "request_id", "text")))
    grouped = (
        parsed.where("verdict = 'accepted'").withColumn("group", group)
        .groupBy("doc_id", "crawl", "stage", "task", "prompt_version", "model", "group")
        .agg(
            pieces.alias("pieces"),
            F.sum("n_output_tokens").cast("long").alias("n_tokens"),
            F.try_divide(F.sum("n_source_numbers"), F.sum("n_numbers")).cast("float")
            .alias("number_faithfulness"),
        )
    )  # fmt: skip
    rows = (
        grouped.withColumn("request_ids", F.col("pieces.request_id"))
        .withColumn(
            "synthetic_id", F.substring(F.sha2(F.concat_ws("\x1f", "request_ids"), 256), 1, 32)
        )
        .withColumn("text", _joined(F.col("pieces")))
        .withColumn("kind2", facts[F.col("task")])
        .withColumn("segment", F.nullif("group", F.lit(-1)))
    )
    return rows.join(documents.select("doc_id", "label"), "doc_id").select(*SYNTHETIC.columns.names)


def _joined(pieces: Column) -> Column:
    """The texts of segments in order, a blank line where one between them is missing."""

    def with_break(piece: Column, index: Column) -> Column:
        gap = piece["segment"] - F.get(pieces, index - 1)["segment"] > 1
        before = F.when(index == 0, "").when(gap, "\n\n").otherwise("\n")
        return F.concat(before, piece["text"])

    return F.array_join(F.transform(pieces, with_break), "")


def _account(work: Work, requests: DataFrame, parsed: DataFrame) -> Account:
    reason = F.when(F.col("verdict") != "accepted", F.col("verdict"))
    outcomes = parsed.select(
        "request_id", reason.alias("reason"), F.col("n_output_tokens").alias("tokens")
    )
    left = requests.join(parsed, "request_id", "left_anti").select(
        "request_id", F.lit(OVER_BUDGET).alias("reason"), F.lit(0).alias("tokens")
    )
    told = account(requests, outcomes.unionByName(left), "request_id")
    n_texts = work.read(SYNTHETIC).where(F.col("stage") == work.stage.name).count()
    merged = told.rows_out - n_texts
    reasons = told.reasons | ({"joined_into_document": merged} if merged else {})
    return Account(told.rows_in, n_texts, reasons, told.tokens, told.culprits)
