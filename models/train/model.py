"""The language model that is trained: a class of transformers, from a shape or from a folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast, get_args

import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    GenerationConfig,
    PretrainedConfig,
    PreTrainedModel,
)

from curation.config import TrainConfig
from curation.errors import InputError
from curation.tokens.files import sha256_of
from curation.tokens.manifest import Manifest
from models.train.folder import MIXTURES
from models.train.step import is_mixture

_OF_ARCHITECTURE: dict[str, dict[str, Any]] = {
    # Its window of 4,096 would cut attention in longer sequences.
    "mistral": {"sliding_window": None},
}
"""What a class has of its own by default and we do not want."""
ARCHITECTURES: tuple[str, ...] = get_args(TrainConfig.model_fields["architecture"].annotation)
"""Model types whose loss is that of head times last hidden state, as `step.losses` has it."""


def build_model(conf: TrainConfig, manifest: Manifest) -> PreTrainedModel:
    """The model of `conf` over the manifest's vocabulary, float32, on `conf.device`.

    Random weights are drawn from `conf.seed` on the CPU, so they are the same everywhere; the CPU's
    random state is left as it was.

    Raises:
        InputError: `conf.init_from` has no such model, or one that does not fit the tokens.
        ConfigError: Megatron-core cannot compute it.
    """
    model = _first(conf, manifest)
    # Not `model.to`: transformers wraps it in a way that hides its type.
    nn.Module.to(model, conf.device)
    model = _for_training(model, conf, manifest)
    return model if conf.backend == "transformers" else _on_megatron(model, conf)


def build_shapes(conf: TrainConfig, manifest: Manifest) -> PreTrainedModel:
    """The model of `build_model` without values, on the meta device: to be sharded first.

    Raises:
        InputError: as of `build_model`, but that the weights are not looked at.
    """
    loader: Any = AutoModelForCausalLM
    folder = Path(conf.init_from).expanduser() if conf.init_from else None
    shape = _shape_in(folder, conf, manifest) if folder else _new_shape(conf, manifest)
    with torch.device("meta"):
        model = loader.from_config(shape, dtype=torch.float32)
    if folder and (folder / "generation_config.json").is_file():
        model.generation_config = GenerationConfig.from_pretrained(folder)  # as of the whole one
    return _for_training(model, conf, manifest)


def first_weights(conf: TrainConfig, manifest: Manifest) -> Mapping[str, Tensor]:
    """The weights of `build_model`, whole, on the CPU.

    Raises:
        InputError: as of `build_model`.
    """
    return _first(conf, manifest).state_dict()


def _first(conf: TrainConfig, manifest: Manifest) -> PreTrainedModel:
    if conf.init_from:
        return _loaded(Path(conf.init_from).expanduser(), conf, manifest)
    return _drawn(conf, manifest)


def _for_training(model: PreTrainedModel, conf: TrainConfig, manifest: Manifest) -> PreTrainedModel:
    model.train(True)
    model.config.tokenizer_sha256 = manifest.tokenizer_sha256  # goes with the finished model
    if is_mixture(model):
        # Theirs is the number of experts a token goes through where the load is even, not 1.
        model.config.router_aux_loss_coef = conf.aux_loss_coef / model.config.num_experts_per_tok
    if conf.recompute:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if conf.compile:
        for layer in decoder_layers(model):
            layer.compile()
    return model


def _on_megatron(model: PreTrainedModel, conf: TrainConfig) -> PreTrainedModel:
    from models.train.megatron import MegatronModel

    made = MegatronModel(model)
    made.to(conf.device)
    return cast(PreTrainedModel, made)


def decoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The layers of `model` between embeddings and head, in order."""
    return cast(nn.ModuleList, cast(Any, model).base_model.layers)


def _drawn(conf: TrainConfig, manifest: Manifest) -> PreTrainedModel:
    shape = _new_shape(conf, manifest)
    loader: Any = AutoModelForCausalLM
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(conf.seed)
        return cast(PreTrainedModel, loader.from_config(shape, dtype=torch.float32))


def _new_shape(conf: TrainConfig, manifest: Manifest) -> PretrainedConfig:
    return model_config(conf, vocabulary_size=manifest.vocabulary_size, eod_id=manifest.eod_id)


