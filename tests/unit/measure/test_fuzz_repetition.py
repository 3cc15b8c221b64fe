"""Repetition of any text, against its definitions in plain Python."""

from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.measure.repetition import DUPLICATE_NGRAMS, TOP_NGRAMS, repetition
from curation.measure.words import Words

FEW_WORDS = st.lists(
    st.sampled_from(["a", "b", "bb", "ccc", "é", "漢字", "\U0001f600", "e\u0301", "שלום", "\0"]),
    max_size=40,
)
GAPS = st.sampled_from([" ", " ", " ", "\n", "\n\n", "\n \t\n", "\r\n", "\u2003", "\x1c", "  "])
REPEATING_TEXT = st.tuples(FEW_WORDS, st.lists(GAPS, min_size=1, max_size=9)).map(
    lambda both: "".join(
        word + both[1][i % len(both[1])] for i, word in enumerate(both[0])
    )
)  # fmt: skip
ANY_TEXT = st.text(max_size=200)  # any Unicode but lone surrogates
COPIED_TEXT = st.builds(lambda text, n: text * n, st.text(max_size=30), st.integers(0, 30))


def by_definition(text):
    words = text.split()
    parts = {"line": lines_of(text), "paragraph": paragraphs_of(text)}
    shares = {}
    for name, pieces in parts.items():
        shares[f"unique_{name}_frac"] = len(set(pieces)) / len(pieces) if pieces else 0.0
        n_distinct_chars, n_chars = (sum(map(len, some)) for some in (set(pieces), pieces))
        shares[f"unique_{name}_char_frac"] = n_distinct_chars / n_chars if pieces else 0.0
    for n in TOP_NGRAMS:
        shares[f"top_{n}gram_frac"] = share(text, words, n, top_starts(words, n))
    for n in DUPLICATE_NGRAMS:
        shares[f"dup_{n}gram_frac"] = share(text, words, n, later_starts(words, n))
    return shares


def lines_of(text):
    return [line for line in text.split("\n") if line.strip()]


def paragraphs_of(text):
    paragraphs, after_blank = [], True
    for line in text.strip().split("\n"):
        if line.strip() and after_blank:
            paragraphs.append(line)
        elif line.strip():
            paragraphs[-1] += "\n" + line
        after_blank = not line.strip()
    return paragraphs


def ngrams_of(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def top_starts(words, n):
    """Where the n-gram stands that is the most frequent, then the longest, then the first."""
    ngrams = ngrams_of(words, n)
    count = {ngram: times for ngram, times in Counter(ngrams).items() if times > 1}
    if not count:
        return []
    first = {ngram: -ngrams.index(ngram) for ngram in count}
    top = max(count, key=lambda ngram: (count[ngram], sum(map(len, ngram)), first[ngram]))
    return [i for i, ngram in enumerate(ngrams) if ngram == top]


def later_starts(words, n):
    seen, later = set(), []
    for i, ngram in enumerate(ngrams_of(words, n)):
        if ngram in seen:
            later.append(i)
        seen.add(ngram)
    return later


def share(text, words, n, starts):
    """Characters of the words of these n-grams, and one a joint in one of them, over all."""
    if len(words) < n:
        return 1.0
    covered = {i for start in starts for i in range(start, start + n)}
    joints = {i for start in starts for i in range(start, start + n - 1)}
    return (sum(len(words[i]) for i in covered) + len(joints)) / len(text)


@settings(max_examples=600, deadline=None)
@given(REPEATING_TEXT | ANY_TEXT | COPIED_TEXT)
@example("")
@example("one line and no more")
@example("\n" * 100)
@example("\n \n\t\n")
@example("a a a a a a a a a a a a")
def test_repetition_is_that_of_its_definition(text):
    assert repetition(Words(text)) == by_definition(text)


HUGE = {
    "one word": "x" * 100_000,
    "one word again": "a " * 20_000,
    "a phrase": "to be or not to be " * 4_000,
    "a line": "the same line\n" * 5_000,
    "a paragraph": "one\ntwo\n\n" * 5_000,
    "two halves": " ".join(map(str, range(5_000))) * 2,
    "line feeds": "\n" * 100_000,
    "not a word in common": " ".join(map(str, range(20_000))),
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_huge_repeats_are_those_of_the_definition(text):
    assert repetition(Words(text)) == by_definition(text)
