"""Requests: planned from documents and prompts, and minus those that are answered.

Generation is a join: plan, subtract, ask, append. A request's id hashes all that determines its
answer, so that no question is paid for twice and no changed prompt is taken for an old one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial, reduce
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from curation.config import AskingConfig, RunConfig, SynthConfig
from curation.errors import ConfigError
from curation.model_store import model_folder, model_print
from curation.schemas import BENCHMARK_TEXT, REQUESTS, TOO_TOXIC
from curation.spark.batches import Kernel, map_batches
from curation.synth.backends.protocol import KILLS_ENGINE
from curation.synth.prompts import Prompt, load_prompts
from curation.synth.segment import LongLine, Segment, chunks, dropped, segments, sentences
from curation.synth.tokenizer import ChatTokenizer, load_chat_tokenizer

CHUNK_TOKENS = 500
"""Tokens of a chunk made into dialogues: longer ones are no longer covered. MIND, 2410.12881."""

DOCUMENTS_PER_REQUEST = 4
"""Documents looked at for each request of a capped task: some are too short to give one."""

MAX_TRIES = 2
"""Times that a request is asked which ends in an error of the engine."""


def identity(conf: RunConfig) -> dict[str, str]:
    """The generator's hash and the versions of the prompts: they decide beside the settings.

    Raises:
        ConfigError: a prompt is unknown, or the generator's chat template leaves it no room.
        EnvironmentFault: the generator is not on this machine, or has no chat template.
    """
    folder = model_folder(conf.synth.model)
    generator, tokenizer = model_print(folder), load_chat_tokenizer(folder)
    prompts = (*chosen_prompts("s06_rephrase", conf.synth.tasks),
               *chosen_prompts("s07_dialogue", conf.synth.styles))  # fmt: skip
    for prompt in prompts:
        _room(prompt, tokenizer)  # found out before anything is written, not by a worker
    return {prompt.name: prompt.version for prompt in prompts} | {"model": generator}


def chosen_prompts(stage: str, names: Iterable[str]) -> tuple[Prompt, ...]:
    """The prompts called `names`, all of them of `stage`.

    Raises:
        ConfigError: a name is unknown, or belongs to another stage.
    """
    of_stage = {name: p for name, p in load_prompts().items() if p.stage == stage}
    unknown = [name for name in names if name not in of_stage]
    if unknown:
        raise ConfigError(f"synth: {stage} has no prompt {unknown}; it has {sorted(of_stage)}")
    return tuple(of_stage[name] for name in names)


def output_cap(prompt: Prompt, conf: SynthConfig) -> int:
    """Most tokens that an answer to `prompt` may have."""
    caps = [prompt.max_output_tokens, conf.max_output_tokens or prompt.max_output_tokens]
    return min(caps)


def request_id(
    prompt: Prompt, conf: AskingConfig, generator: str, cap: int, *asked_of: str | int
) -> str:
    """Hash of prompt version, generator, sampling, cap on the answer, and what is asked of it.

    32 hex digits. `asked_of` is a document's id, the segment's number and its text.

    Of the engine's settings, those that change what it would say: how its weights are rounded, not
    how many GPUs it has, what it caches or how it drafts (`GeneratorConfig.answer_settings`).
    """
    parts = (
        prompt.name, prompt.version, conf.backend, conf.model, generator, conf.max_model_tokens,
        conf.engine_seed, conf.prefill, cap, *asked_of, *conf.answer_settings(),
    )  # fmt: skip
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:32]


def sampling(prompt: Prompt, conf: AskingConfig) -> str:
    """What decides an answer beside prompt, segment and generator, as JSON."""
    told: dict[str, object] = {
        "temperature": prompt.temperature, "top_p": prompt.top_p, "seed": conf.engine_seed,
        "backend": conf.backend, "prefill": conf.prefill, "max_model_tokens": conf.max_model_tokens,
    }  # fmt: skip
    return json.dumps(told | dict(one.split("=", 1) for one in conf.answer_settings()))


def plan_requests(candidates: DataFrame, prompts: Sequence[Prompt], conf: SynthConfig) -> DataFrame:
    """Rows of REQUESTS: every prompt over every segment of the documents it is meant for.

    `candidates` has `doc_id`, `crawl`, `label`, `text`.
    """
    cap = conf.max_requests_per_task
    if not cap:
        return map_batches(candidates, _kernel(prompts, conf), REQUESTS)
    few = _first_documents(candidates, prompts, cap * DOCUMENTS_PER_REQUEST)
    planned = map_batches(few, _kernel(prompts, conf), REQUESTS)
    # Whole documents first: a rewrite joins the segments of its document.
    order = Window.partitionBy("task").orderBy(F.xxhash64("task", "doc_id"), "doc_id", "segment")
    ranked = planned.withColumn("rank", F.row_number().over(order))
    return ranked.where(F.col("rank") <= cap).drop("rank")


def _first_documents(candidates: DataFrame, prompts: Sequence[Prompt], n: int) -> DataFrame:
    """The `n` documents that come first, by hash, for each prompt: the others are not cut up."""
    chosen = []
    for prompt in prompts:
        meant = candidates.select("doc_id", "label")
        if prompt.source_labels:
            meant = meant.where(F.col("label").isin(list(prompt.source_labels)))
        first = meant.orderBy(F.xxhash64(F.lit(prompt.name), "doc_id"), "doc_id").limit(n)
        chosen.append(first.select("doc_id"))
    ids = reduce(DataFrame.unionAll, chosen).distinct()
    return candidates.join(ids, "doc_id", "left_semi")


def is_meant(stage: str, conf: SynthConfig) -> str:
    """SQL of the documents that `stage` asks about, over columns of `documents` and `labels`.

    Rephrasing takes what is kept. Dialogues take mathematics by its marks, of which less is enough
    in a domain that is near it; formulas fail heuristics that are made for prose (they are not
    alphanumeric), so that what those drop is taken all the same, but for what is toxic or holds
    benchmark items. Spark and DuckDB both take it.
    """
    if stage == "s06_rephrase":
        return "keep"
    near = ", ".join(_quoted(domain) for domain in conf.math_domains)
    marks = f"math_frac >= CAST({conf.min_math_frac} AS DOUBLE)"
    if near:
        least = f"math_frac >= CAST({conf.min_math_frac_of_domain} AS DOUBLE)"
        marks = f"({marks} OR (coalesce(domain IN ({near}), false) AND {least}))"
    barred = (f"NOT array_contains(drop_reasons, '{why}')" for why in (TOO_TOXIC, BENCHMARK_TEXT))
    return " AND ".join([marks, *barred])


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def unanswered(requests: DataFrame, generations: DataFrame) -> DataFrame:
    """Requests with no answer that came through, and fewer than MAX_TRIES that did not.

    One that kills the engine has no second try.
    """
    error = F.col("error")
    tries = generations.groupBy("request_id").agg(
        F.max(error.isNull() | error.startswith(KILLS_ENGINE)).alias("settled"),
        F.count(F.lit(1)).alias("tries"),
    )
    settled = tries.where(F.col("settled") | (F.col("tries") >= MAX_TRIES)).select("request_id")
    return requests.join(settled, "request_id", "left_anti")


def best_answers(generations: DataFrame) -> DataFrame:
    """Rows of GENERATIONS, one a request: its answer, or its last error."""
    found = generations.groupBy("request_id").agg(
        F.min_by(F.struct(*generations.columns), F.col("error").isNotNull()).alias("a")
    )
    return found.select("a.*")


def _kernel(prompts: Sequence[Prompt], conf: SynthConfig) -> Callable[[], Kernel]:
    def make() -> Kernel:
        folder = model_folder(conf.model)
        tokenizer, generator = load_chat_tokenizer(folder), model_print(folder)
        return lambda batch: _planned(batch, prompts, conf, tokenizer, generator)

    return make


def _planned(
    batch: pa.RecordBatch,
    prompts: Sequence[Prompt],
    conf: SynthConfig,
    tokenizer: ChatTokenizer,
    generator: str,
) -> Iterator[pa.RecordBatch]:
    """Requests of one batch of documents, one batch a prompt."""
    documents = batch.to_pylist()
    for prompt in prompts:
        rows = [
            row
            for document in documents
            for row in requests_of(document, prompt, conf, tokenizer, generator)
        ]
        if rows:
            yield pa.RecordBatch.from_pylist(rows, schema=REQUESTS.columns)


def requests_of(
    document: dict[str, Any],
    prompt: Prompt,
    conf: SynthConfig,
    tokenizer: ChatTokenizer,
    generator: str,
) -> Iterator[dict[str, Any]]:
    """Rows of REQUESTS that `prompt` makes of one document: one a segment.

    Args:
        document: `doc_id`, `crawl`, `label`, `text`.
        prompt: Asked of documents of its labels alone.
        conf: What decides an answer beside it.
        tokenizer: The generator's.
        generator: Hash of the generator, as `model_print` gives it.
    """
    if prompt.source_labels and document["label"] not in prompt.source_labels:
        return
    parts = _parts(document["text"], prompt, conf, tokenizer)
    counts, cap = tokenizer.count([part.text for part in parts]), output_cap(prompt, conf)
    for part, n_tokens in zip(parts, counts, strict=True):
        yield {
            "request_id": request_id(
                prompt, conf, generator, cap, document["doc_id"], part.number, part.text
            ),
            "stage": prompt.stage,
            "task": prompt.name,
            "doc_id": document["doc_id"],
            "crawl": document["crawl"],
            "segment": part.number,
            "prompt_version": prompt.version,
            "model": conf.model,
            "revision": generator,
            "sampling": sampling(prompt, conf),
            "n_text_tokens": n_tokens,
            "max_output_tokens": cap,
            "text": part.text,
        }


def _parts(text: str, prompt: Prompt, conf: SynthConfig, tokenizer: ChatTokenizer) -> list[Segment]:
    """Segments of a document for one prompt: lines joined for rewriting, chunks for dialogues."""
    if tokenizer.count([text])[0] < prompt.min_document_tokens:
        return []
    room = _room(prompt, tokenizer)
    if prompt.stage == "s07_dialogue":
        return _chunks(text, tokenizer, min_tokens=prompt.min_segment_tokens)
    return segments(
        text,
        count=partial(_counts_as_sent, tokenizer),
        max_tokens=room,
        min_tokens=prompt.min_segment_tokens,
        long_line=_long_line(conf, tokenizer, max_tokens=room),
    )


def _counts_as_sent(tokenizer: ChatTokenizer, texts: list[str]) -> list[int]:
    """Tokens of `texts` in a chat, where a control token that a page spells out has a space."""
    said = (tokenizer.turns("", text) for text in texts)
    return tokenizer.count([turns[0]["content"] if turns else "" for turns in said])


def _room(prompt: Prompt, tokenizer: ChatTokenizer) -> int:
    """Tokens that the chat around it leaves to a segment.

    Raises:
        ConfigError: too few for a segment; for a chunk, which is the same for all styles, so that
            the longest of their dialogues can be chosen.
    """
    # Two tokens to spare: a segment may join with the template's text to other tokens than alone.
    room = prompt.max_input_tokens - tokenizer.overhead(prompt) - 2
    least = CHUNK_TOKENS if prompt.stage == "s07_dialogue" else prompt.min_segment_tokens
    if room < least:
        raise ConfigError(
            f"prompts/{prompt.name}.md: max_input_tokens {prompt.max_input_tokens} leaves {room} "
            f"to a segment, beside this generator's chat template; it needs {least}"
        )
    return room


def _chunks(text: str, tokenizer: ChatTokenizer, *, min_tokens: int) -> list[Segment]:
    """Chunks of a document, without those so short that a dialogue would have to make things up."""
    found = chunks(text, split=tokenizer.split, max_tokens=CHUNK_TOKENS)
    counted = enumerate(zip(found, tokenizer.count(found), strict=True))
    return [Segment(number, chunk) for number, (chunk, n) in counted if n >= min_tokens]


def _long_line(conf: SynthConfig, tokenizer: ChatTokenizer, *, max_tokens: int) -> LongLine:
    if conf.split_long_lines:
        return partial(sentences, split=tokenizer.split, max_tokens=max_tokens)
    return dropped
