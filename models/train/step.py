"""One optimizer step.

Shape suffixes: B sequences, T tokens of a sequence, N tokens that count, H width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel

from curation.errors import InputError
from models.train.loss import summed_cross_entropy
from models.train.parallel import Ranks

ALONE = Ranks()
IGNORED = -100
"""Target of a position that is not learnt from, e.g. padding."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences for one forward pass."""

    inputs_BT: Tensor
    targets_BT: Tensor
    """The token after each input, or IGNORED."""


@dataclass(frozen=True)
class StepOutcome:
    """What one step did."""

    loss: float
    """Mean cross-entropy of the step's tokens before the update, in nats a token."""
    grad_norm: float
    """Norm of the gradient before clipping."""
    n_tokens: int
    """Targets that counted."""
    skipped: bool = False
    """Whether there was no update."""


def split_batch(
    samples: npt.NDArray[np.int64], micro_batch_size: int, *, device: str
) -> list[Batch]:
    """Samples of shape (B, T + 1) as batches of at most `micro_batch_size` sequences."""
    tokens = torch.from_numpy(samples)
    parts = (part.to(device) for part in torch.split(tokens, micro_batch_size))
    return [Batch(part[:, :-1], part[:, 1:]) for part in parts]


def count_targets(batches: Sequence[Batch]) -> int:
    """Targets that count, over all `batches`."""
    return sum(int((batch.targets_BT != IGNORED).sum()) for batch in batches)


def token_loss(model: PreTrainedModel, batch: Batch) -> Tensor:
    """Summed cross-entropy in nats over the targets of `batch` that count.

    The sum, not the mean: micro-batches hold different numbers of real tokens, and a mean of
    means would weight them wrongly.
    """
    hidden_BTH = model.base_model(batch.inputs_BT, use_cache=False).last_hidden_state
    counts_BT = batch.targets_BT != IGNORED
    head = cast(Any, model).get_output_embeddings()
    return summed_cross_entropy(hidden_BTH[counts_BT], head.weight, batch.targets_BT[counts_BT])


def is_finite(loss: float, grad_norm: float) -> bool:
    """Whether a step can be taken at all."""
    return math.isfinite(loss) and math.isfinite(grad_norm)


def train_step(
    model: PreTrainedModel,
    optimizer: torch.optim.Optimizer,
    micro_batches: Sequence[Batch],
    *,
    max_grad_norm: float,
    ranks: Ranks = ALONE,
    accepts: Callable[[float, float], bool] = is_finite,
) -> StepOutcome:
    """One update from the mean loss over the tokens of all `micro_batches` of all ranks.

    How the sequences are cut into micro-batches, and over how many ranks, changes the result by
    rounding only; every rank makes the same update. A step whose loss and gradient norm `accepts`
    refuses on one rank is skipped by all: parameters and optimizer are untouched.

    Raises:
        InputError: no target counts.
    """
    n_tokens = int(ranks.total(count_targets(micro_batches)))
    if n_tokens == 0:
        raise InputError("a training step needs at least one target that is not ignored")
    optimizer.zero_grad()
    loss = ranks.total(sum(_accumulate(model, batch, n_tokens) for batch in micro_batches))
    ranks.sum_gradients(model)
    grad_norm = float(torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm))
    skipped = ranks.total(float(not accepts(loss, grad_norm))) > 0
    if skipped:
        optimizer.zero_grad()
    else:
        optimizer.step()
    return StepOutcome(loss, grad_norm, n_tokens, skipped)


def _accumulate(model: PreTrainedModel, batch: Batch, n_tokens: int) -> float:
    """Add the gradient of one micro-batch; its part of the mean loss."""
    loss = token_loss(model, batch) / n_tokens
    torch.autograd.backward(loss)
    return float(loss.detach())
