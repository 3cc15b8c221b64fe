import os
import subprocess
import sys

import pytest

from curation.measure.repetition import ngram_shares, repetition, unique_fracs
from curation.measure.words import Words

ADVERT = "Buy now and save big today!\n" * 6 + "Contact us for the best price."


def top(text, n=2):
    return ngram_shares(Words(text), top=[n], duplicate=[2])[f"top_{n}gram_frac"]


def duplicate(text, n=2):
    return ngram_shares(Words(text), top=[2], duplicate=[n])[f"dup_{n}gram_frac"]


def test_the_advert_has_the_values_of_the_reference():
    # Spec 10.3. Six equal lines of 27 characters and one of 30; the later five and the line ends
    # between them are 139 of 198 characters.
    found = repetition(Words(ADVERT))
    assert found["unique_line_frac"] == pytest.approx(2 / 7)
    assert found["unique_line_char_frac"] == pytest.approx(57 / 192)
    assert found["unique_paragraph_frac"] == found["unique_paragraph_char_frac"] == 1.0
    assert [found[f"dup_{n}gram_frac"] for n in range(5, 11)] == [139 / 198] * 6


def test_the_top_ngrams_of_the_advert_are_its_longest_frequent_ones():
    # `save big`... `big today!` (10 characters) six times; `save big today!` (15) six times;
    # `and save big today!` (19) six times. `now and save big` and others are shorter.
    found = repetition(Words(ADVERT))
    assert found["top_2gram_frac"] == pytest.approx(60 / 198)
    assert found["top_3gram_frac"] == pytest.approx(90 / 198)
    assert found["top_4gram_frac"] == pytest.approx(114 / 198)


def test_unique_shares_count_lines_and_characters():
    lines = Words("aaa\naaa\nb").tokens.lines
    assert unique_fracs(lines) == pytest.approx((2 / 3, 4 / 7))
    none = Words("").tokens.lines
    assert unique_fracs(none) == (0.0, 0.0)


def test_lines_that_differ_in_white_space_differ_and_blank_ones_do_not_count():
    found = repetition(Words("a\n\n a\n\na"))
    assert found["unique_line_frac"] == pytest.approx(2 / 3)
    assert found["unique_paragraph_frac"] == pytest.approx(2 / 3)
    assert found["unique_paragraph_char_frac"] == pytest.approx(3 / 4)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("totally fine small dupe a b a b", 6 / 31),
        ("a b . a b", 6 / 9),
        ("a a a a a a", 1.0),
        ("all four words differ", 0.0),
        ("a b\nx a\nb", 6 / 9),
        ("a b in a banana, a b", 6 / 20),
        ("a  b x a  b", 6 / 11),
    ],
)
def test_the_top_bigram_covers_its_whole_words_wherever_they_stand(text, share):
    assert top(text) == pytest.approx(share)


def test_of_equally_frequent_ngrams_the_longest_counts():
    assert top("a b cd ef x a b y cd ef") == pytest.approx(10 / 23)
    assert top("cd ef a b x cd ef y a b") == pytest.approx(10 / 23)


def test_of_equally_frequent_and_long_ngrams_the_first_counts():
    # `a a` and `c d` occur twice each; `a a` overlaps itself and covers 5 characters, not 6.
    assert top("a a a x c d y c d") == pytest.approx(5 / 17)
    assert top("c d x c d y a a a") == pytest.approx(6 / 17)


def test_frequency_goes_before_length():
    assert top("a b 1 a b 2 a b 3 long words 4 long words") == pytest.approx(9 / 41)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("a a a a this should be fine as well", 5 / 35),
        ("a a b b a a b b", 7 / 15),
        ("a b c a b c", 5 / 11),
        ("a b a b", 3 / 7),
        ("a b x a b y a b", 6 / 15),
        ("a b\n\nx a\n\nb", 3 / 11),
        ("all of it differs", 0.0),
    ],
)
def test_later_occurrences_of_bigrams_are_counted_once(text, share):
    assert duplicate(text) == pytest.approx(share)


def test_duplicates_that_touch_do_not_count_the_space_between_them():
    # Later `a b` at 4 and `c d` at 6; `b c` and `d x` are new: 3 + 3 characters.
    assert duplicate("c d x a b y a b c d") == pytest.approx(6 / 19)


@pytest.mark.parametrize("n", range(5, 11))
def test_a_phrase_said_twice_is_duplicate_for_every_n_up_to_its_length(n):
    phrase = " ".join("abcdefgh"[:8])
    text = f"{phrase} x {phrase}"
    assert duplicate(text, n) == (pytest.approx(15 / 33) if n <= 8 else 0.0)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 10])
def test_fewer_than_n_words_are_all_repetition_and_n_words_none(n):
    fewer, enough = (" ".join(map(str, range(count))) for count in (n - 1, n))
    assert (top(fewer, n), duplicate(fewer, n)) == (1.0, 1.0)
    assert (top(enough, n), duplicate(enough, n)) == (0.0, 0.0)


def test_a_text_without_words_has_the_worst_values():
    for text in ("", " \n\n\t"):
        found = repetition(Words(text))
        assert {v for k, v in found.items() if k.startswith("unique")} == {0.0}
        assert {v for k, v in found.items() if k.endswith("gram_frac")} == {1.0}


def test_values_do_not_depend_on_the_hash_seed():
    text = "a b c d e f a b c d e f g h i j k l g h i j k l a c e b d f"
    code = f"from curation.measure.repetition import *; print(repetition(Words({text!r})))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code], env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True, check=True, text=True,
        ).stdout
        for seed in ("0", "1", "2")
    }  # fmt: skip
    assert len(outputs) == 1
