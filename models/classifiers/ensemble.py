"""Three ways to make one score of the members' scores: maximum, mean rank, logistic combination.

Shapes: N pages, M members, in the order of `MEMBERS`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.classifiers.encoder import fit_logistic
from models.classifiers.measures import ranks

Array = NDArray[np.floating[Any]]

MEMBERS = ("fasttext", "edu", "quality")
"""Columns of the scores that are combined."""
PENALTY = 1e-3
"""Just enough to keep the fit finite: there are three weights for a thousand pages."""


@dataclass(frozen=True)
class Combination:
    """P(edu >= 3) = sigmoid(`bias` + sum of `weights` * scores), of the raw scores of a page."""

    weights: tuple[float, ...]
    bias: float

    def probability(self, scores_NM: Array) -> NDArray[np.float64]:
        """P(edu >= 3), shape (N,)."""
        return np.asarray(1.0 / (1.0 + np.exp(-(scores_NM @ np.array(self.weights) + self.bias))))


def fit_combination(scores_NM: Array, is_high: NDArray[np.bool_]) -> Combination:
    """The logistic combination of scores that the members gave to pages they had not seen."""
    head = fit_logistic(scores_NM, is_high.astype(np.float64), np.ones(len(is_high)), PENALTY)
    return Combination(tuple(map(float, head.weight[:, 0])), float(head.bias[0]))


def maximum(scores_NM: Array) -> NDArray[np.float64]:
    """The highest of a page's shares of rank, 0..1, as the paper's buckets take it, shape (N,)."""
    return np.asarray(_shares(scores_NM).max(axis=1), np.float64)


def mean_rank(scores_NM: Array) -> NDArray[np.float64]:
    """The mean of a page's shares of rank, 0..1, shape (N,)."""
    return np.asarray(_shares(scores_NM).mean(axis=1), np.float64)


def _shares(scores_NM: Array) -> NDArray[np.float64]:
    columns = [ranks(scores_NM[:, member]) for member in range(scores_NM.shape[1])]
    return np.stack(columns, axis=1) / len(scores_NM)


def save_combination(
    path: Path, combination: Combination, *, n_pages: int, labels_sha256: str, texts_sha256: str
) -> None:
    """Write `combination` to the JSON file `path`, with what it was fitted on."""
    content = {
        "columns": MEMBERS,
        "weights": combination.weights,
        "bias": combination.bias,
        "gives": "P(edu >= 3) = sigmoid(bias + sum of weight * score), of raw scores",
        "n_pages": n_pages,
        "labels_sha256": labels_sha256,
        "texts_sha256": texts_sha256,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
