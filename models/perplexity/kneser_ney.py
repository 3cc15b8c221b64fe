"""Interpolated modified Kneser-Ney smoothing of counted n-grams, with pruning.

Source: Chen and Goodman 1998 (TR-10-98, equations 19 to 26); Heafield et al. 2013, sections 3.2 to
3.4, whose `lmplz` this follows: unigrams are interpolated with the uniform distribution over the
vocabulary, `<unk>` and `</s>` included and `<s>` not, and `<unk>` gets no more than its share of
that; the probability of pruned n-grams goes to the back-off of their context.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.errors import ConfigError, InputError
from models.perplexity.counts import END, START, UNKNOWN, Counts, Flags, Grams

Floats = NDArray[np.float64]

_N_COUNTS = 4
"""Discounts are worked out from how many n-grams have a count of 1, 2, 3, 4."""


@dataclass(frozen=True)
class Weights:
    """Of the n-grams of one order, each of shape (n,)."""

    prob: Floats
    """Probability of the last word after the others; meaningless where not `kept`."""
    backoff: Floats
    """Weight of the order below after this n-gram; 1.0 where nothing follows it."""
    kept: Flags


@dataclass(frozen=True)
class Estimate:
    """A model: weights and discounts (of counts 0, 1, 2, 3 and more) of each order."""

    weights: tuple[Weights, ...]
    discounts: tuple[Floats, ...]


def estimate(
    grams: Sequence[Grams],
    *,
    min_count: int = 1,
    prune: Sequence[int] = (),
    fallback: Sequence[float] | None = None,
) -> Estimate:
    """Probabilities and back-off weights of `grams`, orders 1 and up.

    Args:
        grams: From `count_grams`.
        min_count: Words that occur less often are unknown: no n-gram with them is kept.
        prune: N-grams that occur at most so often are not kept, by order from 2; the last number
            holds for the orders above it too.
        fallback: Discounts of counts 1, 2, 3 and more, for orders that have too few n-grams to
            work them out.

    Raises:
        ConfigError: a threshold is below the one before it, or a fallback is out of range.
        InputError: an order needs a fallback and there is none.
    """
    kept = _kept(grams, min_count, _thresholds(prune, len(grams)))
    discounts = [_discounts(one.adjusted, n, fallback) for n, one in enumerate(grams, 1)]
    probs, backoffs = list[Floats](), list[Floats]()
    below: Floats = np.full(1, 1 / _n_predicted(kept[0]))
    for one, keep, discount in zip(grams, kept, discounts, strict=True):
        prob, backoff = _interpolate(one, keep, discount, below)
        probs.append(prob)
        backoffs.append(backoff)
        below = prob
    backoffs = [*backoffs[1:], np.ones(probs[-1].size)]
    weights = map(Weights, probs, backoffs, _with_specials(kept))
    return Estimate(tuple(weights), tuple(discounts))


def _interpolate(
    grams: Grams, kept: Flags, discount: Floats, below: Floats
) -> tuple[Floats, Floats]:
    """Probabilities of `grams`, and back-off weights of their contexts.

    `below` are the probabilities of the order below, whose numbers the suffixes are.
    """
    taken = discount[np.minimum(grams.adjusted, 3)]
    total = np.bincount(grams.prefix, grams.adjusted, below.size)
    spare = np.bincount(grams.prefix, np.where(kept, taken, grams.adjusted), below.size)
    backoff = np.divide(spare, total, out=np.ones_like(total), where=total > 0)
    # An unknown word has its share of the order below alone, whatever the text has of them.
    told = np.where(kept, grams.adjusted - taken, 0.0) / np.maximum(total, 1)[grams.prefix]
    return told + backoff[grams.prefix] * below[grams.suffix], backoff


def _kept(grams: Sequence[Grams], min_count: int, thresholds: Sequence[int]) -> list[Flags]:
    """Which n-grams are kept, by order. `<unk>` and `<s>` are not: neither is counted."""
    known = grams[0].count >= min_count
    known[[UNKNOWN, START]], known[END] = False, True
    may_begin = known.copy()
    may_begin[START] = True
    kept, clean = [known], may_begin
    for one, threshold in zip(grams[1:], thresholds, strict=True):
        clean = clean[one.prefix] & known[one.word]
        kept.append(clean & (one.count > threshold))
    return kept


def _with_specials(kept: Sequence[Flags]) -> list[Flags]:
    """The same with `<unk>` and `<s>`, which the model has all the same."""
    first = kept[0].copy()
    first[[UNKNOWN, START]] = True
    return [first, *kept[1:]]


def _n_predicted(known: Flags) -> int:
    return int(known.sum()) + 1  # with <unk>


def _thresholds(prune: Sequence[int], order: int) -> list[int]:
    full = [*prune, *[prune[-1] if prune else 0] * order][: order - 1]
    if len(prune) >= order or full != sorted(full) or min(full) < 0:
        raise ConfigError(
            f"prune {list(prune)}: at most {order - 1} thresholds, for orders 2 to {order}, none "
            "below 0 or below the one before it"
        )
    return full


def _discounts(adjusted: Counts, order: int, fallback: Sequence[float] | None) -> Floats:
    worked_out = discounts(adjusted)
    if worked_out is not None:
        return worked_out
    if fallback is None:
        raise InputError(
            f"order {order}: the numbers of n-grams with counts 1 to {_N_COUNTS} give no discounts "
            "(little text, or a closed vocabulary such as SentencePiece's); give them yourself: "
            "--fallback-discounts 0.5 1 1.5"
        )
    given = np.array([0.0, *fallback])
    if given.size != _N_COUNTS or not _in_range(given):
        raise ConfigError(f"fallback discounts {list(fallback)}: three, in 0..1, 0..2 and 0..3")
    return given


def discounts(adjusted: Counts) -> Floats | None:
    """Discounts of counts 0, 1, 2, 3 and more; None where there are too few n-grams for them.

    Source: Chen and Goodman 1998, equation 26.
    """
    n = np.bincount(np.minimum(adjusted, _N_COUNTS + 1), minlength=_N_COUNTS + 1).astype(float)
    if not n[1 : _N_COUNTS + 1].all():
        return None
    y = n[1] / (n[1] + 2 * n[2])
    amounts = np.array([0.0, *(j - (j + 1) * y * n[j + 1] / n[j] for j in (1, 2, 3))])
    return amounts if _in_range(amounts) else None


def _in_range(amounts: Floats) -> bool:
    return bool((amounts[1:] > 0).all() and (amounts <= np.arange(amounts.size)).all())
