import re
from functools import partial
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from curation.synth.segment import Segment, chunks, dropped, segments, sentences


def chars(texts):
    """A counter whose token is a character: a line end costs 1."""
    return [len(text) for text in texts]


def words(texts):
    """A counter whose token is a word: a line end costs nothing."""
    return [len(text.split()) for text in texts]


def split_chars(text, max_tokens):
    return [text[begin : begin + max_tokens] for begin in range(0, len(text), max_tokens)] or [""]


def joined(text, **limits):
    return [segment.text for segment in segments(text, long_line=dropped, **limits)]


def cut(text, max_tokens):
    return chunks(text, split=split_chars, max_tokens=max_tokens)


def test_the_worked_example_breaks_at_the_over_length_line():
    # Pieces of 40, 60, 5, 300, 20, 80, 90, 10 tokens; limit 100; a separator costs 1.
    # 40+1+60 = 101 does not fit; 60+1+5 = 66; the 300 goes, and nothing is joined across it (the
    # paper's code would make 60+5+20); 20+1+80 and 80+1+90 and 90+1+10 = 101 do not fit.
    sizes = (40, 60, 5, 300, 20, 80, 90, 10)
    lines = [letter * size for letter, size in zip("abcdefgh", sizes, strict=True)]
    found = joined("\n".join(lines), count=chars, max_tokens=100, min_tokens=10)
    a, b, c, _, e, f, g, h = lines
    assert found == [a, f"{b}\n{c}", e, f, g, h]


def test_a_dropped_line_leaves_a_gap_in_the_numbers_and_so_does_a_short_segment():
    def numbers(text, min_tokens):
        found = segments(text, count=chars, max_tokens=10, min_tokens=min_tokens, long_line=dropped)
        return [(segment.number, segment.text) for segment in found]

    a, long, b, c = "a" * 10, "x" * 11, "b" * 3, "c" * 10
    assert numbers(f"{a}\n{c}", 1) == [(0, a), (1, c)]
    assert numbers(f"{a}\n{long}\n{c}", 1) == [(0, a), (2, c)]
    assert numbers(f"{long}\n{a}\n{long}\n{long}\n{c}\n{long}", 1) == [(1, a), (4, c)]
    assert numbers(f"{a}\n{b}\n{c}", 1) == [(0, a), (1, b), (2, c)]
    assert numbers(f"{a}\n{b}\n{c}", 4) == [(0, a), (2, c)]


def test_a_long_line_is_cut_at_sentences_when_told_to_and_joined_with_nothing():
    split_up = partial(sentences, split=split_chars, max_tokens=18)
    text = "before\nOne heron. Two herons. Three herons wade.\nafter"
    found = segments(text, count=chars, max_tokens=18, min_tokens=1, long_line=split_up)
    assert found == [
        Segment(0, "before"), Segment(1, "One heron."), Segment(2, "Two herons."),
        Segment(3, "Three herons wade."), Segment(4, "after"),
    ]  # fmt: skip


def test_sentences_end_at_chinese_marks_too_which_no_space_follows():
    first, second, rest = "\u82cd\u9e6d\u3002", "\u9c7c\u6e38\u3002", "\u6c34\u6d41"
    found = sentences(first + second + rest, split=split_chars, max_tokens=4)
    assert found == [first, second, rest]


LINES = st.lists(st.text(alphabet="ab .\n", max_size=30), max_size=12).map("\n".join)


@given(LINES, st.integers(1, 25), st.integers(0, 10), st.booleans())
def test_segments_are_pieces_of_the_text_in_order_and_within_the_limits(text, most, least, is_cut):
    long_line = partial(sentences, split=split_chars, max_tokens=most) if is_cut else dropped
    found = segments(text, count=chars, max_tokens=most, min_tokens=least, long_line=long_line)
    place = 0
    for segment in found:
        assert least <= len(segment.text) <= most
        assert segment.text == segment.text.strip("\n") != ""
        place = text.index(segment.text, place) + len(segment.text)
    assert [segment.number for segment in found] == sorted({segment.number for segment in found})


@given(LINES, st.integers(1, 25))
def test_neighbours_in_number_were_neighbours_in_the_text(text, most):
    found = segments(text, count=chars, max_tokens=most, min_tokens=0, long_line=dropped)
    for one, two in pairwise(found):
        together = re.escape(one.text) + r"\s*\n" + r"\s*" + re.escape(two.text)
        if two.number == one.number + 1:
            assert re.search(together, text)


def test_lines_that_just_fit_are_joined_and_one_token_more_is_not():
    text = "a" * 4 + "\n" + "b" * 5
    assert joined(text, count=chars, max_tokens=10, min_tokens=1) == [text]
    assert joined(text, count=chars, max_tokens=9, min_tokens=1) == ["aaaa", "bbbbb"]


def test_a_line_of_exactly_the_limit_stays_and_one_over_it_goes():
    assert joined("a" * 10, count=chars, max_tokens=10, min_tokens=1) == ["a" * 10]
    assert joined("a" * 11, count=chars, max_tokens=10, min_tokens=1) == []


def test_the_separator_is_counted_in_tokens_not_in_characters():
    # Four lines of two words each are eight words; three line ends cost no word.
    text = "a b\nc d\ne f\ng h"
    assert joined(text, count=words, max_tokens=8, min_tokens=1) == [text]


