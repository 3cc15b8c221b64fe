import math

import pytest

from curation.measure.signals import BULLETS, boilerplate_frac, line_shares, signals, word_signals
from curation.measure.words import Words
from curation.schemas import SIGNALS

ADVERT = "Buy now and save big today!\n" * 6 + "Contact us for the best price."


def words_of(text):
    return word_signals(Words(text))


def lines_of(text):
    return line_shares(Words(text))


def test_the_advert_has_the_values_of_the_reference():
    # Spec 10.3: 198 characters, 42 words, 157 letters and marks; 35 spaces and 6 line feeds.
    words = Words(ADVERT)
    found = signals(words)
    assert len(words.text) == 198
    assert words.n_words == 42
    assert found["non_alnum_frac"] == pytest.approx(0.176768, abs=1e-6)
    assert found["whitespace_frac"] == pytest.approx(0.207071, abs=1e-6)
    assert found["unique_line_frac"] == pytest.approx(0.285714, abs=1e-6)
    assert found["unique_line_char_frac"] == pytest.approx(0.296875, abs=1e-6)
    assert found["mean_word_chars"] == pytest.approx(3.738095, abs=1e-6)
    assert found["dup_5gram_frac"] == pytest.approx(0.70202, abs=1e-5)
    assert found["unpunctuated_line_frac"] == 0.0
    assert found["n_common_words"] == 7


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("barely ok 3 4 5 6 7 8 9 #", 0.1),
        ("mixed bag ... #", 0.5),
        ("### title", 0.5),
        ("#tag #a# #b", 1 / 3),
        ("… [...] (...) […] -» word", 5 / 6),
        ("so... read more..", 0.0),
    ],
)
def test_symbol_words_are_ellipses_and_words_mostly_of_hashes(text, share):
    assert words_of(text)["symbol_word_frac"] == pytest.approx(share)


@pytest.mark.parametrize(
    ("text", "share"),
    [("good good good good !", 0.8), ("@", 0.0), ("4th 5 x2 — 漢", 0.6), ("² ½ Ⅳ", 0.0)],
)
def test_words_with_a_letter_of_any_script_are_alphabetic(text, share):
    assert words_of(text)["alpha_word_frac"] == share


@pytest.mark.parametrize(
    ("text", "n"), [("the and", 2), ("uncommon", 0), ("the the the of", 4), ("The AND to, be.", 0)]
)
def test_all_occurrences_of_lower_case_common_words_count(text, n):
    assert words_of(text)["n_common_words"] == n


def test_word_lengths_are_in_characters():
    found = words_of("evenly balanced")
    assert (found["mean_word_chars"], found["max_word_chars"]) == (7.0, 8)
    assert words_of("日本語 é")["max_word_chars"] == 3


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ('a.\nb?\nc!\nd\'\n"e"', 0.0),
        ("open\nopen\nopen\nopen\nclosed.", 0.8),
        ("closed. \r\n\n  open  ", 0.5),
        ("colon:\ncurly ”", 1.0),
    ],
)
def test_punctuated_lines_end_in_a_full_stop_mark_or_straight_quote(text, share):
    assert lines_of(text)["unpunctuated_line_frac"] == share


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("a...\nb…\nc […]\nd -»\ne", 0.8),
        ("Read More", 1.0),
        ("read more.. \nmore to read", 0.5),
        ("... at the start", 0.0),
    ],
)
def test_ellipsis_lines_end_in_an_ellipsis_of_any_case(text, share):
    assert lines_of(text)["ellipsis_line_frac"] == share


def test_bullet_lines_begin_with_a_bullet_after_white_space():
    assert lines_of("\n".join(f"  {bullet} item" for bullet in BULLETS))["bullet_line_frac"] == 1.0
    assert lines_of("- a\n* b\no c\na • b\n• d")["bullet_line_frac"] == 0.2
    assert len(set(BULLETS)) == 12


@pytest.mark.parametrize(
    ("paragraphs", "share"),
    [
        (["Our Privacy Policy"] * 4 + ["text"] * 6, 0.4),
        (["terms of use", "text"], 0.5),
        (["This site uses\ncookies."], 0.0),
        (["privacy policy, terms of use", "text", "text", "text"], 0.25),
        (["Necessary cookies are absolutely essential for you."], 1.0),
        (["text", "text", "text", "Lorem Ipsum dolor"], 1.0),
        (["text"], 0.0),
    ],
)
def test_boilerplate_is_the_share_of_paragraphs_with_a_policy_phrase(paragraphs, share):
    assert boilerplate_frac(Words("\n\n".join(paragraphs))) == share


def test_every_signal_of_the_schema_is_there_and_no_other():
    assert set(signals(Words("one text"))) == {field.name for field in SIGNALS}


WORST = {
    "alpha_word_frac": 0.0, "n_common_words": 0, "mean_word_chars": 0.0, "max_word_chars": 0,
    "unique_line_frac": 0.0, "unique_paragraph_frac": 0.0, "unique_line_char_frac": 0.0,
    "unique_paragraph_char_frac": 0.0, "math_frac": 0.0, "n_sentences": 0, "n_c4_sentences": 0,
    "n_curly_brackets": 0, "has_lorem_ipsum": 0, "n_distinct_common_words": 0,
    "upper_letter_frac": 0.0, "unique_word_frac": 0.0, "word_entropy": 0.0,
    "terminal_line_frac": 0.0,
}  # fmt: skip


def test_an_empty_text_has_the_value_that_fails_the_rule_of_a_signal():
    assert signals(Words("")) == {field.name: WORST.get(field.name, 1.0) for field in SIGNALS}


def test_a_text_of_white_space_has_the_values_of_an_empty_one_but_for_its_characters():
    found = signals(Words("\n \n\n"))
    by_characters = {"non_alnum_frac": 0.25, "digit_frac": 0.0, "url_frac": 0.0,
                     "whitespace_frac": 1.0, "parenthesis_frac": 0.0}  # fmt: skip
    assert found == signals(Words("")) | by_characters


HOSTILE = {
    "one word": "x" * 1_000_000,
    "line feeds": "\n" * 200_000,
    "no spaces": "漢字仮名交じり文" * 20_000,
    "nul": "\0" * 200_000,
    "nul words": "\0 " * 100_000,
    "right to left": "\u200fשלום \u202eعالم " * 20_000,
    "one word again": "a " * 200_000,
    "all words differ": " ".join(map(str, range(50_000))),
    "blank lines": "a\n \n" * 50_000,
    "indented": "\n" + " " * 200_000 + "x",
    "urls": "http://" * 50_000,
    "hashes": "# " * 100_000,
    "astral": "\U0001f600\U0010ffff" * 50_000,
    "combining": "e\u0301\u0301\u0301" * 50_000,
    "carriage returns": "\r" * 200_000,
    "growing in lower case": "İ" * 100_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_texts_have_finite_signals(text):
    found = signals(Words(text))
    assert all(math.isfinite(value) for value in found.values())
    assert all(0.0 <= v <= 1.0 for name, v in found.items() if name.endswith("_frac"))
    assert found["max_word_chars"] == max(map(len, text.split()), default=0)
