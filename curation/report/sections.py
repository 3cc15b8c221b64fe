"""The report's sections as data: what is said, in which order, with which plots and samples.

A section never holds HTML of its own: plots are finished SVG, all else is plain text that the
template escapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from curation.pipeline import STAGES, TRAIN
from curation.report import blend, plots, quality_sections, read, samples
from curation.report.gates import TITLE as GATES_TITLE
from curation.report.gates import gates
from curation.report.parts import (
    SAMPLE_CHARS,
    URL_CHARS,
    Cell,
    Column,
    Figure,
    Number,
    Pane,
    Sample,
    Section,
    caption,
    filled,
    grid,
    name,
    page_pane,
)
from curation.report.planning import TITLE as PLAN_TITLE
from curation.report.planning import plan_and_fact
from curation.report.quality import LABEL_TOKEN_FRAC
from curation.report.quality_sections import classes
from curation.report.run import Run
from curation.report.wording import compact, duration, excerpt, one_line, percent

MAX_REASONS = 10
"""Reasons listed for a stage; the rest is summed."""


def headline(run: Run) -> list[Number]:
    """The run in eight numbers; a dash stands for what has not run."""
    found = read.totals(run)
    loss = "–" if found.last_loss is None else f"{found.last_loss:.3f}"
    counts = {
        "records": found.n_records,
        "pages": found.n_pages,
        "documents": found.n_documents,
        "labelled": found.n_labels,
        "synthetic texts": found.n_synthetic,
        "words in the blend": found.blend_words,
        "tokens": found.n_tokens,
    }
    numbers = [Number(k, "–" if n is None else compact(n)) for k, n in counts.items()]
    return [*numbers, Number("last loss", loss)]


def sections(run: Run) -> list[Section]:
    """Every section in the order of the flow."""
    return [
        funnel(run),
        _when(run, "Extraction", "s01_extract", ("pages",), extraction),
        _when(run, "Languages", "s02_measure", ("measures",), languages),
        _when(run, "Duplicates", "s03_dedup", ("clusters", "pages"), duplicates),
        _when(run, "Scores", "s04_score", ("scores",), quality_sections.scores),
        _when(run, "Quality labels", "s05_label", _LABELLED, quality_sections.labels),
        _when(run, "Agreement of the members", "s05_label", _LABELLED, quality_sections.ensemble),
        _when(run, "Which member decides", "s05_label", ("labels",), quality_sections.deciders),
        *(
            _when(run, title, "s05_label", ("labels",), partial(classes, attribute=a, title=title))
            for a, title in (("domain", "Domains"), ("speech", "Types of speech"))
        ),
        _when(run, "Drift of the labels", "s05_label", ("label_drift",), quality_sections.drift),
        _when(run, "Heuristic rules", "s05_label", _LABELLED, rules),
        _when(run, "Generation", "s06_rephrase, s07_dialogue", _GENERATION, generation),
        _when(run, GATES_TITLE, "s07b_gate", ("synthetic_measures", "synthetic"), gates),
        _when(run, PLAN_TITLE, "s06_rephrase", ("requests", "generations"), plan_and_fact),
        _when(run, blend.TITLE, "s08_blend", ("blend",), blend.blend),
        _when(run, blend.SELECTION_TITLE, "s08_blend", ("selection_mix",), blend.selection),
        _when(run, blend.MIX_TITLE, "s08_blend", ("blend_mix",), blend.mix),
        _when(run, "Token shards", "s09_tokenize", ("shards",), shards),
        training(run),
    ]


_LABELLED = ("labels", "documents")
_GENERATION = ("requests", "generations", "synthetic", "documents")


def _when(
    run: Run, title: str, stage: str, tables: tuple[str, ...], build: Callable[[Run], Section]
) -> Section:
    return build(run) if run.has(*tables) else Section(title, missing=stage)


def funnel(run: Run) -> Section:
    """What became of every row."""
    rows = read.funnel(run)
    if not rows:
        return Section("Funnel", missing="any stage")
    columns = (name("Stage"), Column("Units"), Column("Rows in"), Column("Rows out"),
               Column("Did not go on", "list"), Column("Tokens"), Column("Time"))  # fmt: skip
    note = (
        "Rows in = rows out + the rows that did not go on, for each stage. "
        "Time is the sum over units, which may run side by side."
    )
    notes = read.funnel_notes(run)
    told = "; ".join(f"{stage}: {_told(counts)}" for stage, counts in sorted(notes.items()))
    note += f" Noted beside: {told}." if told else ""
    figure = Figure(
        "Rows through the stages: blue went on, orange did not", plots.funnel_plot(rows)
    )
    return Section("Funnel", note, (figure,), grid(columns, [_funnel_row(row) for row in rows]))


_STAGE_DOCS = {stage.name: stage.doc for stage in STAGES}


def _told(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{one_line(kind, 60)} {n:,}" for kind, n in counts.items())


def _funnel_row(row: read.FunnelRow) -> list[str | tuple[Cell, ...]]:
    units = f"{row.n_units:,}"
    if row.n_unfinished:
        units += f", {row.n_unfinished:,} unfinished"
    out = (Cell(f"{row.rows_out:,}"), Cell(percent(row.kept_frac), row.kept_frac))
    tokens = "" if row.tokens is None else compact(row.tokens)
    stage = (Cell(one_line(row.stage, 40)), Cell(_STAGE_DOCS.get(row.stage, "")))
    lost = _reason_cells(row.reasons, row.rows_in)
    return [stage, units, f"{row.rows_in:,}", out, lost, tokens, duration(row.seconds)]


def _reason_cells(reasons: Mapping[str, int], rows_in: int) -> tuple[Cell, ...]:
    """A cell a reason with its share of the rows that came in, the most frequent first."""
    listed = list(reasons.items())
    if len(listed) > MAX_REASONS:
        rest = listed[MAX_REASONS - 1 :]
        listed[MAX_REASONS - 1 :] = [(f"{len(rest)} others", sum(n for _, n in rest))]
    return tuple(Cell(f"{n:,} {one_line(reason, 60)}", n / rows_in) for reason, n in listed)


def extraction(run: Run) -> Section:
    """Rejects by reason, and a few of them beside pages that were kept."""
    kept = Sample("Kept", tuple(page_pane(page) for page in samples.kept_pages(run, 2)))
    if not run.has("rejects"):
        return Section("Extraction", "No record was rejected.", samples=filled([kept]))
    reasons = read.rejects_by_reason(run)
    plot = plots.bar_plot(reasons, "rejects", "Rejects by reason")
    figures = (Figure("Records without main text, by reason", plot),) if reasons else ()
    panes = tuple(_reject_pane(reject) for reject in samples.rejects(run, 4))
    rejected = Sample("Rejected, one of each frequent reason", panes)
    return Section("Extraction", "", figures, samples=filled([rejected, kept]))


def _reject_pane(reject: samples.Reject) -> Pane:
    text = f"URL: {one_line(reject.url, URL_CHARS)}\n{reject.detail}"
    return Pane(one_line(reject.reason, 60), excerpt(text, SAMPLE_CHARS))


def languages(run: Run) -> Section:
    """Pages by language."""
    found = read.languages(run)
    n_pages = {size.language: size.n_pages for size in found}
    plot = plots.bar_plot(n_pages, "languages", "Pages by language")
    figure = Figure("Pages by language, before deduplication", plot)
    columns = (name("Language"), Column("Pages"), Column("Words"), Column("Bytes"))
    rows = [
        [one_line(s.language, 20), f"{s.n_pages:,}", compact(s.n_words), compact(s.n_bytes)]
        for s in found[: plots.MAX_BARS]
    ]
    return Section("Languages", "", (figure,), grid(columns, rows))


def duplicates(run: Run) -> Section:
    """Clusters by size, fates, and a removed page of each fate beside the one kept."""
    sizes = read.cluster_sizes(run)
    if not sizes:
        return Section("Duplicates", "No page has a duplicate.")
    figure = Figure("Clusters of duplicates, by size", plots.cluster_plot(sizes))
    rows = [[fate.replace("_", " "), f"{n:,}"] for fate, n in read.fates(run).items()]
    table = grid((name("Fate"), Column("Pages")), rows)
    examples = tuple(_duplicate_sample(found) for found in samples.duplicates(run))
    note = f"{sum(sizes.values()):,} clusters; pages without a duplicate are in none."
    return Section("Duplicates", note, (figure,), table, filled(examples))


def _duplicate_sample(found: samples.Duplicate) -> Sample:
    fate = found.fate.replace("_", " ").capitalize()
    why = f": {found.why}" if found.why else ""
    title = f"{fate}{why}; a cluster of {found.n_members:,}"
    panes = (page_pane(found.kept, "kept"), page_pane(found.removed, "removed"))
    return Sample(title, panes)


def rules(run: Run) -> Section:
    """What every heuristic rule costs, alone and last, and on which labels."""
    costs = read.rule_costs(run)
    if not costs:
        return Section("Heuristic rules", "No labelled document fails a rule.")
    labels = [label for label in LABEL_TOKEN_FRAC if any(label in c.by_label for c in costs)]
    columns = (name("Rule"), Column("Alone"), Column("Words"), Column("Last"), Column("Words"),
               *(Column(label.capitalize()) for label in labels))  # fmt: skip
    rows = [
        [one_line(c.rule, 40), f"{c.n_alone:,}", compact(c.alone_words), f"{c.n_last:,}",
         compact(c.last_words), *(_of_label(*c.by_label.get(label, (0, 0.0))) for label in labels)]
        for c in costs
    ]  # fmt: skip
    note = (
        "Documents that fail a rule, and those that fail no other (last): what would come back "
        "without it. By label: documents that fail it, and their share of the label's words. "
        "Exempt labels are counted too. Other presets and bounds: curation rules."
    )
    return Section("Heuristic rules", note, (), grid(columns, rows))


def _of_label(n_documents: int, share: float) -> str:
    return f"{n_documents:,} ({percent(share)})" if n_documents else "0"


def generation(run: Run) -> Section:
    """Yields of the prompts beside the paper's, and a text of each."""
    tasks = read.yields(run)
    if not tasks:
        return Section("Generation", "No document was asked about.")
    figure = Figure("Tokens out / tokens of source text, by prompt", plots.yield_plot(tasks))
    columns = (name("Prompt"), Column("Requests"), Column("Answered"), Column("Accepted"),
               Column("Text tokens in"), Column("Tokens answered"), Column("Tokens kept"),
               Column("Out / in"), Column("Paper"))  # fmt: skip
    note = (
        "Out / in: tokens of accepted texts over tokens of the source text of all answered "
        "requests; diverse_qa counts its source text as output, as in the paper. The paper gives "
        "no ratio for dialogues."
    )
    table = grid(columns, [_yield_row(task) for task in tasks])
    return Section("Generation", note, (figure,), table, _generated_samples(run))


