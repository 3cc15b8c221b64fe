"""Shares of characters of any text, against their definitions in plain Python."""

import string
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from curation.measure.symbols import character_shares, n_url_chars
from curation.measure.words import Words

ALNUM = string.ascii_letters + string.digits
IN_URL = ALNUM + "-._~:/?#[]@!$&'()*+,=%"

PIECES = st.sampled_from([
    *"htps:/. ;<>\"a1\n\t\r\b(){}[]⟨⟩?!,é漢٣²½Ⅳ\u00a0\u2003\x0b\0", "http://", "https://", "HTTP://",
    "http", "https", "://", "ftp://", "http:/", "httpss://", "a.b/c?d=e&f=%20#g", "\U0001d7d8",
    "e\u0301", "\U0001f600", "שלום",
])  # fmt: skip
ODD_TEXT = st.lists(PIECES, max_size=40).map("".join)
URL_TEXT = st.text("htps:/a. ", max_size=60)
ANY_TEXT = st.text(max_size=200)  # any Unicode but lone surrogates
COPIED_TEXT = st.builds(lambda text, n: text * n, ODD_TEXT, st.integers(0, 30))


def by_definition(text):
    kinds = {
        "non_alnum_frac": lambda c: c not in ALNUM + "\n?!,.",
        "digit_frac": lambda c: unicodedata.category(c) == "Nd",
        "whitespace_frac": lambda c: c in "\t\n\r\b ",
        "parenthesis_frac": lambda c: c in "{}⟨⟩[]()",
    }
    counts = {name: sum(map(is_one, text)) for name, is_one in kinds.items()}
    counts["url_frac"] = len("".join(urls(text)))
    return {name: n / len(text) if text else 1.0 for name, n in counts.items()}


def urls(text):
    """URLs in order: a scheme and one or more characters of URLs behind it."""
    i = 0
    while i < len(text):
        scheme = next((s for s in ("http://", "https://") if text.startswith(s, i)), None)
        end = i + len(scheme or "")
        while scheme and end < len(text) and text[end] in IN_URL:
            end += 1
        if scheme and end > i + len(scheme):
            yield text[i:end]
            i = end
        else:
            i += 1


@settings(max_examples=600, deadline=None)
@given(ODD_TEXT | URL_TEXT | ANY_TEXT | COPIED_TEXT)
@example("")
@example("one line and no more")
@example("\n" * 100)
@example("http://")
@example("http://http://a https:// https://b")
def test_shares_are_those_of_their_definitions(text):
    assert character_shares(Words(text)) == by_definition(text)
    assert n_url_chars(text) == len("".join(urls(text)))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["http://a.b", "https://c.d/e?f=g#h", "word", "ftp://x.y"])),
       st.sampled_from([" ", "\n", "<", ";", '"', "é"]))  # fmt: skip
def test_urls_between_characters_that_no_url_has_count_whole(pieces, gap):
    n_chars = sum(len(piece) for piece in pieces if piece.startswith("http"))
    assert n_url_chars(gap.join(pieces)) == n_chars


def test_every_character_of_unicode_is_of_its_kinds():
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for start in range(0, len(characters), 1_000):
        text = "".join(characters[start : start + 1_000])
        assert character_shares(Words(text)) == by_definition(text)


HUGE = {
    "one word": "x" * 100_000,
    "line feeds": "\n" * 100_000,
    "schemes": "http://" * 20_000,
    "broken schemes": "http:/" * 20_000,
    "spaced schemes": "https:// " * 20_000,
    "one long URL": "https://" + "a/" * 50_000,
    "brackets": "([{⟨" * 20_000,
    "digits": "٣7\U0001d7d8" * 20_000,
}


@pytest.mark.parametrize("text", HUGE.values(), ids=HUGE)
def test_huge_repeats_are_those_of_the_definition(text):
    assert character_shares(Words(text)) == by_definition(text)
