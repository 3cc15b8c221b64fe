"""What the rules of a preset cost on a run's documents, and what other bounds would.

Everything is asked of `measures`, `documents` and, for the label, `labels`: no text is read. A
rule's cost *alone* is what fails it; its cost *last* is what fails no other rule, and so what would
come back if it were dropped. Words stand for tokens. A rule judges documents in some languages and
lets the others pass: *judged* says how many it had a say on.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from curation.errors import ConfigError, InputError
from curation.measure.rules import Rule, rules, union
from curation.report.run import Run, open_run

GROUPS = ("label", "language")
"""What costs can be told apart by."""
QUANTILES = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99)
"""Where a sweep looks: at these quantiles of the signal, and at the bound as it stands."""
UNLABELLED = "(none)"

_KEY = "(doc_id, crawl, chunk)"


def rule_costs(out: Path, preset: str, *, by: Sequence[str] = ()) -> list[dict[str, Any]]:
    """A row for each rule and group: documents and words that fail it, alone and last.

    Args:
        out: Folder of a run.
        preset: As `measure.rules.rules` takes it.
        by: Of `GROUPS`; empty: one group.

    Returns:
        `rule`, `languages` that it judges, the columns of `by`, `documents`, `words` (of the
        group), `judged`, `alone`, `alone_words`, `last`, `last_words`. The first rows, with `rule`
        None, tell what fails any rule: `languages` is that of all together, `last` is None.

    Raises:
        ConfigError: there is no such preset or group.
        InputError: the run has no measures or documents yet.
    """
    strange = sorted(set(by) - set(GROUPS))
    if strange:
        raise ConfigError(f"no group is called {', '.join(strange)}; known: {', '.join(GROUPS)}")
    asked = rules(preset)
    with open_run(out) as run:
        rows = run.table(_costs_sql(_documents(run), asked, by)).to_pylist()
    names = [None, *(rule.reason for rule in asked)]
    scopes = [rule.scope for rule in asked]
    judged = [str(scope) for scope in (union(scopes), *scopes)]
    return [
        {"rule": names[number], "languages": judged[number]}
        | {name: row[name] for name in (*by, "documents", "words")}
        | {"judged": row[f"judged_{number}"]}
        | {part: row[f"{part}_{number}"] or 0 for part in _PARTS}
        | (dict.fromkeys(_PARTS[2:]) if number == 0 else {})
        for number in range(len(names))
        for row in rows
    ]


_PARTS = ("alone", "alone_words", "last", "last_words")


def _costs_sql(documents: str, asked: Sequence[Rule], by: Sequence[str]) -> str:
    fails = [f"{rule.fails} AS f{number}" for number, rule in enumerate(asked, start=1)]
    scopes = [rule.scope for rule in asked]
    judges = [f"{scope.sql or '1 = 1'} AS j{number}"
              for number, scope in enumerate((union(scopes), *scopes))]  # fmt: skip
    flags = [f"f{number}" for number in range(1, len(asked) + 1)]
    total = " + ".join(f"CAST({flag} AS INTEGER)" for flag in flags) or "0"
    any_rule = "n_failed > 0"
    conditions = [any_rule, *flags], [any_rule, *(f"{flag} AND n_failed = 1" for flag in flags)]
    sums = [
        f"count(*) FILTER (WHERE {condition}) AS {part}_{number}, "
        f"sum(n_words) FILTER (WHERE {condition}) AS {part}_words_{number}"
        for part, tests in zip(("alone", "last"), conditions, strict=True)
        for number, condition in enumerate(tests)
    ]
    sums += [f"count(*) FILTER (WHERE j{n}) AS judged_{n}" for n in range(len(judges))]
    groups = "".join(f"{name}, " for name in by)
    grouped = f" GROUP BY {', '.join(by)} ORDER BY documents DESC, {', '.join(by)}" if by else ""
    columns = ["label", "language", "n_words", *judges, *fails]
    flagged = f"SELECT {', '.join(columns)} FROM ({documents})"
    counted = f"SELECT *, {total} AS n_failed FROM ({flagged})"
    return (
        f"SELECT {groups}count(*) AS documents, coalesce(sum(n_words), 0) AS words, "
        f"{', '.join(sums)} FROM ({counted}){grouped}"
    )


def sweep(out: Path, preset: str, reason: str) -> list[dict[str, Any]]:
    """What one rule would drop at other bounds: a row a bound, with what it costs.

    Columns `side` (the bound that is moved: `min`, or `max` where there is no `min`), `bound`,
    `documents`, `words`, `is_current`. Quantiles and costs are of the documents that the rule
    judges. A bound is one for all of their languages; where the rule has one for each, that is the
    row whose `bound` is None.

    Raises:
        ConfigError: the preset has no such rule.
        InputError: the run has no measures or documents yet, or none that the rule judges.
    """
    found = [rule for rule in rules(preset) if rule.reason == reason]
    if not found:
        known = ", ".join(rule.reason for rule in rules(preset))
        raise ConfigError(f"preset {preset} has no rule `{reason}`; its rules: {known}")
    rule = found[0]
    side: Literal["low", "high"] = "low" if rule.low != float("-inf") else "high"
    current = rule.low if side == "low" else rule.high
    stands = None if isinstance(current, dict) else current
    with open_run(out) as run:
        documents = _documents(run)
        others = [bound for bound in _quantiles(run, documents, rule) if bound != stands]
        tried = [rule, *(rule.at(side, bound) for bound in others)]
        (costs,) = run.table(_sweep_sql(documents, tried)).to_pylist()
    bounds = [stands, *others]
    rows = [
        {"side": "min" if side == "low" else "max", "bound": bound,
         "documents": costs[f"n{number}"], "words": costs[f"w{number}"] or 0,
         "is_current": number == 0}
        for number, bound in enumerate(bounds)
    ]  # fmt: skip
    return sorted(rows, key=lambda row: float("-inf") if row["bound"] is None else row["bound"])


def _quantiles(run: Run, documents: str, rule: Rule) -> list[float]:
    """Where a sweep looks: `QUANTILES` of the signal, over the documents that the rule judges."""
    judged = f" WHERE {rule.scope.sql}" if rule.scope.sql else ""
    quantiles = (
        f"SELECT quantile_cont({rule.value}, {list(QUANTILES)}) AS q FROM ({documents}){judged}"
    )
    (row,) = run.table(quantiles).to_pylist()
    if row["q"] is None:
        raise InputError(
            f"{run.out}: no document to sweep over; {rule.reason} judges languages: {rule.scope}"
        )
    return sorted({round(float(bound), 6) for bound in row["q"]})


def _sweep_sql(documents: str, tried: Sequence[Rule]) -> str:
    sums = [
        f"count(*) FILTER (WHERE {rule.fails}) AS n{number}, "
        f"sum(n_words) FILTER (WHERE {rule.fails}) AS w{number}"
        for number, rule in enumerate(tried)
    ]
    return f"SELECT {', '.join(sums)} FROM ({documents})"


def _documents(run: Run) -> str:
    """SQL of the documents that went on, each once, with its measures and its label."""
    if not run.has("measures", "documents"):
        raise InputError(f"{run.out}: no measures and documents yet; run s01 to s03 first")
    once = f"SELECT * FROM measures QUALIFY row_number() OVER (PARTITION BY {_KEY}) = 1"
    label = "labels.label" if run.has("labels") else "NULL"
    joined = "LEFT JOIN labels USING (doc_id, crawl, chunk)" if run.has("labels") else ""
    return (
        f"SELECT measured.*, coalesce({label}, '{UNLABELLED}') AS label FROM ({once}) AS measured "
        f"SEMI JOIN documents USING (doc_id, crawl, chunk) {joined}"
    )
