import re

from curation.synth.segment import chunks, segments


def chars(texts):
    """A counter whose token is a character: a line end costs 1."""
    return [len(text) for text in texts]


def words(texts):
    """A counter whose token is a word: a line end costs nothing."""
    return [len(text.split()) for text in texts]


def split_chars(text, max_tokens):
    return [text[begin : begin + max_tokens] for begin in range(0, len(text), max_tokens)] or [""]


def cut(text, max_tokens):
    return chunks(text, split=split_chars, max_tokens=max_tokens)


def test_the_worked_example_breaks_at_the_over_length_line():
    # Pieces of 40, 60, 5, 300, 20, 80, 90, 10 tokens; limit 100; a separator costs 1.
    # 40+1+60 = 101 does not fit; 60+1+5 = 66; the 300 goes, and nothing is joined across it (the
    # paper's code would make 60+5+20); 20+1+80 and 80+1+90 and 90+1+10 = 101 do not fit.
    sizes = (40, 60, 5, 300, 20, 80, 90, 10)
    lines = [letter * size for letter, size in zip("abcdefgh", sizes, strict=True)]
    found = segments("\n".join(lines), count=chars, max_tokens=100, min_tokens=10)
    a, b, c, _, e, f, g, h = lines
    assert found == [a, f"{b}\n{c}", e, f, g, h]


def test_lines_that_just_fit_are_joined_and_one_token_more_is_not():
    text = "a" * 4 + "\n" + "b" * 5
    assert segments(text, count=chars, max_tokens=10, min_tokens=1) == [text]
    assert segments(text, count=chars, max_tokens=9, min_tokens=1) == ["aaaa", "bbbbb"]


def test_a_line_of_exactly_the_limit_stays_and_one_over_it_goes():
    assert segments("a" * 10, count=chars, max_tokens=10, min_tokens=1) == ["a" * 10]
    assert segments("a" * 11, count=chars, max_tokens=10, min_tokens=1) == []


def test_the_separator_is_counted_in_tokens_not_in_characters():
    # Four lines of two words each are eight words; three line ends cost no word.
    text = "a b\nc d\ne f\ng h"
    assert segments(text, count=words, max_tokens=8, min_tokens=1) == [text]


def test_segments_neither_begin_nor_end_with_a_blank_line():
    text = "\n\n  \naaaa\n\nbbbb\n\n\ncccc\n\n"
    found = segments(text, count=chars, max_tokens=10, min_tokens=1)
    assert found == ["aaaa\n\nbbbb", "cccc"]


def test_blank_lines_at_the_cut_take_no_room_from_the_next_segment():
    # After the cut: a blank line, then 5 + 1 + 4 = 10 tokens.
    text = "aaaaaaaaaa\n\nbbbbb\ncccc"
    found = segments(text, count=chars, max_tokens=10, min_tokens=1)
    assert found == ["aaaaaaaaaa", "bbbbb\ncccc"]


def test_segments_under_the_minimum_go_and_those_at_it_stay():
    text = "aaaaaaa\nbbbbb\n" + "c" * 10
    assert segments(text, count=chars, max_tokens=10, min_tokens=6) == ["aaaaaaa", "c" * 10]
    assert segments(text, count=chars, max_tokens=10, min_tokens=5)[1] == "bbbbb"


def test_no_segment_is_over_the_limit_even_if_joining_adds_tokens():
    def joining_costs(texts):
        return [len(text) + 3 * text.strip().count("\n") for text in texts]

    text = "\n".join(letter * 3 for letter in "abcdefghij")
    found = segments(text, count=joining_costs, max_tokens=20, min_tokens=1)
    assert max(joining_costs(found)) <= 20
    assert "\n".join(found) == text


def test_text_without_words_has_no_segments():
    for text in ("", "\n", " \n\t\n "):
        assert segments(text, count=chars, max_tokens=10, min_tokens=0) == []
        assert segments(text, count=words, max_tokens=10, min_tokens=0) == []


def test_chunks_are_the_text_and_none_is_empty_or_over_the_limit():
    text = ("One short sentence. Another one, a little longer?\n\n" * 30) + "\n \n" + "x" * 250
    for limit in (1, 7, 60, 500):
        found = cut(text, limit)
        assert "".join(found) == text
        assert all(0 < len(chunk) <= limit for chunk in found)


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
