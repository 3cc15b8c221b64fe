"""What generation will take, reckoned from some of the documents before a request is asked.

Documents are cut into requests just as the stages do it, by the same functions; the totals are
estimates with an interval (`estimate.py`). No Spark: a few hundred texts are read by DuckDB.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from curation.config import SynthConfig
from curation.errors import InputError
from curation.model_store import model_folder, model_print
from curation.report.run import Run
from curation.synth.estimate import Estimate, total
from curation.synth.prompts import Prompt
from curation.synth.requests import chosen_prompts, is_meant, output_cap, requests_of
from curation.synth.tokenizer import ChatTokenizer, load_chat_tokenizer

PLAN = "plan.json"
"""The plan's name in the folder of a run."""
MIN_ANSWERS = 20
"""Answers to a prompt from which its next ones are reckoned; of fewer, its cap is."""
ANSWERS, CAPS = "answers", "caps"


@dataclass(frozen=True)
class TaskPlan:
    """What one prompt will take. Tokens are the generator's."""

    stage: str
    task: str
    n_documents: int
    """Documents that the prompt is meant for."""
    n_sampled: int
    requests: Estimate
    """Requests that have no answer yet."""
    input_tokens: Estimate
    """Of whole chats, template and instructions included."""
    output_tokens: Estimate
    output_from: str
    """`answers`: as long as earlier answers to the prompt; `caps`: all as long as they may be."""
    engine_hours: Estimate | None
    """Time of one engine; None where no speed is known."""


@dataclass(frozen=True)
class _Sample:
    """Documents looked at for a prompt, and all of them in numbers."""

    documents: list[dict[str, Any]]
    n_all: int
    n_words_all: int


def plan_tasks(run: Run, conf: SynthConfig, *, n_sample: int, speed: float) -> list[TaskPlan]:
    """A plan for each prompt of `conf`, by its stage.

    Args:
        run: Reads `labels`, `documents`, and of `requests` and `generations` what there is.
        conf: Prompts, generator, caps.
        n_sample: Documents looked at for each prompt.
        speed: Output tokens a second of one engine; 0: as in earlier answers of the generator.

    Raises:
        InputError: the documents have no labels yet.
        ConfigError, EnvironmentFault: as `chosen_prompts` and `model_folder`.
    """
    if not run.has("labels", "documents"):
        raise InputError(
            f"{run.out}: no labels yet; a plan needs them: run with --only s01,...,s05"
        )
    prompts = (*chosen_prompts("s06_rephrase", conf.tasks),
               *chosen_prompts("s07_dialogue", conf.styles))  # fmt: skip
    folder = model_folder(conf.model)
    planner = _Planner(run, conf, load_chat_tokenizer(folder), model_print(folder))
    speed = speed or planner.speed()
    return [planner.plan(prompt, n_sample, speed) for prompt in prompts]