def test_segments_neither_begin_nor_end_with_a_blank_line():
    text = "\n\n  \naaaa\n\nbbbb\n\n\ncccc\n\n"
    found = joined(text, count=chars, max_tokens=10, min_tokens=1)
    assert found == ["aaaa\n\nbbbb", "cccc"]


def test_blank_lines_at_the_cut_take_no_room_from_the_next_segment():
    # After the cut: a blank line, then 5 + 1 + 4 = 10 tokens.
    text = "aaaaaaaaaa\n\nbbbbb\ncccc"
    found = joined(text, count=chars, max_tokens=10, min_tokens=1)
    assert found == ["aaaaaaaaaa", "bbbbb\ncccc"]


def test_segments_under_the_minimum_go_and_those_at_it_stay():
    text = "aaaaaaa\nbbbbb\n" + "c" * 10
    assert joined(text, count=chars, max_tokens=10, min_tokens=6) == ["aaaaaaa", "c" * 10]
    assert joined(text, count=chars, max_tokens=10, min_tokens=5)[1] == "bbbbb"


def test_no_segment_is_over_the_limit_even_if_joining_adds_tokens():
    def joining_costs(texts):
        return [len(text) + 3 * text.strip().count("\n") for text in texts]

    text = "\n".join(letter * 3 for letter in "abcdefghij")
    found = joined(text, count=joining_costs, max_tokens=20, min_tokens=1)
    assert max(joining_costs(found)) <= 20
    assert "\n".join(found) == text


def test_text_without_words_has_no_joined():
    for text in ("", "\n", " \n\t\n "):
        assert joined(text, count=chars, max_tokens=10, min_tokens=0) == []
        assert joined(text, count=words, max_tokens=10, min_tokens=0) == []


def test_chunks_are_the_text_and_none_is_empty_or_over_the_limit():
    text = ("One short sentence. Another one, a little longer?\n\n" * 30) + "\n \n" + "x" * 250
    for limit in (1, 7, 60, 500):
        found = cut(text, limit)
        assert "".join(found) == text
        assert all(0 < len(chunk) <= limit for chunk in found)


@given(st.text(max_size=300), st.integers(1, 40))
def test_chunks_of_any_text_are_the_text(text, limit):
    found = cut(text, limit)
    assert "".join(found) == text
    assert all(0 < len(chunk) <= limit for chunk in found)


PARTS = (
    "$", "$$", "\\(", "\\)", "\\[", "\\]", "\\begin{a}", "\\end{a}", "\\\\[2pt]", "x = 1. ", "\n",
    "\n\n", "word ",
)  # fmt: skip


@given(st.lists(st.sampled_from(PARTS)).map("".join), st.integers(1, 40))
def test_chunks_of_broken_formulas_are_the_text(text, limit):
    assert "".join(cut(text, limit)) == text


def test_text_within_the_limit_is_one_chunk_and_no_text_is_none():
    assert cut("a. b\n\nc", 7) == ["a. b\n\nc"]
    assert cut("", 7) == []


def test_a_paragraph_end_is_preferred_to_a_line_end_and_that_to_a_sentence_end():
    assert cut("aaaaaaaa\n\nbb\ncc. dddddd", 18)[0] == "aaaaaaaa\n\n"
    assert cut("aaaaaaaaaa\ncc. dddddddd", 18)[0] == "aaaaaaaaaa\n"
    assert cut("aaaaaaaaaa cc. dddddddd", 18)[0] == "aaaaaaaaaa cc. "
    assert cut("aaaaaaaaaa cc ddddddddd", 18)[0] == "aaaaaaaaaa cc "
    assert cut("a" * 30, 18)[0] == "a" * 18


def test_an_end_in_the_first_half_is_taken_only_if_there_is_none_in_the_second():
    assert cut("aa\n\nbbbbbbbbbb. cccccccc", 18)[0] == "aa\n\nbbbbbbbbbb. "
    assert cut("aa\n\nbbbbbbbbbb ccccccccc", 18)[0] == "aa\n\n"


def test_a_cut_keeps_out_of_a_formula():
    for formula in ("$x = 1. y$", "$$x = 1. y$$", r"\(x = 1. y\)", "\\[x\n = 1. y\\]"):
        text = f"We let {formula} and go on with it. And on."
        limit = 7 + len(formula) - 1
        assert cut(text, limit)[0] == "We let "
        assert "".join(cut(text, limit)) == text


def test_a_cut_keeps_out_of_an_environment():
    text = "So we have\n\\begin{align*}\na &= b\\\\\nc &= d\n\\end{align*}\nas was to be shown."
    assert cut(text, 40)[0] == "So we have\n"


def test_prices_are_no_formula():
    # Were `$5. Tea costs $` a formula, the cut could not come after the first sentence.
    text = "Milk costs $5. Tea costs $6. Both cost $11."
    assert cut(text, 20)[0] == "Milk costs $5. "
    assert cut("Milk costs $5. In all, US$6 are due.", 20)[0] == "Milk costs $5. "


def test_a_formula_over_the_limit_is_cut_all_the_same():
    formula = "$" + " + ".join("abcdefghijkl") + "$"
    found = cut(formula, 20)
    assert "".join(found) == formula
    assert all(len(chunk) <= 20 for chunk in found)
    assert re.search(r"\s$", found[0])


def test_a_long_text_is_shown_to_the_splitter_in_windows():
    shown = []

    def split(text, max_tokens):
        shown.append(len(text))
        return split_chars(text, max_tokens)

    text = "abc " * 5_000
    assert "".join(chunks(text, split=split, max_tokens=100)) == text
    assert max(shown) <= 1_200
