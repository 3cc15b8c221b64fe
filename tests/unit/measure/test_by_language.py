import re

import pytest

from curation.measure.by_language import UNSPACED, languages, published, with_stop_words
from curation.measure.rules import STOP_WORD_SIGNALS, WORD_SIGNALS
from curation.schemas import MEASURES

SEGMENTED = UNSPACED | {"ko"}
"""Languages whose published thresholds on words are of other words than ours."""


def test_the_thresholds_of_french_are_those_that_fineweb_2_publishes():
    french = languages()["fr"]
    assert french.fineweb2.code == "fra_Latn"
    # dup_line_frac is 0.264 there, of repeated lines; here it is of unique ones.
    assert french.fineweb2.min == {
        "unique_line_frac": 0.736, "terminal_line_frac": 0.1, "mean_word_chars": 2,
        "alpha_word_frac": 0.812,
    }  # fmt: skip
    assert french.fineweb2.max == {
        "top_2gram_frac": 0.161, "top_3gram_frac": 0.149, "top_4gram_frac": 0.134,
        "dup_5gram_frac": 0.15, "dup_6gram_frac": 0.141, "dup_7gram_frac": 0.131,
        "dup_8gram_frac": 0.121, "dup_9gram_frac": 0.111, "dup_10gram_frac": 0.1,
        "newline_word_ratio": 0.185, "mean_word_chars": 11,
    }  # fmt: skip
    assert len(french.stop_words) == 18


def test_there_are_thresholds_for_61_languages_and_stop_words_for_55():
    assert sum(language.fineweb2 is not None for language in languages().values()) == 61
    assert len(with_stop_words()) == 55
    assert languages()["en"].fineweb2 is None


@pytest.mark.parametrize("code", sorted(languages()))
def test_every_bound_is_of_a_column_and_those_on_words_only_where_words_are_ours(code):
    language = languages()[code]
    assert re.fullmatch("[a-z]{2,3}", code)
    assert bool(language.stop_words) != (code in SEGMENTED)
    if language.fineweb2 is None:
        return
    bounds = [*language.fineweb2.min, *language.fineweb2.max]
    assert set(bounds) <= set(MEASURES.columns.names)
    on_words = WORD_SIGNALS.intersection(bounds)
    assert len(on_words) == (0 if code in SEGMENTED else 12)
    shares = [value for side in (language.fineweb2.min, language.fineweb2.max)
              for name, value in side.items() if name.endswith("_frac")]  # fmt: skip
    assert all(0 <= share < 1 for share in shares)


def test_what_a_source_does_not_bound_has_no_table():
    assert published("n_words", "min") == {}
    assert published("mean_word_chars", "max")["te"] == 68
    assert "ko" not in published("mean_word_chars", "max")
    assert published("terminal_line_frac", "min")["zh"] == 0.106


def test_signals_of_words_and_of_stop_words_are_columns_and_no_others_are_named():
    assert set(MEASURES.columns.names) >= WORD_SIGNALS | STOP_WORD_SIGNALS
