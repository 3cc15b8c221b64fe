"""Models that the bench of scores runs: the shipped members, and large ones with random weights.

What a network computes does not change how long it takes, so random weights do. Their tokenizer is
MiniLM's, which is BERT's own (uncased, 30,522 pieces); for DeBERTa, whose own is on no package
index, it stands in.
"""

from __future__ import annotations

import contextlib
import functools
import json
from pathlib import Path
from typing import Any, cast

import torch
from safetensors.torch import save_file
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    PreTrainedModel,
)
from transformers.utils.logging import disable_progress_bar

from curation.config import SHIPPED_MEMBERS, MemberConfig
from curation.errors import InputError
from curation.model_store import model_folder
from curation.score.first_token import BACKBONES, build, load_first_token_classifier
from curation.score.loading import Device, load_tokenizer, prepare_torch
from curation.score.members import Member, head_file
from curation.score.weights import default_weight

_DEBERTA = "microsoft/deberta-v3-base"
_N_DOMAINS = 26


def shipped_members() -> dict[str, MemberConfig]:
    """The members of the default configuration, with those of their heads that are shipped."""
    return {name: _with_heads(one) for name, one in SHIPPED_MEMBERS.items()}


def _with_heads(conf: MemberConfig) -> MemberConfig:
    if conf.kind != "encoder":
        return conf
    columns = {}
    for column, file in conf.columns.items():
        with contextlib.suppress(InputError):
            head_file(column, file)
            columns[column] = file
    return conf.model_copy(update={"columns": columns})


def save_bert(folder: Path) -> MemberConfig:
    """A BERT-base with one output: 12 layers of 768, 512 tokens, as NVIDIA's edu classifiers."""
    torch.manual_seed(1)
    _classifier("bert", num_labels=1).save_pretrained(folder)
    load_tokenizer(str(model_folder("minilm"))).save_pretrained(folder)
    return MemberConfig(kind="classifier", model=str(folder), columns={"bert": "edu"})


def save_deberta(folder: Path) -> MemberConfig:
    """A DeBERTa v3 base with a layer on its first token, as NVIDIA's domain classifier."""
    torch.manual_seed(2)
    folder.mkdir(parents=True)
    load_tokenizer(str(model_folder("minilm"))).save_pretrained(folder)
    labels = {str(n): f"class {n}" for n in range(_N_DOMAINS)}
    config = {"base_model": _DEBERTA, "fc_dropout": 0.2, "id2label": labels}
    weights = build(str(folder), config).state_dict()
    save_file({name: one.contiguous() for name, one in weights.items()},
              folder / "model.safetensors")  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return MemberConfig(kind="classifier", model=str(folder), columns={"deberta": "class"})


def _classifier(model_type: str, **settings: Any) -> PreTrainedModel:
    """A classifier of a class of transformers, of base size where `settings` say no other."""
    disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    loader: Any = AutoModelForSequenceClassification
    return cast(PreTrainedModel, loader.from_config(AutoConfig.for_model(model_type, **settings)))


def path_of(member: Member) -> Path:
    """File or folder of the model of a member that is shipped, or saved by this module."""
    if member.conf.kind == "fasttext":
        return default_weight("fasttext.ftz")
    return model_folder(member.conf.model)


@functools.lru_cache(maxsize=4)
def load_network(folder: str, kind: str, device: Device, n_threads: int) -> torch.nn.Module:
    """The bare network in `folder`, in the precision in which our loaders load it."""
    dtype = prepare_torch(device, n_threads)
    config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    if "base_model" in config:
        network: torch.nn.Module = load_first_token_classifier(folder, config, dtype)[0]
    else:
        loader: Any = AutoModel if kind == "encoder" else AutoModelForSequenceClassification
        network = loader.from_pretrained(folder, dtype=dtype, local_files_only=True)
    return network.to(device).eval()


@functools.lru_cache(maxsize=4)
def load_for_pipeline(folder: str, kind: str, device: Device, n_threads: int) -> PreTrainedModel:
    """The network in `folder`, or one of its size, of a class that transformers' pipelines take.

    NVIDIA's layer on the first token is no class of transformers: its backbone gets the head that
    transformers has for it, which also reads the first token alone.
    """
    network = load_network(folder, kind, device, n_threads)
    if isinstance(network, PreTrainedModel):
        return network
    model: Any = _classifier(**BACKBONES[_DEBERTA], num_labels=_N_DOMAINS)
    return cast(PreTrainedModel, model.to(device, prepare_torch(device, n_threads)).eval())


def geometry(network: torch.nn.Module) -> dict[str, int]:
    """What `forward_flops` needs to know of a BERT: nothing but its layers reads every token."""
    layers = [one for name, one in network.named_parameters() if ".layer." in name]
    config: Any = network.config
    return {
        "n_params": sum(one.numel() for one in layers),
        "n_layers": int(config.num_hidden_layers),
        "width": int(config.hidden_size),
    }
