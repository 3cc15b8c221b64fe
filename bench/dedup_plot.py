"""The plot of `bench.dedup_quality`: recall by similarity, precision by threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.dedup_methods import VERIFIED, Method
from bench.plot_style import COLOURS, INK, MUTED, STYLE, save

Row = Mapping[str, Any]

_MARKERS = ("o", "s", "D")
_SIZES = {"o": 5.0, "s": 8.0, "D": 4.0}
"""In points; hollow and of different sizes, so that points that coincide are all seen."""


def draw(methods: Sequence[Method], recalls: Mapping[str, Sequence[Row]], path: Path) -> None:
    """Recall by similarity and precision by threshold, as an SVG that is the same every time."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(9.0, 4.2), layout="constrained", facecolor="white")
        recall, precise = figure.subplots(1, 2)
        for method, colour, marker in zip(methods, COLOURS, _MARKERS, strict=False):
            _draw_recall(recall, method, recalls[method.name], colour, marker)
            _draw_precision(precise, method, colour)
        recall.plot([], [], color=MUTED, lw=1.1, ls="--", label="theory, 1 − (1 − sʳ)ᵇ")
        _draw_oracle(recall, precise, methods[0])
        recall.set(xlabel="exact Jaccard similarity s of the pair", xlim=(0.4, 1.01))
        precise.set(xlabel="exact Jaccard similarity t asked for", xlim=(0.4, 1.01))
        titles = (
            (recall, "Recall: share of the pairs that are candidates"),
            (precise, "Precision: share of the candidates at t or more"),
        )
        for axes, title in titles:
            axes.set_title(title, loc="left", fontsize=10)
            axes.set_ylim(-0.02, 1.02)
            axes.grid(axis="y")
            axes.spines["left"].set_visible(False)
            axes.tick_params(axis="y", length=0)
        figure.legend(*recall.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        save(figure, path)


def _draw_recall(axes: Axes, method: Method, rows: Sequence[Row], colour: str, marker: str) -> None:
    points = [row["jaccard"] for row in rows], [row["recall"] for row in rows]
    axes.plot(*points, color=colour, marker=marker, ms=_SIZES[marker], mfc="none", lw=1.4,
              label=method.name)  # fmt: skip
    similarity = np.linspace(0.4, 1.0, 121)
    axes.plot(similarity, method.theory(similarity), color=colour, lw=1.1, ls="--", alpha=0.75)


def _draw_precision(axes: Axes, method: Method, colour: str) -> None:
    similarity = np.concatenate([method.exact[np.triu(run.candidates)] for run in method.runs])
    thresholds = np.linspace(0.4, 1.0, 121)
    axes.plot(thresholds, [(similarity >= t).mean() for t in thresholds], color=colour, lw=1.4)


def _draw_oracle(recall: Axes, precise: Axes, method: Method) -> None:
    """The exact pairs at `VERIFIED`, which no method can be better than at that bound."""
    recall.step(
        [0.4, VERIFIED, 1.0], [0, 0, 1], color=INK, lw=1.0, ls=":",
        label=f"exact oracle, s of {VERIFIED} or more",
    )  # fmt: skip
    similarity, thresholds = np.triu(method.exact), np.linspace(0.4, 1.0, 121)
    similarity = similarity[similarity >= VERIFIED]
    precise.plot(
        thresholds, [(similarity >= t).mean() for t in thresholds], color=INK, lw=1.0, ls=":"
    )
