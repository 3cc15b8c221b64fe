"""The numbers of a finished or half-finished run, read from its folder.

Each function names the tables that it reads; the caller has asked `Run.has` for them. No function
reads a text column.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from curation.errors import InputError
from curation.pipeline import STAGES
from curation.report.run import Run, open_run

OUT_IN_RATIO = {
    "wikipedia": 0.834,
    "diverse_qa": 1.107,
    "distill": 0.349,
    "extract_knowledge": 0.673,
    "knowledge_list": 0.450,
}
"""Tokens out / tokens of source text (2412.02595, table 3). `wikipedia` is of low quality (0.826
of high quality); `diverse_qa` counts the source text as part of the output."""


@dataclass(frozen=True)
class FunnelRow:
    """The accounts of one stage: `rows_in = rows_out + sum(reasons.values())`."""

    stage: str
    n_units: int
    """Units whose latest attempt is finished; only these are summed."""
    n_unfinished: int
    """Units whose latest attempt has begun and has no account yet."""
    rows_in: int
    rows_out: int
    reasons: dict[str, int]
    """Rows that did not go on, most frequent reason first."""
    tokens: int | None
    """None where the stage has no text."""
    seconds: float
    """Sum over units; more than the wall clock where units ran side by side."""

    @property
    def kept_frac(self) -> float:
        """Rows out / rows in; 1 where no row came in."""
        return self.rows_out / self.rows_in if self.rows_in else 1.0


def funnel_rows(out: Path) -> list[FunnelRow]:
    """The funnel of the run in `out`, one row a stage, in the order of the flow.

    Raises:
        InputError: `out` is not a folder, or its tables are damaged.
    """
    with open_run(out) as run:
        return funnel(run)


def funnel(run: Run) -> list[FunnelRow]:
    """As `funnel_rows`, of an open run; empty where no account has been written."""
    if not run.has("funnel"):
        return []
    reasons = _counts(run, "reasons")
    rows = run.rows(
        lambda stage, done, unfinished, rows_in, rows_out, tokens, seconds: FunnelRow(
            stage, done, unfinished, rows_in, rows_out, reasons.get(stage, {}), tokens, seconds
        ),
        f"{_latest(run)} SELECT stage, count(rows_in), count(*) - count(rows_in), "
        "coalesce(sum(rows_in), 0), coalesce(sum(rows_out), 0), sum(tokens), "
        "coalesce(sum(seconds), 0.0) FROM latest GROUP BY stage",
    )
    return sorted(rows, key=lambda row: _stage_order(row.stage))


def _latest(run: Run) -> str:
    """`WITH latest AS ...`: the newest attempt of each stage and unit, nulls where unfinished."""
    begun = "SELECT stage, unit, attempt FROM funnel"
    if run.has("attempts"):
        begun += " UNION ALL SELECT stage, unit, attempt FROM attempts"
    return (
        f"WITH newest AS (SELECT stage, unit, max(attempt) AS attempt FROM ({begun}) "
        "GROUP BY stage, unit), "
        "latest AS (SELECT * FROM newest LEFT JOIN funnel USING (stage, unit, attempt))"
    )


def funnel_notes(run: Run) -> dict[str, dict[str, int]]:
    """What else happened, by stage and kind, the most frequent first. Reads `funnel`."""
    return _counts(run, "notes")


def _counts(run: Run, column: str) -> dict[str, dict[str, int]]:
    """Sums of a map of the accounts, by stage and key, the greatest first."""
    found: dict[str, dict[str, int]] = {}
    counts = run.rows(
        lambda stage, reason, n: (stage, reason, n),
        f"{_latest(run)}, "
        f"entries AS (SELECT stage, unnest(map_entries({column})) AS e FROM latest) "
        "SELECT stage, e.key, sum(e.value) AS n FROM entries GROUP BY stage, e.key "
        "HAVING sum(e.value) > 0 ORDER BY stage, n DESC, e.key",
    )
    for stage, reason, n in counts:
        found.setdefault(stage, {})[reason] = n
    return found


def _stage_order(name: str) -> tuple[int, str]:
    names = [stage.name for stage in STAGES]
    return (names.index(name) if name in names else len(names), name)


@dataclass(frozen=True)
class Totals:
    """The run in eight numbers; None where that part of the flow has not run."""

    n_records: int | None
    n_pages: int | None
    n_documents: int | None
    n_labels: int | None
    n_synthetic: int | None
    blend_words: int | None
    n_tokens: int | None
    last_loss: float | None


def totals(run: Run) -> Totals:
    """The headline of a run; a record is a page or a reject."""
    n_pages, n_rejects = run.count("pages"), run.count("rejects")
    steps = training(run.out)
    return Totals(
        n_records=None if n_pages is None else n_pages + (n_rejects or 0),
        n_pages=n_pages,
        n_documents=run.count("documents"),
        n_labels=run.count("labels"),
        n_synthetic=run.count("synthetic"),
        blend_words=sum(s.n_words for s in blend_sources(run)) if run.has("blend") else None,
        n_tokens=shard_sizes(run).n_tokens if run.has("shards") else None,
        last_loss=steps[-1].loss if steps else None,
    )


def rejects_by_reason(run: Run) -> dict[str, int]:
    """Records without main text by reason, the most frequent first. Reads `rejects`."""
    query = "SELECT reason, count(*) AS n FROM rejects GROUP BY reason ORDER BY n DESC, reason"
    return dict(run.rows(_pair, query))


def _pair(key: str, n: int) -> tuple[str, int]:
    return key, n


@dataclass(frozen=True)
class LanguageSize:
    """Pages of one language, before deduplication."""

    language: str
    n_pages: int
    n_words: int
    n_bytes: int


def languages(run: Run) -> list[LanguageSize]:
    """Sizes by language, the most pages first. Reads `measures`."""
    return run.rows(
        LanguageSize,
        "SELECT language, count(*) AS n, sum(n_words), sum(n_bytes) FROM measures "
        "GROUP BY language ORDER BY n DESC, language",
    )


def cluster_sizes(run: Run) -> dict[int, int]:
    """Clusters by number of documents, ascending. Reads `clusters`."""
    return dict(
        run.rows(
            lambda size, n: (size, n),
            "WITH sizes AS (SELECT count(*) AS size FROM clusters GROUP BY cluster_id) "
            "SELECT size, count(*) FROM sizes GROUP BY size ORDER BY size",
        )
    )


def fates(run: Run) -> dict[str, int]:
    """Documents of clusters by fate. Reads `clusters`."""
    return dict(run.rows(_pair, "SELECT fate, count(*) FROM clusters GROUP BY fate ORDER BY fate"))


@dataclass(frozen=True)
class RuleCost:
    """What one rule fails of the labelled documents, exempt or not."""

    rule: str
    n_alone: int
    """Documents that fail it."""
    alone_words: int
    n_last: int
    """Documents that fail no other rule: what would come back without it."""
    last_words: int
    by_label: Mapping[str, tuple[int, float]]
    """Documents that fail it, and their words as a share of the label's, by label."""


