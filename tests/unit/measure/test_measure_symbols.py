import pytest

from curation.measure.symbols import character_shares, n_url_chars
from curation.measure.words import Words


def shares(text):
    return character_shares(Words(text))


@pytest.mark.parametrize(
    ("text", "non_alnum"),
    [
        ("$aaa", 0.25),
        ("Az09?!,.\n\n", 0.0),
        ("a b", 1 / 3),
        ("é-", 1.0),
        ("漢字a", 2 / 3),
    ],
)
def test_alphanumeric_is_ascii_letters_digits_line_feed_and_four_marks(text, non_alnum):
    assert shares(text)["non_alnum_frac"] == non_alnum


@pytest.mark.parametrize(
    ("text", "digits"),
    [("abcdefghi1", 0.1), ("34134543", 1.0), ("٣a", 0.5), ("²½a", 0.0), ("\U0001d7d8a", 0.5)],
)
def test_digits_are_decimal_digits_of_any_script(text, digits):
    assert shares(text)["digit_frac"] == digits


@pytest.mark.parametrize(
    ("text", "whitespace"), [("123\b", 0.25), ("50%\n\n\n", 0.5), ("\t\n\r\b ", 1.0), ("\u00a0", 0)]
)
def test_white_space_is_tab_line_feed_return_backspace_and_space(text, whitespace):
    assert shares(text)["whitespace_frac"] == whitespace


@pytest.mark.parametrize(
    ("text", "parentheses"), [("123456789(", 0.1), ("()", 1.0), ("{}⟨⟩[]()", 1.0), ("<>«»", 0.0)]
)
def test_parentheses_are_brackets_of_four_kinds(text, parentheses):
    assert shares(text)["parenthesis_frac"] == parentheses


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("see http://a.b/c?d=e&f=%20#g now", "http://a.b/c?d=e&f=%20#g"),
        ("https://a.b/~c_(d);e", "https://a.b/~c_(d)"),
        ("<https://a.b<br>", "https://a.b"),
        ('"http://a.b"', "http://a.b"),
        ("ftp://a.b/c", ""),
        ("www.a.b", ""),
        ("http://", ""),
    ],
)
def test_a_url_runs_from_its_scheme_to_a_character_that_no_url_has(text, url):
    assert n_url_chars(text) == len(url)


def test_the_url_share_counts_every_url():
    assert shares("http://a.b http://c.d")["url_frac"] == 20 / 21


def test_every_share_of_an_empty_text_is_one():
    assert set(shares("").values()) == {1.0}
