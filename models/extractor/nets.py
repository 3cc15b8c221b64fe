"""The small networks over blocks: fitted with torch, given back as arrays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from curation.extract.fast import Floats
from curation.extract.network import N_VIEWS, NEAR, Networks
from models.extractor.examples import MIN_ORACLE, Example

N_HIDDEN = 32
N_ROUNDS = 2
_N_EPOCHS = 12
_BATCH_PAGES = 8
_LEARNING_RATE = 3e-3
_WARM_UP = 0.15
_WEIGHT_DECAY = 0.05
_DROPOUT = 0.25
_INPUT_DROPOUT = 0.05
_F1_WEIGHT = 1.0
_TEMPERATURE = 2.0
"""Divides the log-odds: the networks are surer than they are right, and the cut by expected F1
needs honest probabilities. 1.5 to 3 did about as well in cross-validation."""
_MAX_DEVIATIONS = 5.0
_MIN_SCALE = 1e-3


@dataclass(frozen=True)
class _Scale:
    """Mean and deviation of each feature; a feature that never changes is divided away."""

    mean: Floats
    deviation: Floats

    def __call__(self, matrix: Floats) -> Floats:
        """Columns of `matrix` as rows, in deviations from the mean, clipped."""
        scaled = (matrix.T - self.mean) / self.deviation
        clipped: Floats = np.clip(scaled, -_MAX_DEVIATIONS, _MAX_DEVIATIONS).astype(np.float32)
        return clipped


@dataclass(frozen=True)
class _Batch:
    """Pages end to end. Row n, behind the last block, is a row of zeros."""

    features: Tensor
    labels: Tensor
    n_words: Tensor
    page: Tensor
    """Number of each block's page."""
    n_gold: Tensor
    """Words of each page's main text."""
    before: Tensor
    after: Tensor
    ranges: list[tuple[Tensor, Tensor]]
    kind: Tensor
    kind_counts: Tensor


class _Net(nn.Module):
    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.entry = nn.Linear(n_features, N_HIDDEN)
        self.rounds = [nn.Linear(N_VIEWS * N_HIDDEN, N_HIDDEN) for _ in range(N_ROUNDS)]
        self.registered = nn.ModuleList(self.rounds)
        self.exit = nn.Linear(N_HIDDEN, 1)
        self.dropout = nn.Dropout(_DROPOUT)
        self.input_dropout = nn.Dropout(_INPUT_DROPOUT)

    def forward(self, batch: _Batch) -> Tensor:
        """Log-odds of each block; shape (n,)."""
        hidden = torch.relu(self.entry(self.input_dropout(batch.features)))
        for look in self.rounds:
            hidden = hidden + torch.relu(look(self.dropout(_views(hidden, batch))))
        out: Tensor = self.exit(self.dropout(hidden))[:, 0]
        return out


def fit_networks(examples: Sequence[Example], *, seeds: Sequence[int]) -> Networks:
    """One network a seed, all over the same pages. Repeatable on one machine and thread count."""
    usable = [example for example in examples if example.labelled.oracle >= MIN_ORACLE]
    scale = _scale_of(usable)
    return _as_arrays([_fit(usable, scale, seed) for seed in seeds], scale)


def _scale_of(examples: Sequence[Example]) -> _Scale:
    matrix = np.concatenate([example.features.matrix for example in examples], axis=1)
    deviation = matrix.std(axis=1, dtype=np.float64)
    deviation[deviation < _MIN_SCALE] = 1e9
    return _Scale(
        matrix.mean(axis=1, dtype=np.float64).astype(np.float32), deviation.astype(np.float32)
    )


def _fit(examples: Sequence[Example], scale: _Scale, seed: int) -> _Net:
    torch.manual_seed(seed)
    order = np.random.default_rng(seed)
    net = _Net(len(scale.mean))
    optimizer = torch.optim.AdamW(net.parameters(), _LEARNING_RATE, weight_decay=_WEIGHT_DECAY)
    steps = _N_EPOCHS * math.ceil(len(examples) / _BATCH_PAGES)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LEARNING_RATE, total_steps=steps, pct_start=_WARM_UP
    )
    net.train()
    for _ in range(_N_EPOCHS):
        for numbers in _batches(order.permutation(len(examples))):
            batch = _batch([examples[number] for number in numbers], scale)
            optimizer.zero_grad()
            _loss(net(batch), batch).backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return net.eval()


