"""Loss of a model on tokens it was not trained on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch
from transformers import PreTrainedModel

from models.train.data import SampleLoader
from models.train.step import Batch, count_targets, split_batch, token_loss


@dataclass(frozen=True)
class Evaluation:
    """Summed loss of some tokens."""

    loss_nats: float
    """Cross-entropy, summed over the tokens."""
    n_tokens: int
    """Targets summed over."""

    @property
    def loss(self) -> float:
        """Mean cross-entropy in nats a token; comparable between runs of one tokenizer."""
        return self.loss_nats / self.n_tokens

    def bits_per_byte(self, n_bytes: int) -> float:
        """Bits a byte of text, `n_bytes` being the UTF-8 length of the targets decoded.

        Unlike the loss a token, it can be compared between tokenizers.
        """
        return self.loss_nats / (math.log(2) * n_bytes)


def evaluate(
    model: PreTrainedModel, batches: Iterable[Batch], *, dtype: torch.dtype = torch.float32
) -> Evaluation:
    """Loss of `model` on `batches`; the model is left in the mode it was in."""
    loss_nats, n_tokens, was_training = 0.0, 0, model.training
    model.train(False)
    with torch.no_grad():
        for batch in batches:
            loss_nats += float(token_loss(model, batch, dtype=dtype))
            n_tokens += count_targets([batch])
    model.train(was_training)
    return Evaluation(loss_nats, n_tokens)


def held_out_batches(
    loader: SampleLoader, batch_size: int, *, device: str, eod_id: int | None = None
) -> Iterator[Batch]:
    """The samples that `loader` keeps from training, in batches as of `split_batch`."""
    for start in range(0, loader.n_held_out, batch_size):
        samples = loader.held_out(start, start + batch_size)
        yield from split_batch(samples, batch_size, device=device, eod_id=eod_id)
