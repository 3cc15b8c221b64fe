"""NVIDIA's own layout of a classifier: a backbone, dropout, and a linear layer on its first token.

Importing this module imports torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModel
from transformers.modeling_outputs import SequenceClassifierOutput

from curation.errors import InputError

BACKBONES: dict[str, dict[str, Any]] = {
    "microsoft/deberta-v3-base": {
        "model_type": "deberta-v2",
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 768,
        "initializer_range": 0.02,
        "intermediate_size": 3072,
        "layer_norm_eps": 1e-7,
        "max_position_embeddings": 512,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "num_attention_heads": 12,
        "num_hidden_layers": 12,
        "pos_att_type": "p2c|c2p",
        "position_biased_input": False,
        "position_buckets": 256,
        "relative_attention": True,
        "share_att_key": True,
        "type_vocab_size": 0,
        "vocab_size": 128_100,
    }
}
"""Configurations by name: config.json of such a classifier only names its backbone."""

_NEEDED = ("base_model", "fc_dropout", "id2label")
_BUFFER = "model.embeddings.position_ids"
"""Counts 0, 1, 2, ...: written by transformers up to 4.30, not a weight."""


class FirstTokenClassifier(torch.nn.Module):
    """A backbone and a linear layer on the last hidden state of its first token.

    Its weights have the names of `PyTorchModelHubMixin`'s file: `model.*`, `fc.weight`, `fc.bias`.
    Source: the model cards of nvidia/domain-classifier and nvidia/content-type-classifier-deberta.
    """

    def __init__(
        self, backbone: torch.nn.Module, width: int, dropout: float, n_outputs: int
    ) -> None:
        super().__init__()
        self.model = backbone
        self.dropout = torch.nn.Dropout(dropout)
        self.fc = torch.nn.Linear(width, n_outputs)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> SequenceClassifierOutput:
        """Logits, shape (B, L), of padded ids (B, T)."""
        hidden_BTD = self.model(input_ids, attention_mask).last_hidden_state
        return SequenceClassifierOutput(logits=self.fc(self.dropout(hidden_BTD[:, 0])))


def load_first_token_classifier(
    folder: str, config: dict[str, Any], dtype: torch.dtype
) -> tuple[FirstTokenClassifier, list[str]]:
    """The network in `folder`, whose config.json is `config`, and the labels of its outputs.

    Raises:
        InputError: `config` lacks a key, its backbone is unknown, or the weights are absent or not
            its own.
    """
    path = Path(folder, "model.safetensors")
    if not path.is_file():
        raise InputError(f"{path}: no such file, and no other holds the weights of this layout")
    model, weights = build(folder, config), load_file(path)
    weights.pop(_BUFFER, None)
    try:
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise InputError(f"{folder}: weights of another network: {error}") from error
    labels: dict[str, str] = config["id2label"]
    return model.to(dtype), [label for _, label in sorted(labels.items(), key=_number)]


def build(folder: str, config: dict[str, Any]) -> FirstTokenClassifier:
    """The network that `config` describes, its weights random.

    Raises:
        InputError: `config` lacks a key, or its backbone is unknown.
    """
    if absent := [key for key in _NEEDED if key not in config]:
        raise InputError(f"{folder}/config.json: lacks {absent}; fetch its newest revision")
    backbone = _backbone_config(folder, config)
    empty = AutoModel.from_config(  # type: ignore[no-untyped-call, unused-ignore]
        AutoConfig.for_model(**backbone)
    )
    return FirstTokenClassifier(
        empty,
        width=backbone["hidden_size"],
        dropout=config["fc_dropout"],
        n_outputs=len(config["id2label"]),
    )


def _backbone_config(folder: str, config: dict[str, Any]) -> dict[str, Any]:
    """The backbone's configuration; what `config` says of its size counts more than its name."""
    name = config["base_model"]
    if name not in BACKBONES:
        raise InputError(f"{folder}/config.json: backbone {name}, known are {sorted(BACKBONES)}")
    known = BACKBONES[name]
    return known | {key: config[key] for key in known if key in config}


def _number(item: tuple[str, str]) -> int:
    return int(item[0])
