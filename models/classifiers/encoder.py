"""Heads on the frozen encoder: ridge regression to a value of 0..5, logistic for toxicity.

Shapes: N examples, D the width of the encoder. Sums in float64, heads stored in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.score.heads import HEAD_VERSION, Head, HeadKind
from models.classifiers.data import N_FOLDS

Array = NDArray[np.floating[Any]]
Folds = NDArray[np.int64]

RIDGE = 2.0
"""Penalty of the regression heads. Rank correlation is flat from 1 to 5 in cross-validation."""
LOGISTIC_RIDGE = 0.3
"""Penalty of the toxicity head, against examples that weigh `LOGISTIC_TOTAL` together."""
LOGISTIC_TOTAL = 1_000.0
MAX_NEWTON_STEPS = 50


def single_head(kind: HeadKind, weight: Array, bias: float) -> Head:
    """The head with one output: `weight` of shape (D,), and `bias`."""
    return Head(kind, weight.astype(np.float32)[:, None], np.array([bias], np.float32))


def fit_ridge(embeddings: Array, targets: Array, penalty: float = RIDGE) -> Head:
    """Ridge regression with a free intercept, in closed form."""
    rows = np.asarray(embeddings, np.float64)
    centre, mean = rows.mean(axis=0), float(np.mean(targets))
    rows = rows - centre
    gram = rows.T @ rows + penalty * np.eye(rows.shape[1])
    weight = np.linalg.solve(gram, rows.T @ (targets - mean))
    return single_head("edu", weight, mean - float(centre @ weight))


def fit_stretched(embeddings: Array, targets: Array, folds: Folds) -> Head:
    """Ridge regression, stretched so that unseen pages spread as widely as the labels do.

    A ridge pulls its predictions to the mean: hardly a page would reach 3. The stretch is the
    ratio of the spread of the labels to that of held-out predictions; it changes no ranking.
    """
    unseen = out_of_fold(embeddings, targets, folds, fit_ridge)
    head = fit_ridge(embeddings, targets)
    stretch = float(np.std(targets) / np.std(unseen))
    bias = float(np.mean(targets)) + stretch * (float(head.bias[0]) - float(np.mean(unseen)))
    return single_head("edu", head.weight[:, 0] * stretch, bias)


def out_of_fold(
    embeddings: Array, targets: Array, folds: Folds, fit: Callable[[Array, Array], Head]
) -> NDArray[np.float64]:
    """Predictions of each row by a head that was fitted without its fold, shape (N,)."""
    predicted = np.empty(len(targets), np.float64)
    for fold in range(N_FOLDS):
        test = folds == fold
        if test.any():
            head = fit(embeddings[~test], targets[~test])
            predicted[test] = embeddings[test] @ head.weight[:, 0] + head.bias[0]
    return predicted


def fit_logistic(
    embeddings: Array, targets: Array, weights: Array, penalty: float = LOGISTIC_RIDGE
) -> Head:
    """Weighted logistic regression with an L2 penalty, by Newton's method.

    Raises:
        FloatingPointError: no convergence in `MAX_NEWTON_STEPS` steps.
    """
    rows = np.c_[np.asarray(embeddings, np.float64), np.ones(len(embeddings))]
    weights = weights * (LOGISTIC_TOTAL / weights.sum())
    penalties = np.full(rows.shape[1], penalty)
    penalties[-1] = 1e-6  # the intercept is free; a trace of penalty keeps the system regular
    solution = np.zeros(rows.shape[1])
    for _ in range(MAX_NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-(rows @ solution)))
        slope = rows.T @ (weights * (chance - targets)) + penalties * solution
        curve = (rows * (weights * chance * (1.0 - chance))[:, None]).T @ rows + np.diag(penalties)
        step = np.linalg.solve(curve, slope)
        solution -= step
        if np.abs(step).max() < 1e-8:
            return single_head("probability", solution[:-1], float(solution[-1]))
    raise FloatingPointError(f"logistic head: no convergence in {MAX_NEWTON_STEPS} Newton steps")


def cell_weights(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    """Weights that give every cell (kind of example) the same total of 1, shape (N,)."""
    return np.asarray(1.0 / np.bincount(cells)[cells], np.float64)


def save_head(
    path: Path, head: Head, *, encoder: str, max_tokens: int, n_pages: int, labels_sha256: str,
    texts_sha256: str,
) -> None:  # fmt: skip
    """Write `head` to the `.npz` file `path`, beside what its examples were read with and were.

    `encoder` is the `model_print` of the encoder, `max_tokens` how much it read: with another, the
    head is refused.
    """
    np.savez(
        path,
        version=np.int32(HEAD_VERSION),
        kind=np.array(head.kind),
        weight=head.weight,
        bias=head.bias,
        labels=np.array(head.labels, np.str_),
        encoder=np.array(encoder),
        max_tokens=np.int32(max_tokens),
        n_pages=np.int32(n_pages),
        labels_sha256=np.array(labels_sha256),
        texts_sha256=np.array(texts_sha256),
    )
