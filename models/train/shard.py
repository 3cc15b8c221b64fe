"""A model whose weights, gradients and optimizer lie in parts on the ranks (FSDP2).

A layer's weights are gathered when its turn comes and let go after it. What is saved is whole, as
of one rank, so any number of ranks can go on from it.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard, register_fsdp_forward_method
from torch.distributed.tensor import DTensor, distribute_tensor
from transformers import PreTrainedModel

from models.train.model import decoder_layers
from models.train.parallel import gathered
from models.train.step import OWN_LOSSES, losses

State = dict[str, Any]


def shard(model: PreTrainedModel) -> None:
    """Leave of every weight of `model` this rank's part; its `losses` gather them.

    Gradients are summed over the ranks, not averaged: each rank's loss is a part of the mean.
    """
    # Of the model's device: torch would take the machine's GPU for a model on the CPU.
    mesh = init_device_mesh(next(model.parameters()).device.type, (dist.get_world_size(),))
    for layer in decoder_layers(model):
        fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    for module in model.modules():  # gloo has no sum with a factor, which is asked for otherwise
        if isinstance(module, FSDPModule):
            module.set_gradient_divide_factor(1.0)
            module.set_force_sum_reduction_for_comms(True)
    setattr(model, OWN_LOSSES, partial(losses, model))
    register_fsdp_forward_method(model, OWN_LOSSES)


def whole_state(state: Any) -> Any:
    """`state`, of a model or an optimizer, with sharded tensors gathered on the CPU.

    Every rank must ask. Peak: one tensor more than the result.
    """
    if isinstance(state, DTensor):
        return gathered(state.detach()).cpu()
    if isinstance(state, dict):
        return {key: whole_state(value) for key, value in state.items()}
    return state  # of the groups of an optimizer: numbers


def load_model(model: PreTrainedModel, state: State) -> None:
    """Give `model` the weights of a whole `state`, every rank its part."""
    ours = model.state_dict()
    model.load_state_dict({name: _like(value, ours[name]) for name, value in state.items()})


def load_optimizer(optimizer: torch.optim.Optimizer, state: State) -> None:
    """Give `optimizer` a whole `state`; what is of a weight's shape is sharded as the weight."""
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    parts = {
        index: {
            key: _like(value, parameters[index]) if _of_shape(value, parameters[index]) else value
            for key, value in values.items()
        }
        for index, values in state["state"].items()
    }
    optimizer.load_state_dict(state | {"state": parts})


def _of_shape(value: Any, parameter: Tensor) -> bool:
    return isinstance(value, Tensor) and value.shape == parameter.shape


def _like(value: Tensor, target: Tensor) -> Tensor:
    """`value`, which every rank holds, in parts as `target` is."""
    if not isinstance(target, DTensor):
        return value
    return distribute_tensor(
        value.to(target.device), target.device_mesh, target.placements, src_data_rank=None
    )
