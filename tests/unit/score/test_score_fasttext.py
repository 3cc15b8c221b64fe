import gzip
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from curation.errors import InputError
from curation.fasttext.reading import Reading
from curation.score.fasttext import FastTextQuality, join_lines, load_fasttext
from curation.score.weights import default_weight

GOLD = Path(__file__).parents[4] / "shared/data/crawl/gold.jsonl.gz"
LESSON = (
    "A function takes an input and returns an output. To define a function, write its name, then "
    "its parameters in parentheses.\nFor example, the function below takes a number and returns "
    "its square. The value of the parameter exists only inside the body of the function, so "
    "another function may use the same name without conflict."
)
SHOP = (
    "Sale! Save 40% on all boots, free shipping on orders over $50.\nAdd to cart. "
    "Women's Trail Boot $89.99. Men's Trail Boot $94.99. 4.8 out of 5 stars (212 reviews). "
    "Sign up for our newsletter and get 10% off your first order."
)


class FakePredictor:
    """Answers as told and keeps what it was asked."""

    def __init__(self, label, probability):
        self.labels = ["__label__cc", "__label__hq"]
        self.answer = (self.labels.index(label) if label else -1), probability
        self.asked = []

    def likeliest(self, texts, reading, k=1):
        assert reading is Reading.LINES
        self.asked += texts
        place, probability = self.answer
        return np.full((len(texts), k), place), np.full((len(texts), k), probability, np.float32)


def shipped():
    return load_fasttext(str(default_weight("fasttext.ftz")))


def test_the_probability_of_hq_is_the_top_one_when_hq_is_on_top():
    scores = FastTextQuality(FakePredictor("__label__hq", 0.75)).score_texts(["a"])
    assert scores.tolist() == [0.75]


def test_the_probability_is_flipped_when_cc_is_on_top():
    scores = FastTextQuality(FakePredictor("__label__cc", 0.75)).score_texts(["a"])
    assert scores.tolist() == [0.25]


def test_a_probability_just_above_one_is_cut():
    assert FastTextQuality(FakePredictor("__label__hq", 1.00001)).score_texts(["a"])[0] == 1.0
    assert FastTextQuality(FakePredictor("__label__cc", 1.00001)).score_texts(["a"])[0] == 0.0


def test_lines_are_joined_by_a_space_never_by_nothing():
    assert join_lines("left\nright") == "left right"


def test_a_text_scores_as_its_lines_joined_do():
    texts = [f"{LESSON}\r\n\u00a0\n  {SHOP}\u2028{LESSON}\tfive\n", "one \n\n  two\r\nthree"]
    scores = shipped().score_texts(texts)
    assert scores.tolist() == shipped().score_texts([join_lines(text) for text in texts]).tolist()


@pytest.mark.parametrize("text", ["", " ", "\n\t \r\n", "\u00a0\u2003", "\x1c\x1f\x85\u2029"])
def test_a_text_without_a_visible_character_is_nan(text):
    scores = shipped().score_texts([text, LESSON])
    assert np.isnan(scores).tolist() == [True, False]


def test_a_text_of_words_that_are_no_words_has_the_score_of_none():
    # What is not white space to Python is visible, even where fastText reads nothing.
    nul, label = shipped().score_texts(["\0", "__label__hq"])
    assert nul == label
    assert np.isfinite(nul)


def test_half_a_surrogate_pair_is_nan_and_none_of_it_is_shown_to_the_model():
    predictor = FakePredictor("__label__hq", 0.5)
    FastTextQuality(predictor).score_texts(["a \ud800 b", "c"])
    assert predictor.asked == [b"", b"c"]
    assert np.isnan(shipped().score_texts(["a \ud800 b", "c"])).tolist() == [True, False]


def test_a_text_that_the_model_knows_nothing_of_is_nan():
    assert math.isnan(FastTextQuality(FakePredictor(None, np.nan)).score_texts(["a"])[0])


def test_no_texts_give_no_scores():
    scores = shipped().score_texts([])
    assert scores.dtype == np.float32
    assert scores.shape == (0,)


def test_a_lesson_scores_above_a_shop_page():
    lesson, shop = shipped().score_texts([LESSON, SHOP])
    assert lesson > 0.5 > shop


def test_order_and_scores_are_the_same_for_every_batch_size():
    texts = [SHOP, "", LESSON, "Привет, мир", SHOP, "日本語の文章です。", "🙂🙂", LESSON]
    whole = shipped().score_texts(texts)
    assert np.isnan(whole).tolist() == [False, True, False, False, False, False, False, False]
    for size in (1, 2, 3):
        parts = [shipped().score_texts(texts[i : i + size]) for i in range(0, len(texts), size)]
        np.testing.assert_array_equal(np.concatenate(parts), whole)


def test_control_characters_and_a_very_long_line_are_scored():
    scores = shipped().score_texts(["a\x00b\x0cc", "word " * 400_000])
    assert np.isfinite(scores).all()


def test_a_model_is_loaded_once_a_process():
    assert shipped() is shipped()


def test_a_missing_model_is_named():
    with pytest.raises(InputError, match=r"nowhere\.bin"):
        load_fasttext("nowhere.bin")


def test_a_file_that_is_no_model_is_refused(tmp_path):
    path = tmp_path / "broken.bin"
    path.write_bytes(b"not a model at all, only some bytes")
    with pytest.raises(InputError, match="not a fastText model"):
        load_fasttext(str(path))


def test_a_model_with_other_labels_is_refused(tmp_path):
    fasttext = pytest.importorskip("fasttext")
    lines = tmp_path / "lines.txt"
    lines.write_text("__label__good one two\n__label__bad three four\n")
    model = fasttext.train_supervised(
        input=str(lines), minCount=1, dim=2, bucket=10, thread=1, verbose=0
    )
    model.save_model(str(tmp_path / "other.bin"))
    with pytest.raises(InputError, match="__label__bad"):
        load_fasttext(str(tmp_path / "other.bin"))


@pytest.mark.shared
def test_real_texts_score_as_by_the_package():
    fasttext = pytest.importorskip("fasttext")
    if not GOLD.is_file():
        pytest.skip("no ../shared/data/crawl/gold.jsonl.gz")
    with gzip.open(GOLD, "rt", encoding="utf-8") as file:
        texts = [row["main_text"] for row in map(json.loads, file) if row.get("main_text")]
    theirs = fasttext.load_model(str(default_weight("fasttext.ftz")))
    answers = [theirs.predict(join_lines(text)) for text in texts]
    wanted = [
        min(values[0], 1.0) if names[0] == "__label__hq" else 1 - min(values[0], 1.0)
        for names, values in answers
    ]
    np.testing.assert_allclose(shipped().score_texts(texts), wanted, atol=1e-6)


def test_the_word_that_ends_a_line_of_fasttext_hides_nothing_behind_it():
    assert join_lines("a </s>\n</s> b") == "a < /s> < /s> b"
    lesson, hidden, told = shipped().score_texts(
        [LESSON, f"{LESSON} </s> {SHOP * 9}", f"{LESSON} < /s> {SHOP * 9}"]
    )
    assert hidden == told != lesson


def test_a_model_replaced_by_another_is_loaded_anew(tmp_path):
    path = tmp_path / "model.ftz"
    path.write_bytes(default_weight("fasttext.ftz").read_bytes())
    first = load_fasttext(str(path))
    assert load_fasttext(str(path)) is first
    os.utime(path, ns=(1, 1))
    assert load_fasttext(str(path)) is not first
