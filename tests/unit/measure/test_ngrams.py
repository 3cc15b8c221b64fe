"""Shared n-grams: against a plain reference, for any text, and as analysts would expect."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.ngrams import covered, covered_frac, ngram_hashes, word_hashes


def plain_words(text):
    return re.findall(r"[a-z0-9]+", text.lower())


def plain_frac(text, source, n):
    words, known = plain_words(text), plain_words(source)
    grams = {tuple(known[i : i + n]) for i in range(len(known) - n + 1)}
    marks = [False] * len(words)
    for i in range(len(words) - n + 1):
        if tuple(words[i : i + n]) in grams:
            marks[i : i + n] = [True] * n
    return sum(marks) / len(words) if words else 0.0


SOME = st.text("ab B.1-\n", max_size=60)


@settings(deadline=None)  # the first call compiles
@given(SOME, SOME, st.integers(1, 5))
def test_the_share_is_that_of_the_plain_reference(text, source, n):
    found = covered_frac(word_hashes(text), n, word_hashes(source))
    assert found == pytest.approx(plain_frac(text, source, n))


@settings(deadline=None)
@given(st.text(max_size=80))
def test_any_text_is_covered_by_itself(text):
    words = word_hashes(text)
    assert covered_frac(words, 1, words) == (1.0 if words.size else 0.0)


def test_case_punctuation_and_space_make_no_difference():
    words = word_hashes("Don't PANIC, it's 5 o'clock")
    assert (words == word_hashes("don t panic it\ns 5 -- o CLOCK")).all()
    assert words.size == 8
    assert word_hashes("").size == word_hashes(" .,\n").size == 0


def test_letters_of_scripts_without_spaces_are_words_of_their_own():
    assert word_hashes("東京タワー").size == 5
    assert word_hashes("ab東京cd").size == 4
    source = "我们今天去北京看长城"
    assert covered_frac(word_hashes("他说我们今天去北京"), 5, word_hashes(source)) == 7 / 9


def test_words_that_differ_have_other_hashes_and_order_counts():
    words = word_hashes("ab ba a b abc")
    assert len(set(words.tolist())) == 5
    assert not set(ngram_hashes(word_hashes("a b"), 2)) & set(ngram_hashes(word_hashes("b a"), 2))


def test_a_text_shorter_than_n_shares_nothing():
    words = word_hashes("one two")
    assert not covered(words, 3, np.sort(ngram_hashes(words, 2))).any()
    assert covered(words, 2, np.empty(0, np.uint64)).shape == (2,)
