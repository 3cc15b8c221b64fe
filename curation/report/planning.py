"""The plan of generation, for the terminal and beside what came of it for the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from curation.report.parts import Column, Section, grid, name
from curation.report.run import Run
from curation.report.wording import compact, duration, one_line
from curation.synth.estimate import Estimate
from curation.synth.plan import CAPS, TaskPlan, read_plan

TITLE = "Generation: plan and fact"
PLAN_COLUMNS = ("prompt", "documents", "looked at", "requests", "tokens in", "tokens out",
                "engine time")  # fmt: skip
"""Of the table that `plan_cells` fills."""


def plan_cells(plans: Sequence[TaskPlan]) -> list[list[str]]:
    """A row of `PLAN_COLUMNS` for each prompt, and one of all."""
    rows = [
        [one_line(p.task, 40), f"{p.n_documents:,}", f"{p.n_sampled:,}", told(p.requests),
         told(p.input_tokens), _output(p), _time(p.engine_hours)] for p in plans
    ]  # fmt: skip
    hours = [p.engine_hours for p in plans if p.engine_hours]
    all_ = [
        "all", "", "", told(summed([p.requests for p in plans])),
        told(summed([p.input_tokens for p in plans])),
        told(summed([p.output_tokens for p in plans])),
        _time(summed(hours) if len(hours) == len(plans) else None),
    ]  # fmt: skip
    return [*rows, all_]


def summed(estimates: Sequence[Estimate]) -> Estimate:
    """Of all; the ends of the interval are summed too, which is cautious: it holds however the
    errors of the parts go together.
    """
    return Estimate(
        sum(one.value for one in estimates), sum(one.low for one in estimates),
        sum(one.high for one in estimates),
    )  # fmt: skip


def told(estimate: Estimate) -> str:
    """`1,234 (1,100 to 1,400)`; without the interval where there is none."""
    value = compact(estimate.value)
    if estimate.low == estimate.high:
        return value
    return f"{value} ({compact(estimate.low)} to {compact(estimate.high)})"


def _output(plan: TaskPlan) -> str:
    return f"at most {told(plan.output_tokens)}" if plan.output_from == CAPS else (
        told(plan.output_tokens)
    )  # fmt: skip


def _time(hours: Estimate | None) -> str:
    if hours is None:
        return "–"
    low, high = duration(hours.low * 3600), duration(hours.high * 3600)
    value = duration(hours.value * 3600)
    return value if low == high else f"{value} ({low} to {high})"


@dataclass(frozen=True)
class _Fact:
    """What became of a prompt's requests."""

    task: str
    n_requests: int
    n_answered: int
    input_tokens: int
    output_tokens: int
    seconds: float


def plan_and_fact(run: Run) -> Section:
    """What was planned for each prompt, and what came of it. Reads `requests`, `generations`."""
    plans = read_plan(run.out)
    if not plans:
        return Section(TITLE, "No plan was made: curation plan CONF --out OUT makes one.")
    facts = {fact.task: fact for fact in _facts(run)}
    columns = (name("Prompt"), Column("Requests planned"), Column("Requests"), Column("Answered"),
               Column("Tokens in planned"), Column("Tokens in"), Column("Tokens out planned"),
               Column("Tokens out"), Column("Time planned"), Column("Time"))  # fmt: skip
    rows = [_row(plan, facts[plan.task]) for plan in plans if plan.task in facts]
    note = (
        "Planned: as estimated from some of the documents when the plan was made, for the requests "
        "without an answer at that time, with the interval that holds 19 times of 20. Time is that "
        "of one engine."
    )
    return Section(TITLE, note, (), grid(columns, rows))


def _row(plan: TaskPlan, fact: _Fact) -> list[str]:
    return [
        one_line(plan.task, 40), told(plan.requests), f"{fact.n_requests:,}",
        f"{fact.n_answered:,}", told(plan.input_tokens), compact(fact.input_tokens), _output(plan),
        compact(fact.output_tokens), _time(plan.engine_hours), duration(fact.seconds),
    ]  # fmt: skip


def _facts(run: Run) -> list[_Fact]:
    return run.rows(
        _Fact,
        "SELECT r.task, count(DISTINCT r.request_id), "
        "count(DISTINCT g.request_id) FILTER (g.error IS NULL), "
        "coalesce(sum(g.n_input_tokens), 0), coalesce(sum(g.n_output_tokens), 0), "
        "coalesce(sum(g.seconds), 0) "
        "FROM requests r LEFT JOIN generations g USING (request_id) GROUP BY r.task",
    )
