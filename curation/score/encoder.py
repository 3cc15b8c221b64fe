"""Sentence embeddings of texts, and the linear heads on them: educational value, toxicity.

Shapes: N texts, D the width of the encoder (384 for MiniLM).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from zipfile import BadZipFile

import numpy as np

from curation.errors import ConfigError, EnvironmentFault, InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

MAX_CHARS_PER_TOKEN = 32
"""Characters handed to the tokenizer for each token kept. English has about 4.5 a token; without
the cut, a text of 10 MB would be tokenised whole for its first 256 tokens."""

MIN_EDU, MAX_EDU = 0.0, 5.0
"""The scale of educational value. 2412.02595, section 2.2; the clamp is NeMo Curator's."""

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Head:
    """A linear function of an embedding: `embedding @ weight + bias`."""

    weight: NDArray[np.float32]
    """Shape `(D,)`."""
    bias: float


class Encoder:
    """A loaded sentence encoder. It keeps no state between calls."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_tokens: int,
        tokens_per_batch: int,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._tokens_per_batch = tokens_per_batch
        self._n_marks = int(tokenizer.num_special_tokens_to_add(pair=False))

    @property
    def width(self) -> int:
        """D, the length of an embedding."""
        return int(self._model.config.hidden_size)

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit-length embeddings, float32 of shape (N, D), in the order of `texts`.

        The mean of the last layer over the tokens of a text, divided by its length in space; the
        first `max_tokens` tokens of the first `max_tokens * MAX_CHARS_PER_TOKEN` characters are
        read. A text without a token (empty, white space, control characters) gives a row of NaN.
        Batching moves an embedding by rounding only (about 1e-7 on a CPU).
        Source: Reimers and Gurevych 2019 (1908.10084), section 3, mean pooling.
        """
        embeddings = np.full((len(texts), self.width), np.nan, np.float32)
        tokens = self._tokenize(texts)
        for rows in plan_batches([len(ids) for ids in tokens], self._tokens_per_batch):
            readable = [row for row in rows if len(tokens[row]) > self._n_marks]
            if readable:
                embeddings[readable] = self._forward([tokens[row] for row in readable])
        return embeddings

    def _tokenize(self, texts: list[str]) -> list[list[int]]:
        if not texts:
            return []
        n_chars = self._max_tokens * MAX_CHARS_PER_TOKEN
        heads = [text[:n_chars] for text in texts]
        encoded = self._tokenizer(heads, truncation=True, max_length=self._max_tokens)
        return [list(ids) for ids in encoded["input_ids"]]

    def _forward(self, tokens: list[list[int]]) -> NDArray[np.float32]:
        """Embeddings of one padded batch, shape (len(tokens), D)."""
        import torch

        batch = self._tokenizer.pad({"input_ids": tokens}, return_tensors="pt")
        batch = batch.to(self._model.device)
        with torch.inference_mode():
            hidden = self._model(**batch).last_hidden_state.float()
            pooled = _mean_pool(hidden, batch["attention_mask"])
            unit = torch.nn.functional.normalize(pooled, dim=1)
        return np.asarray(unit.cpu().numpy(), np.float32)


