"""Measures of a classifier against labels; pure numpy, nothing is drawn or fitted.

Shapes: N pages, B bins. NaN where a figure is not defined: one class alone, no pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating[Any]]
Labels = NDArray[Any]


@dataclass(frozen=True)
class Bin:
    """Pages whose score lies in one interval: what was said of them, and what is."""

    low: float
    high: float
    n_pages: int
    said: float
    """Mean score."""
    found: float
    """Mean of the truth."""


@dataclass(frozen=True)
class ClassScore:
    """Precision, recall and F1 of one class."""

    name: str
    n_pages: int
    precision: float
    recall: float
    f1: float


def ranks(values: Labels) -> NDArray[np.float64]:
    """Rank of each value from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)


def roc_auc(positive: NDArray[np.bool_], scores: Array) -> float:
    """Chance that a positive scores above a negative, ties counted half."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    rank_sum = float(ranks(scores)[positive].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def spearman(first: Labels, second: Labels) -> float:
    """Rank correlation, ties at their mean rank."""
    one, two = ranks(first), ranks(second)
    if len(one) < 2 or not one.std() or not two.std():
        return float("nan")
    return float(np.corrcoef(one, two)[0, 1])


def f1(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """F1 of the positive class; 0 where none is found rightly."""
    total = int(truth.sum()) + int(found.sum())
    return 2 * int((truth & found).sum()) / total if total else 0.0


def macro_f1(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Mean of the F1 of the positive and of the negative class; 0 for a class nowhere found."""
    return (f1(truth, found) + f1(~truth, ~found)) / 2


def class_macro_f1(truth: Labels, found: Labels) -> float:
    """Mean F1 over the classes that occur in `truth`."""
    names = np.unique(truth)
    return float(np.mean([f1(truth == name, found == name) for name in names]))


def class_scores(truth: Labels, found: Labels, names: Sequence[str]) -> list[ClassScore]:
    """Precision, recall and F1 of each class of `names`; NaN for a ratio of nothing."""
    scores = []
    for name in names:
        is_one, said_one = truth == name, found == name
        hits = int((is_one & said_one).sum())
        scores.append(
            ClassScore(
                name, int(is_one.sum()), _ratio(hits, int(said_one.sum())),
                _ratio(hits, int(is_one.sum())), f1(is_one, said_one),
            )
        )  # fmt: skip
    return scores


def confusion(truth: Labels, found: Labels, names: Sequence[Any]) -> NDArray[np.int64]:
    """Pages by their class (row) and the class found (column), in the order of `names`."""
    places = {name: place for place, name in enumerate(names)}
    table = np.zeros((len(names), len(names)), np.int64)
    for row, column in zip(truth.tolist(), found.tolist(), strict=True):
        table[places[row], places[column]] += 1
    return table


def reliability(truth: Array, scores: Array, edges: Sequence[float]) -> list[Bin]:
    """Bins of `scores` between `edges`, the last closed above; empty ones are left out."""
    places = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(edges) - 2)
    bins = []
    for place, (low, high) in enumerate(pairwise(edges)):
        inside = places == place
        if inside.any():
            said, found = float(scores[inside].mean()), float(truth[inside].mean())
            bins.append(Bin(low, high, int(inside.sum()), said, found))
    return bins


def calibration_error(bins: Sequence[Bin]) -> float:
    """Expected calibration error: mean distance of what was said from what is, by pages."""
    total = sum(one.n_pages for one in bins)
    return sum(one.n_pages * abs(one.said - one.found) for one in bins) / total


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
