"""How far two readings of the same items agree; pure numpy, nothing is drawn or fitted.

Each function takes two sequences of one length, item by item, and gives NaN where the figure is not
defined: without items, and, for both kappas, where chance alone would agree always.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

Classes = Sequence[str] | np.ndarray[Any, Any]


def quadratic_kappa(first: ArrayLike, second: ArrayLike) -> float:
    """Cohen's kappa of two scores with the squared distance as the weight.

    1 less the mean squared difference over the one that the same scores would have if the items of
    one reading were paired with those of the other at random. So written it needs no list of values
    and takes means of several readings too. 1 is agreement, 0 chance; -1 is the least.
    """
    one, two = _scores(first, second)
    if one.size == 0:
        return float("nan")
    expected = one.var() + two.var() + (one.mean() - two.mean()) ** 2
    return _one_less(((one - two) ** 2).mean(), expected)


def cohen_kappa(first: Classes, second: Classes) -> float:
    """Cohen's kappa of two readings in classes: agreement beyond chance, each reading's own."""
    one, two = _pair(np.asarray(first), np.asarray(second))
    if one.size == 0:
        return float("nan")
    names, codes = np.unique(np.concatenate([one, two]), return_inverse=True)
    shares_one = np.bincount(codes[: one.size], minlength=names.size) / one.size
    shares_two = np.bincount(codes[one.size :], minlength=names.size) / one.size
    by_chance = float(shares_one @ shares_two)
    return _one_less(1.0 - exact(one, two), 1.0 - by_chance)


def exact(first: ArrayLike, second: ArrayLike) -> float:
    """Share of the items that both readings give the same score or class."""
    one, two = _pair(np.asarray(first), np.asarray(second))
    return float(np.mean(one == two)) if one.size else float("nan")


def within_one(first: ArrayLike, second: ArrayLike) -> float:
    """Share of the items whose two scores are at most 1 apart."""
    one, two = _scores(first, second)
    return float(np.mean(np.abs(one - two) <= 1.0)) if one.size else float("nan")


def _one_less(observed: float, expected: float) -> float:
    """1 - observed / expected; NaN where nothing is expected, up to rounding."""
    return float(1.0 - observed / expected) if expected > 1e-12 else float("nan")


def _scores(first: ArrayLike, second: ArrayLike) -> tuple[np.ndarray[Any, Any], ...]:
    return _pair(np.asarray(first, np.float64), np.asarray(second, np.float64))


def _pair(one: np.ndarray[Any, Any], two: np.ndarray[Any, Any]) -> tuple[np.ndarray[Any, Any], ...]:
    if one.shape != two.shape or one.ndim != 1:
        raise ValueError(f"two readings of the same items: found shapes {one.shape}, {two.shape}")
    return one, two
