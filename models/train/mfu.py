"""Which share of a device's peak the training uses (MFU)."""

from __future__ import annotations

import torch
from transformers import PreTrainedModel

from curation.config import TrainConfig
from models.flops import peak_flops, training_flops
from models.train.step import is_mixture


def flops_per_token(model: PreTrainedModel, sequence_length: int) -> float:
    """FLOPs of learning from one token; attention over all of the sequence, as the papers count."""
    shape = model.config
    head_size = getattr(shape, "head_dim", None) or shape.hidden_size // shape.num_attention_heads
    flops = training_flops(
        [sequence_length],
        n_params=active_params(model),
        n_layers=shape.num_hidden_layers,
        width=shape.num_attention_heads * head_size,
    )
    return flops / sequence_length


def active_params(model: PreTrainedModel) -> int:
    """Parameters that a token is multiplied by.

    Of the experts of a mixture those that it goes through; embeddings only where they are the head.
    """
    n_params = sum(p.numel() for p in model.parameters())
    embeddings = model.get_input_embeddings().weight
    assert isinstance(embeddings, torch.Tensor)
    if not model.config.tie_word_embeddings:
        n_params -= embeddings.numel()
    if is_mixture(model):
        shape = model.config
        n_of_experts = sum(p.numel() for p in model.parameters() if p.ndim == 3)
        n_params -= (
            n_of_experts * (shape.num_experts - shape.num_experts_per_tok) // shape.num_experts
        )
    return n_params


def mfu(model: PreTrainedModel, conf: TrainConfig, tokens_per_s: float) -> float | None:
    """Share of one device's peak in half precision, at `tokens_per_s` a device.

    Null where the peak is not known, as of any CPU.
    """
    peak = peak_flops(torch.cuda.get_device_name()) if conf.device == "cuda" else None
    if peak is None:
        return None
    return tokens_per_s * flops_per_token(model, conf.sequence_length) / peak
