"""Classifiers of texts from Hugging Face folders: loaded as they were published, run in batches.

Shapes: N texts, L outputs of the network.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from curation.errors import InputError
from curation.score.batches import BatchRunner
from curation.score.loading import (
    Device,
    absent_part,
    as_network,
    check_max_tokens,
    check_numbers,
    load_tokenizer,
    loaded_once,
    positions_of,
    prepare_torch,
    read_config,
)
from curation.score.outputs import as_told

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray
    from transformers import PreTrainedModel

    from curation.score.outputs import Outputs


@dataclass(frozen=True)
class Scores:
    """What a classifier says of N texts, in their order."""

    columns: dict[str, NDArray[np.generic]]
    """By name, each of shape (N,). Numbers are float32, NaN where a text has no scores; labels are
    objects, str or None."""
    reasons: list[str | None]
    """Why a text has no scores, in the words of `batches.py`; None where it has them."""
    n_halvings: int
    """Batches that did not fit in memory and were run in halves."""


class SequenceClassifier:
    """A loaded classifier."""

    def __init__(self, runner: BatchRunner, outputs: Outputs, labels: Sequence[str]) -> None:
        self._runner = runner
        self._outputs = outputs
        self._labels = tuple(labels)

    def score_texts(self, texts: list[str]) -> Scores:
        """Scores of `texts`, of which the first `max_tokens` tokens are read.

        A text that cannot be scored costs only itself: it has a reason and no scores.
        """
        answers = self._runner.run(texts)
        columns = self._outputs.columns(answers.values, self._labels)
        return Scores(columns, answers.reasons, answers.n_halvings)


@loaded_once
def load_classifier(
    folder: str,
    outputs: Outputs,
    *,
    max_tokens: int = 512,
    tokens_per_batch: int = 4_096,
    device: Device = "cpu",
    n_threads: int = 1,
) -> SequenceClassifier:
    """The classifier in `folder`, loaded once a process: float32 on `cpu`, half on `cuda`.

    Two layouts are known: what `AutoModelForSequenceClassification` reads, and NVIDIA's linear
    layer on the first token of a backbone, by the `base_model` in its config.json.

    Args:
        folder: A Hugging Face model folder: config, weights, tokenizer. Nothing is downloaded.
        outputs: What its outputs mean.
        max_tokens: Tokens of a text that are read, its marks included.
        tokens_per_batch: Padded tokens in one forward pass.
        device: Where it runs.
        n_threads: Torch threads, set for the whole process. Spark runs one worker a core, so one.

    Raises:
        ConfigError: a number is below 1, or `max_tokens` exceeds the positions of the model.
        EnvironmentFault: torch or transformers is not installed, or there is no CUDA device.
        InputError: `folder` lacks a part, is damaged, or holds another kind of network, or a
            tokenizer without a padding token.
    """
    check_numbers(tokens_per_batch=tokens_per_batch, n_threads=n_threads)
    if absent := absent_part(folder):
        raise InputError(f"{folder}: no classifier here (no {absent})")
    model, labels = _load_model(folder, prepare_torch(device, n_threads))
    if complaint := outputs.complaint(labels):
        raise InputError(f"{folder}: {complaint}")
    check_max_tokens(max_tokens, positions_of(model))
    outputs = as_told(outputs, len(labels), read_config(folder).get("problem_type"))
    model = model.to(device).eval()
    runner = BatchRunner(
        load_tokenizer(folder),
        as_network(model, functools.partial(_logits, model)),
        width=len(labels),
        max_tokens=max_tokens,
        tokens_per_batch=tokens_per_batch,
    )
    return SequenceClassifier(runner, outputs, labels)


def _logits(model: torch.nn.Module, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Outputs, shape (N, L), before softmax or logistic."""
    logits: torch.Tensor = model(input_ids=ids, attention_mask=mask).logits
    return logits


def _load_model(folder: str, dtype: torch.dtype) -> tuple[torch.nn.Module, list[str]]:
    """The network in `folder` and the labels of its outputs."""
    from safetensors import SafetensorError

    config = read_config(folder)
    try:
        if "base_model" not in config:
            return _load_published_class(folder, dtype)
        from curation.score.first_token import load_first_token_classifier

        return load_first_token_classifier(folder, config, dtype)
    except SafetensorError as error:
        raise InputError(f"{folder}: damaged: {error}; fetch it again") from error


def _load_published_class(folder: str, dtype: torch.dtype) -> tuple[PreTrainedModel, list[str]]:
    from transformers import AutoModelForSequenceClassification

    model, report = AutoModelForSequenceClassification.from_pretrained(
        folder, dtype=dtype, local_files_only=True, output_loading_info=True
    )
    # transformers fills what it does not find with random numbers, and only logs it.
    if absent := sorted(report["missing_keys"]):
        raise InputError(f"{folder}: not a whole sequence classifier, it lacks {absent}")
    return model, [label for _, label in sorted(model.config.id2label.items())]
