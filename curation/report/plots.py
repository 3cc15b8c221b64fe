"""Plots as inline SVG that follows the page's colours, light or dark.

Every figure is drawn in placeholder colours, which the SVG's text then swaps for the page's CSS
variables. Text stays text, so that it takes the page's font and can be searched. No pyplot.
"""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import matplotlib as mpl
import numpy as np
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from curation.report.quality import LabelShare, ScoreHistogram
from curation.report.read import (
    BlendSource,
    FunnelRow,
    TaskYield,
    TrainStep,
)
from curation.report.wording import compact, one_line, percent

INK, MUTED, LINE, MAIN, LOST, MARK = (f"#0{n}0{n}0{n}" for n in range(1, 7))
_CSS_NAME = {INK: "ink", MUTED: "muted", LINE: "line", MAIN: "main", LOST: "lost", MARK: "mark"}
"""Placeholder colours and the CSS variables of `report.html.j2` that take their place."""

WIDTH_IN = 6.4
FONT_PT = 10.0
MAX_BARS = 15
MAX_POINTS = 1_000
"""Points of a curve; more cannot be told apart at this width."""

_STYLE = mpl.RcParams({
    "svg.fonttype": "none",
    "svg.hashsalt": "curation",
    "text.parse_math": False,
    "font.size": FONT_PT,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.labelcolor": MUTED,
})  # fmt: skip


