"""Cross-entropy over a large vocabulary without holding its logits.

With 49,152 tokens and a width of 96 the logits are five hundred times larger than what they are
made from: 400 MB for a batch of 2,048 tokens, and autograd keeps several copies. Here they exist
for a few hundred tokens at a time, and become their own gradient in place.

Shape suffixes: N tokens, H width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LOGITS_PER_CHUNK = 2**23
"""Logits held at once: 32 MB of float32."""


def summed_cross_entropy(hidden_NH: Tensor, weight_VH: Tensor, targets_N: Tensor) -> Tensor:
    """Cross-entropy in nats of softmax(hidden @ weight.T) against the targets, summed over N.

    The gradient is computed along with the value, at the cost of two more matrix products; where
    no gradient is wanted (under `torch.no_grad`), it is not.

    Source: the idea of Wijmans et al. 2024, "Cut your losses in large-vocabulary language
    models", in its simplest form.
    """
    if not torch.is_grad_enabled():
        hidden_NH, weight_VH = hidden_NH.detach(), weight_VH.detach()
    apply: Callable[[Tensor, Tensor, Tensor], Tensor] = _SummedCrossEntropy.apply
    return apply(hidden_NH, weight_VH, targets_N)


class _SummedCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden_NH: Tensor, weight_VH: Tensor, targets_N: Tensor) -> Tensor:
        device = hidden_NH.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
        with torch.autocast(device, enabled=False):
            return _forward(ctx, (hidden_NH, weight_VH), targets_N, dtype or hidden_NH.dtype)

    @staticmethod
    def backward(ctx: Any, grad_loss: Tensor) -> tuple[Tensor, Tensor, None]:
        grad_hidden_NH, grad_weight_VH = ctx.saved_tensors
        return grad_loss * grad_hidden_NH, grad_loss * grad_weight_VH, None


def _forward(
    ctx: Any, operands: tuple[Tensor, Tensor], targets_N: Tensor, dtype: torch.dtype
) -> Tensor:
    """The loss; its gradients go into `ctx`. Products in `dtype`, sums and logarithms in more."""
    wants_gradient = any(ctx.needs_input_grad)
    exact = torch.promote_types(dtype, torch.float32)
    grad_hidden_NH, grad_weight_VH = (torch.zeros_like(one, dtype=exact) for one in operands)
    hidden_NH, weight_VH = (operand.to(dtype) for operand in operands)
    loss = hidden_NH.new_zeros((), dtype=exact)
    for rows in _chunks(len(targets_N), vocabulary_size=len(weight_VH)):
        target_N1 = targets_N[rows, None]
        log_p_NV = torch.log_softmax(hidden_NH[rows] @ weight_VH.T, dim=1, dtype=exact)
        loss -= log_p_NV.gather(1, target_N1).sum()
        if wants_gradient:
            grad_NV = log_p_NV.exp_()  # softmax minus one-hot is the gradient of the logits
            grad_NV.scatter_add_(1, target_N1, grad_NV.new_full(target_N1.shape, -1.0))
            grad_NV = grad_NV.to(dtype)
            grad_hidden_NH[rows] = (grad_NV @ weight_VH).to(grad_hidden_NH.dtype)
            _add_product(grad_weight_VH, grad_NV.T, hidden_NH[rows])
    ctx.save_for_backward(grad_hidden_NH, grad_weight_VH)
    return loss


def _add_product(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add `left` @ `right` to `total`, which may be of a wider type."""
    if total.dtype == left.dtype:
        total.addmm_(left, right)
    else:
        total += left @ right


def _chunks(n_tokens: int, *, vocabulary_size: int) -> list[slice]:
    n_rows = max(1, LOGITS_PER_CHUNK // vocabulary_size)
    return [slice(start, start + n_rows) for start in range(0, n_tokens, n_rows)]