def rule_costs(run: Run) -> list[RuleCost]:
    """Costs of every rule that a document failed, the dearest first.

    Reads `labels` and `documents`.
    """
    return run.rows(
        lambda rule, n, words, n_last, last_words, by_label: RuleCost(
            rule,
            n,
            words,
            n_last,
            last_words,
            {label: (of["n"], of["share"]) for label, of in by_label.items()},
        ),
        "WITH labelled AS (SELECT label, drop_reasons, n_words FROM labels JOIN documents "
        "USING (doc_id)), "
        "sizes AS (SELECT label, sum(n_words) AS words FROM labelled GROUP BY label), "
        "failed AS (SELECT unnest(drop_reasons) AS rule, len(drop_reasons) = 1 AS alone, "
        "label, n_words FROM labelled), "
        "by_label AS (SELECT rule, map(list(label), list({n: n, share: share})) AS labels FROM "
        "(SELECT rule, label, count(*) AS n, sum(n_words) / any_value(words) AS share "
        "FROM failed JOIN sizes USING (label) GROUP BY rule, label) GROUP BY rule) "
        "SELECT rule, count(*), sum(n_words)::BIGINT, count(*) FILTER (alone), "
        "coalesce(sum(n_words) FILTER (alone), 0)::BIGINT, any_value(labels) "
        "FROM failed JOIN by_label USING (rule) GROUP BY rule ORDER BY count(*) DESC, rule",
    )


@dataclass(frozen=True)
class TaskYield:
    """What one prompt made of the text it was given; tokens are the generator's."""

    stage: str
    task: str
    n_requests: int
    n_answered: int
    n_accepted: int
    """Answers that are part of a synthetic text."""
    text_tokens: int
    """Tokens of the source text of the answered requests."""
    accepted_text_tokens: int
    """The same of the accepted ones."""
    input_tokens: int
    """Tokens of the answered prompts, source text included."""
    output_tokens: int
    """Tokens of all answers."""
    kept_tokens: int
    """Tokens of the accepted answers as they stand in `synthetic`."""

    @property
    def paper_ratio(self) -> float | None:
        """The paper's tokens out / tokens in; None where it gives none (dialogues)."""
        return OUT_IN_RATIO.get(self.task)

    @property
    def out_in_ratio(self) -> float:
        """Tokens out / tokens of source text, counted as in the paper; 0 without answers."""
        if not self.text_tokens:
            return 0.0
        source = self.accepted_text_tokens if self.task == "diverse_qa" else 0
        return (self.kept_tokens + source) / self.text_tokens


