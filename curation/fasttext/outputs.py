"""Labels of the mean of a text as numba kernels: softmax, one against all, hierarchical softmax.

Rounding is that of fastText 0.9.2: 1e-5 is added before every logarithm, and the sigmoid of one
against all comes from a table of 512 steps.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.measure.compiled import kernel

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]

_STEPS, _TOP = 512, np.float32(8)
_PLACES = np.arange(_STEPS + 1, dtype=np.float32) * np.float32(2 * _TOP / _STEPS) - _TOP
_SIGMOID = (1 / (1 + np.exp(-_PLACES).astype(np.float64))).astype(np.float32)


@kernel
def score_labels(
    mean: Floats, outputs: Floats, left: Ints, right: Ints, is_softmax: bool, k: int
) -> tuple[NDArray[np.int64], Floats]:
    """The best `k` labels and their probabilities, shape (k,) each; of equals the last one."""
    labels, best = np.zeros(k, np.int64), np.full(k, -np.inf, np.float32)
    if left.size:
        _descend(mean, outputs, left, right, labels, best)
    else:
        _rank(_probabilities(mean, outputs, is_softmax), labels, best)
    return labels, np.exp(best)


@kernel
def _dot(mean: Floats, outputs: Floats, row: int) -> np.float32:
    product = np.float32(0)
    for i in range(mean.size):
        product += mean[i] * outputs[row, i]
    return product


@kernel
def _probabilities(mean: Floats, outputs: Floats, is_softmax: bool) -> Floats:
    """Of each label, shape (n_labels,)."""
    values = np.empty(outputs.shape[0], np.float32)
    for label in range(values.size):
        values[label] = _dot(mean, outputs, label)
    if not is_softmax:
        for label in range(values.size):
            values[label] = _sigmoid(values[label])
        return values
    top, total = values.max(), np.float32(0)
    for label in range(values.size):
        values[label] = np.exp(values[label] - top)
        total += values[label]
    shares: Floats = values / total
    return shares


@kernel
def _sigmoid(value: np.float32) -> np.float32:
    if value < -_TOP:
        return np.float32(0)
    if value > _TOP:
        return np.float32(1)
    place = np.int64((value + _TOP) * np.float32(_STEPS) / _TOP / np.float32(2))
    return np.float32(_SIGMOID[place])


@kernel
def _rank(probabilities: Floats, labels: NDArray[np.int64], best: Floats) -> None:
    """Put the best labels and the logarithms of their probabilities into `labels` and `best`."""
    for label in range(probabilities.size):
        log = np.float32(np.log(np.float64(probabilities[label]) + 1e-5))
        if log >= best[best.size - 1]:
            _insert(labels, best, label, log)


@kernel
def _descend(
    mean: Floats, nodes: Floats, left: Ints, right: Ints, labels: NDArray[np.int64], best: Floats
) -> None:
    """The same by a tree over the labels.

    Down the tree, the likelier child first; what is less likely than the last of those found is
    left.
    """
    n_labels, depth = (left.size + 1) // 2, 1
    waiting, logs = np.empty(n_labels + 1, np.int64), np.empty(n_labels + 1, np.float32)
    waiting[0], logs[0] = left.size - 1, 0
    while depth:
        depth -= 1
        node, log = waiting[depth], logs[depth]
        if log < best[best.size - 1]:
            continue
        if node < n_labels:
            _insert(labels, best, node, log)
            continue
        product = _dot(mean, nodes, node - n_labels)
        to_right = np.float32(1) / (np.float32(1) + np.exp(-product))
        log_left = log + np.log(np.float32(1) - to_right + np.float32(1e-5))
        log_right = log + np.log(to_right + np.float32(1e-5))
        last = depth + np.int64(log_right >= log_left)
        waiting[last], logs[last] = right[node], log_right
        waiting[2 * depth + 1 - last], logs[2 * depth + 1 - last] = left[node], log_left
        depth += 2


@kernel
def _insert(labels: NDArray[np.int64], best: Floats, label: int, log: np.float32) -> None:
    """Put a label among the best in order, in the place of the last one."""
    place = best.size - 1
    while place > 0 and best[place - 1] < log:
        labels[place], best[place] = labels[place - 1], best[place - 1]
        place -= 1
    labels[place], best[place] = label, log
