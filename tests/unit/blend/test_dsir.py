"""Spec: mind_data_reuse.md, part 2.3."""

import math

import numpy as np
import pytest

from curation.blend.draws import gumbels, id_hashes, uniforms
from curation.blend.dsir import (
    N_BUCKETS,
    bucket_counts,
    draw_keys,
    kl_nats,
    largest,
    largest_by_group,
    length_strata,
    log_ratio,
    per_token,
    split_quota,
    weigh,
)
from curation.blend.hashed_ngrams import ngram_buckets
from curation.errors import ConfigError, InputError

N_WORDS, N_DOCS, N_TARGET_DOCS, N_TOKENS = 50, 5_000, 1_000, 60
RANKS = np.arange(1, N_WORDS + 1)
ZIPF = RANKS**-0.98 / np.sum(RANKS**-0.98)
VOCABULARY = np.array([f"w{number}" for number in range(N_WORDS)])


def words_drawn(n_docs, probabilities, purpose):
    """Numbers of words, shape (n_docs, N_TOKENS)."""
    drawn = uniforms(np.arange(n_docs * N_TOKENS, dtype=np.uint64), seed=17, purpose=purpose)
    numbers = np.searchsorted(np.cumsum(probabilities), drawn).clip(max=N_WORDS - 1)
    return numbers.reshape(n_docs, N_TOKENS)


def texts_of(numbers):
    return [" ".join(row) for row in VOCABULARY[numbers]]


def unigram_kl(target, other):
    p, q = (np.bincount(numbers.ravel(), minlength=N_WORDS) for numbers in (target, other))
    p, q = p / p.sum(), q / q.sum()
    return float(p @ np.log(p / q))


@pytest.fixture(scope="module")
def toy():
    """The toy of the spec: the first fifth of the documents is of the target's distribution.

    The spec does not say which distributions. Here the target's words are by Zipf's law, the
    others' by the same law from the other end; its exponent is the one for which the KL of the
    whole, a fifth of it of the target, is the spec's 0.81.
    """
    numbers = np.concatenate([
        words_drawn(N_TARGET_DOCS, ZIPF, "good"),
        words_drawn(N_DOCS - N_TARGET_DOCS, ZIPF[::-1], "rest"),
    ])  # fmt: skip
    sample = words_drawn(500, ZIPF, "target")
    ratio = log_ratio(bucket_counts(texts_of(sample)), bucket_counts(texts_of(numbers)))
    hashes = id_hashes([f"{number:032x}" for number in range(N_DOCS)])
    return numbers, sample, weigh(texts_of(numbers), ratio), hashes


def test_the_toys_of_a_thousand(toy):
    numbers, sample, weights, hashes = toy
    chosen = largest(draw_keys(weights.log_weight, hashes, seed=17), hashes, 1_000)
    assert chosen.sum() == 1_000
    assert chosen[:N_TARGET_DOCS].sum() / 1_000 >= 0.999
    assert ZIPF @ np.log(ZIPF / (0.2 * ZIPF + 0.8 * ZIPF[::-1])) == pytest.approx(0.81, abs=0.005)
    assert unigram_kl(sample, numbers[chosen]) == pytest.approx(0.0017, abs=0.0008)
    by_chance = largest(gumbels(hashes, seed=17, purpose="chance"), hashes, 1_000)
    assert unigram_kl(sample, numbers[by_chance]) == pytest.approx(0.81, abs=0.05)


def test_the_toys_of_a_thousand_by_the_mean_of_tokens(toy):
    _, _, weights, hashes = toy
    scores = per_token(weights, temperature=0.1)
    chosen = largest(draw_keys(scores, hashes, seed=17), hashes, 1_000)
    assert chosen[:N_TARGET_DOCS].sum() / 1_000 >= 0.999


def test_the_toys_quota_above_what_there_is(toy):
    _, _, weights, hashes = toy
    chosen = largest(draw_keys(weights.log_weight, hashes, seed=17), hashes, 2_500)
    assert chosen[:N_TARGET_DOCS].sum() / 2_500 == 0.40


def test_the_ratio_is_that_of_the_spec():
    ratio = log_ratio(np.array([3, 1, 0]), np.array([1, 0, 1]))
    assert ratio == pytest.approx([
        math.log(0.75 + 1e-8) - math.log(0.5 + 1e-8),
        math.log(0.25 + 1e-8) - math.log(1e-8),
        math.log(1e-8) - math.log(0.5 + 1e-8),
    ])  # fmt: skip
    assert log_ratio(np.array([3, 1]), np.array([3, 1])).tolist() == [0.0, 0.0]


