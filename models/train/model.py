"""A small Llama with tied embeddings."""

from __future__ import annotations

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from curation.config import TrainConfig
from curation.tokens.manifest import Manifest


def build_model(conf: TrainConfig, manifest: Manifest) -> LlamaForCausalLM:
    """A Llama of `conf`'s shape over the manifest's vocabulary, weights drawn from `conf.seed`.

    Float32, on `conf.device`; the weights are drawn on the CPU, so they are the same everywhere.
    The CPU's random state is left as it was.
    """
    shape = llama_config(conf, vocabulary_size=manifest.vocabulary_size, eod_id=manifest.eod_id)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(conf.seed)
        model: LlamaForCausalLM = LlamaForCausalLM(shape)  # type: ignore[no-untyped-call]
    # Not `model.to`: transformers wraps it in a way that hides its type.
    nn.Module.to(model, conf.device)
    return model


def llama_config(conf: TrainConfig, *, vocabulary_size: int, eod_id: int) -> LlamaConfig:
    """Shape of the model. The feed-forward width is 8/3 of the width, as SwiGLU wants it.

    Source: Shazeer 2020, "GLU variants improve transformer"; Touvron et al. 2023 (Llama), 2.2.
    """
    return LlamaConfig(
        vocab_size=vocabulary_size,
        hidden_size=conf.hidden_size,
        intermediate_size=_rounded_up(8 * conf.hidden_size // 3, 32),
        num_hidden_layers=conf.n_layers,
        num_attention_heads=conf.n_heads,
        max_position_embeddings=conf.sequence_length,
        tie_word_embeddings=True,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=eod_id,
    )


def _rounded_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