def model_config(conf: TrainConfig, *, vocabulary_size: int, eod_id: int) -> PretrainedConfig:
    """Shape of the model, embeddings tied. The feed-forward width is 8/3 of the width.

    Source: Shazeer 2020, "GLU variants improve transformer"; Touvron et al. 2023 (Llama), 2.2.
    """
    inner_size = _rounded_up(8 * conf.hidden_size // 3, 32)
    made: PretrainedConfig = AutoConfig.for_model(
        conf.architecture,
        vocab_size=vocabulary_size,
        hidden_size=conf.hidden_size,
        intermediate_size=inner_size,
        num_hidden_layers=conf.n_layers,
        num_attention_heads=conf.n_heads,
        num_key_value_heads=conf.n_kv_heads or conf.n_heads,
        head_dim=conf.hidden_size // conf.n_heads,
        max_position_embeddings=conf.sequence_length,
        tie_word_embeddings=True,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=eod_id,
        **_OF_ARCHITECTURE.get(conf.architecture, {}),
        **_experts(conf, inner_size),
    )
    return made


def _experts(conf: TrainConfig, inner_size: int) -> dict[str, int]:
    """What a mixture has besides; nothing for a dense model."""
    if conf.architecture not in MIXTURES:
        return {}
    experts = {
        "num_local_experts": conf.n_experts,
        "num_experts_per_tok": conf.n_experts_per_token,
    }
    return experts | (
        {"moe_intermediate_size": inner_size} if conf.architecture == "qwen3_moe" else {}
    )


def _loaded(folder: Path, conf: TrainConfig, manifest: Manifest) -> PreTrainedModel:
    model = read_model(folder, f"train.init_from: {folder}")
    _check_fits(model.config, folder, conf, manifest)
    return model


def _shape_in(folder: Path, conf: TrainConfig, manifest: Manifest) -> PretrainedConfig:
    where = f"train.init_from: {folder}"
    with _reading(folder, where):
        shape = AutoConfig.from_pretrained(folder, local_files_only=True)
    _check_architecture(shape, where)
    _check_fits(shape, folder, conf, manifest)
    return cast(PretrainedConfig, shape)


def read_model(folder: Path, where: str) -> PreTrainedModel:
    """The causal model in `folder`, float32, on the CPU; messages begin with `where`.

    Raises:
        InputError: there is none, a file is damaged, the weights are of another model, or its
            class is none of ARCHITECTURES.
    """
    loader: Any = AutoModelForCausalLM
    with _reading(folder, where):
        model, told = loader.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, output_loading_info=True
        )
    _check_architecture(model.config, where)
    if absent := sorted(told["missing_keys"]):
        raise InputError(f"{where}: the weights are of another model: they lack {absent[0]}")
    return cast(PreTrainedModel, model)


@contextmanager
def _reading(folder: Path, where: str) -> Iterator[None]:
    """With what transformers raises about files as an error of the input."""
    if not (folder / "config.json").is_file():
        raise InputError(f"{where} has no config.json; name a model's folder, e.g. OUT/model/hf")
    try:
        yield
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        said = " ".join(str(error).split())[:300]
        raise InputError(f"{where}: {said}") from error


def _check_architecture(config: PretrainedConfig, where: str) -> None:
    if config.model_type not in ARCHITECTURES:
        # Others scale or cap their logits, or add to them: their loss would be another one.
        raise InputError(f"{where}: a {config.model_type}; taken are {', '.join(ARCHITECTURES)}")


def _check_fits(
    config: PretrainedConfig, folder: Path, conf: TrainConfig, manifest: Manifest
) -> None:
    """Refuse a model that reads other tokens, or fewer at a time, than it is to be given.

    Raises:
        InputError: its tokenizer, its vocabulary or its positions do not fit.
    """
    where, tokenizer = f"train.init_from: {folder}", folder / "tokenizer.json"
    known = getattr(config, "tokenizer_sha256", manifest.tokenizer_sha256)
    if tokenizer.is_file():
        known = sha256_of(tokenizer)
    if known != manifest.tokenizer_sha256:
        raise InputError(
            f"{where}: its tokenizer is not {manifest.tokenizer}, with which the shards were "
            "made; run s09 with tokens.tokenizer set to that folder"
        )
    if config.vocab_size < manifest.vocabulary_size:
        raise InputError(
            f"{where}: a vocabulary of {config.vocab_size}, the shards have one of "
            f"{manifest.vocabulary_size}"
        )
    longest = getattr(config, "max_position_embeddings", None)
    if longest is not None and conf.sequence_length > longest:
        raise InputError(
            f"{where}: takes {longest} tokens, train.sequence_length is {conf.sequence_length}"
        )


def _rounded_up(value: int, multiple: int) -> int:
    return -(-value // multiple) * multiple
