"""The published recipe of the regression head, for an annotated set of thousands.

A linear layer on the frozen encoder, mean squared error, and the checkpoint of the epoch with the
best macro-F1 on held-out domains. Source: 2412.02595, section 2.2, and the script of FineWeb-Edu
that it follows; specs, section 5.1. Shapes: N pages, D the width of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curation.score.heads import Head
from curation.score.outputs import round_edu
from models.classifiers.data import fold_of
from models.classifiers.encoder import single_head
from models.classifiers.measures import class_macro_f1

if TYPE_CHECKING:
    import torch

Array = NDArray[np.floating[Any]]

N_EPOCHS = 20
LEARNING_RATE = 3e-4
BATCH_SIZE = 256
HELD_OUT_ONE_IN = 10
SEED = 0


def fit_published(
    embeddings: Array, targets: Array, groups: Sequence[str], seed: int = SEED
) -> Head:
    """The head of the best epoch; a tenth of the domains of `groups` chooses it and trains nothing.

    Raises:
        ValueError: all domains lie on one side of the split.
    """
    # Hashed with a prefix, or all that is held out would lie in one of the five folds by domain.
    held_out = np.array([fold_of(f"held out {one}", HELD_OUT_ONE_IN) == 0 for one in groups])
    if held_out.all() or not held_out.any():
        raise ValueError(f"{len(set(groups))} domains cannot be split for the published recipe")
    best, best_f1 = None, -1.0
    for head in _epochs(embeddings[~held_out], targets[~held_out], seed):
        scores = head.columns("edu", np.asarray(embeddings[held_out], np.float32))["edu"]
        found = held_out_f1(targets[held_out], np.asarray(scores, np.float32))
        if found > best_f1:
            best, best_f1 = head, found
    assert best is not None
    return best


def held_out_f1(targets: Array, scores: NDArray[np.float32]) -> float:
    """Macro-F1 over the values of rounded `targets`, of rounded and clipped `scores`."""
    return class_macro_f1(round_edu(targets.astype(np.float32)), round_edu(scores))


def _epochs(embeddings: Array, targets: Array, seed: int) -> Sequence[Head]:
    """The head after each epoch. One thread: others would sum in another order."""
    import torch

    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(seed)
    layer = torch.nn.Linear(embeddings.shape[1], 1)
    torch.nn.init.normal_(layer.weight, std=0.02, generator=generator)
    torch.nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(layer.parameters(), lr=LEARNING_RATE)
    rows = torch.from_numpy(np.asarray(embeddings, np.float32))
    truth = torch.from_numpy(np.asarray(targets, np.float32))
    heads = []
    for _ in range(N_EPOCHS):
        order = torch.randperm(len(rows), generator=generator)
        for start in range(0, len(rows), BATCH_SIZE):
            batch = order[start : start + BATCH_SIZE]
            _step(layer, optimizer, rows[batch], truth[batch])
        weight = layer.weight.detach().numpy()[0].copy()
        heads.append(single_head("edu", weight, float(layer.bias.detach())))
    return heads


def _step(layer: torch.nn.Linear, optimizer: torch.optim.Optimizer, rows: Any, truth: Any) -> None:
    """One step of AdamW on the mean squared error of a batch."""
    optimizer.zero_grad()
    ((layer(rows)[:, 0] - truth) ** 2).mean().backward()
    optimizer.step()
