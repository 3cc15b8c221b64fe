"""A finished model with its tokenizer, to be evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from curation.errors import EnvironmentFault, InputError
from curation.tokens.encode import Encoder, load_encoder
from models.train.model import read_model


@dataclass(frozen=True, eq=False)
class Trained:
    """A causal model and what makes its tokens of text."""

    model: PreTrainedModel
    encoder: Encoder
    tokenizer_file: Path

    @property
    def longest(self) -> int:
        """Tokens that the model takes at once."""
        return int(self.model.config.max_position_embeddings)


def load_trained(folder: Path, tokenizer: Path | None, *, device: str) -> Trained:
    """The model in `folder`, float32, on `device`, for evaluation.

    Args:
        folder: A model as transformers saves it, e.g. OUT/model/hf.
        tokenizer: A `tokenizer.json` or its folder; by default the one beside the model.
        device: Where the model runs.

    Raises:
        EnvironmentFault: there is no GPU though `device` asks for one.
        InputError: a file is missing or damaged, or the tokenizer has tokens unknown to the model.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("--device cuda: torch sees no GPU; use cpu")
    disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    file = _tokenizer_file(tokenizer or folder)
    encoder, model = load_encoder(str(file)), read_model(folder, str(folder))
    if encoder.vocabulary_size > model.config.vocab_size:
        raise InputError(
            f"{file}: a vocabulary of {encoder.vocabulary_size}, {folder} has one of "
            f"{model.config.vocab_size}; name the tokenizer that the model was trained with"
        )
    nn.Module.to(model, device)
    model.train(False)
    return Trained(model, encoder, file)


def _tokenizer_file(path: Path) -> Path:
    file = path / "tokenizer.json" if path.is_dir() else path
    if not file.is_file():
        raise InputError(f"{file}: no tokenizer here; name its tokenizer.json with --tokenizer")
    return file
