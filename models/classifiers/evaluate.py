"""`python -m models.classifiers.evaluate --data DIR`: what the shipped recipes are worth.

Cross-validation in five folds that never share a domain; the toxicity head on HateCheck too. The
numbers are of models trained by the recipes of `train.py`, not of the shipped files, which have
seen every labelled page.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from curation.errors import CurationError
from curation.model_store import model_folder
from curation.score.encoder import (
    Encoder,
    Head,
    apply_edu_head,
    apply_toxicity_head,
    load_encoder,
)
from curation.score.fasttext import FastTextQuality
from models.classifiers.data import (
    CC_EDU,
    HQ_EDU,
    N_FOLDS,
    Case,
    LabelledPage,
    load_cases,
    load_pages,
)
from models.classifiers.encoder import cell_weights, fit_edu_head, fit_logistic
from models.classifiers.fasttext import train_quality, training_lines
from models.classifiers.train import WEB_PAGE, ToxicitySet, page_folds, toxicity_head, toxicity_set

Array = NDArray[np.floating[Any]]
TOXIC_CUT = 0.5
IDENTITY_CASES = ("ident_neutral_nh", "ident_pos_nh")
"""HateCheck's harmless cases that name a group, neutrally or warmly."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; the exit code."""
    parser = argparse.ArgumentParser("python -m models.classifiers.evaluate", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with crawl/ and text/")
    parser.add_argument("--max-tokens", type=int, default=256, help="tokens the encoder reads")
    options = parser.parse_args(arguments)
    try:
        for line in report(options.data, max_tokens=options.max_tokens):
            sys.stdout.write(line + "\n")
    except (CurationError, FloatingPointError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    return 0


def report(data: Path, *, max_tokens: int) -> Iterator[str]:
    """Lines of the report.

    Raises:
        InputError: `data` lacks a file or a labelled page.
    """
    pages, cases = load_pages(data), load_cases(data)
    encoder = load_encoder(str(model_folder("minilm")), max_tokens=max_tokens)
    embeddings = encoder.embed_texts([page.text for page in pages])
    yield from _quality_lines(pages, embeddings)
    examples = toxicity_set(encoder, embeddings)
    yield from _own_toxicity_lines(examples)
    yield from _case_lines(cases, encoder, toxicity_head(examples))


def _quality_lines(pages: list[LabelledPage], embeddings: NDArray[np.float32]) -> Iterator[str]:
    edu = np.array([page.edu for page in pages])
    fasttext = unseen_fasttext(pages)
    encoder = unseen_edu(pages, embeddings)
    best = np.maximum(_ranks(fasttext), _ranks(encoder))
    cut = float(np.quantile(best, float(np.mean(edu < HQ_EDU))))
    yield f"pages {len(pages)}, of which edu >= {HQ_EDU}: {int((edu >= HQ_EDU).sum())}"
    yield _quality_line("fasttext, cut 0.5", edu, fasttext, 0.5)
    yield _quality_line("edu head, cut 3", edu, encoder, float(HQ_EDU))
    yield _quality_line("maximum of the ranks, cut at the share of edu >= 3", edu, best, cut)
    yield f"rank correlation of the two members: {spearman(fasttext, encoder):.3f}"


def _quality_line(name: str, edu: NDArray[np.int64], scores: Array, cut: float) -> str:
    clear = (edu >= HQ_EDU) | (edu <= CC_EDU)
    return (
        f"{name}: spearman {spearman(edu, scores):.3f}, "
        f"auc {roc_auc(edu >= HQ_EDU, scores):.3f}, "
        f"auc hq against cc {roc_auc(edu[clear] >= HQ_EDU, scores[clear]):.3f}, "
        f"macro-f1 {macro_f1(edu >= HQ_EDU, scores >= cut):.3f}"
    )


def _own_toxicity_lines(examples: ToxicitySet) -> Iterator[str]:
    unseen = unseen_toxicity(examples)
    written = examples.cells != WEB_PAGE
    groups = np.isin(examples.cells, (1, 3))
    toxic = examples.toxic == 1.0
    yield (
        f"toxicity, own sentences {int(written.sum())}: auc "
        f"{roc_auc(toxic[written], unseen[written]):.3f}, of those that name a group "
        f"{roc_auc(toxic[groups], unseen[groups]):.3f}"
    )
    yield f"toxicity, web pages flagged: {float(np.mean(unseen[~written] >= TOXIC_CUT)):.4f}"


def _case_lines(cases: list[Case], encoder: Encoder, head: Head) -> Iterator[str]:
    scores = apply_toxicity_head(encoder.embed_texts([case.text for case in cases]), head)
    toxic = np.array([case.toxic for case in cases])
    kinds = np.array([case.functionality for case in cases])
    flagged = scores >= TOXIC_CUT
    identity = np.isin(kinds, IDENTITY_CASES)
    yield (
        f"hatecheck {len(cases)}: auc {roc_auc(toxic, scores):.3f}, flagged: hateful "
        f"{flagged[toxic].mean():.2f}, harmless {flagged[~toxic].mean():.2f}, harmless that name "
        f"a group neutrally or warmly {flagged[identity].mean():.2f}"
    )
    for kind in sorted(set(kinds.tolist())):
        yield f"  {kind}: {flagged[kinds == kind].mean():.2f} of {int((kinds == kind).sum())}"


def unseen_fasttext(pages: list[LabelledPage]) -> NDArray[np.float64]:
    """P(hq) of each page by a model that saw no page of its fold."""
    folds = page_folds(pages)
    scores = np.empty(len(pages))
    for fold in range(N_FOLDS):
        seen = [page for page, number in zip(pages, folds, strict=True) if number != fold]
        texts = [page.text for page, number in zip(pages, folds, strict=True) if number == fold]
        model = FastTextQuality(train_quality(training_lines(seen)))
        scores[folds == fold] = model.score_texts(texts)
    return scores


def unseen_edu(pages: list[LabelledPage], embeddings: NDArray[np.float32]) -> NDArray[np.float64]:
    """Clamped edu score of each page by a head, stretch included, that saw no page of its fold."""
    folds = page_folds(pages)
    targets = np.array([page.edu for page in pages], np.float64)
    scores = np.empty(len(pages))
    for fold in range(N_FOLDS):
        test = folds == fold
        # Four folds remain; their own split gives the stretch, so the test fold has no part in it.
        head = fit_edu_head(embeddings[~test], targets[~test], folds[~test])
        scores[test] = apply_edu_head(embeddings[test], head)
    return scores


def unseen_toxicity(examples: ToxicitySet) -> NDArray[np.float64]:
    """P(toxic) of each example by a head that saw no variant of its sentence."""
    scores = np.empty(len(examples.toxic))
    for fold in range(N_FOLDS):
        test = examples.folds == fold
        weights = cell_weights(examples.cells[~test])
        head = fit_logistic(examples.embeddings[~test], examples.toxic[~test], weights)
        scores[test] = apply_toxicity_head(examples.embeddings[test], head)
    return scores


def roc_auc(positive: NDArray[np.bool_], scores: Array) -> float:
    """Chance that a positive scores above a negative, ties counted half."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    rank_sum = float(_ranks(scores)[positive].sum())
    return (rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative)


def spearman(first: Array | NDArray[np.int64], second: Array) -> float:
    """Rank correlation, ties at their mean rank."""
    return float(np.corrcoef(_ranks(first), _ranks(second))[0, 1])


def macro_f1(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    """Mean of the F1 of the positive and of the negative class; 0 for a class nowhere found."""
    scores = []
    for side in (True, False):
        hits = int(((truth == side) & (found == side)).sum())
        total = int((truth == side).sum()) + int((found == side).sum())
        scores.append(2 * hits / total if total else 0.0)
    return sum(scores) / 2


def _ranks(values: Array | NDArray[np.int64]) -> NDArray[np.float64]:
    """Rank of each value from 1; equal values share the mean of their ranks."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], np.float64)


if __name__ == "__main__":
    raise SystemExit(main())