@contextmanager
def _drawing(height_in: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty figure with one set of axes, in this report's style."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained", facecolor="none")
        axes = figure.add_subplot(facecolor="none")
        yield figure, axes


def _svg(figure: Figure, name: str, title: str) -> Markup:
    """`figure` as an SVG element called `title`, its ids made unique by `name`."""
    buffer = io.StringIO()
    no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(buffer, format="svg", metadata=no_metadata)
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    for colour, variable in _CSS_NAME.items():
        svg = svg.replace(colour, f"var(--{variable})")
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\1{name}-", svg)
    [box] = re.findall(r'viewBox="[^"]+"', svg[: svg.index(">")])
    head = f'<svg {box} role="img" aria-label="{escape(title)}"'
    return Markup(head + svg[svg.index(">") :])


def funnel_plot(rows: Sequence[FunnelRow]) -> Markup:
    """Rows through the stages: a band a stage, what did not go on at its end.

    Stages that hand rows to each other (pages, then documents) are joined; requests, copies and
    sequences are rows of another kind and stand alone, on the same scale.
    """
    with _drawing(0.35 + 0.64 * len(rows)) as (figure, axes):
        most = max((row.rows_in for row in rows), default=0) or 1
        for i, row in enumerate(rows):
            _band(axes, row, i)
            if i and _joined(rows[i - 1], row):
                _join(axes, rows[i - 1].rows_out, row.rows_in, i)
        axes.set(xlim=(0, most), ylim=(len(rows) - 0.35, -0.55), xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        return _svg(figure, "funnel", "Rows through the stages")


_BAND = 0.36
"""Height of a band, where the distance of two stages is 1."""


def _band(axes: Axes, row: FunnelRow, y: int) -> None:
    lost = row.rows_in - row.rows_out
    axes.barh(y, row.rows_out, height=_BAND, color=MAIN, align="edge")
    axes.barh(y, lost, left=row.rows_out, height=_BAND, color=LOST, align="edge")
    text = f"{row.rows_in:,} in, {row.rows_out:,} out"
    if row.reasons:
        text += ": " + ", ".join(f"{n:,} {one_line(r, 24)}" for r, n in _largest(row.reasons, 2))
        text += " …" if len(row.reasons) > 2 else ""
    name = axes.annotate(
        one_line(row.stage, 24), (0, y), (0, 5), textcoords="offset points", weight="bold"
    )
    axes.annotate(text, (0, y), (90, 5), textcoords="offset points", color=MUTED)
    name.set_in_layout(False)


def _joined(first: FunnelRow, second: FunnelRow) -> bool:
    """Whether the rows that leave `first` are those that enter `second`: s01 to s05, s08 to s09."""
    pair = (first.stage[:3], second.stage[:3])
    documents = ("s01", "s02", "s03", "s04", "s05")
    return pair in {*itertools.pairwise(documents), ("s08", "s09")}


def _join(axes: Axes, rows_out: int, rows_in: int, y: int) -> None:
    """The band between two stages, from the first one's lower to the second one's upper edge."""
    axes.fill(
        [0, rows_out, rows_in, 0],
        [y - 1 + _BAND, y - 1 + _BAND, y, y],
        color=MAIN,
        alpha=0.16,
        lw=0,
    )


def _largest(counts: Mapping[str, int], n: int) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n]


def bar_plot(counts: Mapping[str, int], name: str, title: str) -> Markup:
    """Horizontal bars, the largest first; what exceeds `MAX_BARS` is summed in the last one."""
    bars = _largest(counts, len(counts))
    if len(bars) > MAX_BARS:
        rest = sum(n for _, n in bars[MAX_BARS - 1 :])
        bars = [*bars[: MAX_BARS - 1], (f"{len(bars) - MAX_BARS + 1} others", rest)]
    total = sum(counts.values()) or 1
    labels = [f"{compact(n)} ({percent(n / total)})" for _, n in bars]
    with _drawing(0.3 + 0.24 * len(bars)) as (figure, axes):
        _bars(axes, [(key, float(n)) for key, n in bars], labels)
        return _svg(figure, name, title)


def _bars(
    axes: Axes,
    bars: Sequence[tuple[str, float]],
    labels: Sequence[str],
    marks: Sequence[float | None] = (),
) -> None:
    """Bars from the top down and no scale; a label stands behind its bar and its mark."""
    names = [one_line(key, 40) or "(none)" for key, _ in bars]
    axes.barh(range(len(bars)), [n for _, n in bars], height=0.7, color=MAIN)
    reach = [mark or 0.0 for mark in marks] or [0.0] * len(bars)
    ends = [max(n, mark) for (_, n), mark in zip(bars, reach, strict=True)]
    for i, (end, label) in enumerate(zip(ends, labels, strict=True)):
        axes.annotate(label, (end, i), (5, 0), textcoords="offset points", color=MUTED, va="center")
    axes.set_yticks(range(len(bars)), names)
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_xlim(0, 1.45 * max(ends, default=0.0) or 1.0)
    axes.tick_params(length=0)
    axes.set_xticks([])
    axes.spines[["bottom", "left"]].set_visible(False)


def label_plot(shares: Sequence[LabelShare]) -> Markup:
    """Share of the words of each label, with the paper's share of tokens as a mark."""
    with _drawing(0.7 + 0.3 * len(shares)) as (figure, axes):
        fracs = [(share.label, share.words_frac) for share in shares]
        paper = [share.paper_frac for share in shares]
        labels = [f"{percent(s.words_frac)} (paper {percent(s.paper_frac)})" for s in shares]
        _bars(axes, fracs, labels, paper)
        _draw_marks(axes, paper, "Nemotron-CC, share of tokens")
        return _svg(figure, "labels", "Share of words by quality label")


def _draw_marks(axes: Axes, values: Sequence[float | None], name: str) -> None:
    """A vertical tick at the reference value of each bar that has one, and what it means."""
    known = [(i, value) for i, value in enumerate(values) if value is not None]
    if not known:
        return
    for i, value in known:
        axes.plot([value, value], [i - 0.45, i + 0.45], color=MARK, lw=2.2, solid_capstyle="butt")
    axes.plot([], [], color=MARK, lw=2.2, label=name)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, 0.0), handlelength=1.2)


def score_plot(histogram: ScoreHistogram) -> Markup:
    """Scores of one member; ticks above show the cuts between its buckets."""
    low, high, counts = histogram.low, histogram.high, histogram.counts
    width = (high - low) / len(counts)
    with _drawing(1.9) as (figure, axes):
        lefts = low + width * np.arange(len(counts))
        axes.bar(lefts, counts, width=0.92 * width, align="edge", color=MAIN)
        top = max(*counts, 1)
        axes.vlines(histogram.edges, 1.06 * top, 1.18 * top, color=MARK, lw=1.1)
        axes.set(xlim=(low, high), ylim=(0, 1.2 * top), xlabel=f"score of {histogram.member}")
        _count_axis(axes)
        return _svg(figure, f"score-{histogram.member}", f"Scores of {histogram.member}")


