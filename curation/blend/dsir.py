"""DSIR: documents drawn so that their n-grams are spread as those of a target.

Counts of hashed n-grams of the target and of the raw documents give the ratio of their
probabilities, bucket by bucket; the weight of a document is the product over its n-grams; k are
drawn without replacement in proportion to the weights, by the Gumbel top-k trick.

Counts add up: those of partitions are summed. Weights and keys are by document, so that neither
order nor partitioning changes what is drawn. *Per source*: raw counts, ratio and quota of each
source alone, which Data, Data Everywhere finds better. *Pooled*: one of each for all.

Shapes: V buckets, N documents. Logarithms are natural.
Sources: Xie et al. 2023 (2302.03169), section 4; 2407.06380 (Data, Data Everywhere), selection.
Deviations from the authors' code: the ratio carries its number of buckets, so that scoring cannot
use another; all raw tokens count, not the first 100,000 a bucket; k may be all documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from curation.blend.draws import Floats, Hashes, gumbels
from curation.blend.hashed_ngrams import check_n_buckets, ngram_buckets
from curation.errors import ConfigError, InputError

Counts = NDArray[np.int64]
Mask = NDArray[np.bool_]

N_BUCKETS = 10_000
SMOOTHING = 1e-8
"""Added to each probability before its logarithm: an n-gram that only one side has weighs +-18."""


@dataclass(frozen=True)
class Weights:
    """What the documents of a batch weigh, in their order."""

    log_weight: Floats
    """Sum over n-grams of the log-ratio, shape (N,); grows with the document's length."""
    n_tokens: Counts
    """Tokens of each, shape (N,)."""


def bucket_counts(texts: Iterable[str], *, n_buckets: int = N_BUCKETS) -> Counts:
    """Unigrams and bigrams of all `texts` by bucket, shape (n_buckets,).

    Raises:
        ConfigError: `n_buckets` is out of range.
    """
    check_n_buckets(n_buckets)
    counts = np.zeros(n_buckets, np.int64)
    for text in texts:
        buckets, _ = ngram_buckets(text, n_buckets)
        np.add.at(counts, buckets, 1)
    return counts


def log_ratio(target: Counts, raw: Counts, *, smoothing: float = SMOOTHING) -> Floats:
    """log(target probability + smoothing) - log(raw probability + smoothing), shape (V,).

    Raises:
        ConfigError: `smoothing` is not above 0, or the numbers of buckets differ.
        InputError: the target or the raw documents have no n-gram.
    """
    _check_same_buckets(target, raw)
    return _log_probabilities(target, "target", smoothing) - _log_probabilities(
        raw, "raw", smoothing
    )


def weigh(texts: Sequence[str], ratio_V: Floats) -> Weights:
    """Log-importance weight and length of each of `texts`; one without a token weighs 0."""
    log_weight, n_tokens = np.zeros(len(texts)), np.zeros(len(texts), np.int64)
    for row, text in enumerate(texts):
        buckets, n_tokens[row] = ngram_buckets(text, ratio_V.size)
        log_weight[row] = ratio_V[buckets].sum()
    return Weights(log_weight, n_tokens)


