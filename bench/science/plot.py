"""One picture an experiment: every metric by arm, each seed, mean and standard deviation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.plot_style import COLOURS, INK, MUTED, STYLE, save
from bench.science.compare import Values, spread
from bench.science.design import Experiment
from bench.science.runner import Result

PANELS_A_ROW = 3


def draw(
    experiment: Experiment,
    values: Values,
    runs: Sequence[Result],
    headings: Mapping[str, str],
    path: Path,
) -> None:
    """Panels of `experiment.shown`, and the traces where there are any, as an SVG."""
    traces = [run for run in runs if run.trace]
    n = len(experiment.shown) + bool(traces)
    n_columns = math.ceil(n / math.ceil(n / PANELS_A_ROW))
    n_rows = math.ceil(n / n_columns)
    with mpl.rc_context(STYLE):
        size = (0.5 + 3.1 * n_columns, 0.5 + 2.7 * n_rows)
        figure = Figure(figsize=size, layout="constrained", facecolor="white")
        panels = figure.subplots(n_rows, n_columns, squeeze=False).ravel()
        for metric, axes in zip(experiment.shown, panels, strict=False):
            _draw_metric(axes, values, metric, headings[metric])
        if traces:
            _draw_traces(panels[n - 1], experiment.traced, traces)
        for axes in panels[n:]:
            axes.set_axis_off()
        save(figure, path)


def _draw_metric(axes: Axes, values: Values, metric: str, heading: str) -> None:
    """Arms from left to right; a thin line joins what one seed gave."""
    arms = list(values)
    for seed in sorted(set.intersection(*(set(by_seed) for by_seed in values.values()))):
        ys = [values[arm][seed][metric] for arm in arms]
        axes.plot(range(len(arms)), ys, color=MUTED, marker="o", ms=4, mfc="white", lw=0.7)
    spreads = [spread([v[metric] for v in values[arm].values()]) for arm in arms]
    sds = [np.nan_to_num(s.sd) for s in spreads]
    axes.errorbar(
        np.arange(len(arms)) + 0.12, [s.mean for s in spreads], sds, fmt="s", ms=5,
        color=COLOURS[0], capsize=3, lw=1.4,
    )  # fmt: skip
    axes.set_xticks(range(len(arms)), [arm.replace(" ", "\n") for arm in arms])
    axes.set_xlim(-0.4, len(arms) - 0.6)
    axes.set_title(heading, loc="left", fontsize=10, color=INK)
    axes.margins(y=0.15)
    _rule(axes)


def _draw_traces(axes: Axes, name: str, runs: Sequence[Result]) -> None:
    """Mean over seeds of the traced loss along the run, each seed as a thin line."""
    arms = list(dict.fromkeys(run.arm for run in runs))
    for arm, colour in zip(arms, COLOURS, strict=False):
        of_arm = [run for run in runs if run.arm == arm]
        steps = [step for step, _ in of_arm[0].trace]
        losses = np.array([[loss for _, loss in run.trace] for run in of_arm])
        for one in losses:
            axes.plot(steps, one, color=colour, lw=0.7, alpha=0.35)
        axes.plot(steps, losses.mean(axis=0), color=colour, lw=1.8, label=arm)
    axes.set_title(f"{name} by step, bits a byte", loc="left", fontsize=10, color=INK)
    axes.legend(loc="best")
    _rule(axes)


def _rule(axes: Axes) -> None:
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="both", length=0)
