"""Batches of documents to rows of SCORES: the fastText member, the encoder's heads, toxicity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from curation.config import RunConfig, ScoreConfig
from curation.errors import InputError
from curation.model_store import model_folder, model_print
from curation.schemas import SCORES
from curation.score.encoder import (
    apply_edu_head,
    apply_toxicity_head,
    load_encoder,
    load_head,
)
from curation.score.fasttext import load_fasttext
from curation.score.weights import default_weight
from curation.tokens.files import sha256_of

SHIPPED = {
    "fasttext_model": "quality.ftz",
    "edu_head": "edu_head.npz",
    "toxicity_head": "toxicity_head.npz",
}
"""Weights that come with the package, by the setting that may name others."""


def weight_path(conf: ScoreConfig, setting: str) -> Path:
    """File of the weights that `setting` names."""
    value = str(getattr(conf, setting))
    if value != "shipped":
        return Path(value)
    return default_weight(SHIPPED[setting])


def identity(conf: RunConfig) -> dict[str, str]:
    """Hashes of encoder and weights: others give other scores.

    Raises:
        InputError: a file of weights is missing or damaged.
        EnvironmentFault: the encoder is not on this machine.
    """
    encoder = model_print(model_folder(conf.score.encoder_model))
    missing = [
        str(weight_path(conf.score, s)) for s in SHIPPED if not weight_path(conf.score, s).is_file()
    ]
    if missing:
        raise InputError(
            f"score: no weights at {missing}; python -m models.classifiers.train makes them"
        )
    load_fasttext(str(weight_path(conf.score, "fasttext_model")))
    for setting in ("edu_head", "toxicity_head"):
        load_head(str(weight_path(conf.score, setting)))
    weights = {setting: sha256_of(weight_path(conf.score, setting)) for setting in SHIPPED}
    return weights | {"encoder_model": encoder}


def make_score_kernel(
    conf: ScoreConfig, models: str, *, n_threads: int
) -> Callable[[pa.RecordBatch], Iterator[pa.RecordBatch]]:
    """A kernel that scores batches of `doc_id`, `crawl`, `chunk`, `text`; loads the models."""
    quality = load_fasttext(str(weight_path(conf, "fasttext_model")))
    encoder = load_encoder(
        str(model_folder(conf.encoder_model)), max_tokens=conf.max_tokens,
        tokens_per_batch=conf.tokens_per_batch, device=conf.device, n_threads=n_threads,
    )  # fmt: skip
    edu = load_head(str(weight_path(conf, "edu_head")))
    toxicity = load_head(str(weight_path(conf, "toxicity_head")))

    def kernel(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        texts = [str(text) for text in batch["text"].to_pylist()]
        embeddings = encoder.embed_texts(texts)
        scores = {
            "score_fasttext": quality.score_texts(texts),
            "score_encoder": apply_edu_head(embeddings, edu),
            "toxicity": apply_toxicity_head(embeddings, toxicity),
        }
        yield _rows(batch, scores, models)

    return kernel


def _rows(
    batch: pa.RecordBatch, scores: dict[str, np.ndarray[Any, np.dtype[np.float32]]], models: str
) -> pa.RecordBatch:
    """Rows of SCORES; a text that one model cannot score has no scores, and says so."""
    unscored = np.any([np.isnan(values) for values in scores.values()], axis=0)
    columns = {name: batch[name] for name in ("doc_id", "crawl", "chunk")}
    columns["models"] = pa.array([models] * batch.num_rows, pa.string())
    for name, values in scores.items():
        columns[name] = pa.array(values, pa.float32(), mask=unscored)
    columns["error"] = pa.array(["not_scorable" if bad else None for bad in unscored], pa.string())
    return pa.RecordBatch.from_pydict(columns, schema=SCORES.columns)