def per_token(weights: Weights, *, temperature: float = 1.0) -> Floats:
    """Log-weight a token, over `temperature`, shape (N,): what length does not push up or down.

    The lower the temperature, the less the Gumbel noise (sd 1.28) matters against it. Scores of
    long documents as they stand are so large that it hardly does.

    Raises:
        ConfigError: `temperature` is not above 0.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise ConfigError(f"DSIR temperature: must be finite and above 0, found {temperature:g}")
    mean: Floats = weights.log_weight / np.maximum(weights.n_tokens, 1) / temperature
    return mean


def length_strata(n_tokens: Counts) -> Counts:
    """Stratum of each document, shape (N,): s for 2^(s-1) .. 2^s - 1 tokens, 0 for none.

    Drawn stratum by stratum, with `split_quota` over them, raw weights compare documents of about
    the same length only, and the draw has the lengths of the raw documents.
    """
    _, exponents = np.frexp(n_tokens.astype(np.float64))
    return exponents.astype(np.int64)


def split_quota(k: int, n_docs: Mapping[str, int]) -> dict[str, int]:
    """`k` documents over groups in proportion to their documents, by largest remainder.

    They sum to `k`, and none is above what its group has; equal remainders go by name.

    Raises:
        ConfigError: `k` is negative or above all documents there are.
    """
    total = sum(n_docs.values())
    if not 0 <= k <= total:
        raise ConfigError(f"DSIR quota: must be 0 to {total}, all documents, found {k}")
    whole = {group: k * n // max(total, 1) for group, n in sorted(n_docs.items())}
    by_remainder = sorted(whole, key=lambda group: (-(k * n_docs[group] % max(total, 1)), group))
    ones_more = set(by_remainder[: k - sum(whole.values())])
    return {group: n + (group in ones_more) for group, n in whole.items()}


def draw_keys(scores: Floats, hashes: Hashes, *, seed: int) -> Floats:
    """Score plus the Gumbel noise of the document's id, shape (N,): the largest k are drawn.

    Args:
        scores: Log-weights, raw or `per_token`.
        hashes: 64-bit hashes of the ids, e.g. `draws.id_hashes`.
        seed: Another seed draws other documents of about the same weight.
    """
    keys: Floats = scores + gumbels(hashes, seed=seed, purpose="dsir")
    return keys


def largest(keys: Floats, hashes: Hashes, k: int) -> Mask:
    """Which documents have the `k` largest keys, shape (N,); equal keys go by hash.

    Raises:
        ConfigError: `k` is negative or above the number of documents.
        InputError: a key is not finite, or shapes differ.
    """
    if keys.shape != hashes.shape or not np.isfinite(keys).all():
        raise InputError(
            f"DSIR: keys must be finite and one a document, found {keys.shape} keys of "
            f"{hashes.shape} documents, {np.count_nonzero(~np.isfinite(keys))} not finite"
        )
    if not 0 <= k <= keys.size:
        raise ConfigError(f"DSIR quota: must be 0 to {keys.size}, all documents, found {k}")
    chosen = np.zeros(keys.size, np.bool_)
    chosen[np.lexsort((hashes, -keys))[:k]] = True
    return chosen


def largest_by_group(
    keys: Floats, hashes: Hashes, groups: Sequence[str], *, quotas: Mapping[str, int]
) -> Mask:
    """The same within each group: a source, a stratum of length, or both; shape (N,).

    Raises:
        ConfigError: a group has no quota or a quota no group, or as for `largest`; the message
            names the group.
        InputError: as for `largest`.
    """
    names, group_of = np.unique(np.asarray(groups, dtype=np.str_), return_inverse=True)
    if set(quotas) != set(names.tolist()):
        raise ConfigError(
            f"DSIR quotas: needed for {names.tolist()}, the groups there are, found for "
            f"{sorted(quotas)}"
        )
    chosen = np.zeros(keys.size, np.bool_)
    for number, name in enumerate(names.tolist()):
        rows = np.flatnonzero(group_of == number)
        if quotas[name] > rows.size:
            raise ConfigError(
                f"DSIR quotas: {name!r} has {rows.size} documents, the quota is {quotas[name]}"
            )
        chosen[rows] = largest(keys[rows], hashes[rows], quotas[name])
    return chosen


def kl_nats(target: Counts, other: Counts, *, smoothing: float = SMOOTHING) -> float:
    """KL(target || other) of the n-gram distributions: how far a draw is from its target.

    Raises:
        ConfigError, InputError: as for `log_ratio`.
    """
    ratio = log_ratio(target, other, smoothing=smoothing)
    return float((target / target.sum()) @ ratio)


def _log_probabilities(counts: Counts, what: str, smoothing: float) -> Floats:
    if not (np.isfinite(smoothing) and smoothing > 0):
        raise ConfigError(f"DSIR smoothing: must be finite and above 0, found {smoothing:g}")
    total = counts.sum()
    if total <= 0:
        raise InputError(f"DSIR: the {what} documents have no n-gram; are they empty?")
    logs: Floats = np.log(counts / total + smoothing)
    return logs


def _check_same_buckets(target: Counts, raw: Counts) -> None:
    if target.shape != raw.shape:
        raise ConfigError(
            f"DSIR: target and raw documents must be counted in the same buckets, found "
            f"{target.size} and {raw.size}"
        )