_YIELDS = """
WITH accepted AS (SELECT DISTINCT unnest(request_ids) AS request_id FROM synthetic),
asked AS (
    SELECT r.stage, r.task, r.n_text_tokens, g.request_id IS NOT NULL AS answered,
           a.request_id IS NOT NULL AS accepted, g.n_input_tokens, g.n_output_tokens
    FROM requests r
    LEFT JOIN generations g USING (request_id)
    LEFT JOIN accepted a USING (request_id)
    WHERE r.stage <> 's07a_judge'),
made AS (SELECT stage, task, sum(n_tokens) AS n_tokens FROM synthetic GROUP BY stage, task)
SELECT stage, task, count(*), count(*) FILTER (answered), count(*) FILTER (accepted),
       coalesce(sum(n_text_tokens) FILTER (answered), 0),
       coalesce(sum(n_text_tokens) FILTER (accepted), 0),
       coalesce(sum(n_input_tokens), 0), coalesce(sum(n_output_tokens), 0),
       coalesce(any_value(made.n_tokens), 0)
FROM asked LEFT JOIN made USING (stage, task)
GROUP BY stage, task ORDER BY stage, task
"""


def yields(run: Run) -> list[TaskYield]:
    """Yields of the prompts. Reads `requests`, `generations`, `synthetic`.

    Answers to requests that are no longer asked (another prompt version) do not count.
    """
    return run.rows(TaskYield, _YIELDS)


@dataclass(frozen=True)
class BlendSource:
    """One source of the blend."""

    quality: str
    kind: str
    kind2: str
    n_texts: int
    n_copies: int
    n_words: int
    """Words of all copies."""

    @property
    def name(self) -> str:
        """The source as it is called in the settings: quality/kind/kind2."""
        return f"{self.quality}/{self.kind}/{self.kind2}"

    @property
    def n_epochs(self) -> float:
        """Mean number of copies of a text."""
        return self.n_copies / self.n_texts if self.n_texts else 0.0


def blend_sources(run: Run) -> list[BlendSource]:
    """Sizes of the blend's sources, the most words first. Reads `blend`."""
    return run.rows(
        BlendSource,
        "SELECT quality, kind, kind2, count(*) FILTER (copy = 0), count(*), "
        "sum(n_words) AS n_words FROM blend GROUP BY quality, kind, kind2 "
        "ORDER BY n_words DESC, quality, kind, kind2",
    )


@dataclass(frozen=True)
class ShardSizes:
    """The token shards in sum."""

    n_shards: int
    n_documents: int
    n_tokens: int
    n_sequences: int


def shard_sizes(run: Run) -> ShardSizes:
    """Sums over the shards. Reads `shards`."""
    [sizes] = run.rows(
        ShardSizes,
        "SELECT count(*), coalesce(sum(n_documents), 0), coalesce(sum(n_tokens), 0), "
        "coalesce(sum(n_sequences), 0) FROM shards",
    )
    return sizes


def manifest_facts(out: Path) -> dict[str, str]:
    """Names, numbers and switches at the top of `tokens/manifest.json`; empty where there is none.

    Raises:
        InputError: the file is not a JSON object.
    """
    path = out / "tokens" / "manifest.json"
    if not path.is_file():
        return {}
    manifest = _json_object(path.read_text(encoding="utf-8"), str(path))
    plain = {k: v for k, v in manifest.items() if isinstance(v, str | int | float)}
    return {key: str(value) for key, value in plain.items()}


@dataclass(frozen=True)
class TrainStep:
    """One optimizer step."""

    step: int
    loss: float
    """Mean cross-entropy in nats a token."""
    learning_rate: float
    grad_norm: float
    tokens: int
    tokens_per_s: float


def training(out: Path) -> list[TrainStep]:
    """The training log in order of steps; empty where nothing has been trained.

    A step that was done again after a restart counts as last written. A last line without its
    newline is still being written, or was when the training was killed, and is left out.

    Raises:
        InputError: a line is not a JSON object with the fields of a step.
    """
    path = out / "model" / "log.jsonl"
    if not path.is_file():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    steps = (_train_step(line, f"{path}:{n}") for n, line in enumerate(lines, 1) if line.strip())
    latest = {step.step: step for step in steps}
    return [latest[step] for step in sorted(latest)]


def _train_step(line: str, where: str) -> TrainStep:
    fields = _json_object(line, where)
    try:
        given: dict[str, Any] = {name: fields[name] for name in TrainStep.__dataclass_fields__}
    except KeyError as error:
        raise InputError(f"{where}: a training step lacks {error}") from error
    # JSON has no NaN: what is null was not finite.
    finite: dict[str, Any] = {k: math.nan if v is None else v for k, v in given.items()}
    return TrainStep(**finite)


def _json_object(text: str, where: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where}: not JSON: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{where}: expected a JSON object, found {type(value).__name__}")
    return value


def settings(out: Path) -> str:
    """`run.yaml` as it stands; empty where there is none."""
    path = out / "run.yaml"
    return path.read_text(encoding="utf-8") if path.is_file() else ""