class _Planner:
    def __init__(self, run: Run, conf: SynthConfig, tokenizer: ChatTokenizer, print_: str) -> None:
        self._run, self._conf, self._tokenizer, self._print = run, conf, tokenizer, print_
        self._has_answers = run.has("requests", "generations")

    def plan(self, prompt: Prompt, n_sample: int, speed: float) -> TaskPlan:
        sample = self._sample(prompt, n_sample)
        rows = [self._waiting(document, prompt) for document in sample.documents]
        ratio = self._output_ratio(prompt)
        cap, overhead = output_cap(prompt, self._conf), self._tokenizer.overhead(prompt)

        def estimate(of_request: Any) -> Estimate:
            sums = [sum(map(of_request, requests)) for requests in rows]
            return total(sums, [document["n_words"] for document in sample.documents],
                         sample.n_all, sample.n_words_all)  # fmt: skip

        requests = estimate(lambda row: 1)
        limited = requests.at_most(self._conf.max_requests_per_task)
        share = limited.value / requests.value if requests.value else 0.0
        output = estimate(lambda row: cap if ratio is None else min(cap, ratio * row)).times(share)
        return TaskPlan(
            stage=prompt.stage, task=prompt.name, n_documents=sample.n_all,
            n_sampled=len(sample.documents), requests=limited,
            input_tokens=estimate(lambda row: row + overhead).times(share),
            output_tokens=output, output_from=CAPS if ratio is None else ANSWERS,
            engine_hours=output.times(1 / speed / 3600) if speed else None,
        )  # fmt: skip

    def _sample(self, prompt: Prompt, n: int) -> _Sample:
        """Documents that `prompt` is meant for, as the stages choose them; `n` by hash."""
        meant = "labels JOIN documents USING (doc_id) WHERE " + _condition(prompt, self._conf)
        ((n_all, n_words),) = self._run.rows(
            lambda *row: row, f"SELECT count(*), coalesce(sum(documents.n_words), 0) FROM {meant}"
        )
        names = ("doc_id", "crawl", "label", "text", "n_words")
        found = self._run.rows(
            lambda *row: dict(zip(names, row, strict=True)),
            f"SELECT doc_id, documents.crawl, label, text, documents.n_words FROM {meant} "
            "ORDER BY hash(? || doc_id), doc_id LIMIT ?",
            (prompt.name, n),
        )
        return _Sample(found, int(n_all), int(n_words))

    def _waiting(self, document: dict[str, Any], prompt: Prompt) -> list[int]:
        """Tokens of the text of each request of a document that has no answer."""
        rows = list(requests_of(document, prompt, self._conf, self._tokenizer, self._print))
        done = self._answered(document["doc_id"]) if self._has_answers else set()
        return [row["n_text_tokens"] for row in rows if row["request_id"] not in done]

    def _answered(self, doc_id: str) -> set[str]:
        query = "SELECT request_id FROM generations WHERE doc_id = ? AND error IS NULL"
        return {*self._run.rows(str, query, (doc_id,))}

    def _output_ratio(self, prompt: Prompt) -> float | None:
        """Output tokens for a token of text, in the answers of the generator to the prompt."""
        if not self._has_answers:
            return None
        ((n, output, text),) = self._run.rows(
            lambda *row: row,
            "SELECT count(*), sum(n_output_tokens), sum(n_text_tokens) FROM generations AS g "
            "JOIN requests USING (request_id) WHERE g.task = ? AND g.model = ? AND error IS NULL",
            (prompt.name, self._conf.model),
        )
        return float(output / text) if n >= MIN_ANSWERS and text else None

    def speed(self) -> float:
        """Output tokens a second of the generator's engine so far; 0 where it has not run."""
        if not self._has_answers:
            return 0.0
        ((tokens, seconds),) = self._run.rows(
            lambda *row: row,
            "SELECT coalesce(sum(n_output_tokens), 0), coalesce(sum(seconds), 0) "
            "FROM generations WHERE model = ? AND stage <> 's07a_judge'",
            (self._conf.model,),
        )
        return float(tokens / seconds) if seconds else 0.0


def _condition(prompt: Prompt, conf: SynthConfig) -> str:
    """SQL of the documents that a prompt is asked of: as `stage.py` chooses them."""
    of_label = ", ".join(f"'{label}'" for label in prompt.source_labels)
    return is_meant(prompt.stage, conf) + (f" AND label IN ({of_label})" if of_label else "")


def write_plan(folder: Path, plans: Sequence[TaskPlan]) -> None:
    """Put the plan into the folder of a run, for its report."""
    text = json.dumps([asdict(plan) for plan in plans], indent=1)
    (folder / PLAN).write_text(text + "\n", encoding="utf-8")


def read_plan(folder: Path) -> list[TaskPlan]:
    """The plan of a run; empty where none was made.

    Raises:
        InputError: the file is damaged.
    """
    file = folder / PLAN
    if not file.is_file():
        return []
    try:
        return [_from_json(told) for told in json.loads(file.read_text(encoding="utf-8"))]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{file}: damaged: {error}; make it again: curation plan") from error


def _from_json(told: dict[str, Any]) -> TaskPlan:
    estimates = ("requests", "input_tokens", "output_tokens", "engine_hours")
    found = {name: told[name] and Estimate(**told[name]) for name in estimates}
    return TaskPlan(**{**told, **found})
