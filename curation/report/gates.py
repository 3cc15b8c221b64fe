"""The report's section on the gates: what generated texts are like, and why some are dropped."""

from __future__ import annotations

from dataclasses import dataclass

from curation.report.parts import Cell, Column, Section, grid, name
from curation.report.run import Run
from curation.report.wording import one_line, percent

TITLE = "Gates on generated text"
_MEANS = ("length_ratio", "copied_frac", "number_faithfulness", "name_frac", "judge_score")


@dataclass(frozen=True)
class TaskGates:
    """Texts of one prompt at the gates."""

    task: str
    n_texts: int
    n_kept: int
    length_ratio: float | None
    """Mean of the words over those of the source."""
    copied_frac: float | None
    number_faithfulness: float | None
    """Mean over the texts that have a number."""
    name_frac: float | None
    """Mean over the texts that have a name."""
    judge_score: float | None
    """Mean over the texts that a judge graded, 1..5."""
    reasons: dict[str, int]
    """Texts that fail each gate; one may fail several."""


def task_gates(run: Run) -> list[TaskGates]:
    """Every prompt, by name. Reads `synthetic_measures` and `synthetic`."""
    means = ", ".join(f"avg({column})" for column in _MEANS)
    failed, names = _failed(run), ("task", "n_texts", "n_kept", *_MEANS)
    return run.rows(
        lambda *row: TaskGates(
            **dict(zip(names, row, strict=True)), reasons=failed.get(row[0], {})
        ),
        f"SELECT m.task, count(*), count(*) FILTER (keep), {means} FROM synthetic_measures AS m "
        "JOIN synthetic USING (synthetic_id) GROUP BY m.task ORDER BY m.task",
    )


def _failed(run: Run) -> dict[str, dict[str, int]]:
    """Texts by task and gate, the commonest gate first."""
    failed: dict[str, dict[str, int]] = {}
    for task, reason, n in run.rows(
        lambda *row: row,
        "WITH failed AS (SELECT task, unnest(drop_reasons) AS reason FROM synthetic_measures) "
        "SELECT task, reason, count(*) FROM failed GROUP BY ALL ORDER BY 3 DESC, 2",
    ):
        failed.setdefault(task, {})[reason] = n
    return failed


def gates(run: Run) -> Section:
    """Measures and fates of generated texts by prompt."""
    columns = (name("Prompt"), Column("Texts"), Column("Kept"), Column("Length"),
               Column("Copied"), Column("Numbers"), Column("Names"), Column("Grade"),
               Column("Gates failed", "list"))  # fmt: skip
    rows: list[list[str | tuple[Cell, ...]]] = [
        [one_line(t.task, 40), f"{t.n_texts:,}", f"{t.n_kept:,} ({percent(t.n_kept / t.n_texts)})",
         _ratio(t.length_ratio), _share(t.copied_frac), _share(t.number_faithfulness),
         _share(t.name_frac), _ratio(t.judge_score),
         tuple(Cell(f"{reason} {n:,}") for reason, n in t.reasons.items())]
        for t in task_gates(run)
    ]  # fmt: skip
    note = (
        "Means over the accepted texts of a prompt. Length: words over those of the source. "
        "Copied: share of words in runs of eight that the source has. Numbers, names: share that "
        "the source has. Grade: that of a judge model, 1 to 5, if one was asked. A text may fail "
        "several gates; those that fail one are not blended."
    )
    return Section(TITLE, note, (), grid(columns, rows))


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _share(value: float | None) -> str:
    return "–" if value is None else percent(value)