def _count_axis(axes: Axes) -> None:
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
    axes.grid(axis="y")
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelcolor=MUTED)


_SIZE_BINS = (2, 3, 4, 5, 6, 8, 11, 21, 51, 101, 1001)
"""Least size in each bar of the cluster plot."""


def cluster_plot(sizes: Mapping[int, int]) -> Markup:
    """Clusters by number of documents, wide bins for large ones."""
    bins = _binned(sizes)
    with _drawing(1.9) as (figure, axes):
        drawn = axes.bar(range(len(bins)), list(bins.values()), width=0.75, color=MAIN)
        axes.bar_label(drawn, [compact(n) for n in bins.values()], padding=2, color=MUTED)
        axes.set_xticks(range(len(bins)), list(bins))
        axes.margins(y=0.15)
        axes.set_xlabel("documents in the cluster")
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="x", length=0)
        return _svg(figure, "clusters", "Duplicate clusters by size")


def _binned(sizes: Mapping[int, int]) -> dict[str, int]:
    """Clusters in each bin of `_SIZE_BINS` up to the largest size, empty bins included."""
    largest = max(sizes, default=0)
    bins: dict[str, int] = {}
    for low, after in zip(_SIZE_BINS, (*_SIZE_BINS[1:], largest + 1), strict=True):
        if low <= largest:
            high = after - 1
            name = str(low) if low == high else f"{low}–{high}"
            bins[name] = sum(n for size, n in sizes.items() if low <= size <= high)
    return bins


def yield_plot(tasks: Sequence[TaskYield]) -> Markup:
    """Tokens out / in of each prompt, with the paper's ratio as a mark where it gives one."""
    with _drawing(0.7 + 0.27 * len(tasks)) as (figure, axes):
        ratios = [(task.task, task.out_in_ratio) for task in tasks]
        paper = [task.paper_ratio for task in tasks]
        labels = [
            f"{ratio:.2f}" + ("" if mark is None else f" (paper {mark:.2f})")
            for (_, ratio), mark in zip(ratios, paper, strict=True)
        ]
        _bars(axes, ratios, labels, paper)
        _draw_marks(axes, paper, "Nemotron-CC, table 3")
        return _svg(figure, "yields", "Tokens out / tokens in by prompt")


def blend_plot(sources: Sequence[BlendSource]) -> Markup:
    """Share of the blend's words by source."""
    return bar_plot({s.name: s.n_words for s in sources}, "blend", "Words of the blend by source")


def mix_plot(shares: Sequence[tuple[str, float, float]]) -> Markup:
    """Planned share of each source, with its natural share as a mark: (name, planned, natural)."""
    with _drawing(0.7 + 0.27 * len(shares)) as (figure, axes):
        natural = [mark for *_, mark in shares]
        labels = [f"{percent(share)} (natural {percent(mark)})" for _, share, mark in shares]
        _bars(axes, [(name, share) for name, share, _ in shares], labels, natural)
        _draw_marks(axes, natural, "natural share")
        return _svg(figure, "mix", "Planned share of the blend by source")


def loss_plot(steps: Sequence[TrainStep]) -> Markup:
    """Training loss by step."""
    chosen = _thinned(steps)
    xs = [step.step for step in chosen]
    with _drawing(2.3) as (figure, axes):
        axes.plot(xs, [step.loss for step in chosen], color=MAIN, lw=1.4)
        axes.set(xlabel="step", ylabel="loss, nats a token")
        axes.margins(x=0.01)
        axes.grid(axis="y")
        axes.tick_params(labelcolor=MUTED, length=0)
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: compact(value)))
        return _svg(figure, "loss", "Training loss by step")


def _thinned(steps: Sequence[TrainStep]) -> Sequence[TrainStep]:
    """At most `MAX_POINTS` evenly spaced steps, the first and the last among them."""
    if len(steps) <= MAX_POINTS:
        return steps
    return [steps[i] for i in np.linspace(0, len(steps) - 1, MAX_POINTS).round().astype(int)]
