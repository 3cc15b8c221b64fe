"""The same model on Megatron-core: its weights under the names of transformers, its loss the same.

`train.backend: megatron` trains Megatron-core's GPTModel in the loop that trains the classes of
transformers. Checkpoints and the finished model are as of those; only the modules that compute are
Megatron's, in its local (pure torch) layers. Each rank holds the whole model.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from transformers import AutoModelForCausalLM, PretrainedConfig, PreTrainedModel

from curation.config import TrainConfig
from curation.errors import ConfigError, EnvironmentFault
from models.train.step import IGNORED, Losses

ARCHITECTURES = ("llama", "mistral", "qwen2", "qwen3")
"""Model types of transformers whose layers Megatron's can stand for."""
_OF_LAYER = {
    "input_layernorm.weight": "input_layernorm.weight",
    "post_attention_layernorm.weight": "pre_mlp_layernorm.weight",
    "self_attn.o_proj.weight": "self_attention.linear_proj.weight",
    "self_attn.q_norm.weight": "self_attention.q_layernorm.weight",
    "self_attn.k_norm.weight": "self_attention.k_layernorm.weight",
    "mlp.down_proj.weight": "mlp.linear_fc2.weight",
}
"""Weights of a layer that are the same tensor in both."""


def check_megatron(conf: TrainConfig) -> None:
    """Refuse what this backend was never tried with.

    Raises:
        EnvironmentFault: Megatron-core is not installed.
        ConfigError: a setting is not one of those that it takes.
    """
    if find_spec("megatron") is None or find_spec("megatron.core") is None:
        raise EnvironmentFault("train.backend megatron needs: pip install megatron-core==0.16.1")
    tried = {
        "optimizer": "adamw",
        "precision": "float32",
        "parallel": "replicate",
        "recompute": False,
        "compile": False,
    }
    for name, value in tried.items():
        if getattr(conf, name) != value:
            raise ConfigError(f"train.backend megatron takes train.{name} {value} alone")


