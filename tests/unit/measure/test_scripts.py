import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.scripts import SCRIPT_OF, SCRIPTS, script_of, script_shares
from curation.measure.words import Words

COLUMNS = {f"{name}_frac" for name in SCRIPTS}


def shares(text):
    return {name: share for name, share in script_shares(Words(text)).items() if share}


@pytest.mark.parametrize(
    ("letters", "script"),
    [
        ("AZazéßøơŁ", "latin"),
        ("ＡｚªKⁿ", "latin"),
        ("ЖяёЂ", "cyrillic"),
        ("ΑωάΩ", "greek"),
        ("ابگ", "arabic"),
        ("אש", "hebrew"),
        ("कह", "devanagari"),
        ("中語々﨑𠀀", "han"),
        ("あンーｶ", "kana"),
        ("한ㄱ", "hangul"),
        ("กฮ", "thai"),
        ("ԱაবதⲀ𝐀µʼꀀ", "other_script"),
    ],
)
def test_a_letter_has_the_script_of_its_name(letters, script):
    assert [SCRIPTS[script_of(letter)] for letter in letters] == [script] * len(letters)
    assert shares(letters) == {f"{script}_frac": 1.0}


def test_shares_are_of_letters_alone():
    # Of eight letters four are Latin, two Cyrillic, one Han, one Armenian.
    assert shares("ab, CD! 12 Жя\n中 ... Ա\t№ 🙂 ́") == {
        "latin_frac": 0.5,
        "cyrillic_frac": 0.25,
        "han_frac": 0.125,
        "other_script_frac": 0.125,
    }


@pytest.mark.parametrize("text", ["", " \n\n", "12 + 3 = 15 %", "\0\0", "\ud800\udfff", "ְ́ิ"])
def test_without_letters_every_share_is_nothing(text):
    assert script_shares(Words(text)) == dict.fromkeys(COLUMNS, 0.0)


def test_marks_beside_the_letters_of_ascii_are_no_letters():
    assert shares("@[`{\x00\x7f a") == {"latin_frac": 1.0}
    assert shares("@[`{\x00\x7f") == {}


def test_every_letter_of_unicode_and_nothing_else_has_a_script():
    letters = {chr(code) for code in range(sys.maxunicode + 1) if chr(code).isalpha()}
    placed = {chr(code) for code in (len(SCRIPTS) > SCRIPT_OF).nonzero()[0].tolist()}
    assert placed == letters


def test_no_letter_that_is_called_latin_at_all_is_said_to_be_of_another_alphabet():
    for code in (SCRIPTS.index("cyrillic") == SCRIPT_OF).nonzero()[0].tolist():
        assert "LATIN" not in unicodedata.name(chr(code))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(exclude_categories=())))
def test_shares_add_up_to_one_or_to_nothing(text):
    found = script_shares(Words(text))
    assert set(found) == COLUMNS
    assert sum(found.values()) == pytest.approx(1.0 if any(c.isalpha() for c in text) else 0.0)
    assert found["latin_frac"] == pytest.approx(
        sum(c.isalpha() and SCRIPTS[script_of(c)] == "latin" for c in text)
        / max(sum(c.isalpha() for c in text), 1)
    )


def test_a_word_of_ten_million_characters_has_a_value():
    assert shares("x" * 10_000_000 + "я") == pytest.approx(
        {"latin_frac": 1 - 1 / 10_000_001, "cyrillic_frac": 1 / 10_000_001}
    )
