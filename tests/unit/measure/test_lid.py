"""Our reader of lid.176 gives fastText's own answers."""

import fasttext
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import EnvironmentFault
from curation.measure.lid import read_model
from curation.model_store import language_model_path

TEXTS = [
    "", "a", "The cat sat on the mat and looked at the moon.", "Der Hund schläft unter dem Tisch.",
    "Le chat dort sur le canapé du salon.",
    "Кошка спит на диване в гостиной.",
    "猫はソファで寝ています。",
    "고양이가 소파에서 자고 있습니다", "القطة تنام على الأريكة",
    "ก" * 50, "x" * 5_000, "\r\x0b\t \x0c", "<b>",
    "1234 5678", "é" * 300, "word " * 2_000,
]  # fmt: skip


@pytest.fixture(scope="module")
def ours():
    return read_model(language_model_path())


@pytest.fixture(scope="module")
def theirs():
    return fasttext.load_model(str(language_model_path()))


def assert_equal(ours, theirs, texts):
    labels, scores = ours.predict(texts, k=3)
    for text, own, own_scores in zip(texts, labels, scores, strict=True):
        names, values = theirs.predict(text.replace("\n", " "), k=3)
        # fastText leaves out labels below 1e-5.
        assert own[: len(names)] == list(names), text
        assert np.allclose(own_scores[: len(values)], values, atol=2e-6)


def test_labels_and_probabilities_are_those_of_fasttext(ours, theirs):
    assert_equal(ours, theirs, TEXTS)


_WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0\n"), max_size=80)


@settings(max_examples=150, deadline=None)
@given(_WORDS)
def test_any_text_gives_the_best_label_of_fasttext(ours, theirs, text):
    label, score = ours.predict([text], k=1)
    names, values = theirs.predict(text, k=1)
    # Where two labels are as likely to the last digit, the order of a sum may decide.
    assert label[0][0] == names[0] or abs(score[0][0] - values[0]) < 1e-6
    assert score[0][0] == pytest.approx(values[0], abs=2e-6)


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=50))
def test_lone_surrogates_and_nuls_give_an_answer(ours, text):
    labels, scores = ours.predict([text, "\ud800 abc", "\0"], k=2)
    assert [len(one) for one in labels] == [2, 2, 2]
    assert all(np.isfinite(one).all() for one in scores)


def test_a_file_that_is_cut_short_says_so(tmp_path):
    content = language_model_path().read_bytes()
    for name, kept in (("short", content[:1_000]), ("head", content[:70]), ("none", b"")):
        (tmp_path / name).write_bytes(kept)
        with pytest.raises(EnvironmentFault, match=name):
            read_model(tmp_path / name)


def test_a_model_of_other_labels_is_not_lid(tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("__label__en one two\n__label__de three four\n")
    model = fasttext.train_supervised(
        input=str(lines), minCount=1, dim=2, bucket=10, thread=1, verbose=0
    )
    model.save_model(str(tmp_path / "other.bin"))
    with pytest.raises(EnvironmentFault, match=r"not lid\.176 but a model of 2 labels"):
        read_model(tmp_path / "other.bin")


def test_fasttexts_own_marks_are_words(ours):
    plain, marked = ours.predict(["Guten Morgen", "Guten Morgen </s> __label__en"], k=1)[1]
    assert plain[0] != marked[0]
