"""AdamW, and the learning rate of each step."""

from __future__ import annotations

import math

import torch
from torch import nn

from curation.config import TrainConfig
from models.train.phases import plan_of, tokens_per_step

BETAS = (0.9, 0.95)
"""Source: 2412.02595, appendix D."""
EPS = 1e-8
"""Source: 2412.02595, appendix D."""


def build_optimizer(model: nn.Module, conf: TrainConfig) -> torch.optim.AdamW:
    """AdamW that decays matrices and leaves vectors (norms, biases) alone."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": conf.weight_decay},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=conf.learning_rate, betas=BETAS, eps=EPS)


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
