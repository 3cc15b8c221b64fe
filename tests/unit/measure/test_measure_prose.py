import math

import pytest

from curation.measure.prose import hashes_of, line_kinds, prose, sentence_ends, word_variety
from curation.measure.words import Words

COMMON = hashes_of(frozenset({"the", "of", "and"}))


def found(text):
    return prose(Words(text), common=COMMON)


def lines(text):
    words = Words(text)
    return line_kinds(words, sentence_ends(words))


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("One. Two! Three?", 3),
        ("No mark at all", 0),
        ('He said "Stop." She did.', 2),
        ("(Really?) Yes.", 2),
        ("Wait... what?!", 2),
        ("Version 1.2 of a.b is out", 0),
        ("これは文です。次の文です。", 2),
        ("یہ جملہ ہے۔ دوسرا جملہ۔", 2),
        ("One.\nTwo.", 2),
        ("", 0),
    ],
)
def test_a_sentence_ends_at_a_mark_with_white_space_behind_it(text, n):
    assert found(text)["n_sentences"] == n


def test_marks_are_counted_for_each_word():
    text = "#a ## b... c … d.... e {x}\n\nf"
    assert len(text.split()) == 9
    assert found(text)["hash_word_ratio"] == pytest.approx(3 / 9)
    # `...` once, one character, and `....`, of which the first three dots are one.
    assert found(text)["ellipsis_word_ratio"] == pytest.approx(3 / 9)
    assert found(text)["newline_word_ratio"] == pytest.approx(2 / 9)
    assert found(text)["n_curly_brackets"] == 2


def test_the_variety_of_words():
    variety = word_variety(Words("the NASA of the US, U2 and A the x 7"), COMMON)
    assert variety["unique_word_frac"] == pytest.approx(9 / 11)
    assert variety["n_distinct_common_words"] == 3
    # NASA, US, and U2 and A: every letter is a capital; 7 has none.
    assert variety["caps_word_frac"] == pytest.approx(4 / 11)
    shares = [3 / 11, *[1 / 11] * 8]
    assert variety["word_entropy"] == pytest.approx(-sum(p * math.log(p) for p in shares))


def test_upper_case_letters_are_a_share_of_letters():
    assert found("AB cd 12 É")["upper_letter_frac"] == pytest.approx(3 / 5)
    assert found("12 3")["upper_letter_frac"] == 0.0


def test_lines_by_their_ends_lengths_and_beginnings():
    text = (
        "- a short one\nA line of more than thirty characters.\n\n  • dot。\nopen line \n"
        + "x" * 30
    )
    shares = lines(text)
    assert shares["terminal_line_frac"] == pytest.approx(2 / 5)
    assert shares["short_line_frac"] == pytest.approx(4 / 5)
    assert shares["dash_line_frac"] == pytest.approx(2 / 5)


def test_a_mark_before_white_space_does_not_end_a_line_as_for_fineweb():
    assert lines("One sentence. ")["terminal_line_frac"] == 0.0


@pytest.mark.parametrize(
    ("line", "n"),
    [
        ("Three words here.", 1),
        ("Two words.", 0),
        ("No mark at the end", 0),
        ("It goes on and on...", 0),
        ('He said "yes. And no."', 2),
        ("Please enable JavaScript to see this.", 0),
        ("Read our Privacy Policy first, please.", 0),
        ("A word of " + "x" * 1001 + " is too long.", 0),
        ("A word of " + "x" * 1000 + " is not.", 1),
        ("First one here. Second one here! Third?", 3),
    ],
)
def test_only_sentences_in_lines_that_c4_keeps_count(line, n):
    assert lines(line)["n_c4_sentences"] == n
    assert lines(f"menu\n{line}\nmenu")["n_c4_sentences"] == n


def test_placeholder_text_is_found_in_any_case_and_over_a_line_end():
    assert found("Lorem\nIPSUM dolor")["has_lorem_ipsum"] == 1
    assert found("lorem, ipsum")["has_lorem_ipsum"] == 0