def test_a_weight_is_the_sum_over_unigrams_and_bigrams():
    ratio = np.arange(N_BUCKETS, dtype=float)
    weights = weigh(["the cat the", "", "cat"], ratio)
    the, cat, _, the_cat, cat_the = ngram_buckets("the cat the", N_BUCKETS)[0].tolist()
    assert weights.log_weight.tolist() == [2 * the + cat + the_cat + cat_the, 0.0, cat]
    assert weights.n_tokens.tolist() == [3, 0, 1]


def test_scoring_uses_the_buckets_of_the_ratio():
    assert weigh(["the cat"], np.ones(7)).log_weight.tolist() == [3.0]


def test_counts_of_parts_add_up():
    texts = ["the cat sat", "on", "", "the mat. The mat"]
    whole = bucket_counts(texts)
    # 3 + 1 + 0 + 5 unigrams, 2 + 0 + 0 + 4 bigrams.
    assert (whole.shape, whole.sum()) == ((N_BUCKETS,), 15)
    for size in (1, 2, 3):
        parts = [bucket_counts(texts[i : i + size]) for i in range(0, len(texts), size)]
        assert (np.sum(parts, axis=0) == whole).all()


def test_weights_and_keys_do_not_depend_on_order_or_parts(toy):
    numbers, _, _, hashes = toy
    texts, ratio = texts_of(numbers[:40]), np.sin(np.arange(N_BUCKETS, dtype=float))

    def keys(rows):
        weights = weigh([texts[row] for row in rows], ratio)
        return draw_keys(weights.log_weight, hashes[rows], seed=17)

    rows = np.arange(40)
    whole = keys(rows)
    assert (keys(rows[::-1]) == whole[::-1]).all()
    for size in (1, 2, 3):
        parts = [keys(rows[start : start + size]) for start in range(0, 40, size)]
        assert (np.concatenate(parts) == whole).all()


def test_documents_are_drawn_in_proportion_to_their_weights():
    # Of each of 20,000 pairs one is drawn, weights 3 and 1: the first in 3 of 4, sd 61.
    n = 20_000
    hashes = id_hashes(map(str, range(2 * n)))
    keys = draw_keys(np.tile([math.log(3), 0.0], n), hashes, seed=17).reshape(n, 2)
    assert (keys[:, 0] > keys[:, 1]).sum() == pytest.approx(0.75 * n, abs=300)


def test_another_seed_draws_others():
    hashes = id_hashes(map(str, range(1_000)))
    first, second = (
        largest(draw_keys(np.zeros(1_000), hashes, seed=seed), hashes, 500) for seed in (17, 18)
    )
    # 250 of 500 by chance, sd 8.
    assert (first & second).sum() == pytest.approx(250, abs=50)


def test_the_mean_does_not_grow_with_length():
    ratio = np.full(N_BUCKETS, 2.0)
    weights = weigh(["a b", "a b c d e f g h"], ratio)
    assert weights.log_weight.tolist() == [6.0, 30.0]
    assert per_token(weights).tolist() == [3.0, 3.75]
    assert per_token(weights, temperature=0.5).tolist() == [6.0, 7.5]
    assert per_token(weigh([""], ratio)).tolist() == [0.0]
    with pytest.raises(ConfigError, match="temperature"):
        per_token(weights, temperature=0)


def test_strata_double():
    n_tokens = np.array([0, 1, 2, 3, 4, 7, 8, 1023, 1024, 10**6])
    assert length_strata(n_tokens).tolist() == [0, 1, 2, 2, 3, 3, 4, 10, 11, 20]


def test_strata_keep_the_lengths_that_raw_weights_would_not():
    # Every n-gram of all documents is a little likelier in the target: the long ones win.
    texts = [" ".join(["a"] * length) for length in [10] * 300 + [100] * 100]
    weights = weigh(texts, np.full(N_BUCKETS, 0.5))
    hashes = id_hashes(map(str, range(400)))
    keys = draw_keys(weights.log_weight, hashes, seed=17)
    assert largest(keys, hashes, 100)[300:].sum() == 100
    strata = [str(stratum) for stratum in length_strata(weights.n_tokens)]
    quotas = split_quota(100, {"4": 300, "7": 100})
    chosen = largest_by_group(keys, hashes, strata, quotas=quotas)
    assert (chosen[:300].sum(), chosen[300:].sum()) == (75, 25)


