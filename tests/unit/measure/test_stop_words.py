import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.by_language import languages, with_stop_words
from curation.measure.stop_words import stop_words
from curation.measure.words import Words


def counted(text, language):
    found = stop_words(Words(text), language)
    return found["n_stop_words"], found["n_distinct_stop_words"]


def is_mark(character):
    return unicodedata.category(character)[0] in "PS"


@pytest.mark.parametrize(
    ("language", "text", "n", "n_distinct"),
    [
        ("en", "the cat and the dog", 3, 2),
        ("de", "Der Hund und die Katze und das Haus", 4, 3),  # Der is not der
        ("de", "(und, »der« die. Hunde", 3, 3),
        ("de", "under und-wann derer", 0, 0),
        ("fr", "L'homme est dans la maison, et l'enfant joue", 5, 5),
        ("fr", "l’un d’une («l'une»)", 6, 4),  # l' un d' une l' une
        ("fr", "l' homme; qu'un; aujourd'hui un", 3, 2),  # l' un un
        ("it", "dell'a", 1, 1),
        ("de", "l'un d'in", 0, 0),  # no apostrophes in its list
        ("bg", "1999 г., на г 5", 2, 2),
        ("fi", "s. 12 (s.) on", 3, 2),
        ("ca", "d' (d') d, d'un", 5, 3),  # d' d' d d' un
        ("ar", "في ، من", 2, 2),  # the comma is on the list, but is a mark
        ("hi", "के का क", 2, 2),
        ("ru", "и в, и", 3, 2),
        ("fr", "", 0, 0),
        ("fr", " \n\n\t ", 0, 0),
    ],
)
def test_stop_words_count_with_marks_and_apostrophes_around_them(language, text, n, n_distinct):
    assert counted(text, language) == (n, n_distinct)


def test_four_marks_around_a_stop_word_are_looked_through_and_no_more():
    longest = max(map(len, languages()["en"].stop_words))
    assert longest == 4
    assert counted("((with))", "en") == (1, 1)
    assert counted("(((with))", "en") == (0, 0)


@pytest.mark.parametrize("language", ["und", "zh", "ja", "th", "ko", "tlh", ""])
def test_a_language_without_a_list_has_no_count(language):
    assert counted("the 的 de", language) == (None, None)


@pytest.mark.parametrize("language", sorted(with_stop_words()))
def test_every_word_of_a_list_counts_in_its_language(language):
    words = languages()[language].stop_words
    shown = [word for word in words if not all(map(is_mark, word))]
    assert len(shown) >= len(words) - 1
    assert counted(" ".join(words), language) == (len(shown), len(shown))
    assert counted(", ".join(shown) + "!", language) == (len(shown), len(shown))


def by_hand(text, language):
    """The same, word by word in Python."""
    known = set(languages()[language].stop_words)
    longest = max(map(len, known))
    elided = any(word.endswith("'") for word in known)
    found = []
    for raw in text.split():
        word = raw.replace("’", "'")
        if raw in known:
            found.append(raw)
            continue
        bare = word
        if elided or len(word) <= longest + 4:
            while bare and is_mark(bare[0]):
                bare = bare[1:]
            behind = bare
            while bare and is_mark(bare[-1]):
                bare = bare[:-1]
            if bare and behind[: len(bare) + 1] in known:
                found.append(behind[: len(bare) + 1])
                continue
            if bare in known:
                found.append(bare)
                continue
        at = bare.find("'", 1, 5)
        if elided and at > 0:
            found += [part for part in (bare[: at + 1], bare[at + 1 :]) if part in known]
    return len(found), len(set(found))


PIECES = ["l", "'", "’", "un", "d", "est", "la", "(", ".", "»", " ", "\n", "Ａ", "de", "é", "г."]


@given(st.lists(st.sampled_from(PIECES), max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_the_kernel_counts_as_plain_python_does(text):
    for language in ("fr", "bg", "en"):
        assert counted(text, language) == by_hand(text, language)


@given(
    st.text(st.characters(exclude_categories=()), max_size=60),
    st.sampled_from(sorted(with_stop_words())),
)
@settings(max_examples=200, deadline=None)
def test_any_text_has_a_count_within_bounds(text, language):
    n, n_distinct = counted(text, language)
    assert 0 <= n_distinct <= n <= 2 * len(text.split())
    assert n_distinct <= len(languages()[language].stop_words)


@pytest.mark.parametrize(
    "text",
    ["a" * 10_000_000, "(" * 10_000_000, "l'" * 1_000_000, "\ud800 \udfff de", "\0de\0 de",
     "\u202ede\u202c de", "d\u0301e de", "的" * 100_000],
)  # fmt: skip
def test_strange_texts_are_counted_and_never_crash(text):
    for language in ("fr", "ar"):
        assert counted(text, language) in {(0, 0), (1, 1)}
