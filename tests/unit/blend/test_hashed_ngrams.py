"""Spec: mind_data_reuse.md, part 2.3: tokens, n-grams and hash of DSIR."""

import hashlib
import re
import sys
from itertools import pairwise

import numpy as np
import pytest

from curation.blend.hashed_ngrams import ngram_buckets
from curation.errors import ConfigError

N_BUCKETS = 10_000


def bucket(ngram, n_buckets=N_BUCKETS):
    digest = hashlib.sha256(ngram.encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest, "big") % n_buckets


def expected(tokens, n_buckets=N_BUCKETS):
    ngrams = [*tokens, *(f"{one} {two}" for one, two in pairwise(tokens))]
    return [bucket(ngram, n_buckets) for ngram in ngrams]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", []),
        (" \n\t ", []),
        ("The", ["the"]),
        ("Don't stop...  now_2!", ["don", "'", "t", "stop", "...", "now_2", "!"]),
        ("a-b (c)", ["a", "-", "b", "(", "c", ")"]),
        ("3.14 = ½²", ["3", ".", "14", "=", "½²"]),
        ("Größe, ΟΔΟΣ: 日本語。", ["größe", ",", "οδος", ":", "日本語", "。"]),
        ("x\u00a0y\u2028z", ["x", "y", "z"]),
        ("😀😀 İ \ud800", ["😀😀", "i", "\u0307", "\ud800"]),
    ],
)
def test_unigrams_and_bigrams_of_the_lower_cased_text(text, tokens):
    buckets, n_tokens = ngram_buckets(text, N_BUCKETS)
    assert (buckets.tolist(), n_tokens) == (expected(tokens), len(tokens))


def test_the_bucket_of_a_known_digest():
    # FIPS 180-4's own example: SHA-256("abc") = ba7816bf 8f01cfea 414140de 5dae2223
    # b00361a3 96177a9c b410ff61 f20015ad.
    digest = 0xBA7816BF_8F01CFEA_414140DE_5DAE2223_B00361A3_96177A9C_B410FF61_F20015AD
    assert ngram_buckets("abc", N_BUCKETS)[0].tolist() == [digest % N_BUCKETS]


def test_every_length_is_padded_as_the_standard_says():
    for length in range(1, 200):
        word = "x" * length
        assert ngram_buckets(word, N_BUCKETS)[0].tolist() == [bucket(word)]


def test_a_long_token_beside_short_ones():
    tokens = ["a", "b" * 1_000, "c", "d" * 999]
    assert ngram_buckets(" ".join(tokens), N_BUCKETS)[0].tolist() == expected(tokens)


@pytest.mark.parametrize("n_buckets", [1, 2, 997, 2**31])
def test_other_numbers_of_buckets(n_buckets):
    tokens = ["the", "quick", "brown", "fox"]
    assert ngram_buckets(" ".join(tokens), n_buckets)[0].tolist() == expected(tokens, n_buckets)


@pytest.mark.parametrize("n_buckets", [0, -1, 2**31 + 1])
def test_a_number_of_buckets_out_of_range_is_refused(n_buckets):
    with pytest.raises(ConfigError, match="n-gram buckets"):
        ngram_buckets("a", n_buckets)


def test_tokens_are_those_of_the_pattern_for_every_character():
    every = "".join(map(chr, range(sys.maxunicode + 1))).lower()
    pieces = [every[start : start + 4_096] for start in range(0, len(every), 4_096)]
    for piece in pieces:
        tokens = re.findall(r"\w+|[^\w\s]+", piece.lower())
        assert ngram_buckets(piece, N_BUCKETS)[1] == len(tokens)


def test_buckets_are_spread_evenly():
    text = " ".join(map(str, range(20_000)))
    buckets, n_tokens = ngram_buckets(text, 100)
    assert (n_tokens, buckets.size) == (20_000, 39_999)
    # 400 a bucket, sd 20.
    counts = np.bincount(buckets, minlength=100)
    assert 300 < counts.min() <= counts.max() < 500
