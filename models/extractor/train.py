"""`python -m models.extractor.train --warc GLOB --gold FILE --out FILE`: weights of `fast`.

Prints F1 by page type: on the held-out domains with weights from the others, then in
cross-validation over all domains, then writes weights from all pages. About ten minutes on a core.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from curation.errors import CurationError, InputError
from curation.extract.fast import (
    PAGE_TYPES,
    VERSION,
    Floats,
    Weights,
    best_blocks,
    feature_names,
    page_type_of,
    score_blocks,
)
from models.extractor.data import GoldPage, digest_of, load_pages, warc_files
from models.extractor.examples import Example, Labelled, examples, excess_of, label
from models.extractor.lexicon import Excess, weights_without
from models.extractor.nets import fit_networks
from models.extractor.page_types import fit_types

N_FOLDS = 4
SEEDS = (0,)
_CALIBRATION_KNOTS = 12
_IDENTITY = np.array([[0.0, 1.0], [0.0, 1.0]], np.float32)


@dataclass(frozen=True)
class Result:
    """What the models made of a page they were not trained on."""

    gold: GoldPage
    f1: float
    expected: float
    """F1 that the model expected, before calibration."""
    page_type: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Train what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser("python -m models.extractor.train", description=__doc__)
    parser.add_argument("--warc", required=True, help="WARC files with the pages, as a glob")
    parser.add_argument("--gold", required=True, type=Path, help="gold.jsonl.gz")
    parser.add_argument("--out", required=True, type=Path, help="file for the weights")
    parser.add_argument("--held-out-only", action="store_true", help="no folds, no final weights")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    try:
        _run(options.warc, options.gold, options.out, only_held_out=options.held_out_only)
    except CurationError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    return 0


def _run(warc: str, gold: Path, out: Path, *, only_held_out: bool) -> None:
    pages = [page for page in load_pages(warc, gold) if page.main_text]
    if not pages:
        raise InputError(f"{warc}: no page that {gold} has a main text for")
    sources = [*warc_files(warc), gold]
    _say(f"{len(pages)} pages, data {digest_of(sources)}")
    labelled = [made for made in map(label, pages) if made is not None]
    excess = excess_of(labelled)
    _say(f"oracle F1 {np.mean([page.oracle for page in labelled]):.4f}")
    inside = [page for page in labelled if not page.gold.is_held_out]
    outside = [page for page in labelled if page.gold.is_held_out]
    weights, results = train_and_test(inside, outside, excess)
    report("held-out domains", results)
    save(weights, out)
    if only_held_out:
        return
    results = cross_validate(labelled, excess)
    report(f"{N_FOLDS}-fold cross-validation by domain", results)
    final = replace(fit(labelled, excess), calibration=calibration_of(results))
    save(final, out)
    _say(f"{out}: {out.stat().st_size} bytes")


def cross_validate(pages: Sequence[Labelled], excess: Excess) -> list[Result]:
    """Every page, by weights from the folds that its domain is not in."""
    results = []
    for fold in range(N_FOLDS):
        inside = [page for page in pages if page.gold.fold(N_FOLDS) != fold]
        outside = [page for page in pages if page.gold.fold(N_FOLDS) == fold]
        results += train_and_test(inside, outside, excess)[1]
    return results


def train_and_test(
    inside: Sequence[Labelled], outside: Sequence[Labelled], excess: Excess
) -> tuple[Weights, list[Result]]:
    """Weights from `inside`, and what they make of `outside`."""
    weights = fit(inside, excess)
    domains = frozenset(page.gold.domain for page in inside)
    return weights, [result(example, weights) for example in examples(outside, excess, domains)]


def fit(pages: Sequence[Labelled], excess: Excess) -> Weights:
    """Weights from `pages`, without calibration."""
    domains = frozenset(page.gold.domain for page in pages)
    made = examples(pages, excess, domains)
    return Weights(
        names=weights_without(excess, domains, left_out=""),
        networks=fit_networks(made, seeds=SEEDS),
        types=fit_types(made),
        calibration=_IDENTITY,
    )


def result(example: Example, weights: Weights) -> Result:
    """F1 of the blocks that `weights` keep of a page."""
    features = example.features
    kept, expected = best_blocks(score_blocks(features, weights), features.words)
    page_type = page_type_of(features.page, weights)
    return Result(example.labelled.gold, example.labelled.f1(kept), expected, page_type)


def calibration_of(results: Sequence[Result]) -> Floats:
    """Mean F1 over expected F1, in groups of equal size; rows: expected, found. Both rise."""
    ranked = sorted(results, key=lambda one: one.expected)
    groups = np.array_split(np.arange(len(ranked)), _CALIBRATION_KNOTS)
    expected = [np.mean([ranked[i].expected for i in group]) for group in groups]
    found = [np.mean([ranked[i].f1 for i in group]) for group in groups]
    return np.array([expected, np.maximum.accumulate(found)], np.float32)


def report(title: str, results: Sequence[Result]) -> None:
    """Prints F1 by page type and in all, and how the expected F1 and the types do."""
    _say(title)
    for page_type in (*PAGE_TYPES, ""):
        scores = [one.f1 for one in results if one.gold.page_type == page_type]
        if scores:
            _say(f"  {page_type or 'untold':14} {len(scores):5} {np.mean(scores):.4f}")
    f1, expected = [one.f1 for one in results], [one.expected for one in results]
    typed = [one.page_type == one.gold.page_type for one in results if one.gold.page_type]
    _say(f"  {'all':14} {len(f1):5} {np.mean(f1):.4f}")
    _say(
        f"  expected F1 {np.mean(expected):.4f}, correlation {np.corrcoef(f1, expected)[0, 1]:.3f}"
    )
    _say(f"  page type right {np.mean(typed):.3f}")


def save(weights: Weights, out: Path) -> None:
    """Writes what `curation.extract.fast.read_weights` reads; half precision where it suffices."""
    networks = weights.networks
    names = sorted(weights.names)
    net = {f"net_{name}": getattr(networks, name) for name in networks.__dataclass_fields__}
    for name in ("net_rounds", "net_exit"):
        net[name] = net[name].astype(np.float16)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        out,
        version=np.int64(VERSION),
        features=np.array(feature_names()),
        names=np.array(names),
        name_weights=np.array([weights.names[name] for name in names]),
        types=weights.types,
        calibration=weights.calibration,
        allow_pickle=False,
        **net,
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