class MegatronModel(nn.Module):
    """A GPTModel that the training loop takes for a model of transformers."""

    def __init__(self, model: PreTrainedModel) -> None:
        """The same model as `model`, whose weights are copied.

        Raises:
            ConfigError: its architecture is not one of `ARCHITECTURES`, or it has more than the
                plain shape of one.
        """
        super().__init__()
        self.config = model.config
        if self.config.model_type not in ARCHITECTURES:
            raise ConfigError(
                f"train.backend megatron takes {', '.join(ARCHITECTURES)}, not "
                f"{self.config.model_type}"
            )
        if strange := _strange(self.config):
            raise ConfigError(
                f"train.backend megatron: {strange}, which only transformers computes"
            )
        self.gpt = _gpt(self.config)
        self.load_state_dict(model.state_dict())

    def own_losses(
        self, inputs_BT: Tensor, targets_BT: Tensor, positions_BT: Tensor | None, dtype: torch.dtype
    ) -> Losses:
        """As `losses` of a model of transformers. `dtype` is float32."""
        assert dtype == torch.float32
        counts_BT = targets_BT != IGNORED
        index_BT = torch.arange(inputs_BT.shape[1], device=inputs_BT.device).expand_as(inputs_BT)
        labels_BT = targets_BT.where(counts_BT, 0).contiguous()
        # Rotary positions are those in the sequence: attention depends on differences alone.
        loss_BT = self.gpt(inputs_BT, index_BT, _masked(inputs_BT, positions_BT), labels=labels_BT)
        loss = loss_BT[counts_BT].sum()
        return Losses(loss, loss.new_zeros(()))

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Tensor]:  # type: ignore[override]
        """Weights under the names of transformers."""
        return to_transformers(_tensors(self.gpt), self.config)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Take weights that are named as those of transformers; none may be missing or left."""
        ours, theirs = _tensors(self.gpt), to_megatron(state_dict, self.config)
        assert ours.keys() == theirs.keys(), ours.keys() ^ theirs.keys()
        with torch.no_grad():
            for name, value in theirs.items():
                ours[name].copy_(value)

    def get_input_embeddings(self) -> nn.Module:
        """The module that looks tokens up."""
        return cast(nn.Module, self.gpt.embedding.word_embeddings)

    @property
    def all_tied_weights_keys(self) -> Mapping[str, str]:
        """Names that stand for the same weight as another one."""
        return cast(Mapping[str, str], self._skeleton().all_tied_weights_keys)

    def save_pretrained(self, folder: Path, *, state_dict: Mapping[str, Tensor]) -> None:
        """Save `state_dict` as transformers would."""
        self._skeleton().save_pretrained(folder, state_dict={**state_dict})

    def _skeleton(self) -> PreTrainedModel:
        loader: Any = AutoModelForCausalLM
        with torch.device("meta"):
            return cast(PreTrainedModel, loader.from_config(self.config))


def _strange(config: PretrainedConfig) -> str:
    """What a loaded model has that `_shape` does not; empty: nothing."""
    window = getattr(config, "sliding_window", None)
    has_window = getattr(config, "use_sliding_window", True) and window is not None
    found = {
        "scaled rotary positions": config.rope_parameters.get("rope_type", "default") != "default",
        f"a window of {window}": has_window and window < config.max_position_embeddings,
        f"activation {config.hidden_act}": config.hidden_act != "silu",
        "biases": any(getattr(config, name, False) for name in ("attention_bias", "mlp_bias")),
    }
    return next((name for name, is_so in found.items() if is_so), "")


def _gpt(config: PretrainedConfig) -> Any:
    """A GPTModel of the shape of `config`, its weights not set, on the CPU."""
    from megatron.core import parallel_state
    from megatron.core.models.gpt import GPTModel
    from megatron.core.models.gpt.gpt_layer_specs import get_gpt_layer_local_spec

    if not dist.is_initialized():
        store = dist.HashStore()  # type: ignore[attr-defined, unused-ignore]
        dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    if not parallel_state.model_parallel_is_initialized():
        parallel_state.initialize_model_parallel()
    layer = get_gpt_layer_local_spec(
        normalization="RMSNorm", qk_layernorm=config.model_type == "qwen3"
    )
    layer.submodules.self_attention.submodules.core_attention = Attention
    gpt = GPTModel(
        _shape(config),
        layer,
        vocab_size=config.vocab_size,
        max_sequence_length=config.max_position_embeddings,
        share_embeddings_and_output_weights=config.tie_word_embeddings,
        position_embedding_type="rope",
        rotary_base=config.rope_parameters["rope_theta"],
    )
    # Theirs moves itself to a GPU at the first call, whether there is one or not.
    gpt.rotary_pos_emb.get_emb = partial(_angles, gpt)
    return gpt


class Attention(nn.Module):
    """Scaled dot product attention of torch: Megatron's own local one needs a GPU."""

    def __init__(self, config: Any, **told: Any) -> None:
        super().__init__()

    def forward(
        self,
        query_TBNH: Tensor,
        key_TBGH: Tensor,
        value_TBGH: Tensor,
        masked: Tensor,
        **told: Any,
    ) -> Tensor:
        """Shape (T, B, N * H); N heads share the keys and values of G."""
        query, key, value = (
            part.permute(1, 2, 0, 3) for part in (query_TBNH, key_TBGH, value_TBGH)
        )
        mixed_BNTH = nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=~masked, enable_gqa=True
        )
        return mixed_BNTH.permute(2, 0, 1, 3).flatten(2)


def _angles(gpt: Any, length: int, offset: int = 0) -> Tensor:
    """Rotary angles of positions from `offset` on, on the device of the weights."""
    half = cast(Tensor, gpt.rotary_pos_emb.get_freqs_non_repeated(length, offset))
    angles = torch.cat((half, half), dim=-1)[:, None, None, :]
    return angles.to(gpt.embedding.word_embeddings.weight.device)


def _shape(config: PretrainedConfig) -> Any:
    from megatron.core.transformer import TransformerConfig

    make: Any = TransformerConfig
    return make(
        num_layers=config.num_hidden_layers,
        hidden_size=config.hidden_size,
        ffn_hidden_size=config.intermediate_size,
        num_attention_heads=config.num_attention_heads,
        num_query_groups=config.num_key_value_heads,
        kv_channels=_head_size(config),
        normalization="RMSNorm",
        layernorm_epsilon=config.rms_norm_eps,
        gated_linear_unit=True,
        activation_func=nn.functional.silu,
        add_bias_linear=False,
        add_qkv_bias=config.model_type == "qwen2",
        qk_layernorm=config.model_type == "qwen3",
        hidden_dropout=0.0,
        attention_dropout=0.0,
        use_cpu_initialization=True,
        perform_initialization=False,
        # Fused kernels are CUDA's.
        gradient_accumulation_fusion=False,
        bias_dropout_fusion=False,
        masked_softmax_fusion=False,
    )


