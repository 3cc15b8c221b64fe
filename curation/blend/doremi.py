"""DoReMi: shares of domains that a small model trained by group-DRO arrives at.

A reference model is trained on the present shares; a second, the proxy, is trained beside which
the shares move at every step towards the domains in which it is furthest behind the reference. The
shares of the blend are the mean over all steps. This file is the arithmetic, not the training.
Shapes: K domains, S steps, T tokens of one batch. Losses are in nats a token.

Source: Xie et al. 2023 (2305.10429), algorithm 1. Data, Data Everywhere (2407.06380) finds it not
competitive: most weight ends on one source.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.config import SUM_TOLERANCE
from curation.errors import ConfigError, InputError

Floats = NDArray[np.float64]

STEP_SIZE = 1.0
"""eta, by which an excess loss in nats moves the logarithm of a share."""
SMOOTHING = 1e-3
"""c: this part of the shares is always uniform, so that no domain is lost for good."""


def excess_losses(
    proxy_T: Floats, reference_T: Floats, domain_T: NDArray[np.int64], *, previous_K: Floats
) -> Floats:
    """Mean of max(proxy - reference, 0) over the tokens of each domain, shape (K,).

    Clipped token by token, before the mean: tokens that the proxy knows better do not make up for
    those it knows worse. A domain without a token in the batch keeps its value of `previous_K`, 0
    before the first batch: nothing new is known of it.

    Raises:
        InputError: the lengths differ, a loss is not finite, or a domain is not in 0..K-1.
    """
    n_domains = previous_K.size
    if not proxy_T.shape == reference_T.shape == domain_T.shape:
        raise InputError(
            f"DoReMi: losses and domains must have one entry a token, found shapes "
            f"{proxy_T.shape}, {reference_T.shape}, {domain_T.shape}"
        )
    if domain_T.size and (domain_T.min() < 0 or domain_T.max() >= n_domains):
        raise InputError(f"DoReMi: domains must be in 0..{n_domains - 1}, found {domain_T}")
    clipped_T = np.maximum(proxy_T - reference_T, 0.0)
    _check_finite(clipped_T, "losses")
    sums_K = np.bincount(domain_T, weights=clipped_T, minlength=n_domains)
    n_K = np.bincount(domain_T, minlength=n_domains)
    return np.where(n_K > 0, sums_K / np.maximum(n_K, 1), previous_K)


def updated_shares(
    shares_K: Floats, excess_K: Floats, *, step_size: float = STEP_SIZE,
    smoothing: float = SMOOTHING,
) -> Floats:  # fmt: skip
    """Shares after one step, shape (K,): multiplied by exp(step_size * excess), then smoothed.

    (1 - smoothing) * normalised product + smoothing / K. A negative excess counts as 0.

    Raises:
        ConfigError: `step_size` is not above 0, or `smoothing` is not in 0..1.
        InputError: the shares do not sum to 1, or shapes differ, or an excess is not finite.
    """
    _check_settings(step_size, smoothing)
    _check_shares(shares_K)
    _check_shapes(shares_K, excess_K)
    steps_K = step_size * np.maximum(excess_K, 0.0)
    # A common factor cancels: the greatest exponent that counts is made 0, so that none overflows.
    steps_K = np.minimum(steps_K - steps_K[shares_K > 0].max(), 0.0)
    grown_K = shares_K * np.exp(steps_K)
    smoothed_K: Floats = (1 - smoothing) * grown_K / grown_K.sum() + smoothing / shares_K.size
    return smoothed_K


def share_path(
    start_K: Floats, excess_SK: Floats, *, step_size: float = STEP_SIZE,
    smoothing: float = SMOOTHING,
) -> Floats:  # fmt: skip
    """Shares after each of the steps, shape (S, K); the start is not among them.

    Raises:
        ConfigError, InputError: as for `updated_shares`; no step at all is an InputError.
    """
    if excess_SK.ndim != 2 or not excess_SK.shape[0]:
        raise InputError(f"DoReMi: excess losses must be steps x domains, found {excess_SK.shape}")
    path_SK, shares_K = np.empty(excess_SK.shape), start_K
    for step, excess_K in enumerate(excess_SK):
        shares_K = updated_shares(shares_K, excess_K, step_size=step_size, smoothing=smoothing)
        path_SK[step] = shares_K
    return path_SK


def mean_shares(path_SK: Floats) -> Floats:
    """The shares that DoReMi gives: the mean over the steps, shape (K,)."""
    mean_K: Floats = path_SK.mean(axis=0)
    return mean_K


def _check_settings(step_size: float, smoothing: float) -> None:
    if not (np.isfinite(step_size) and step_size > 0):
        raise ConfigError(f"DoReMi: step_size must be finite and above 0, found {step_size:g}")
    if not 0.0 <= smoothing <= 1.0:
        raise ConfigError(f"DoReMi: smoothing must be in 0..1, found {smoothing:g}")


def _check_shares(shares_K: Floats) -> None:
    _check_finite(shares_K, "shares")
    if shares_K.min(initial=0.0) < 0 or abs(shares_K.sum() - 1.0) > SUM_TOLERANCE:
        raise InputError(f"DoReMi: shares must be non-negative and sum to 1, found {shares_K}")


def _check_shapes(shares_K: Floats, excess_K: Floats) -> None:
    _check_finite(excess_K, "excess losses")
    if shares_K.shape != excess_K.shape:
        raise InputError(
            f"DoReMi: there must be one excess loss a share, found shapes {excess_K.shape} and "
            f"{shares_K.shape}"
        )


def _check_finite(values: Floats, what: str) -> None:
    if not np.isfinite(values).all():
        raise InputError(f"DoReMi: {what} must be finite, found {values}; has the proxy diverged?")
