"""Sentence embeddings of texts; `heads.py` has the linear heads on them.

Shapes: N texts, D the width of the encoder (384 for MiniLM).
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from curation.errors import InputError
from curation.score.batches import Answers, BatchRunner
from curation.score.loading import (
    Device,
    as_network,
    check_max_tokens,
    check_numbers,
    load_tokenizer,
    loaded_once,
    positions_of,
    prepare_torch,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


_UNUSED = "pooler."
"""Start of the names of weights behind the last layer, which many encoders come without."""


class Encoder:
    """A loaded sentence encoder."""

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        *,
        max_tokens: int,
        tokens_per_batch: int,
    ) -> None:
        self._model = model
        self._runner = BatchRunner(
            tokenizer,
            as_network(model, functools.partial(_embed, model)),
            width=self.width,
            max_tokens=max_tokens,
            tokens_per_batch=tokens_per_batch,
        )

    @property
    def width(self) -> int:
        """D, the length of an embedding."""
        return int(self._model.config.hidden_size)

    def answer_texts(self, texts: list[str]) -> Answers:
        """As `embed_texts`, with the reasons of the texts that have no embedding."""
        return self._runner.run(texts)

    def embed_texts(self, texts: list[str]) -> NDArray[np.float32]:
        """Unit-length embeddings, float32 of shape (N, D), in the order of `texts`.

        The mean of the last layer over the tokens of a text, divided by its length in space; the
        first `max_tokens` tokens of the first `max_tokens * MAX_CHARS_PER_TOKEN` characters are
        read. A text that has no answer (`batches.py` says why: no token in it, invalid Unicode,
        too large) gives a row of NaN. Batching moves an embedding by rounding only.
        Source: Reimers and Gurevych 2019 (1908.10084), section 3, mean pooling.
        """
        return self.answer_texts(texts).values


def _embed(model: PreTrainedModel, ids: Tensor, mask: Tensor) -> Tensor:
    """Embeddings, shape (N, D), of padded `ids` (N, T) where `mask` is 1."""
    from torch.nn.functional import normalize

    hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
    return normalize(_mean_pool(hidden, mask), dim=1)


def _mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """Mean of `hidden` (N, T, D) over the tokens where `mask` (N, T) is 1; padding counts not."""
    kept = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * kept).sum(dim=1) / kept.sum(dim=1)


@loaded_once
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
        InputError: `folder` does not exist, lacks weights or is damaged, or its tokenizer has no
            padding token.
    """
    check_numbers(tokens_per_batch=tokens_per_batch, n_threads=n_threads)
    if not Path(folder, "config.json").is_file():
        raise InputError(f"{folder}: no encoder here (no config.json); set the member's `model`")
    model = _load_model(folder, device, n_threads)
    check_max_tokens(max_tokens, positions_of(model))
    return Encoder(
        model, load_tokenizer(folder), max_tokens=max_tokens, tokens_per_batch=tokens_per_batch
    )


def _load_model(folder: str, device: Device, n_threads: int) -> PreTrainedModel:
    dtype = prepare_torch(device, n_threads)
    from safetensors import SafetensorError
    from transformers import AutoModel

    try:
        model: PreTrainedModel
        model, report = AutoModel.from_pretrained(
            folder, dtype=dtype, local_files_only=True, output_loading_info=True
        )
    except SafetensorError as error:
        raise InputError(f"{folder}: damaged: {error}; fetch it again") from error
    # transformers fills what it does not find with random numbers, and only logs it.
    if absent := sorted(name for name in report["missing_keys"] if not name.startswith(_UNUSED)):
        raise InputError(f"{folder}: not a whole encoder, it lacks {absent}; fetch it again")
    model.to(device).eval()  # type: ignore[arg-type, unused-ignore]
    return model
