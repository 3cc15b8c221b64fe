"""Tables of the evaluation, each of arrays alone: no model, no file.

Shapes: N pages or cases, in one order in every argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.score.outputs import round_edu
from models.classifiers.agreement import cohen_kappa, exact, quadratic_kappa, within_one
from models.classifiers.data import CC_EDU, HQ_EDU
from models.classifiers.measures import (
    calibration_error,
    class_macro_f1,
    class_scores,
    confusion,
    f1,
    macro_f1,
    reliability,
    roc_auc,
    spearman,
)
from models.classifiers.page import Cell, Table

Array = NDArray[np.floating[Any]]
Mask = NDArray[np.bool_]
Labels = NDArray[Any]
Reading = Mapping[str, Mapping[str, str]]

VALUES = (0, 1, 2, 3, 4, 5)
SCORE_EDGES = tuple(np.linspace(0.0, 5.0, 11).tolist())
CHANCE_EDGES = tuple(np.linspace(0.0, 1.0, 11).tolist())
TERCILES = ("short third", "middle third", "long third")
_SCORES, _CLASSES = ("edu", "quality", "toxicity"), ("domain", "speech")


def slices(languages: Sequence[str], lengths: Sequence[int]) -> dict[str, Mask]:
    """Pages of each language, and of each tercile of characters."""
    found = {f"language {name}": np.array(languages) == name for name in sorted(set(languages))}
    cuts = np.quantile(lengths, (1 / 3, 2 / 3))
    places = np.searchsorted(cuts, lengths, side="left")
    names = (
        f"{TERCILES[0]}, to {cuts[0]:,.0f} characters",
        f"{TERCILES[1]}, to {cuts[1]:,.0f}",
        f"{TERCILES[2]}, above",
    )
    return found | {name: places == place for place, name in enumerate(names)}


def summary_table(truth: Array, found: Mapping[str, tuple[Array, float]]) -> Table:
    """How scores, each with its cut, tell the pages whose `truth` is 3 or more from the rest."""
    columns = (
        "",
        "Spearman",
        "AUC",
        "AUC, 3+ against 0..1",
        "F1 at the cut",
        "macro-F1 at the cut",
    )
    clear = (truth >= HQ_EDU) | (truth <= CC_EDU)
    rows: list[list[Cell]] = [
        [name, spearman(truth, scores), roc_auc(truth >= HQ_EDU, scores),
         roc_auc(truth[clear] >= HQ_EDU, scores[clear]), *_at_cut(truth, scores, cut)]
        for name, (scores, cut) in found.items()
    ]  # fmt: skip
    note = f"{int((truth >= HQ_EDU).sum())} of {len(truth)} pages have 3 or more."
    return Table("Ranking, and the cut of 3", columns, rows, note)


def _at_cut(truth: Array, scores: Array, cut: float) -> list[Cell]:
    return [f1(truth >= HQ_EDU, scores >= cut), macro_f1(truth >= HQ_EDU, scores >= cut)]


def recipe_table(truth: Array, found: Mapping[str, Array]) -> Table:
    """The recipes on the same folds: what the published one chooses its checkpoint by, and more."""
    whole = _rounded(truth)
    rows: list[list[Cell]] = [
        [name, class_macro_f1(whole, _rounded(scores)), float(np.mean(whole == _rounded(scores))),
         float(np.abs(truth - scores).mean()), float(scores.mean()), float(scores.std())]
        for name, scores in found.items()
    ]  # fmt: skip
    rows.append(["labels", 1.0, 1.0, 0.0, float(truth.mean()), float(truth.std())])
    columns = ("", "macro-F1, six values", "exact", "mean error", "mean", "spread")
    return Table("Rounded to whole values", columns, rows)


def score_confusion(truth: Array, scores: Array) -> Table:
    """Labels (rows) and scores (columns), both rounded by the rule of the pipeline."""
    counts = confusion(_rounded(truth), _rounded(scores), VALUES)
    columns = ("label", *(str(value) for value in VALUES))
    rows: list[list[Cell]] = [[str(value), *counts[value].tolist()] for value in VALUES]
    return Table("Confusion: label down, score across", columns, rows, heat="row")


def cut_confusion(truth: Array, scores: Array, cut: float) -> Table:
    """Rounded labels (rows) against the two sides of `cut`."""
    whole, above = _rounded(truth), scores >= cut
    rows: list[list[Cell]] = [
        [str(value), int((~above & (whole == value)).sum()), int((above & (whole == value)).sum())]
        for value in VALUES
    ]
    columns = ("label", f"below {cut:g}", f"{cut:g} or more")
    return Table("Confusion: label down, side of the cut across", columns, rows, heat="row")


def reliability_table(truth: Array, scores: Array, edges: Sequence[float], what: str) -> Table:
    """Score against truth in bins of the score, and the expected calibration error."""
    bins = reliability(truth, scores, edges)
    rows: list[list[Cell]] = [
        [f"{one.low:.1f} to {one.high:.1f}", one.n_pages, one.said, one.found] for one in bins
    ]
    top = edges[-1]
    dots = [(one.said / top, one.found / top, one.n_pages / len(scores)) for one in bins]
    note = f"Expected calibration error {calibration_error(bins):.3f}."
    columns = ("score", "n", "mean score", what)
    return Table("Calibration", columns, rows, note, dots=dots)


def score_slices(truth: Array, scores: Array, cut: float, parts: Mapping[str, Mask]) -> Table:
    """The summary of each part of the pages."""
    rows: list[list[Cell]] = [
        [name, int(part.sum()), spearman(truth[part], scores[part]),
         roc_auc(truth[part] >= HQ_EDU, scores[part]), *_at_cut(truth[part], scores[part], cut)]
        for name, part in parts.items()
    ]  # fmt: skip
    columns = ("", "pages", "Spearman", "AUC", "F1 at the cut", "macro-F1 at the cut")
    return Table("By language and length", columns, rows)


def class_summary(truth: Labels, found: Labels, parts: Mapping[str, Mask]) -> Table:
    """Accuracy and macro-F1 of all pages and of each part."""
    every = {"all pages": np.ones(len(truth), bool)} | dict(parts)
    rows: list[list[Cell]] = [
        [name, int(part.sum()), float(np.mean(truth[part] == found[part])),
         class_macro_f1(truth[part], found[part]), _commonest(truth[part])]
        for name, part in every.items()
    ]  # fmt: skip
    columns = ("", "pages", "accuracy", "macro-F1", "share of the commonest class")
    return Table("All, and by language and length", columns, rows)


def _commonest(names: Labels) -> float:
    return float(np.unique(names, return_counts=True)[1].max() / len(names))


def class_table(truth: Labels, found: Labels, left_out: Sequence[str]) -> Table:
    """Precision, recall and F1 of each class."""
    rows: list[list[Cell]] = [
        [one.name, one.n_pages, one.precision, one.recall, one.f1]
        for one in class_scores(truth, found, _names(truth, found))
    ]
    note = f"Left out of the shipped head, for want of pages: {', '.join(left_out) or 'none'}."
    return Table(
        "By class", ("class", "pages", "precision", "recall", "F1"), rows, note, heat="share"
    )


def class_confusion(truth: Labels, found: Labels) -> Table:
    """Classes (rows) and those found (columns, by number)."""
    names = _names(truth, found)
    counts = confusion(truth, found, names)
    rows: list[list[Cell]] = [
        [f"{place + 1} {name}", *counts[place].tolist()] for place, name in enumerate(names)
    ]
    columns = ("class", *(str(place + 1) for place in range(len(names))))
    return Table("Confusion: class down, class found across", columns, rows, heat="row")


def _names(truth: Labels, found: Labels) -> list[str]:
    return sorted({*truth.tolist(), *found.tolist()})


def label_table(scores: Mapping[str, Array]) -> Table:
    """How many pages have each value, rounded where readings were averaged."""
    rows: list[list[Cell]] = [
        [name, *(int((_rounded(values[~np.isnan(values)]) == value).sum()) for value in VALUES)]
        for name, values in scores.items()
    ]
    columns = ("", *(str(value) for value in VALUES))
    return Table("Pages by label", columns, rows, heat="row")


def agreement_table(readings: Mapping[str, Reading]) -> Table:
    """Agreement of each two readings on each rubric that both judged by."""
    names, rows = list(readings), []
    for place, one in enumerate(names):
        for two in names[place + 1 :]:
            for rubric in (*_SCORES, *_CLASSES):
                rows += _agreement(f"{rubric}: {one}, {two}", readings[one], readings[two], rubric)
    columns = ("", "pages", "quadratic kappa", "Cohen's kappa", "exact", "within 1")
    note = "Quadratic weights for values, none for classes."
    return Table("Agreement of the readings", columns, rows, note)


def _agreement(name: str, one: Reading, two: Reading, rubric: str) -> list[list[Cell]]:
    shared = [
        sha1 for sha1 in one if sha1 in two and one[sha1].get(rubric) and two[sha1].get(rubric)
    ]
    if not shared:
        return []
    first, second = ([reading[sha1][rubric] for sha1 in shared] for reading in (one, two))
    if rubric in _CLASSES:
        kappa = cohen_kappa(first, second)
        return [[name, len(shared), float("nan"), kappa, exact(first, second), float("nan")]]
    left, right = np.array(first, np.float64), np.array(second, np.float64)
    kappa, share = quadratic_kappa(left, right), exact(left, right)
    return [[name, len(shared), kappa, float("nan"), share, within_one(left, right)]]


def flagged_table(
    title: str, groups: Labels, chances: Array, cut: float, order: Sequence[Any] | None = None
) -> Table:
    """Share flagged and mean probability of each group."""
    rows: list[list[Cell]] = []
    for name in order or sorted(set(groups.tolist())):
        inside = groups == name
        if inside.any():
            flagged = float((chances[inside] >= cut).mean())
            rows.append([str(name), int(inside.sum()), flagged, float(chances[inside].mean())])
    return Table(title, ("", "n", f"flagged at {cut:g}", "mean P"), rows, heat="share")


def part_table(
    title: str, parts: Mapping[str, Mask], columns: Mapping[str, Callable[[Mask], float]]
) -> Table:
    """Figures of each part of the pages."""
    rows: list[list[Cell]] = [
        [name, int(part.sum()), *(compute(part) for compute in columns.values())]
        for name, part in parts.items()
    ]
    return Table(title, ("", "n", *columns), rows)


def _rounded(scores: Array) -> NDArray[np.int64]:
    return round_edu(np.asarray(scores, np.float32)).astype(np.int64)
