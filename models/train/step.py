"""One optimizer step.

Shape suffixes: B sequences, T tokens of a sequence, N tokens that count, H width.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from transformers import PreTrainedModel
from transformers.models.mixtral.modeling_mixtral import load_balancing_loss_func

from curation.errors import InputError
from models.train.loss import summed_cross_entropy
from models.train.parallel import Ranks, gathered

ALONE = Ranks()
IGNORED = -100
"""Target of a position that is not learnt from, e.g. padding."""
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
OWN_LOSSES = "own_losses"
"""Attribute of a model that computes `losses` in a way of its own: of one whose weights lie on
several ranks, with them gathered; of Megatron's, by its modules."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Sequences for one forward pass."""

    inputs_BT: Tensor
    targets_BT: Tensor
    """The token after each input, or IGNORED."""
    positions_BT: Tensor | None = None
    """Position of each input in its document, which attention does not leave; null: every sequence
    is one document."""


class Losses(NamedTuple):
    """What a forward pass is trained by."""

    cross_entropy: Tensor
    """In nats, summed over the targets that count."""
    balance: Tensor
    """Load-balancing loss times its coefficient, of the batch; 0 for a dense model."""


@dataclass(frozen=True)
class StepOutcome:
    """What one step did."""

    loss: float
    """Mean cross-entropy of the step's tokens before the update, in nats a token."""
    grad_norm: float
    """Norm of the gradient before clipping."""
    n_tokens: int
    """Targets that counted."""
    aux_loss: float = 0.0
    """Load-balancing loss times its coefficient, mean over the micro-batches."""
    skipped: bool = False
    """Whether there was no update."""


def split_batch(
    samples: npt.NDArray[np.int64],
    micro_batch_size: int,
    *,
    device: str,
    eod_id: int | None = None,
) -> list[Batch]:
    """Samples of shape (B, T + 1) as batches of at most `micro_batch_size` sequences.

    With an `eod_id`, the token that ends a document, attention is kept inside the documents.
    """
    tokens = torch.from_numpy(samples)
    parts = (part.to(device) for part in torch.split(tokens, micro_batch_size))
    return [_batch(part, eod_id) for part in parts]


def _batch(tokens: Tensor, eod_id: int | None) -> Batch:
    inputs_BT, targets_BT = tokens[:, :-1], tokens[:, 1:]
    positions_BT = None if eod_id is None else document_positions(inputs_BT, eod_id)
    return Batch(inputs_BT, targets_BT, positions_BT)


def document_positions(inputs_BT: Tensor, eod_id: int) -> Tensor:
    """Position of every token in its document, from 0; a document ends with `eod_id`.

    What a sequence begins with counts as a document of its own.
    """
    begins_BT = torch.zeros_like(inputs_BT)
    begins_BT[:, 1:] = inputs_BT[:, :-1] == eod_id
    index_T = torch.arange(inputs_BT.shape[1], device=inputs_BT.device)
    return index_T - (index_T * begins_BT).cummax(dim=1).values


def count_targets(batches: Sequence[Batch]) -> int:
    """Targets that count, over all `batches`."""
    return sum(int((batch.targets_BT != IGNORED).sum()) for batch in batches)


def token_loss(
    model: PreTrainedModel, batch: Batch, *, dtype: torch.dtype = torch.float32
) -> Tensor:
    """Summed cross-entropy in nats over the targets of `batch` that count.

    The sum, not the mean: micro-batches hold different numbers of real tokens, and a mean of
    means would weight them wrongly. Matrix products are computed in `dtype`.
    """
    return _losses(model, batch, dtype).cross_entropy


def _losses(model: PreTrainedModel, batch: Batch, dtype: torch.dtype) -> Losses:
    tensors = batch.inputs_BT, batch.targets_BT, batch.positions_BT
    own = getattr(model, OWN_LOSSES, None)
    return own(*tensors, dtype) if own else losses(model, *tensors, dtype)


def losses(
    model: PreTrainedModel,
    inputs_BT: Tensor,
    targets_BT: Tensor,
    positions_BT: Tensor | None,
    dtype: torch.dtype,
) -> Losses:
    """Both losses of a model whose weights are whole.

    Transformers makes the mask of documents from positions that begin anew.
    """
    more = {"output_router_logits": True} if is_mixture(model) else {}
    autocasts = dtype != torch.float32
    with torch.autocast(inputs_BT.device.type, dtype if autocasts else None, enabled=autocasts):
        found = model.base_model(inputs_BT, position_ids=positions_BT, use_cache=False, **more)
        counts_BT = targets_BT != IGNORED
        hidden_NH = found.last_hidden_state[counts_BT]
        head = cast(Any, model).get_output_embeddings()
        cross_entropy = summed_cross_entropy(hidden_NH, head.weight, targets_BT[counts_BT])
    return Losses(cross_entropy, _balance(model, found) if more else hidden_NH.new_zeros(()))


def is_mixture(model: PreTrainedModel) -> bool:
    """Whether `model` routes tokens to experts."""
    return hasattr(model.config, "router_aux_loss_coef")


def _balance(model: PreTrainedModel, found: Any) -> Tensor:
    """Load-balancing loss as the classes of transformers add it: over the tokens of all layers."""
    shape = model.config
    loss = load_balancing_loss_func(
        found.router_logits, shape.num_experts, shape.num_experts_per_tok
    )
    return cast(Tensor, shape.router_aux_loss_coef * loss)


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
    dtype: torch.dtype = torch.float32,
    accepts: Callable[[float, float], bool] = is_finite,
) -> StepOutcome:
    """One update from the mean loss over the tokens of all `micro_batches` of all ranks.

    How the sequences are cut into micro-batches, and over how many ranks, changes the result by
    rounding only; every rank makes the same update. The load-balancing loss alone is one of each
    micro-batch, weighted by its tokens. A step whose loss and gradient norm `accepts` refuses on
    one rank is skipped by all: parameters and optimizer are untouched.

    Raises:
        InputError: no target counts.
    """
    n_tokens = int(ranks.total(count_targets(micro_batches)))
    if n_tokens == 0:
        raise InputError("a training step needs at least one target that is not ignored")
    optimizer.zero_grad()
    parts = [_accumulate(model, batch, n_tokens, dtype) for batch in micro_batches]
    loss, aux_loss = (ranks.total(sum(values)) for values in zip(*parts, strict=True))
    ranks.sum_gradients(model)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), max_grad_norm)
    grad_norm = float(gathered(norm))
    skipped = ranks.total(float(not accepts(loss, grad_norm))) > 0
    if skipped:
        optimizer.zero_grad()
    else:
        optimizer.step()
    return StepOutcome(loss, grad_norm, n_tokens, aux_loss, skipped)


def _accumulate(
    model: PreTrainedModel, batch: Batch, n_tokens: int, dtype: torch.dtype
) -> tuple[float, float]:
    """Add the gradient of one micro-batch; its parts of the mean loss and of the balance."""
    found = _losses(model, batch, dtype)
    loss = found.cross_entropy / n_tokens
    balance = found.balance * (count_targets([batch]) / n_tokens)
    torch.autograd.backward(loss + balance)
    return float(loss.detach()), float(balance.detach())
