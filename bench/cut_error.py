"""How far cuts made of a drawn part of the documents are off, against the bound that is stated.

`python -m bench.cut_error`: for sizes of several spreads and scores that go with them or not, draws
documents again and again as s05 does, and counts how often any of the 19 cuts is off by more than

- bernstein: the bound of `curation/label/cuts.py`, from the weights of all documents;
- hoeffding: sqrt(L / (2 n)), n = (sum w)^2 / sum w^2 of what was drawn, which was stated before.

The probability is loosened (`--miss`), so that misses can be seen; a bound holds where its share of
misses is at most that.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.errors import ConfigError, reported
from curation.label.cuts import N_BUCKETS

Floats = NDArray[np.float64]
Weights = NDArray[np.int64]

QUANTILES = np.arange(1, N_BUCKETS) / N_BUCKETS
_LEAST_DRAWN = 100
SPREADS = ("equal", "lognormal 1", "lognormal 1.5", "lognormal 2", "pareto 1.5", "few large")
SCORES = ("none", "falls with size", "noisy")
HEAD = (
    "Errors in points of a hundred; misses as shares of the draws.\n"
    f"{'sizes':14} {'score':16} {'bernstein':>9} {'hoeffding':>9} {'worst':>9} "
    f"{'misses: b':>10} {'h':>10}\n"
)


@dataclass(frozen=True)
class Corpus:
    """Weights in the order of their scores, and the share of weight below each and up to it."""

    weights: Weights
    below: Floats
    up_to: Floats


def weights_of(spread: str, n: int, rng: np.random.Generator) -> Weights:
    """Sizes in bytes of `n` documents."""
    kind, _, number = spread.partition(" ")
    if kind == "lognormal":
        sizes = rng.lognormal(6.0, float(number), n)
    elif kind == "pareto":
        sizes = 300.0 * (1.0 + rng.pareto(float(number), n))
    elif kind == "few":
        sizes = np.where(np.arange(n) % 1_000 == 0, 300_000.0, 300.0)
    else:
        sizes = np.ones(n)
    return np.maximum(sizes.astype(np.int64), 1)


def corpus(spread: str, score: str, n: int) -> Corpus:
    """Documents of which the score goes with the size, does so with noise, or does not."""
    rng = np.random.default_rng(1)
    weights = weights_of(spread, n, rng)
    of_size = {"none": rng.random(n), "falls with size": -weights.astype(float)}
    scores = of_size.get(score, np.log(weights) + rng.normal(0.0, 1.0, n))
    order = np.argsort(scores, kind="stable")
    scores, weights = scores[order], weights[order]
    share = np.concatenate([[0.0], np.cumsum(weights) / weights.sum()])
    below = share[np.searchsorted(scores, scores, "left")]
    return Corpus(weights, below, share[np.searchsorted(scores, scores, "right")])


def bernstein(weights: Weights, p: float, miss: float) -> float:
    """The bound of `curation/label/cuts.py`, at the probability `miss`."""
    largest, log = 1 - 1 / N_BUCKETS, math.log(2 * (N_BUCKETS - 1) / miss)
    r = log * largest * float(weights.max()) / 3
    spread = 2 * log * p * (1 - p) * largest**2 * float((weights.astype(float) ** 2).sum())
    return min(1.0, (r + math.sqrt(r * r + spread)) / (p * float(weights.sum())))


def hoeffding(drawn: Weights, miss: float) -> float:
    """The bound that takes sizes as given."""
    log = math.log(2 * (N_BUCKETS - 1) / miss)
    return math.sqrt(log * float((drawn.astype(float) ** 2).sum()) / 2) / float(drawn.sum())


def error_of(drawn: NDArray[np.intp], of: Corpus) -> float:
    """By how much the share of weight at the worst of the cuts is off."""
    cum = np.cumsum(of.weights[drawn])
    cuts = drawn[np.searchsorted(cum * N_BUCKETS, np.arange(1, N_BUCKETS) * cum[-1], "left")]
    return float(max((of.below[cuts] - QUANTILES).max(), (QUANTILES - of.up_to[cuts]).max()))


def line(spread: str, score: str, args: argparse.Namespace) -> str:
    """One row of the table."""
    of, rng = corpus(spread, score, args.documents), np.random.default_rng(2)
    bound = bernstein(of.weights, args.share, args.miss)
    errors, olds = [], []
    for _ in range(args.draws):
        drawn = np.flatnonzero(rng.random(args.documents) < args.share)
        errors.append(error_of(drawn, of))
        olds.append(hoeffding(of.weights[drawn], args.miss))
    new_misses = np.mean(np.array(errors) > bound)
    old_misses = np.mean(np.array(errors) > np.array(olds))
    return (
        f"{spread:14} {score:16} {100 * bound:9.2f} {100 * float(np.median(olds)):9.2f} "
        f"{100 * max(errors):9.2f} {new_misses:10.4f} {old_misses:10.4f}\n"
    )


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line.

    Raises:
        ConfigError: a number with which nothing can be drawn.
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--share", type=float, default=0.1, help="share that is drawn")
    parser.add_argument("--draws", type=int, default=2_000)
    parser.add_argument("--miss", type=float, default=0.05, help="probability of the bounds")
    args = parser.parse_args(given)
    if args.draws < 1:
        raise ConfigError(f"--draws: at least 1, found {args.draws}")
    for name in ("share", "miss"):
        if not 0 < getattr(args, name) < 1:
            raise ConfigError(f"--{name}: between 0 and 1, found {getattr(args, name)}")
    if args.documents * args.share < _LEAST_DRAWN:
        raise ConfigError(
            f"--documents {args.documents} --share {args.share}: draw {_LEAST_DRAWN} or more of "
            f"them, for {N_BUCKETS} buckets"
        )
    return args


def main() -> None:
    """Print the table."""
    args = arguments()
    sys.stdout.write(HEAD)
    for spread in SPREADS:
        for score in SCORES:
            sys.stdout.write(line(spread, score, args))
            sys.stdout.flush()


if __name__ == "__main__":
    with reported():
        main()