def test_a_quota_is_split_by_largest_remainder():
    # 10 * 5/12 = 4.17, 10 * 4/12 = 3.33, 10 * 3/12 = 2.5.
    assert split_quota(10, {"c": 3, "a": 5, "b": 4}) == {"a": 4, "b": 3, "c": 3}
    # Thirds of one: the first by name.
    assert split_quota(1, {"z": 9, "y": 9, "x": 9}) == {"x": 1, "y": 0, "z": 0}
    assert split_quota(12, {"a": 5, "b": 4, "c": 3}) == {"a": 5, "b": 4, "c": 3}
    assert split_quota(0, {}) == {}
    for k in range(13):
        quotas = split_quota(k, {"a": 5, "b": 4, "c": 3})
        assert sum(quotas.values()) == k
        assert quotas["a"] <= 5
        assert quotas["b"] <= 4
        assert quotas["c"] <= 3
    for k in (-1, 13):
        with pytest.raises(ConfigError, match=f"0 to 12, all documents, found {k}"):
            split_quota(k, {"a": 5, "b": 4, "c": 3})


def test_per_source_quotas_are_kept_where_the_pool_takes_one_source():
    hashes = id_hashes(map(str, range(200)))
    scores = np.repeat([100.0, 0.0], 100)
    sources = ["books"] * 100 + ["web"] * 100
    keys = draw_keys(scores, hashes, seed=17)
    assert largest(keys, hashes, 100)[:100].all()
    chosen = largest_by_group(keys, hashes, sources, quotas={"books": 30, "web": 70})
    assert (chosen[:100].sum(), chosen[100:].sum()) == (30, 70)
    # Within a source those with the largest keys.
    assert keys[:100][chosen[:100]].min() > keys[:100][~chosen[:100]].max()
    order = np.argsort(hashes)
    again = largest_by_group(
        keys[order], hashes[order], [sources[row] for row in order],
        quotas={"books": 30, "web": 70},
    )  # fmt: skip
    assert (again == chosen[order]).all()


def test_equal_keys_go_by_hash_and_all_may_be_taken():
    hashes = np.array([30, 10, 20], np.uint64)
    assert largest(np.zeros(3), hashes, 2).tolist() == [False, True, True]
    assert largest(np.zeros(3), hashes, 3).all()
    assert not largest(np.zeros(3), hashes, 0).any()


def test_quotas_that_do_not_fit_are_named():
    keys, hashes = np.zeros(3), np.arange(3, dtype=np.uint64)
    with pytest.raises(ConfigError, match=r"0 to 3, all documents, found 4"):
        largest(keys, hashes, 4)
    with pytest.raises(ConfigError, match=r"\['a', 'b'\].*found for \['a'\]"):
        largest_by_group(keys, hashes, ["a", "b", "a"], quotas={"a": 1})
    with pytest.raises(ConfigError, match=r"'b' has 1 documents, the quota is 2"):
        largest_by_group(keys, hashes, ["a", "b", "a"], quotas={"a": 1, "b": 2})


def test_keys_that_are_none_are_refused():
    hashes = np.arange(2, dtype=np.uint64)
    with pytest.raises(InputError, match="1 not finite"):
        largest(np.array([0.0, math.nan]), hashes, 1)
    with pytest.raises(InputError, match=r"\(3,\) keys of \(2,\) documents"):
        largest(np.zeros(3), hashes, 1)


def test_the_divergence_is_that_of_the_target_from_the_other():
    # 3/4 ln 3/2 + 1/4 ln 1/2; the other way round it is 1/2 ln 4/3 = 0.1438.
    found = kl_nats(np.array([3, 1]), np.array([2, 2]))
    assert found == pytest.approx(0.75 * math.log(1.5) - 0.25 * math.log(2), abs=1e-6)
    assert kl_nats(np.array([3, 1]), np.array([3, 1])) == 0.0


def test_models_that_do_not_fit_are_refused():
    with pytest.raises(ConfigError, match="same buckets, found 2 and 3"):
        log_ratio(np.ones(2, int), np.ones(3, int))
    with pytest.raises(InputError, match="the target documents have no n-gram"):
        log_ratio(np.zeros(2, int), np.ones(2, int))
    with pytest.raises(InputError, match="the raw documents have no n-gram"):
        log_ratio(np.ones(2, int), np.zeros(2, int))
    with pytest.raises(ConfigError, match="smoothing"):
        log_ratio(np.ones(2, int), np.ones(2, int), smoothing=0.0)
    with pytest.raises(ConfigError, match="n-gram buckets"):
        bucket_counts([], n_buckets=0)
