"""s06 and s07: ask a language model about documents, and make texts of the answers.

Requests are planned and written first; answers are appended in commits of a set size, so that a
crash loses at most one; texts are made from the answers by parsing alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.storagelevel import StorageLevel

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
from curation.spark.batches import Kernel, map_batches
from curation.spark.funnel import Account, account
from curation.spark.work import Work
from curation.synth.asking import KEPT, answer_all
from curation.synth.budget import OVER_BUDGET
from curation.synth.postprocess import Parsed, parse
from curation.synth.prompts import Prompt, load_prompts
from curation.synth.requests import best_answers, chosen_prompts, is_meant, plan_requests
from curation.synth.tokenizer import load_chat_tokenizer

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
    answer_all(work, requests, work.conf.synth)
    # Kept: the account and the texts come of the same parsing.
    parsed = _parsed(work, requests).persist(StorageLevel.DISK_ONLY)
    try:
        work.write_stage(_verdicts(parsed), VERDICTS)
        work.write_stage(_texts(parsed, documents, prompts), SYNTHETIC)
        return _account(work, requests, parsed)
    finally:
        parsed.unpersist()


def _parsed(work: Work, requests: DataFrame) -> DataFrame:
    """The last word on each request."""
    kept = (name for name in KEPT if name != "request_id")
    answers = work.read(GENERATIONS).drop(*kept)
    joined = requests.join(best_answers(answers), "request_id")
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