def _head_size(config: PretrainedConfig) -> int:
    size: int | None = getattr(config, "head_dim", None)
    return size or config.hidden_size // config.num_attention_heads


def _tensors(gpt: nn.Module) -> dict[str, Tensor]:
    """Weights of a GPTModel; its `_extra_state` is of Transformer Engine and empty."""
    return {name: p.detach() for name, p in gpt.named_parameters()}


def _masked(inputs_BT: Tensor, positions_BT: Tensor | None) -> Tensor:
    """True where a query must not see a key, shape (B or 1, 1, T, T)."""
    length = inputs_BT.shape[1]
    future_TT = torch.ones(length, length, dtype=torch.bool, device=inputs_BT.device).triu(1)
    if positions_BT is None:
        return future_TT[None, None]
    document_BT = (positions_BT == 0).cumsum(dim=1)
    return (future_TT | (document_BT[:, :, None] != document_BT[:, None, :]))[:, None]


def to_megatron(state: Mapping[str, Tensor], config: PretrainedConfig) -> dict[str, Tensor]:
    """Weights of a GPTModel from those of a class of transformers.

    Query, key and value are one matrix, a group of heads after the other; so are gate and up.
    """
    made = {
        "embedding.word_embeddings.weight": state["model.embed_tokens.weight"],
        "decoder.final_layernorm.weight": state["model.norm.weight"],
    }
    if not config.tie_word_embeddings:
        made["output_layer.weight"] = state["lm_head.weight"]
    for layer in range(config.num_hidden_layers):
        theirs, ours = f"model.layers.{layer}.", f"decoder.layers.{layer}."
        made |= {ours + b: state[theirs + a] for a, b in _OF_LAYER.items() if theirs + a in state}
        made[ours + "mlp.linear_fc1.weight"] = torch.cat(
            [state[f"{theirs}mlp.{name}_proj.weight"] for name in ("gate", "up")]
        )
        for kind in ("weight", "bias"):
            parts = [state.get(f"{theirs}self_attn.{name}_proj.{kind}") for name in "qkv"]
            if all(part is not None for part in parts):
                joined = _joined(cast(list[Tensor], parts), config)
                made[f"{ours}self_attention.linear_qkv.{kind}"] = joined
    return made


def to_transformers(state: Mapping[str, Tensor], config: PretrainedConfig) -> dict[str, Tensor]:
    """Weights of a class of transformers from those of a GPTModel: the way back."""
    embeddings = state["embedding.word_embeddings.weight"]
    made = {
        "model.embed_tokens.weight": embeddings,
        "model.norm.weight": state["decoder.final_layernorm.weight"],
        "lm_head.weight": state.get("output_layer.weight", embeddings),
    }
    for layer in range(config.num_hidden_layers):
        theirs, ours = f"model.layers.{layer}.", f"decoder.layers.{layer}."
        made |= {theirs + a: state[ours + b] for a, b in _OF_LAYER.items() if ours + b in state}
        gate, up = state[ours + "mlp.linear_fc1.weight"].chunk(2)
        made |= {theirs + "mlp.gate_proj.weight": gate, theirs + "mlp.up_proj.weight": up}
        for kind in ("weight", "bias"):
            joined = state.get(f"{ours}self_attention.linear_qkv.{kind}")
            if joined is not None:
                parts = zip("qkv", _parted(joined, config), strict=True)
                made |= {f"{theirs}self_attn.{name}_proj.{kind}": part for name, part in parts}
    return made


def _joined(parts: list[Tensor], config: PretrainedConfig) -> Tensor:
    """Query, key and value as Megatron has them: of each group its queries, its key, its value."""
    n_groups = config.num_key_value_heads
    grouped = [part.reshape(n_groups, -1, *part.shape[1:]) for part in parts]
    return torch.cat(grouped, dim=1).reshape(-1, *parts[0].shape[1:])


def _parted(joined: Tensor, config: PretrainedConfig) -> tuple[Tensor, ...]:
    """Query, key and value out of what `_joined` makes."""
    n_groups, size = config.num_key_value_heads, _head_size(config)
    grouped = joined.reshape(n_groups, -1, *joined.shape[1:])
    sizes = [size * config.num_attention_heads // n_groups, size, size]
    return tuple(part.reshape(-1, *joined.shape[1:]) for part in torch.split(grouped, sizes, dim=1))
