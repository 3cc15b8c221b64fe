"""Shares of sources from their sizes: fixed, by preference, by temperature, UniMax; and the report.

A *size* is the number of unique tokens of a source after deduplication, or of words: any unit, but
the same for sizes and budget. A *share* is a part of the blend in 0..1; shares are by source and in
the order of their names, whatever the order of `sizes`. Epochs are tokens taken divided by size.

Sources: 2407.06380 (Data, Data Everywhere), sampling weights; Chung et al. 2023 (UniMax,
2304.09151), algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from curation.config import SUM_TOLERANCE
from curation.errors import ConfigError, InputError

OTHER = "other"
"""Name of what `merge_small` makes of the sources that are too small."""


@dataclass(frozen=True)
class SourceMix:
    """What the blend takes of one source."""

    size: float
    """What there is of it."""
    share: float
    natural_share: float
    """Its share if every source were taken in proportion to its size."""
    tokens: float
    """What is taken of it, in the unit of `size`."""
    epochs: float


@dataclass(frozen=True)
class Mix:
    """A blend by source, and how far it is from the natural mix q = size / sum of sizes."""

    sources: dict[str, SourceMix]
    n_effective: float
    """exp(H): as many sources of equal share would have the same entropy."""
    total_variation: float
    """Half the sum of |share - natural share|, in 0..1: what part of the blend was moved."""
    kl_nats: float
    """KL(blend || natural mix) = sum of share * ln(share / natural share)."""


@dataclass(frozen=True)
class Merged:
    """Sources of which the small ones are one."""

    sizes: dict[str, float]
    """Size of each source that is left, the merged one included, by name in order."""
    bucket_of: dict[str, str]
    """Where each source of before went: to itself, or into the merged one."""
    merged: tuple[str, ...]
    """Names of the small ones in order; empty where nothing was too small."""


def proportional_shares(sizes: Mapping[str, float]) -> dict[str, float]:
    """Shares in proportion to size: the natural mix.

    Raises:
        InputError: there is no source, or one whose size is not above 0.
    """
    return _over_sum(_checked_sizes(sizes))


def fixed_shares(sizes: Mapping[str, float], shares: Mapping[str, float]) -> dict[str, float]:
    """`shares` as they are given, 0 for a source that they do not name.

    Raises:
        ConfigError: a share is negative or not finite, names no source, or they do not sum to 1
            within 1e-6; numbers in other units go through `normalised` first.
        InputError: as for `proportional_shares`.
    """
    checked = checked_shares(shares)
    _check_known(checked, sizes)
    return {source: checked.get(source, 0.0) for source in _checked_sizes(sizes)}


def checked_shares(shares: Mapping[str, float]) -> dict[str, float]:
    """`shares` by name in order.

    Raises:
        ConfigError: a share is negative or not finite, or they do not sum to 1 within 1e-6.
    """
    checked = _checked_weights(shares)
    total = math.fsum(checked.values())
    if abs(total - 1.0) > SUM_TOLERANCE:
        raise ConfigError(
            f"blend shares: those of {list(checked)} must sum to 1, found {total:.9g}; correct "
            f"them, or scale them first"
        )
    return checked


def normalised(weights: Mapping[str, float]) -> dict[str, float]:
    """Shares in proportion to `weights`: percentages, parts, tokens.

    Raises:
        ConfigError: a weight is negative or not finite, or all are 0.
    """
    return _over_sum(_checked_weights(weights))


def preference_shares(
    sizes: Mapping[str, float], multipliers: Mapping[str, float]
) -> dict[str, float]:
    """Shares in proportion to size times multiplier: by assumed quality; 1 for one not named.

    Raises:
        ConfigError: a multiplier is negative or not finite, names no source, or leaves nothing.
        InputError: as for `proportional_shares`.
    """
    checked = _checked_weights(multipliers)
    _check_known(checked, sizes)
    return normalised({s: size * checked.get(s, 1.0) for s, size in _checked_sizes(sizes).items()})


def temperature_shares(sizes: Mapping[str, float], *, temperature: float) -> dict[str, float]:
    """Shares in proportion to p^(1 / temperature), p the natural share: small sources gain.

    1 is the natural mix, infinity would be the uniform one. Data, Data Everywhere calls its 1.3
    alpha, "alpha sampling"; mBERT's is 1.43, mT5's 3.33.

    Raises:
        ConfigError: `temperature` is below 1 or not finite. Below 1 it would sharpen the mix, as
            if p were raised to alpha itself: large sources would gain.
        InputError: as for `proportional_shares`.
    """
    if not (math.isfinite(temperature) and temperature >= 1.0):
        raise ConfigError(
            f"blend temperature: must be finite and at least 1, found {temperature:g}; the "
            f"exponent is 1 / temperature, and below 1 large sources would gain, not small ones"
        )
    natural = proportional_shares(sizes)
    return _over_sum({source: share ** (1 / temperature) for source, share in natural.items()})


def unimax_shares(
    sizes: Mapping[str, float], *, budget: float, max_epochs: float
) -> dict[str, float]:
    """Shares as uniform as a limit on repeats allows: UniMax.

    From the smallest source to the largest, each is given an equal part of what is left, but no
    more than `max_epochs` times its size. A budget that is small for all sources gives the uniform
    mix.

    Raises:
        ConfigError: `budget` or `max_epochs` is not above 0, or the sources repeated `max_epochs`
            times are less than the budget; the message says how much is left.
        InputError: as for `proportional_shares`.
    """
    checked = _checked_sizes(sizes)
    _check_positive(budget, "budget")
    _check_positive(max_epochs, "max_epochs")
    taken, left = {}, budget
    ascending = sorted(checked, key=lambda source: (checked[source], source))
    for n_done, source in enumerate(ascending):
        taken[source] = min(left / (len(ascending) - n_done), max_epochs * checked[source])
        left -= taken[source]
    # What is left for no source but rounding is not left.
    if left > SUM_TOLERANCE * budget:
        raise ConfigError(
            f"blend budget: {left:g} of {budget:g} cannot be spent, all sources repeated "
            f"{max_epochs:g} times are {budget - left:g}; lower the budget or raise max_epochs"
        )
    return _over_sum({source: taken[source] for source in checked})


def largest_budget(
    sizes: Mapping[str, float], shares: Mapping[str, float], *, max_epochs: float = 1.0
) -> float:
    """The most that `shares` can take before a source is gone through more than `max_epochs` times.

    Raises:
        ConfigError, InputError: as for `fixed_shares`.
    """
    given = fixed_shares(sizes, shares)
    return min(max_epochs * sizes[source] / share for source, share in given.items() if share > 0)


def mix(sizes: Mapping[str, float], shares: Mapping[str, float], *, budget: float) -> Mix:
    """The report on a blend of `budget` tokens by `shares`.

    Raises:
        ConfigError: `budget` is not above 0; shares as for `fixed_shares`.
        InputError: as for `proportional_shares`.
    """
    _check_positive(budget, "budget")
    given, natural = fixed_shares(sizes, shares), proportional_shares(sizes)
    pairs = [(given[source], natural[source]) for source in given]
    return Mix(
        sources={
            source: SourceMix(
                sizes[source], share, natural[source], share * budget,
                share * budget / sizes[source],
            )
            for source, share in given.items()
        },
        n_effective=math.exp(-math.fsum(q * math.log(q) for q, _ in pairs if q > 0)),
        total_variation=math.fsum(abs(q - p) for q, p in pairs) / 2,
        kl_nats=math.fsum(q * math.log(q / p) for q, p in pairs if q > 0),
    )  # fmt: skip


def merge_small(sizes: Mapping[str, float], *, min_frac: float, into: str = OTHER) -> Merged:
    """Sources below `min_frac` of the whole, made one that is called `into`.

    The merged one may itself be below `min_frac`: its size says so. Larger sources stay as they
    are.

    Raises:
        ConfigError: `min_frac` is not in 0..1, or a source that stays has the name `into`.
        InputError: as for `proportional_shares`.
    """
    if not 0.0 <= min_frac <= 1.0:
        raise ConfigError(f"blend min_frac: must be in 0..1, found {min_frac:g}")
    natural = proportional_shares(sizes)
    merged = tuple(source for source, share in natural.items() if share < min_frac)
    if merged and into in natural and into not in merged:
        raise ConfigError(
            f"blend: a source that stays is called {into!r}, so small ones cannot be merged into "
            f"that name; name another"
        )
    bucket_of = {source: into if source in merged else source for source in natural}
    parts: dict[str, list[float]] = {}
    for source, bucket in bucket_of.items():
        parts.setdefault(bucket, []).append(sizes[source])
    return Merged({name: math.fsum(parts[name]) for name in sorted(parts)}, bucket_of, merged)


def _checked_sizes(sizes: Mapping[str, float]) -> dict[str, float]:
    """Sizes by name in order."""
    if not sizes:
        raise InputError("blend: there is no source; are all documents dropped by the labels?")
    for source in sorted(sizes):
        if not (math.isfinite(sizes[source]) and sizes[source] > 0):
            raise InputError(
                f"blend: the size of {source!r} must be finite and above 0, found "
                f"{sizes[source]:g}; leave a source without text out"
            )
    return {source: float(sizes[source]) for source in sorted(sizes)}


def _checked_weights(shares: Mapping[str, float]) -> dict[str, float]:
    for source in sorted(shares):
        if not (math.isfinite(shares[source]) and shares[source] >= 0):
            raise ConfigError(
                f"blend shares: {source!r} must be finite and not negative, found "
                f"{shares[source]:g}"
            )
    return {source: float(shares[source]) for source in sorted(shares)}


def _check_known(shares: Mapping[str, float], sizes: Mapping[str, float]) -> None:
    unknown = sorted(set(shares) - set(sizes))
    if unknown:
        raise ConfigError(f"blend shares: no source {unknown}; the sources are {sorted(sizes)}")


def _check_positive(value: float, setting: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ConfigError(f"blend {setting}: must be finite and above 0, found {value:g}")


def _over_sum(weights: Mapping[str, float]) -> dict[str, float]:
    total = math.fsum(weights.values())
    if total <= 0:
        raise ConfigError(f"blend shares: the weights of {sorted(weights)} are all 0")
    return {source: weight / total for source, weight in weights.items()}
