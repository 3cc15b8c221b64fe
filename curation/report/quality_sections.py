"""The report's sections on scores and labels."""

from __future__ import annotations

from curation.report import plots, quality, samples
from curation.report.parts import (
    Column,
    Figure,
    Pane,
    Sample,
    Section,
    filled,
    grid,
    name,
    page_pane,
)
from curation.report.run import Run
from curation.report.wording import compact, one_line, percent

PAGES_PER_LABEL = 10
LABEL_CHARS = 320
"""Characters of each: ten side by side are to be judged, not read."""
MAX_CLASSES = 30


def scores(run: Run) -> Section:
    """Histograms of all scores."""
    histograms = quality.score_histograms(run)
    figures = tuple(
        Figure(f"Scores: {h.member}{_cuts_note(h)}", plots.score_plot(h)) for h in histograms
    )
    told = ", ".join(
        f"{one.n_documents:,} by {one.member} ({one.reason})" for one in quality.unscored(run)
    )
    return Section("Scores", f"Documents without a score: {told}." if told else "", figures)


def _cuts_note(histogram: quality.ScoreHistogram) -> str:
    if not histogram.edges:
        return ""
    return f"; ticks: the {len(histogram.edges)} cuts between buckets ({histogram.language})"


def labels(run: Run) -> Section:
    """Shares of the labels beside the paper's, and pages of each."""
    shares = quality.label_shares(run)
    figure = Figure("Share of words by label", plots.label_plot(shares))
    columns = (name("Label"), Column("Documents"), Column("Kept"), Column("Words"),
               Column("Share"), Column("Paper"))  # fmt: skip
    rows = [
        [s.label, f"{s.n_documents:,}", f"{s.n_kept:,}", compact(s.n_words), percent(s.words_frac),
         percent(s.paper_frac)] for s in shares
    ]  # fmt: skip
    note = (
        "Shares are of words, the paper's of tokens of the whole of Common Crawl; a small or "
        "topical crawl lies elsewhere."
    )
    return Section("Quality labels", note, (figure,), grid(columns, rows), _label_samples(run))


def _label_samples(run: Run) -> tuple[Sample, ...]:
    pages = samples.labelled(run, PAGES_PER_LABEL)
    return filled([
        Sample(f"Label {label}: {PAGES_PER_LABEL} of its pages, drawn by hash",
               tuple(_label_pane(p) for p in pages if p.label == label))
        for label in quality.LABEL_TOKEN_FRAC
    ])  # fmt: skip


def _label_pane(page: samples.LabelledPage) -> Pane:
    fate = "kept" if page.drop_reason is None else f"dropped: {page.drop_reason}"
    classes = ", ".join(c.replace("_", " ") for c in (page.domain, page.speech) if c)
    note = ", ".join(part for part in (f"bucket {page.bucket}", fate) if part)
    return page_pane(page.page, f"{note}. {classes}" if classes else note, LABEL_CHARS)


def ensemble(run: Run) -> Section:
    """What pairs of members think of the same documents."""
    found = quality.overlaps(run)
    if not found:
        return Section("Agreement of the members", "The ensemble has one member.")
    columns = (name("Members"), Column("High by either"), Column("By both"), Column("First only"),
               Column("Second only"), Column("Hosts shared"), Column("Mean gap"),
               Column("Correlation"))  # fmt: skip
    rows = [[f"{o.first}, {o.second}", f"{o.n_either:,}", _share(o.n_both, o.n_either),
             _share(o.n_first_only, o.n_either), _share(o.n_second_only, o.n_either),
             f"{o.n_top_hosts:,}", f"{o.mean_gap:.1f}",
             "–" if o.correlation is None else f"{o.correlation:.2f}"] for o in found]  # fmt: skip
    note = (
        f"High: bucket {quality.TOP_BUCKET} or 19 by that member alone, about its top tenth. Hosts "
        f"shared: among the {quality.N_TOP_HOSTS:,} with most such documents of each. Gap and "
        "correlation are of the buckets of all documents. In the paper FineWeb-Edu and DCLM "
        "shared 10.1 % of what either called high, and 368 of 1,000 domains."
    )
    return Section("Agreement of the members", note, (), grid(columns, rows))


def _share(n: int, n_all: int) -> str:
    return f"{n:,} ({percent(n / n_all)})" if n_all else f"{n:,}"


def deciders(run: Run) -> Section:
    """Which member has the highest bucket."""
    found = quality.deciders(run)
    columns = (name("Member"), Column("Highest alone"), Column("Highest with another"),
               Column("High by it alone"))  # fmt: skip
    rows = [[d.member, f"{d.n_alone:,}", f"{d.n_shared:,}", f"{d.n_high_alone:,}"] for d in found]
    note = (
        "Documents by the member whose bucket is the highest, which decides where the ensemble "
        "takes the maximum. High by it alone: no other member would have made the document high "
        "or medium-high."
    )
    return Section("Which member decides", note, (), grid(columns, rows))


def classes(run: Run, attribute: str, title: str) -> Section:
    """Documents by class, and the labels of each."""
    found = quality.class_shares(run, attribute)
    if not found:
        return Section(title, "No member gives this class.")
    n_all = sum(share.n_documents for share in found)
    columns = (name("Class"), Column("Documents"), Column("Share"), Column("Toxicity"),
               *(Column(label.capitalize()) for label in quality.LABEL_TOKEN_FRAC))  # fmt: skip
    rows = [
        [one_line(c.name.replace("_", " "), 50), f"{c.n_documents:,}",
         percent(c.n_documents / n_all),
         "–" if c.mean_toxicity is None else f"{c.mean_toxicity:.3f}",
         *(f"{c.by_label.get(label, 0):,}" for label in quality.LABEL_TOKEN_FRAC)]
        for c in found[:MAX_CLASSES]
    ]  # fmt: skip
    return Section(title, "Labelled documents; toxicity is their mean.", (), grid(columns, rows))


def drift(run: Run) -> Section:
    """Labels under earlier cuts against those in force."""
    found = quality.drifts(run)
    if not found:
        return Section("Drift of the labels", "There are no earlier cuts to compare with.")
    columns = (name("Documents"), Column("Cuts of"), Column("Count"), Column("Moved"),
               *(Column(label.capitalize()) for label in quality.LABEL_TOKEN_FRAC))  # fmt: skip
    rows = [
        [one_line(f"{d.crawl}, {d.language}", 60), _whose(d), f"{d.n_documents:,}",
         percent(d.n_moved / d.n_documents),
         *(f"{d.before[label]:,} → {d.now[label]:,}" for label in quality.LABEL_TOKEN_FRAC)]
        for d in found
    ]  # fmt: skip
    note = (
        "Documents by label under earlier cuts → under those in force. The cuts of the crawl "
        "before show whether a crawl has become better or worse."
    )
    return Section("Drift of the labels", note, (), grid(columns, rows))


def _whose(found: quality.Drift) -> str:
    of_crawl = one_line(found.cuts_crawl, 40)
    return of_crawl if found.against == "crawl" else f"{of_crawl}, before"
