"""What every network needs to be loaded: its packages, a device, a tokenizer, sane numbers."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Literal, ParamSpec, TypeVar

import numpy as np

from curation.errors import ConfigError, EnvironmentFault, InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedTokenizerBase

    from curation.score.batches import Network

Device = Literal["cpu", "cuda"]

_PARTS = {
    "config.json": ("config.json",),
    "weights": (
        "model.safetensors", "model.safetensors.index.json",
        "pytorch_model.bin", "pytorch_model.bin.index.json",
    ),
    "tokenizer": ("tokenizer.json", "vocab.json", "vocab.txt", "spm.model"),
}  # fmt: skip
"""Parts of a model folder, and the files any one of which is that part."""

_FROM_ZERO = frozenset({
    "albert", "bert", "convbert", "deberta", "deberta-v2", "distilbert", "electra", "ernie",
    "megatron-bert", "mobilebert", "rembert", "squeezebert",
})  # fmt: skip
_FROM_BEHIND_PADDING = frozenset({
    "camembert", "data2vec-text", "longformer", "luke", "mpnet", "roberta", "roberta-prelayernorm",
    "xlm-roberta", "xlm-roberta-xl", "xmod",
})  # fmt: skip
"""Types of network with a table of positions, by the row of it that the first token has."""

_FROM_ZERO_OF_N_POSITIONS = frozenset({"gpt2", "gpt_bigcode", "openai-gpt"})
"""Types with such a table whose rows config.json calls `n_positions`."""
_TABLES = ("embeddings.position_embeddings", "wpe", "positions_embed")
"""Endings of the names that networks give to their table of positions."""

Settings = ParamSpec("Settings")
Loaded = TypeVar("Loaded")

MIN_TOKENS = 3
"""Two marks and one token: no encoder has anything to read in fewer."""


def loaded_once(
    load: Callable[Concatenate[str, Settings], Loaded],
) -> Callable[Concatenate[str, Settings], Loaded]:
    """`load` of a path, run once a process for what lies there: replaced files are loaded anew."""

    @functools.lru_cache(maxsize=8)
    def load_state(
        _state: tuple[object, ...], path: str, *args: Settings.args, **settings: Settings.kwargs
    ) -> Loaded:
        return load(path, *args, **settings)

    @functools.wraps(load)
    def load_path(path: str, /, *args: Settings.args, **settings: Settings.kwargs) -> Loaded:
        # mypy cannot know that all settings of a model can be hashed.
        return load_state(_state_of(path), path, *args, **settings)  # type: ignore[arg-type]

    return load_path


def _state_of(path: str) -> tuple[object, ...]:
    """Name, time of change and size of the file `path`, or of each file in the folder `path`."""
    place = Path(path)
    files = sorted(place.iterdir()) if place.is_dir() else [place]
    stats = [(file.name, file.stat()) for file in files if file.is_file()]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in stats)


def absent_part(folder: str | Path) -> str | None:
    """The part that a Hugging Face model folder lacks: config.json, weights or tokenizer."""
    for part, names in _PARTS.items():
        if not any(Path(folder, name).is_file() for name in names):
            return part
    return None


def read_config(folder: str | Path) -> dict[str, Any]:
    """What config.json in a model folder says.

    Raises:
        InputError: it is not a JSON object.
    """
    try:
        config = json.loads(Path(folder, "config.json").read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{folder}: config.json is damaged: {error}; fetch it again") from error
    if not isinstance(config, dict):
        raise InputError(f"{folder}: config.json is damaged: no object; fetch it again")
    return config


def labels_told(config: dict[str, Any]) -> list[str]:
    """Labels of a classifier's outputs, in their order, as its config.json tells them.

    Raises:
        InputError: it does not tell them.
    """
    labels: Any = config.get("id2label")
    try:
        if labels is None and "base_model" not in config:
            # Two is what transformers takes where nothing is said, and it writes no such thing.
            return [f"LABEL_{number}" for number in range(int(config.get("num_labels", 2)))]
        return [str(labels[key]) for key in sorted(labels, key=int)]
    except (TypeError, ValueError) as error:
        raise InputError(f"config.json: no labels by number in `id2label`: {error}") from error


def positions_told(config: dict[str, Any]) -> int | None:
    """Most tokens that a network can read, as far as its config.json tells.

    None where positions are relative, or its type is not known here: then `positions_of` tells,
    once its weights are loaded.
    """
    type_ = config.get("model_type")
    has_other_name = type_ in _FROM_ZERO_OF_N_POSITIONS
    n_rows = config.get("n_positions" if has_other_name else "max_position_embeddings")
    padding = config.get("pad_token_id", 1)
    # DeBERTa has a table unless this is false, as in v3, the only backbone that is but named.
    has_table = config.get("position_biased_input", "base_model" not in config)
    if not isinstance(n_rows, int) or not has_table:
        return None
    if type_ in _FROM_BEHIND_PADDING and isinstance(padding, int):
        return n_rows - padding - 1
    return n_rows if has_other_name or type_ in _FROM_ZERO else None


def check_numbers(*, tokens_per_batch: int, n_threads: int) -> None:
    """Refuse numbers that cannot be.

    Raises:
        ConfigError: one is below 1.
    """
    for name, value in (("tokens_per_batch", tokens_per_batch), ("n_threads", n_threads)):
        if value < 1:
            raise ConfigError(f"score.{name}: must be at least 1, found {value}")


def check_max_tokens(max_tokens: int, n_positions: int | None) -> None:
    """Refuse to read more tokens of a text than a network has positions for; None: any number.

    Raises:
        ConfigError: `max_tokens` is below 3 or above the positions.
    """
    if max_tokens < MIN_TOKENS or (n_positions is not None and max_tokens > n_positions):
        top = "" if n_positions is None else n_positions
        raise ConfigError(f"max_tokens: must be {MIN_TOKENS}..{top}, found {max_tokens}")


def positions_of(model: torch.nn.Module) -> int | None:
    """Most tokens `model` can read; None where positions are relative, as in DeBERTa v3."""
    import torch

    for name, module in model.named_modules():
        if name.endswith(_TABLES) and isinstance(module, torch.nn.Embedding):
            # RoBERTa counts positions from behind its padding token: 514 rows for 512 tokens.
            unused = 0 if module.padding_idx is None else module.padding_idx + 1
            return module.num_embeddings - unused
    return None


def prepare_torch(device: Device, n_threads: int) -> torch.dtype:
    """Set torch up in this process; the precision to load in: half on `cuda`, else float32.

    Raises:
        EnvironmentFault: torch or transformers is not installed, or there is no CUDA device.
    """
    try:
        import torch
        from transformers.utils.logging import disable_progress_bar
    except ImportError as error:
        raise EnvironmentFault(
            f"the encoder needs {error.name}; install the extra: pip install 'curation[score]'"
        ) from error
    if device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("score.device: cuda, but torch sees no CUDA device here")
    torch.set_num_threads(n_threads)
    # A progress bar for every Spark worker, on the stderr of its executor, helps nobody.
    disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    return torch.float16 if device == "cuda" else torch.float32


def load_tokenizer(folder: str) -> PreTrainedTokenizerBase:
    """The tokenizer in `folder`, which cuts a text behind its head; nothing is downloaded.

    Raises:
        InputError: it has no padding token, so that texts cannot be batched.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerBase

    tokenizer = AutoTokenizer.from_pretrained(
        folder, local_files_only=True, truncation_side="right"
    )
    assert isinstance(tokenizer, PreTrainedTokenizerBase)
    if tokenizer.pad_token_id is None:
        raise InputError(
            f"{folder}: its tokenizer has no padding token; set `pad_token` in "
            "tokenizer_config.json to the one that the model was trained with"
        )
    return tokenizer


def as_network(
    model: torch.nn.Module,
    compute: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
) -> Network:
    """`compute`, of padded ids and their mask where `model` lies, as a function of arrays."""
    import torch

    device = next(model.parameters()).device

    def network(ids_BT: NDArray[np.int64], mask_BT: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode():
            ids, mask = torch.from_numpy(ids_BT).to(device), torch.from_numpy(mask_BT).to(device)
            return np.asarray(compute(ids, mask).float().cpu().numpy(), np.float32)

    return network
