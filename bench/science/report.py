"""What the finished runs say: tables, contrasts, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.science.compare import Finding, Values, finding, spread
from bench.science.design import Experiment
from bench.science.plot import draw
from bench.science.runner import Result

_UNITS = {"nats": "nats a token", "right": "share right"}
"""Last word of a metric's name, and what it is counted in."""


def heading_of(metric: str) -> str:
    """Name and unit of a metric; a text's loss is in bits a byte."""
    name, _, last = metric.rpartition(" ")
    return f"{name}, {_UNITS[last]}" if last in _UNITS else f"{metric}, bits a byte"


def values_of(runs: Sequence[Result]) -> Values:
    """Metrics by arm and seed; with several sources, the worst of all of them too."""
    values: dict[str, dict[int, Mapping[str, float]]] = {}
    for run in runs:
        losses = [value for name, value in run.metrics.items() if name.split()[-1] not in _UNITS]
        values.setdefault(run.arm, {})[run.seed] = {**run.metrics, "worst of all": max(losses)}
    return values


def findings_of(experiment: Experiment, values: Values) -> list[Finding]:
    """The contrasts that all arms have runs for."""
    return [
        finding(contrast, values)
        for contrast in experiment.contrasts
        if all(arm in values for arm in contrast.weights)
    ]


def markdown(experiment: Experiment, runs: Sequence[Result]) -> str:
    """The tables of one experiment."""
    values, first = values_of(runs), runs[0]
    lines = [
        f"{first.n_parameters:,} parameters, {first.n_tokens:,} tokens a run, seeds "
        f"{sorted({run.seed for run in runs})}; {sum(run.seconds for run in runs):.0f} s in all.",
        "", *_arm_table(experiment, values, runs), "", *_finding_table(experiment, values),
    ]  # fmt: skip
    notes = {name: spread([run.notes[name] for run in runs]).mean for name in first.notes}
    if notes:
        lines += ["", "; ".join(f"{name} {value:,.6g}" for name, value in notes.items())]
    return "\n".join(lines) + "\n"


def _arm_table(experiment: Experiment, values: Values, runs: Sequence[Result]) -> list[str]:
    shown = experiment.shown
    heads = [heading_of(metric) for metric in shown]
    lines = [f"| arm | passes | {' | '.join(heads)} |", "|---|---|" + "---:|" * len(shown)]
    for arm, by_seed in values.items():
        spreads = [spread([one[metric] for one in by_seed.values()]) for metric in shown]
        cells = [f"{s.mean:.4f} ± {s.sd:.4f}" for s in spreads]
        lines.append(f"| {arm} | {_passes(arm, runs)} | {' | '.join(cells)} |")
    return lines


def _passes(arm: str, runs: Sequence[Result]) -> str:
    """Passes over each source, mean over seeds."""
    of_arm = [run.epochs for run in runs if run.arm == arm]
    means = {name: spread([one[name] for one in of_arm]).mean for name in of_arm[0]}
    if set(means) == {arm}:
        return f"{means[arm]:.2f}"
    return ", ".join(f"{name} {mean:.2f}" for name, mean in means.items())


def _finding_table(experiment: Experiment, values: Values) -> list[str]:
    lines = [
        "| contrast | of | mean | 95 % interval | expected | verdict |",
        "|---|---|---:|---|---|---|",
    ]
    for one in findings_of(experiment, values):
        low, high = (one.spread.mean + side * one.spread.half_width for side in (-1, 1))
        lines.append(
            f"| {one.contrast.name} | {one.contrast.metric} | {one.spread.mean:+.4f} | "
            f"{low:+.4f} to {high:+.4f} | {one.contrast.expected} | {one.verdict} |"
        )
    return lines


def as_json(experiment: Experiment, runs: Sequence[Result]) -> dict[str, Any]:
    """The same figures for programs, each seed's value included."""
    found = findings_of(experiment, values_of(runs))
    return {
        "experiment": experiment.name,
        "runs": [asdict(run) for run in runs],
        "findings": [asdict(one) | {"verdict": one.verdict} for one in found],
    }


def write_report(experiment: Experiment, runs: Sequence[Result], out: Path, images: Path) -> str:
    """Write OUT/NAME.md, OUT/NAME.json and IMAGES/science-NAME.svg; the Markdown."""
    text = markdown(experiment, runs)
    (out / f"{experiment.name}.md").write_text(text, encoding="utf-8")
    told = json.dumps(as_json(experiment, runs), indent=1) + "\n"
    (out / f"{experiment.name}.json").write_text(told, encoding="utf-8")
    images.mkdir(parents=True, exist_ok=True)
    headings = {metric: heading_of(metric) for metric in experiment.shown}
    path = images / f"science-{experiment.name}.svg"
    draw(experiment, values_of(runs), runs, headings, path)
    return text
