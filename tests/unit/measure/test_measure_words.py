import random
import re

import numpy as np
import pytest

from curation.measure.hashing import normalise
from curation.measure.words import Words, hash_of, numbered


def pieces(text):
    words = Words(text)
    return [words.of(spans) for spans in words.tokens]


def test_words_are_what_white_space_separates():
    assert pieces("to be,\tor\u00a0not  to\nbe ")[0] == ["to", "be,", "or", "not", "to", "be"]


def test_lines_are_split_on_line_feeds_and_blank_ones_left_out():
    assert pieces(" one \r\n\n \t\ntwo\x0bstill two\n")[1] == [" one \r", "two\x0bstill two"]


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
    assert pieces(text)[2] == paragraphs


def test_pieces_are_those_of_the_definitions_in_python():
    rng = random.Random(1)
    for _ in range(2_000):
        text = "".join(rng.choices(" \n\r\tab\x1c\u2003é\ud800", k=rng.randrange(30)))
        lines = [line for line in text.split("\n") if line.strip()]
        paragraphs = re.split(r"\n\s*\n", text.strip()) if text.strip() else []
        assert pieces(text) == [text.split(), lines, paragraphs]


def test_equal_pieces_have_equal_hashes_and_others_do_not():
    words = Words("to be or not to be, ot").tokens.words
    assert words.hash[0] == words.hash[4] == hash_of("to")
    assert len(set(words.hash.tolist())) == 6
    many = Words(" ".join(map(str, range(200_000)))).tokens.words
    assert len(np.unique(many.hash)) == 200_000


def test_keys_are_numbered_in_the_order_of_their_first_occurrence():
    keys = np.array([7, 9, 7, 1 << 63, 9, 7], np.uint64)
    found = numbered(keys)
    assert found.number.tolist() == [0, 1, 0, 2, 1, 0]
    assert found.first.tolist() == [0, 1, 3]
    assert found.n_each.tolist() == [3, 2, 1]


def test_keys_that_fall_into_one_slot_are_kept_apart():
    keys = np.arange(100, dtype=np.uint64) << np.uint64(40)
    assert numbered(np.concatenate([keys, keys])).number.tolist() == [*range(100), *range(100)]
    assert numbered(keys[:0]).first.size == 0


def test_the_normalised_text_is_that_of_the_hashes():
    text = " ΟΔΟΣ  Straße\nİstanbul "
    assert Words(text).normalised == normalise(text)
