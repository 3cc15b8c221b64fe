"""The recipes: from labelled pages and their embeddings to the heads.

Shapes: N pages, D the width of the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from curation.score.encoder import Encoder
from curation.score.heads import Head
from models.classifiers.classes import fit_classes
from models.classifiers.data import LabelledPage, fold_of
from models.classifiers.encoder import cell_weights, fit_logistic, fit_stretched
from models.classifiers.published import fit_published
from models.classifiers.sentences import toxicity_examples

Recipe = Literal["ridge", "published"]
RECIPES: tuple[Recipe, ...] = ("ridge", "published")
Embeddings = NDArray[np.float32]

N_PER_SENTENCE = 8
SEED = 17
MAX_HARMLESS = 1
"""Greatest toxicity of a page that serves as a harmless example."""
REGRESSIONS, CLASSES = ("edu", "quality"), ("domain", "speech")
WEB_PAGE = 4


@dataclass(frozen=True)
class ToxicitySet:
    """Embeddings and labels of the toxicity head's examples, one row each."""

    embeddings: Embeddings
    toxic: NDArray[np.float64]
    cells: NDArray[np.int64]
    """Kind of example: harmless or toxic, with or without a group; 4: a web page."""
    folds: NDArray[np.int64]


def regression_heads(
    pages: list[LabelledPage], embeddings: Embeddings, recipe: Recipe
) -> dict[str, Head]:
    """Heads of `edu` and `quality`, those of the two by which pages were judged."""
    heads = {}
    for name in REGRESSIONS:
        judged = ~np.isnan(scores_of(pages, name))
        if judged.any():
            kept = [page for page, is_judged in zip(pages, judged, strict=True) if is_judged]
            heads[name] = regression_head(kept, embeddings[judged], name, recipe)
    return heads


def regression_head(
    pages: list[LabelledPage], embeddings: Embeddings, name: str, recipe: Recipe
) -> Head:
    """The head for the score `name` of `pages`."""
    targets = scores_of(pages, name)
    if recipe == "published":
        return fit_published(embeddings, targets, [page.group for page in pages])
    return fit_stretched(embeddings, targets, page_folds(pages))


def class_heads(pages: list[LabelledPage], embeddings: Embeddings) -> dict[str, Head]:
    """Heads of `domain` and `speech`, those of the two by which pages were judged."""
    heads = {}
    for name in CLASSES:
        labels = classes_of(pages, name)
        judged = np.array([bool(label) for label in labels])
        if judged.any():
            kept = [label for label in labels if label]
            heads[name] = fit_classes(embeddings[judged], kept, page_folds(pages)[judged])
    return heads


def scores_of(pages: Sequence[LabelledPage], name: str) -> NDArray[np.float64]:
    """The score `name` of each page, shape (N,); NaN where it was not judged by it."""
    return np.array([getattr(page, name) for page in pages], np.float64)


def classes_of(pages: Sequence[LabelledPage], name: str) -> list[str]:
    """The class `name` of each page; empty where it was not judged by it."""
    return [str(getattr(page, name)) for page in pages]


def page_folds(pages: Sequence[LabelledPage]) -> NDArray[np.int64]:
    """Fold of each page, by its domain."""
    return np.array([fold_of(page.group) for page in pages], np.int64)


def toxicity_set(
    encoder: Encoder, pages: Sequence[LabelledPage], embeddings: Embeddings
) -> ToxicitySet:
    """The written sentences, and the pages of toxicity 0 or 1 as harmless examples.

    The pages teach the head what long web text looks like; without them one page in fifty came
    out toxic. A page of more toxicity, or whose toxicity nobody judged, is no example at all.
    """
    sentences = toxicity_examples(N_PER_SENTENCE, SEED)
    harmless = scores_of(pages, "toxicity") <= MAX_HARMLESS
    n_harmless = int(harmless.sum())
    kinds = [2 * sentence.toxic + sentence.names_group for sentence in sentences]
    folds = [fold_of(f"sentence {sentence.template}") for sentence in sentences]
    written = encoder.embed_texts([sentence.text for sentence in sentences])
    toxic = [float(sentence.toxic) for sentence in sentences]
    return ToxicitySet(
        np.concatenate([written, embeddings[harmless]]),
        np.array(toxic + [0.0] * n_harmless),
        np.array(kinds + [WEB_PAGE] * n_harmless, np.int64),
        np.concatenate([np.array(folds, np.int64), page_folds(pages)[harmless]]),
    )


def toxicity_head(examples: ToxicitySet) -> Head:
    """A logistic head in which each kind of example weighs the same."""
    return fit_logistic(examples.embeddings, examples.toxic, cell_weights(examples.cells))
