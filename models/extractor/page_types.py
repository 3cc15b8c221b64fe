"""Kinds of pages from the features of the page: a linear classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]

from curation.extract.fast import PAGE_TYPES, Floats
from models.extractor.examples import Example

_INVERSE_PENALTY = 0.1


def fit_types(examples: Sequence[Example]) -> Floats:
    """A row for each of `PAGE_TYPES`: weights of the page's features, and the constant."""
    known = [example for example in examples if example.labelled.gold.page_type in PAGE_TYPES]
    features = np.stack([example.features.page for example in known]).astype(np.float64)
    labels = [PAGE_TYPES.index(example.labelled.gold.page_type) for example in known]
    mean, deviation = features.mean(axis=0), np.maximum(features.std(axis=0), 1e-2)
    model = LogisticRegression(C=_INVERSE_PENALTY, max_iter=2_000)
    model.fit((features - mean) / deviation, labels)
    weights = model.coef_ / deviation
    constant = model.intercept_ - weights @ mean
    return np.append(weights, constant[:, None], axis=1).astype(np.float32)
