"""Colours and style of the plots in the docs."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

INK, MUTED, LINE = "#1b1f24", "#5c6670", "#d9dde1"
COLOURS = ("#0072b2", "#009e73", "#d55e00")
"""Blue, green and vermilion of the Okabe-Ito palette, as in the report."""
STYLE = mpl.RcParams({
    "svg.fonttype": "none", "svg.hashsalt": "curation", "font.size": 10.0,
    "font.family": "sans-serif", "text.color": INK, "axes.labelcolor": MUTED,
    "axes.edgecolor": LINE, "axes.spines.top": False, "axes.spines.right": False,
    "axes.axisbelow": True, "grid.color": LINE, "grid.linewidth": 0.6, "xtick.color": LINE,
    "ytick.color": LINE, "xtick.labelcolor": MUTED, "ytick.labelcolor": MUTED,
    "legend.frameon": False, "legend.labelcolor": MUTED,
})  # fmt: skip


def save(figure: Figure, path: Path) -> None:
    """Write `figure`; an SVG has the same bytes every time."""
    no_metadata = {"Date": None, "Creator": None, "Format": None, "Type": None}
    figure.savefig(path, metadata=no_metadata if path.suffix == ".svg" else None)