def _mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of `hidden` (N, T, D) over the tokens where `mask` (N, T) is 1; padding counts not."""
    kept = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * kept).sum(dim=1) / kept.sum(dim=1)


def plan_batches(lengths: list[int], tokens_per_batch: int) -> list[list[int]]:
    """Indices of `lengths` in batches: longest first, at most `tokens_per_batch` when padded.

    A batch costs its longest member times its size. One member longer than the budget is a batch
    of its own. Longest first, so that what does not fit in memory fails at once, not at the end.
    """
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    batches: list[list[int]] = []
    for index in order:
        batch = batches[-1] if batches else []
        if batch and lengths[batch[0]] * (len(batch) + 1) <= tokens_per_batch:
            batch.append(index)
        else:
            batches.append([index])
    return batches


@functools.lru_cache(maxsize=1)
def load_encoder(
    folder: str,
    *,
    max_tokens: int = 256,
    tokens_per_batch: int = 4_096,
    device: Device = "cpu",
    n_threads: int = 1,
) -> Encoder:
    """The encoder in `folder`, loaded once a process: float32 on `cpu`, half precision on `cuda`.

    Args:
        folder: A Hugging Face model folder: config, weights, tokenizer. Nothing is downloaded.
        max_tokens: Tokens of a text that are read, its two marks included.
        tokens_per_batch: Padded tokens in one forward pass.
        device: Where it runs.
        n_threads: Torch threads, set for the whole process. Spark runs one worker a core, so one.

    Raises:
        ConfigError: a number is below 1, or `max_tokens` exceeds the positions of the model.
        EnvironmentFault: torch or transformers is not installed, or there is no CUDA device.
        InputError: `folder` does not exist.
    """
    for name, value in (("tokens_per_batch", tokens_per_batch), ("n_threads", n_threads)):
        if value < 1:
            raise ConfigError(f"score.{name}: must be at least 1, found {value}")
    if not Path(folder, "config.json").is_file():
        raise InputError(f"{folder}: no encoder here (no config.json); set score.encoder_model")
    model, tokenizer = _load_parts(folder, device, n_threads)
    n_positions = int(model.config.max_position_embeddings)
    if not 3 <= max_tokens <= n_positions:
        raise ConfigError(f"score.max_tokens: must be 3..{n_positions}, found {max_tokens}")
    return Encoder(model, tokenizer, max_tokens=max_tokens, tokens_per_batch=tokens_per_batch)


def _load_parts(
    folder: str, device: Device, n_threads: int
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    try:
        import torch
        from transformers import AutoModel, AutoTokenizer
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
    dtype = torch.float16 if device == "cuda" else torch.float32
    model = AutoModel.from_pretrained(folder, dtype=dtype, local_files_only=True)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    return model.to(device).eval(), tokenizer


@functools.lru_cache(maxsize=4)
def load_head(path: str) -> Head:
    """The head in the `.npz` file `path`: arrays `weight` (D,) and `bias` (), loaded once.

    Raises:
        InputError: the file is missing, is not such a file, or holds a value that is not finite.
    """
    if not Path(path).is_file():
        raise InputError(f"{path}: no such head; models/classifiers/train.py writes one")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            weight, bias = np.asarray(arrays["weight"], np.float32), float(arrays["bias"])
    except (KeyError, ValueError, TypeError, EOFError, BadZipFile) as error:
        raise InputError(f"{path}: not a head with `weight` and `bias`: {error}") from error
    if weight.ndim != 1 or not np.isfinite(weight).all() or not np.isfinite(bias):
        raise InputError(f"{path}: `weight` must be one row of finite numbers, `bias` one")
    return Head(weight, bias)


def apply_edu_head(embeddings: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
    """Educational value, float32 of shape (N,), clamped to 0..5; NaN where the embedding is NaN.

    Raises:
        InputError: the head was trained on embeddings of another width.
    """
    return np.clip(_project(embeddings, head), np.float32(MIN_EDU), np.float32(MAX_EDU))


def apply_toxicity_head(embeddings: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
    """P(toxic), float32 of shape (N,), 0..1; NaN where the embedding is NaN.

    Raises:
        InputError: the head was trained on embeddings of another width.
    """
    # Beyond 60 a float32 logistic is 0 or 1 anyway, and exp would overflow.
    logits = np.clip(_project(embeddings, head), -60.0, 60.0)
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)


def _project(embeddings: NDArray[np.float32], head: Head) -> NDArray[np.float32]:
    if embeddings.shape[1] != head.weight.shape[0]:
        raise InputError(
            f"head: made for embeddings of width {head.weight.shape[0]}, "
            f"the encoder gives {embeddings.shape[1]}; train a head for this encoder"
        )
    return np.asarray(embeddings @ head.weight + np.float32(head.bias), np.float32)