def _yield_row(task: read.TaskYield) -> list[str]:
    accepted = f"{task.n_accepted:,}"
    if task.n_answered:
        accepted += f" ({percent(task.n_accepted / task.n_answered)})"
    paper = "" if task.paper_ratio is None else f"{task.paper_ratio:.2f}"
    return [
        one_line(task.task, 40), f"{task.n_requests:,}", f"{task.n_answered:,}", accepted,
        compact(task.text_tokens), compact(task.output_tokens), compact(task.kept_tokens),
        f"{task.out_in_ratio:.2f}", paper,
    ]  # fmt: skip


def _generated_samples(run: Run) -> tuple[Sample, ...]:
    texts = sorted(samples.generated(run), key=lambda text: (text.stage, text.task))
    return tuple(Sample(_generated_title(text), _generated_panes(text)) for text in texts)


def _generated_title(text: samples.Generated) -> str:
    return one_line(f"{text.task} ({text.stage}), label {text.label}", URL_CHARS)


def _generated_panes(text: samples.Generated) -> tuple[Pane, ...]:
    return (
        Pane(caption("Source", text.url), excerpt(text.source, SAMPLE_CHARS)),
        Pane(f"Generated, {text.n_tokens:,} tokens", excerpt(text.text, SAMPLE_CHARS)),
    )


def shards(run: Run) -> Section:
    """The token shards in sum, and the manifest's facts."""
    sizes = read.shard_sizes(run)
    facts = {
        "shards": f"{sizes.n_shards:,}",
        "documents": f"{sizes.n_documents:,}",
        "tokens": f"{sizes.n_tokens:,}",
        "packed sequences": f"{sizes.n_sequences:,}",
    }
    manifest = {one_line(k, 40): one_line(v, 100) for k, v in read.manifest_facts(run.out).items()}
    rows = [[key, value] for key, value in (facts | manifest).items()]
    return Section("Token shards", grid=grid((name("What"), Column("Value")), rows))


def training(run: Run) -> Section:
    """The training loss."""
    steps = read.training(run.out)
    if not steps:
        return Section("Training", missing=TRAIN)
    last = steps[-1]
    note = (
        f"{len(steps):,} steps, {compact(last.tokens)} tokens; loss {steps[0].loss:.3f} at step "
        f"{steps[0].step:,}, {last.loss:.3f} at step {last.step:,}."
    )
    return Section("Training", note, (Figure("Training loss", plots.loss_plot(steps)),))
