"""Scores of every page by models that saw no page of its domain: five folds.

Shapes: N pages, M members.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.score.fasttext import FastTextQuality
from models.classifiers.classes import fit_classes
from models.classifiers.data import HQ_EDU, N_FOLDS, LabelledPage
from models.classifiers.encoder import cell_weights, fit_logistic
from models.classifiers.ensemble import MEMBERS, fit_combination
from models.classifiers.fasttext import train_quality, training_lines
from models.classifiers.recipes import (
    REGRESSIONS,
    Embeddings,
    Recipe,
    ToxicitySet,
    page_folds,
    regression_head,
)


def unseen_fasttext(pages: list[LabelledPage]) -> NDArray[np.float64]:
    """P(hq) of each page, shape (N,)."""
    folds = page_folds(pages)
    scores = np.empty(len(pages))
    for fold in range(N_FOLDS):
        seen = [page for page, number in zip(pages, folds, strict=True) if number != fold]
        texts = [page.text for page, number in zip(pages, folds, strict=True) if number == fold]
        model = FastTextQuality(train_quality(training_lines(seen)))
        scores[folds == fold] = model.score_texts(texts)
    return scores


def unseen_regression(
    pages: list[LabelledPage], embeddings: Embeddings, name: str, recipe: Recipe
) -> NDArray[np.float64]:
    """The score `name` of each page, clamped to 0..5, shape (N,).

    What a recipe chooses (the stretch, the epoch) it chooses among the four folds that it sees.
    """
    folds, scores = page_folds(pages), np.empty(len(pages))
    for fold in range(N_FOLDS):
        test = folds == fold
        seen = [page for page, is_test in zip(pages, test, strict=True) if not is_test]
        head = regression_head(seen, embeddings[~test], name, recipe)
        scores[test] = head.columns(name, embeddings[test])[name]
    return scores


def unseen_classes(
    names: list[str], embeddings: Embeddings, folds: NDArray[np.int64]
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """The likeliest class of each page and its probability; the penalty from the other folds."""
    labels, found, chances = (
        np.array(names, object),
        np.empty(len(names), object),
        np.empty(len(names)),
    )
    for fold in range(N_FOLDS):
        test = folds == fold
        head = fit_classes(embeddings[~test], labels[~test].tolist(), folds[~test])
        columns = head.columns("class", embeddings[test])
        found[test], chances[test] = columns["class"], columns["class_p"]
    return found, chances


def unseen_toxicity(examples: ToxicitySet) -> NDArray[np.float64]:
    """P(toxic) of each example, by a head that saw no variant of its sentence, shape (N,)."""
    scores = np.empty(len(examples.toxic))
    for fold in range(N_FOLDS):
        test = examples.folds == fold
        weights = cell_weights(examples.cells[~test])
        head = fit_logistic(examples.embeddings[~test], examples.toxic[~test], weights)
        scores[test] = head.columns("toxicity", examples.embeddings[test])["toxicity"]
    return scores


def members_unseen(
    pages: list[LabelledPage], embeddings: Embeddings, recipe: Recipe
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores (N, M) by members that did not see the page's fold, and where `edu` is 3 or more.

    Pages that were judged by one of the two rubrics alone are left out.
    """
    judged = np.array([not np.isnan(page.edu + page.quality) for page in pages])
    kept = [page for page, is_judged in zip(pages, judged, strict=True) if is_judged]
    if not kept:
        return np.empty((0, len(MEMBERS))), np.empty(0, np.bool_)
    rows = embeddings[judged]
    columns = {name: unseen_regression(kept, rows, name, recipe) for name in REGRESSIONS}
    columns["fasttext"] = unseen_fasttext(kept)
    is_high = np.array([page.edu >= HQ_EDU for page in kept])
    return np.stack([columns[name] for name in MEMBERS], axis=1), is_high


def unseen_combination(
    scores_NM: NDArray[np.float64], is_high: NDArray[np.bool_], folds: NDArray[np.int64]
) -> NDArray[np.float64]:
    """P(edu >= 3) of each page by a combination that was fitted on the other folds, shape (N,).

    The members' scores of those other pages come from models that saw this fold: three weights and
    a bias can carry next to nothing of that.
    """
    chances = np.empty(len(scores_NM))
    for fold in range(N_FOLDS):
        test = folds == fold
        chances[test] = fit_combination(scores_NM[~test], is_high[~test]).probability(
            scores_NM[test]
        )
    return chances
