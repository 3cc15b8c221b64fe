import pytest

from curation.measure.hashing import normalise
from curation.measure.words import Words


def test_words_are_what_white_space_separates():
    words = Words("to be,\tor\u00a0not  to\nbe ")
    assert words.words == ["to", "be,", "or", "not", "to", "be"]
    assert words.vocabulary == {"to": 0, "be,": 1, "or": 2, "not": 3, "be": 4}
    assert words.word_ids.tolist() == [0, 1, 2, 3, 0, 4]
    assert words.word_counts.tolist() == [2, 1, 1, 1, 1]
    assert words.word_chars.tolist() == [2, 3, 2, 3, 2, 2]


def test_lines_are_split_on_line_feeds_and_blank_ones_left_out():
    words = Words(" one \r\n\n \t\ntwo\x0bstill two\n")
    assert words.lines == [" one \r", "two\x0bstill two"]
    assert words.stripped_lines == ["one", "two\x0bstill two"]


@pytest.mark.parametrize(
    ("text", "paragraphs"),
    [
        ("a\nb\n\nc", ["a\nb", "c"]),
        ("\n\na\n\n\n\na\n\n", ["a", "a"]),
        ("a\n\n\nb", ["a", "b"]),
        ("a\r\n\r\nb", ["a\r", "b"]),
        ("a\n \t\n  b", ["a", "  b"]),
        ("", []),
        (" \n\n ", []),
    ],
)
def test_paragraphs_are_split_on_blank_lines(text, paragraphs):
    assert Words(text).paragraphs == paragraphs


def test_counting_words_adds_up_all_occurrences_of_all_of_them():
    words = Words("to be or not to be")
    assert words.count_words(frozenset({"to", "be", "absent"})) == 4


def test_the_normalised_text_is_that_of_the_hashes():
    text = " ΟΔΟΣ  Straße\nİstanbul "
    assert Words(text).normalised == normalise(text)
