"""A model whose weights, gradients and optimizer lie in parts on the ranks (FSDP2).

A layer's weights are gathered when its turn comes and let go after it. No rank ever holds the whole
model but the first, on its CPU: when training begins, and when the finished model is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import (
    FSDPModule,
    MixedPrecisionPolicy,
    fully_shard,
    register_fsdp_forward_method,
)
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from models.train.checkpoint import load_tensors
from models.train.model import decoder_layers
from models.train.parallel import Ranks, gathered
from models.train.step import OWN_LOSSES, losses


def shard(model: PreTrainedModel, device: str, dtype: torch.dtype) -> None:
    """Leave of every weight of `model`, which has shapes alone, this rank's part on `device`.

    Its values are not set; buffers are. The model's `losses` gather the weights, in `dtype`.
    Gradients are summed over the ranks in float32, not averaged: each rank's loss is a part of the
    mean.
    """
    mesh = init_device_mesh(device, (dist.get_world_size(),))
    policy = _gathered_in(dtype, model)
    for layer in decoder_layers(model):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    for module in model.modules():  # gloo has no sum with a factor, which is asked for otherwise
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    setattr(model, OWN_LOSSES, partial(losses, model))
    register_fsdp_forward_method(model, OWN_LOSSES)
    _give_room(model, device)


def _gathered_in(dtype: torch.dtype, model: PreTrainedModel) -> MixedPrecisionPolicy:
    """Weights are gathered in `dtype`; what flows between the layers stays float32, as unsharded.

    It would not: what an embedding in bfloat16 gives is bfloat16, and so is all that is added to.
    """
    if dtype == torch.float32:
        return MixedPrecisionPolicy()
    embeddings = cast(nn.Module, cast(Any, model).get_input_embeddings())
    embeddings.register_forward_hook(lambda module, inputs, output: output.float())
    return MixedPrecisionPolicy(
        param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
    )


def _give_room(model: PreTrainedModel, device: str) -> None:
    model.to_empty(device=device)
    cast(Any, model).tie_weights()  # each was given room of its own
    for module in model.modules():
        if any(True for _ in module.buffers(recurse=False)):  # computed, not drawn or saved
            cast(Any, model)._init_weights(module)


def spread(weights: Mapping[str, Tensor], model: PreTrainedModel, ranks: Ranks) -> None:
    """Give `model` its part of `weights`, which the first rank alone has, a tensor at a time."""
    with torch.no_grad():
        for name, target in model.named_parameters():
            assert isinstance(target, DTensor)
            # What the others hand in says how large it is; its values go nowhere.
            value = weights[name] if ranks.is_first else torch.empty(target.shape)
            part = distribute_tensor(
                value.to(target.device), target.device_mesh, target.placements, src_data_rank=0
            )
            target.copy_(part)


def state_of(model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The tensors of a run by name; nothing is gathered or copied.

    An optimizer's groups are no part of it: they follow from settings and step.
    """
    values = optimizer.state_dict()["state"]
    return {f"model.{name}": weight for name, weight in _weights(model).items()} | {
        f"optimizer.{index}.{key}": value
        for index, state in values.items()
        for key, value in state.items()
    }


def load_state(path: Path, model: PreTrainedModel, optimizer: torch.optim.Optimizer) -> None:
    """Give both the tensors of the checkpoint at `path`, every rank its part.

    Raises:
        InputError: a file is damaged.
    """
    weights = _weights(model)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]

    def place(name: str, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        kind, rest = name.split(".", 1)
        if kind == "model":
            return weights[rest]
        parameter = parameters[int(rest.split(".")[0])]
        if shape == parameter.shape:  # sharded as the weight is
            return torch.empty_like(parameter, dtype=dtype, requires_grad=False)
        return torch.empty(shape, dtype=dtype)

    tensors = load_tensors(path, place)
    tied = {name: weights[of] for name, of in model.all_tied_weights_keys.items()}
    model.load_state_dict(weights | tied)
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".")
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict(optimizer.state_dict() | {"state": state})


def gather_weights(model: PreTrainedModel, ranks: Ranks) -> dict[str, Tensor]:
    """The whole weights of `model` on the CPU of the first rank; nothing on the others.

    All ranks must ask. Peak on a device: one weight.
    """
    whole = {}
    for name, weight in _weights(model).items():
        value = gathered(weight.detach())
        if ranks.is_first:
            whole[name] = value.cpu()
    return whole


def _weights(model: PreTrainedModel) -> dict[str, Tensor]:
    """What is to be saved of `model`: one name of each weight."""
    tied = model.all_tied_weights_keys
    return {name: value for name, value in model.state_dict().items() if name not in tied}
