"""The report's sections on the blend: what was written by kind of text, and the plan by source."""

from __future__ import annotations

from dataclasses import dataclass

from curation.report import plots, read
from curation.report.parts import Cell, Column, Figure, Section, grid, name
from curation.report.run import Run
from curation.report.wording import compact, one_line, percent

TITLE = "Blend"
SELECTION_TITLE = "Selected texts"
MIX_TITLE = "Sources of the blend"
MAX_SOURCES = 40
"""Rows of the grid: crosses of two attributes may have thousands."""
MAX_MERGED = 5
"""Small sources that are named; the others are counted."""


@dataclass(frozen=True)
class SourceMix:
    """A source of the blend, planned and written."""

    source: str
    merged_from: tuple[str, ...]
    n_documents: int
    n_words: int
    natural_share: float
    share: float
    words: float
    epochs: float
    n_words_written: int


@dataclass(frozen=True)
class Distance:
    """How uneven the blend is, and how far from the natural mix."""

    n_sources: int
    n_effective: float
    total_variation: float
    kl_nats: float


def source_mixes(run: Run) -> list[SourceMix]:
    """Every source, the largest planned share first. Reads `blend_mix`."""
    return run.rows(
        lambda source, merged, *numbers: SourceMix(source, tuple(merged), *numbers),
        "SELECT source, merged_from, n_documents, n_words, natural_share, share, words, epochs, "
        "n_words_written FROM blend_mix ORDER BY share DESC, source",
    )


def distances(run: Run) -> list[Distance]:
    """One, of the whole blend; none where it has no source. Reads `blend_mix`."""
    return run.rows(
        Distance,
        "SELECT count(*), n_effective, total_variation, kl_nats FROM blend_mix "
        "GROUP BY ALL ORDER BY ALL",
    )


def blend(run: Run) -> Section:
    """The blend by quality, kind and kind2."""
    sources = read.blend_sources(run)
    n_words = sum(source.n_words for source in sources) or 1
    figure = Figure("Words by source, repeats included", plots.blend_plot(sources))
    columns = (name("Source"), Column("Texts"), Column("Copies"), Column("Epochs"),
               Column("Words"), Column("Share"))  # fmt: skip
    rows = [
        [one_line(s.name, 60), f"{s.n_texts:,}", f"{s.n_copies:,}", f"{s.n_epochs:.2f}",
         compact(s.n_words), percent(s.n_words / n_words)] for s in sources
    ]  # fmt: skip
    return Section(TITLE, "", (figure,), grid(columns, rows))


def selection(run: Run) -> Section:
    """What `blend.select` chose of each source, and how near it is to the target."""
    told = run.rows(
        lambda *row: row,
        "SELECT source, n_documents, n_chosen, kl_random, kl_chosen, n_target FROM selection_mix "
        "ORDER BY n_documents DESC, source",
    )
    if not told:
        return Section(SELECTION_TITLE, "Nothing was selected: `blend.select` is not set.")
    columns = (name("Source"), Column("Texts"), Column("Chosen"), Column("KL, by chance"),
               Column("KL, chosen"))  # fmt: skip
    rows = [
        [one_line(source, 60), f"{n:,}", f"{n_chosen:,}", *(_nats(kl) for kl in nats)]
        for source, n, n_chosen, *nats, _ in told[:MAX_SOURCES]
    ]
    note = (
        f"By importance (DSIR) towards {told[0][-1]:,} texts of the target. KL, in nats, is from "
        "their hashed n-grams to those of all texts, which a draw by chance has, and of the chosen."
    )
    return Section(SELECTION_TITLE, note, (), grid(columns, rows))


def _nats(kl: float | None) -> str:
    return "–" if kl is None else f"{kl:.3f}"


def mix(run: Run) -> Section:
    """What was planned of each source, beside the natural mix and what was written."""
    sources = source_mixes(run)
    shares = [(s.source, s.share, s.natural_share) for s in sources[: plots.MAX_BARS]]
    figure = Figure("Planned share of the words; the mark is the natural share",
                    plots.mix_plot(shares))  # fmt: skip
    columns = (name("Source"), Column("Texts"), Column("Words"), Column("Natural"),
               Column("Planned"), Column("Epochs"), Column("Words planned"),
               Column("Words written"))  # fmt: skip
    note = " ".join(_told(distance) for distance in distances(run))
    if len(sources) > MAX_SOURCES:
        note += f" {len(sources) - MAX_SOURCES:,} smaller ones are not listed."
    table = grid(columns, [_row(source) for source in sources[:MAX_SOURCES]])
    return Section(MIX_TITLE, note, (figure,) if shares else (), table)


def _told(distance: Distance) -> str:
    return (
        f"{distance.n_sources:,} sources, as even as {distance.n_effective:.1f} equal ones. Beside "
        f"the natural mix {percent(distance.total_variation)} of the words were moved "
        f"(KL {distance.kl_nats:.3f} nats). Texts are drawn whole, so that what was written is "
        "near the plan, not at it."
    )


def _row(mix: SourceMix) -> list[str | tuple[Cell, ...]]:
    return [
        (Cell(one_line(mix.source, 60)), *_merged_cells(mix)), f"{mix.n_documents:,}",
        compact(mix.n_words), percent(mix.natural_share), percent(mix.share), f"{mix.epochs:.2f}",
        compact(mix.words), compact(mix.n_words_written),
    ]  # fmt: skip


def _merged_cells(mix: SourceMix) -> tuple[Cell, ...]:
    """The small sources that it was made of."""
    if not mix.merged_from:
        return ()
    named = "; ".join(one_line(one, 60) for one in mix.merged_from[:MAX_MERGED])
    n_others = len(mix.merged_from) - MAX_MERGED
    return (Cell(f"{named}; and {n_others:,} more" if n_others > 0 else named),)
