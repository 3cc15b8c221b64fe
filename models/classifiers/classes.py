"""Heads for exclusive classes, domain and type of speech: multinomial logistic regression.

Shapes: N pages, D the width of the encoder, L classes. Sums in float64, heads stored in float32.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.score.heads import Head
from models.classifiers.data import N_FOLDS

Array = NDArray[np.floating[Any]]
Folds = NDArray[np.int64]

MIN_PAGES = 5
"""A class of fewer pages cannot be learnt; it is left out of the head."""
PENALTIES = (0.03, 0.1, 0.3, 1.0, 3.0)
"""What is tried; the rows are embeddings of unit length."""
MAX_STEPS = 400


def learnable(names: Sequence[str]) -> tuple[str, ...]:
    """Classes with at least `MIN_PAGES` pages, in the order of the alphabet; no class is none."""
    counts = Counter(name for name in names if name)
    return tuple(sorted(name for name, count in counts.items() if count >= MIN_PAGES))


def fit_classes(embeddings: Array, names: Sequence[str], folds: Folds) -> Head:
    """The head of the learnable classes, with the penalty whose held-out log-loss is least."""
    penalty = best_penalty(embeddings, names, folds)
    return fit_multinomial(embeddings, names, penalty)


def best_penalty(embeddings: Array, names: Sequence[str], folds: Folds) -> float:
    """The one of `PENALTIES` with the least log-loss on folds that the head did not see."""
    losses = [_held_out_loss(embeddings, names, folds, penalty) for penalty in PENALTIES]
    return PENALTIES[int(np.argmin(losses))]


def _held_out_loss(embeddings: Array, names: Sequence[str], folds: Folds, penalty: float) -> float:
    """Mean log-loss of pages whose class the head of the other folds knows."""
    labels, losses = np.array(names, object), []
    for fold in range(N_FOLDS):
        test = folds == fold
        head = fit_multinomial(embeddings[~test], labels[~test].tolist(), penalty)
        places = {label: place for place, label in enumerate(head.labels)}
        logits = _log_softmax(embeddings[test] @ head.weight + head.bias)
        losses += [
            -float(row[places[label]])
            for row, label in zip(logits, labels[test], strict=True)
            if label in places
        ]
    return float(np.mean(losses))


def fit_multinomial(embeddings: Array, names: Sequence[str], penalty: float) -> Head:
    """Multinomial logistic regression with an L2 penalty on the weights and free intercepts.

    Minimises the summed log-loss + penalty / 2 * the squared weights; intercepts sum to 0.
    """
    labels = learnable(names)
    kept = np.array([name in labels for name in names], bool)
    truth = np.array([labels.index(name) for name in names if name in labels], np.int64)
    rows = np.asarray(embeddings, np.float64)[kept]
    weight, bias = _minimise(rows, truth, len(labels), penalty)
    bias = bias - bias.mean()
    return Head("classes", weight.astype(np.float32), bias.astype(np.float32), labels)


def _minimise(
    rows: NDArray[np.float64], truth: NDArray[np.int64], n_labels: int, penalty: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weight (D, L) and bias (L,), by L-BFGS from zero."""
    import torch

    torch.set_num_threads(1)  # threads would sum in another order, and wait for each other
    inputs, targets = torch.from_numpy(rows), torch.from_numpy(truth)
    weight = torch.zeros(rows.shape[1], n_labels, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(n_labels, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=MAX_STEPS, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        fit = torch.nn.functional.cross_entropy(inputs @ weight + bias, targets, reduction="sum")
        loss = fit + penalty / 2 * (weight**2).sum()
        loss.backward()  # type: ignore[no-untyped-call, unused-ignore]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call, unused-ignore]
    return weight.detach().numpy(), bias.detach().numpy()


def _log_softmax(logits: Array) -> NDArray[np.float64]:
    shifted = logits - logits.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), np.float64)
