"""s06 and s07: ask a language model about documents, and make texts of the answers.

Requests are planned and written first; answers are appended in commits of a set size, so that a
crash loses at most one; texts are made from the answers by parsing alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

from curation.config import SynthConfig
from curation.model_store import model_folder
from curation.schemas import DOCUMENTS, GENERATIONS, LABELS, REQUESTS, SYNTHETIC, Table, column
from curation.spark.batches import Kernel, map_batches
from curation.spark.funnel import Account, account
from curation.spark.work import Work
from curation.synth.backend import Backend, ChatRequest, Completion, load_backend
from curation.synth.postprocess import parse
from curation.synth.prompts import Prompt, load_prompts, render
from curation.synth.requests import chosen_prompts, plan_requests, unanswered
from curation.synth.tokenizer import load_chat_tokenizer

JOINED = ("wikipedia",)
"""Tasks whose segments make one text a document. Nemotron-CC, 2412.02595, section 2.3."""

PARSED = Table(
    name="parsed",
    doc="Answers after parsing. Not a table of the run.",
    columns=pa.schema([
        *(GENERATIONS.columns.field(name) for name in
          ("request_id", "stage", "task", "doc_id", "crawl", "segment", "prompt_version", "model")),
        column("n_output_tokens", pa.int32(), "Tokens of the answer"),
        column("verdict", pa.string(), "accepted, or why not"),
        column("text", pa.string(), "The text; empty unless accepted"),
    ]),
    key=("request_id",),
)  # fmt: skip


def rephrase(work: Work) -> Account:
    """Rewrite low quality; question, distil, extract and list high quality."""
    prompts = chosen_prompts(work.stage.name, work.conf.synth.tasks)
    return _generate(work, _labelled(work, work.read(LABELS).where("keep")), prompts)


def dialogue(work: Work) -> Account:
    """Turn documents with mathematics into dialogues, in every style.

    Formulas fail the heuristics (they are not alphanumeric), which are made for prose: documents
    that those drop are taken all the same.
    """
    prompts = chosen_prompts(work.stage.name, work.conf.synth.styles)
    documents = _labelled(work, work.read(LABELS))
    mathematics = documents.where(F.col("math_frac") >= work.conf.synth.min_math_frac)
    return _generate(work, mathematics, prompts)


def _labelled(work: Work, labels: DataFrame) -> DataFrame:
    return work.read(DOCUMENTS).join(labels.select("doc_id", "label"), "doc_id")


def _generate(work: Work, documents: DataFrame, prompts: Sequence[Prompt]) -> Account:
    candidates = documents.select("doc_id", "crawl", "label", "text")
    work.write_stage(plan_requests(candidates, prompts, work.conf.synth), REQUESTS)
    requests = work.read(REQUESTS).where(F.col("stage") == work.stage.name)
    _answer_all(work, requests)
    # Kept: the account and the texts come of the same parsing.
    parsed = _parsed(work, requests).persist(StorageLevel.DISK_ONLY)
    try:
        work.write_stage(_texts(parsed, documents, prompts), SYNTHETIC)
        return _account(work, requests, parsed)
    finally:
        parsed.unpersist()


def _answer_all(work: Work, requests: DataFrame) -> None:
    """Ask what is unanswered, a commit's worth at a time, same prompts and lengths together."""
    n_requests = requests.count()
    while True:
        waiting = unanswered(requests, work.read(GENERATIONS))
        n_waiting = waiting.count()
        work.progress.part_done(n_requests - n_waiting, n_requests)
        if not n_waiting:
            return
        ordered = waiting.orderBy("task", "n_text_tokens", "request_id")
        asked = ordered.limit(work.conf.synth.requests_per_commit)
        spread = asked.repartition(work.conf.synth.n_engines, "request_id")
        answers = map_batches(spread, _asker(work.conf.synth), GENERATIONS)
        # No mark: what is unanswered is looked up anew, so an answer is never asked for twice.
        answers.write.format("delta").mode("append").save(work.store.path(GENERATIONS))


def _asker(conf: SynthConfig) -> Callable[[], Kernel]:
    def make() -> Kernel:
        backend = load_backend(
            conf.backend, conf.model, seed=conf.engine_seed, max_model_tokens=conf.max_model_tokens
        )
        return lambda batch: _answers(batch, backend, conf)

    return make


def _answers(
    batch: pa.RecordBatch, backend: Backend, conf: SynthConfig
) -> Iterator[pa.RecordBatch]:
    prompts = load_prompts()
    rows = sorted(
        batch.to_pylist(), key=lambda row: (row["task"], row["n_text_tokens"], row["request_id"])
    )
    questions = [_question(prompts[row["task"]], row, conf) for row in rows]
    kept = [name for name in GENERATIONS.columns.names if name in REQUESTS.columns.names]
    answered = [
        {name: row[name] for name in kept} | _answer(completion)
        for row, completion in zip(rows, backend.generate(questions), strict=True)
    ]
    yield pa.RecordBatch.from_pylist(answered, schema=GENERATIONS.columns)


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
    answers = work.read(GENERATIONS).drop(
        "stage", "task", "doc_id", "crawl", "segment", "prompt_version", "model"
    )
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
        rows.append(kept | {"verdict": found.verdict, "text": found.text or ""})
    return pa.RecordBatch.from_pylist(rows, schema=PARSED.columns)


def _texts(parsed: DataFrame, documents: DataFrame, prompts: Sequence[Prompt]) -> DataFrame:
    """Rows of SYNTHETIC: one a request, or one a document where the prompt joins its segments."""
    facts = F.create_map(*[F.lit(x) for p in prompts for x in (p.name, p.kind2)])
    group = F.when(F.col("task").isin(*JOINED), F.lit(-1)).otherwise(F.col("segment"))
    pieces = F.array_sort(F.collect_list(F.struct("segment", "request_id", "text")))
    grouped = (
        parsed.where("verdict = 'accepted'").withColumn("group", group)
        .groupBy("doc_id", "crawl", "stage", "task", "prompt_version", "model", "group")
        .agg(pieces.alias("pieces"), F.sum("n_output_tokens").cast("long").alias("n_tokens"))
    )  # fmt: skip
    rows = (
        grouped.withColumn("request_ids", F.col("pieces.request_id"))
        .withColumn(
            "synthetic_id", F.substring(F.sha2(F.concat_ws("\x1f", "request_ids"), 256), 1, 32)
        )
        .withColumn("text", _joined(F.col("pieces")))
        .withColumn("kind2", facts[F.col("task")])
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
    told = account(requests, outcomes, "request_id")
    n_texts = work.read(SYNTHETIC).where(F.col("stage") == work.stage.name).count()
    merged = told.rows_out - n_texts
    reasons = told.reasons | ({"joined_into_document": merged} if merged else {})
    return Account(told.rows_in, n_texts, reasons, told.tokens, told.culprits)
