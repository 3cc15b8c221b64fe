"""What rules ask of prose, for any text, against its definitions in plain Python."""

import math
from collections import Counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.measure.prose import hashes_of, prose
from curation.measure.words import Words

COMMON = frozenset({"the", "of", "and", "é"})
COMMON_HASHES = hashes_of(COMMON)

# FineWeb's terminal marks, and the full-width ones, which need no space behind them.
SPACED_MARKS = ".!?։؟۔܀।॥။၊።፧᙮។៕᠃᥄᥅᪨᪩᭚᭛‼‽⁇⁈⁉⸮꓿꘎꘏꛳꡶꣎꣏꧈꧉꩝꩞꩟꫰꫱꯫"
WIDE_MARKS = "。．！？｡"
CLOSERS = "\"'”’»›)]}」』）"
SIGNS = ("javascript", "terms of use", "privacy policy", "cookie policy", "uses cookies",
         "use of cookies", "use cookies")  # fmt: skip

PIECES = st.sampled_from([
    *" \n\n\n.!?\"')#{}-•…。！؟։", "...", "....", "\t", "\r", "\u2003", "\x1c", " \n ", "the", "of",
    "The", "and", "é", "É", "NASA", "U2", "7", "word", "漢字", "x" * 29, "x" * 1_000, "x" * 1_001,
    "İ", "Σ", "ß", "ǅ", "e\u0301", "\0", "\U0001f600", "a b c", " said.", "Lorem ipsum", "lorem\n",
    "IPSUM", "JavaScript", "use cookies", "use  cookies", "Privacy Policy", "coo\u212aie policy",
])  # fmt: skip
LINE = st.builds(
    lambda start, words, end: start + " ".join(words) + end,
    st.sampled_from(["", "", " ", "- ", "•"]),
    st.lists(st.sampled_from(["so", "The", "x" * 9, "one.", "U.S.", "use cookies", "x" * 1_001]),
             min_size=1, max_size=6),
    st.sampled_from([".", "!", "?", '"', '."', "...", "..", '..."', "", " .", ". ", "。"]),
)  # fmt: skip
LINES_OF_WORDS = st.lists(LINE, max_size=6).map("\n".join)
ODD_TEXT = st.lists(PIECES, max_size=40).map("".join)
ANY_TEXT = st.text(max_size=200)  # any Unicode but lone surrogates
COPIED_TEXT = st.builds(lambda text, n: text * n, ODD_TEXT, st.integers(0, 20))


def by_definition(text):
    words, letters = text.split(), [c for c in text if c.isalpha()]
    lines = [line for line in text.split("\n") if line.strip()]
    return {
        "n_sentences": n_sentences(text),
        "n_curly_brackets": text.count("{") + text.count("}"),
        "has_lorem_ipsum": int("lorem ipsum" in " ".join(words).lower()),
        "upper_letter_frac": share(letters, str.isupper, of_none=0.0),
        "newline_word_ratio": text.count("\n") / len(words) if words else 1.0,
        "hash_word_ratio": text.count("#") / len(words) if words else 1.0,
        "ellipsis_word_ratio":
            (text.count("...") + text.count("…")) / len(words) if words else 1.0,
        "unique_word_frac": len(set(words)) / len(words) if words else 0.0,
        "word_entropy": entropy(words),
        "caps_word_frac": share(words, in_capitals, of_none=1.0),
        "n_distinct_common_words": len(COMMON & set(words)),
        "terminal_line_frac":
            share(lines, lambda line: line[-1] in SPACED_MARKS + WIDE_MARKS, of_none=0.0),
        "short_line_frac": share(lines, lambda line: len(line) <= 30, of_none=1.0),
        "dash_line_frac": share(lines, lambda line: line.strip()[0] in "•-", of_none=1.0),
        "n_c4_sentences": sum(max(n_sentences(line.strip()), 1) for line in lines if for_c4(line)),
    }  # fmt: skip


def share(pieces, is_one, of_none):
    return sum(map(bool, map(is_one, pieces))) / len(pieces) if pieces else of_none


def entropy(words):
    shares = [n / len(words) for n in Counter(words).values()]
    return -sum(p * math.log(p) for p in shares)


def in_capitals(word):
    letters = [c for c in word if c.isalpha()]
    return letters and all(map(str.isupper, letters))


def n_sentences(text):
    n = 0
    for i, mark in enumerate(text):
        if mark not in SPACED_MARKS + WIDE_MARKS:
            continue
        behind = text[i + 1 :].lstrip(CLOSERS)
        n += mark in WIDE_MARKS or not behind or behind[0].isspace()
    return n


def for_c4(line):
    words, line = line.split(), line.strip()
    is_long = len(words) >= 3 and max(map(len, words)) <= 1_000
    is_ended = line.endswith((".", "!", "?", '"')) and not line.endswith("...")
    return is_long and is_ended and not any(sign in line.lower() for sign in SIGNS)


@settings(max_examples=600, deadline=None)
@given(ODD_TEXT | LINES_OF_WORDS | ANY_TEXT | COPIED_TEXT)
@example("")
@example("one line and no more.")
@example("\n" * 100)
@example(' "It is," she said: "so." \n')
def test_prose_is_that_of_its_definition(text):
    assert prose(Words(text), common=COMMON_HASHES) == pytest.approx(by_definition(text), abs=1e-9)


@pytest.mark.parametrize("text", ["v\u2163", "\u24b6", "a\u24b6"])
def test_capitals_that_are_no_letters_do_not_count(text):
    found, expected = prose(Words(text), common=COMMON_HASHES), by_definition(text)
    for name in ("caps_word_frac", "upper_letter_frac"):
        assert found[name] == pytest.approx(expected[name])


@pytest.mark.parametrize("mark", SPACED_MARKS + WIDE_MARKS + CLOSERS)
def test_every_mark_is_what_it_is_called(mark):
    for text in (f"so{mark} on", f"so{mark}on", f"so.{mark} on", f"one two{mark}"):
        found = prose(Words(text), common=COMMON_HASHES)
        assert found == pytest.approx(by_definition(text))


HUGE = {
    "one word": "x" * 100_000,
    "line feeds": "\n" * 100_000,
    "one sentence": "So it goes on here. " * 5_000,
    "one line": "It is the same line of prose, again and again.\n" * 2_000,
    "dots": "." * 50_000,
    "ellipses": "… " * 20_000,
    "hash signs": "# " * 20_000,
    "cookies": "we use cookies here.\n" * 2_000,
    "capitals": "NASA " * 20_000,
    "a closer behind each mark": '."' * 2_000,
    "closers": "so." + '"' * 50_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_huge_repeats_are_those_of_the_definition(text):
    found = prose(Words(text), common=COMMON_HASHES)
    assert found == pytest.approx(by_definition(text), abs=1e-9)