def _batches(order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> list[list[int]]:
    numbers = order.tolist()
    return [numbers[at : at + _BATCH_PAGES] for at in range(0, len(numbers), _BATCH_PAGES)]


def _loss(log_odds: Tensor, batch: _Batch) -> Tensor:
    """Cross entropy by words and by their roots, plus 1 - F1 with probabilities for decisions."""

    def per_page(values: Tensor) -> Tensor:
        return torch.zeros(len(batch.n_gold)).index_add(0, batch.page, values)

    entropy = F.binary_cross_entropy_with_logits(log_odds, batch.labels, reduction="none")
    roots = torch.sqrt(batch.n_words + 0.5)
    by_words = per_page(entropy * batch.n_words) / per_page(batch.n_words).clamp(min=1)
    by_roots = per_page(entropy * roots) / per_page(roots)
    kept = torch.sigmoid(log_odds) * batch.n_words
    f1 = 2 * per_page(kept * batch.labels) / (per_page(kept) + batch.n_gold)
    loss: Tensor = (by_words + by_roots).mean() / 2 + _F1_WEIGHT * (1 - f1).mean()
    return loss


def _batch(examples: Sequence[Example], scale: _Scale) -> _Batch:
    sizes = np.array([len(example.features.words) for example in examples])
    first = np.cumsum(sizes) - sizes
    n = int(sizes.sum())
    at, low = np.arange(n), np.repeat(first, sizes)
    high = np.repeat(first + sizes, sizes)
    ranges = [
        tuple(
            np.concatenate(
                [e.features.around[k][side] + o for e, o in zip(examples, first, strict=True)]
            )
            for side in (0, 1)
        )
        for k in range(3)
    ]
    ranges += [(np.maximum(at - NEAR, low), np.minimum(at + NEAR + 1, high)), (low, high)]
    n_kinds = np.array([int(example.features.kind.max()) + 1 for example in examples])
    offsets = np.cumsum(n_kinds) - n_kinds
    kind = np.concatenate([e.features.kind + o for e, o in zip(examples, offsets, strict=True)])
    labelled = [example.labelled for example in examples]
    return _Batch(
        features=torch.from_numpy(
            np.concatenate([scale(example.features.matrix) for example in examples])
        ),
        labels=torch.from_numpy(np.concatenate([page.labels for page in labelled])).float(),
        n_words=torch.from_numpy(np.concatenate([page.n_words for page in labelled])).float(),
        page=torch.from_numpy(np.repeat(np.arange(len(examples)), sizes)),
        n_gold=torch.tensor([max(page.gold_counts.total(), 1) for page in labelled]).float(),
        before=torch.from_numpy(np.where(at == low, n, at - 1)),
        after=torch.from_numpy(np.where(at == high - 1, n, at + 1)),
        ranges=[(torch.from_numpy(start), torch.from_numpy(end)) for start, end in ranges],
        kind=torch.from_numpy(kind),
        kind_counts=torch.from_numpy(np.bincount(kind)).float(),
    )


def _views(hidden: Tensor, batch: _Batch) -> Tensor:
    """What each block sees, shape (n, N_VIEWS * N_HIDDEN), as `curation.extract.network` has it."""
    zeros = hidden.new_zeros(1, N_HIDDEN)
    padded = torch.cat([hidden, zeros])
    running = torch.cat([zeros, torch.cumsum(hidden, 0)])
    views = [hidden, padded[batch.before], padded[batch.after]]
    for start, end in batch.ranges:
        views.append((running[end] - running[start]) / (end - start).clamp(min=1)[:, None])
    sums = hidden.new_zeros(len(batch.kind_counts), N_HIDDEN).index_add(0, batch.kind, hidden)
    views.append((sums / batch.kind_counts[:, None])[batch.kind])
    return torch.cat(views, 1)


def _as_arrays(nets: Sequence[_Net], scale: _Scale) -> Networks:
    """The scaling goes into the first layer, so that only the clipping is left."""

    def stacked(tensors: Sequence[Tensor]) -> Floats:
        return np.stack([tensor.detach().numpy().T for tensor in tensors])

    entry = stacked([net.entry.weight for net in nets]) / scale.deviation[:, None]
    entry_bias = stacked([net.entry.bias for net in nets]) - scale.mean @ entry
    reach = _MAX_DEVIATIONS * scale.deviation
    looks = [[net.rounds[r] for net in nets] for r in range(N_ROUNDS)]
    return Networks(
        low=(scale.mean - reach)[:, None],
        high=(scale.mean + reach)[:, None],
        entry=entry,
        entry_bias=np.asarray(entry_bias, np.float32)[:, None],
        rounds=np.stack([stacked([look.weight for look in row]) for row in looks]),
        rounds_bias=np.stack([stacked([look.bias for look in row]) for row in looks])[:, :, None],
        exit=stacked([net.exit.weight for net in nets]) / _TEMPERATURE,
        exit_bias=stacked([net.exit.bias for net in nets]) / _TEMPERATURE,
    )
