"""AdamW, Muon, and the learning rate of each step."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from curation.config import TrainConfig
from models.train.model import decoder_layers
from models.train.phases import plan_of, tokens_per_step

BETAS = (0.9, 0.95)
"""Source: 2412.02595, appendix D."""
EPS = 1e-8
"""Source: 2412.02595, appendix D."""


def build_optimizer(model: PreTrainedModel, conf: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of `conf`: matrices decay, vectors (norms, biases) are left alone."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    if conf.optimizer == "adamw":
        return _adamw(parameters, conf)
    hidden = [p for p in _hidden_matrices(model) if p.requires_grad]
    chosen = {id(p) for p in hidden}
    return MuonAndAdamW(
        _muon(hidden, conf), _adamw([p for p in parameters if id(p) not in chosen], conf)
    )


def _adamw(parameters: Iterable[Tensor], conf: TrainConfig) -> torch.optim.AdamW:
    matrices: list[Tensor] = []
    vectors: list[Tensor] = []
    for parameter in parameters:
        (matrices if parameter.ndim >= 2 else vectors).append(parameter)
    groups = [
        {"params": matrices, "weight_decay": conf.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=conf.learning_rate, betas=BETAS, eps=EPS)


def _muon(matrices: list[nn.Parameter], conf: TrainConfig) -> torch.optim.Muon:
    """Muon whose updates are as large as those of AdamW, so that the learning rate fits both.

    Source: Liu et al. 2025, "Muon is scalable for LLM training" (2502.16982), section 2.2.
    """
    return torch.optim.Muon(
        matrices,
        lr=conf.learning_rate,
        weight_decay=conf.weight_decay,
        adjust_lr_fn="match_rms_adamw",
    )


def _hidden_matrices(model: PreTrainedModel) -> list[nn.Parameter]:
    """The matrices between embeddings and head; experts, stored as stacks of them, are not."""
    return [p for p in decoder_layers(model).parameters() if p.ndim == 2]


class MuonAndAdamW(torch.optim.Optimizer):
    """Two optimizers as one: groups and state are shared with them."""

    def __init__(self, muon: torch.optim.Muon, adamw: torch.optim.AdamW) -> None:
        self._parts = (muon, adamw)
        super().__init__([*muon.param_groups, *adamw.param_groups], {})
        self._share()

    def step(self, closure: Any = None) -> Any:
        """One update of all parameters that have a gradient."""
        assert closure is None
        muon, adamw = self._parts
        muon.step()  # type: ignore[no-untyped-call, unused-ignore]
        adamw.step()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._share()

    def _share(self) -> None:
        """Groups are objects of their own after a load."""
        muon, adamw = self._parts
        n_muon = len(muon.param_groups)
        muon.param_groups, adamw.param_groups = (
            self.param_groups[:n_muon],
            self.param_groups[n_muon:],
        )
        muon.state = adamw.state = self.state


def learning_rate(step: int, conf: TrainConfig) -> float:
    """Learning rate of step `step`, counted from 1.

    Linear from peak / warmup_steps to the peak at step warmup_steps, then down to `final_frac` of
    the peak at step n_steps, by half a cosine; or, for `wsd`, after a plateau, as 1 - sqrt of what
    is done of the decay. A plateau that ends before the warm-up does is none. `continued` has the
    peak at step 1 and the fall of its plan, which a warm-up, where one is asked for, only scales.
    Source of wsd: Haegele et al. 2024 (2405.18392), section 3.
    """
    if conf.schedule == "continued":
        return _continued(step, conf)
    if step <= conf.warmup_steps:
        return conf.learning_rate * step / conf.warmup_steps
    left = _cosine(step, conf) if conf.schedule == "cosine" else _wsd(step, conf)
    return conf.learning_rate * (conf.final_frac + (1 - conf.final_frac) * left)


def _continued(step: int, conf: TrainConfig) -> float:
    rate = plan_of(conf).learning_rate((step - 1) * tokens_per_step(conf))
    return rate * min(1.0, step / max(1, conf.warmup_steps))


def _cosine(step: int, conf: TrainConfig) -> float:
    done_frac = (step - conf.warmup_steps) / (conf.n_steps - conf.warmup_steps)
    return (1 + math.cos(math.pi * min(1.0, done_frac))) / 2


def _wsd(step: int, conf: TrainConfig) -> float:
    first = max(conf.warmup_steps, conf.n_steps - round(conf.decay_frac * conf.n_steps))
    if step <= first:
        return 1.0
    return 1.0 - math.sqrt(min(1.0, (step - first) / (conf.n_steps - first)))


def set_learning_rate(optimizer: torch.optim.Optimizer, value: float) -> None:
    """Give every parameter group of `optimizer` the learning rate `value`."""
    for group in optimizer.param_groups:
        group["lr"] = value
