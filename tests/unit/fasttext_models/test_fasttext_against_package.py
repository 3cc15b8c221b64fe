"""Our kernels give the answers of the package fasttext for models of every kind that it trains."""

import random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from curation.fasttext.model import read_model
from curation.fasttext.reading import Reading
from curation.score.fasttext import join_lines
from curation.score.weights import default_weight

fasttext = pytest.importorskip("fasttext")

SYLLABLES = ["ka", "to", "mi", "ré", "лю", "字", "x", "end"]
KINDS = [
    (loss, word_ngrams, chars)
    for loss in ("softmax", "hs", "ova", "ns")
    for word_ngrams in (1, 2, 3)
    for chars in ((0, 0), (2, 4), (1, 3))
]
QUANTISED_KINDS = [("softmax", 2, (0, 0)), ("hs", 1, (2, 4)), ("ova", 3, (1, 3))]
QUANTISED = {
    "whole": {},
    "cut": {"cutoff": 400, "retrain": True},
    "norms": {"cutoff": 400, "qnorm": True},
    "narrow": {"cutoff": 300, "retrain": True, "qnorm": True, "dsub": 3},
}


@pytest.fixture(scope="module")
def words():
    chance = random.Random(17)
    return ["".join(chance.choices(SYLLABLES, k=chance.randint(1, 4))) for _ in range(300)]


@pytest.fixture(scope="module")
def lines(words, tmp_path_factory):
    """A file of lines with five labels, each fond of other words."""
    chance = random.Random(18)
    path = tmp_path_factory.mktemp("lines") / "lines.txt"
    with path.open("w", encoding="utf-8") as file:
        for number in range(600):
            label = number % 5 if number % 7 else 0
            shown = chance.choices(words[label * 40 :], k=chance.randint(1, 12))
            file.write(f"__label__l{label} {' '.join(shown)}\n")
    return str(path)


def train(lines, path, loss="softmax", word_ngrams=1, chars=(0, 0), **settings_):
    options = {
        "dim": 10, "epoch": 3, "lr": 0.5, "bucket": 3_000, "minCount": 1, "thread": 1, "verbose": 0,
        "seed": 3, "loss": loss, "wordNgrams": word_ngrams, "minn": chars[0], "maxn": chars[1],
    }  # fmt: skip
    model = fasttext.train_supervised(input=lines, **(options | settings_))
    model.save_model(str(path))
    return model


def texts_of(words):
    """Lines of known, unknown and odd words."""
    chance = random.Random(19)
    odd = [
        "</s>", "__label__l1", "__label__new", "__label__", "a</s>", "<", ">", "<>", "é" * 90,
        "z" * 3_000, "\u00a0", "\u3000a", "\0", "\t", "\v", "\f", "\r", "𝔘", "",
    ]  # fmt: skip
    made = [" ".join(chance.choices(words, k=n)) for n in range(1, 60)]
    mixed = [" ".join(chance.choices([*words[:40], *odd], k=12)) for _ in range(150)]
    return ["", " ", *odd, *made, *mixed, " ".join(words * 20)]


def assert_same(path, texts, k=2):
    """Asserts that ours and theirs give the same labels and probabilities of `texts`."""
    ours, theirs = read_model(path), fasttext.load_model(str(path))
    assert ours.labels == theirs.get_labels()
    found, scores = ours.likeliest([text.encode() for text in texts], Reading.LINE, k)
    for text, places, own in zip(texts, found.tolist(), scores, strict=True):
        names, values = theirs.predict(text, k=-1)
        # The tree of fastText leaves out labels below 1e-5, and it says nothing where it knows
        # nothing; of labels that are as likely as each other it may name another one.
        wanted = [*values, *[0] * k][:k]
        np.testing.assert_allclose(np.nan_to_num(own), wanted, atol=1e-5, err_msg=text)
        assert np.isnan(own).all() == (-1 in places)
        for place, name, value in list(zip(places, names, values, strict=False)):
            is_tied = sum(abs(value - other) < 2e-5 for other in values) > 1
            assert ours.labels[place] == name or is_tied, text


@pytest.mark.parametrize(("loss", "word_ngrams", "chars"), KINDS)
def test_dense_models_answer_as_the_package(lines, words, tmp_path, loss, word_ngrams, chars):
    train(lines, tmp_path / "model.bin", loss, word_ngrams, chars)
    assert_same(tmp_path / "model.bin", texts_of(words))


@pytest.mark.parametrize("how", QUANTISED)
@pytest.mark.parametrize(("loss", "word_ngrams", "chars"), QUANTISED_KINDS)
def test_quantised_models_answer_as_the_package(
    lines, words, tmp_path, loss, word_ngrams, chars, how
):
    model = train(lines, tmp_path / "model.bin", loss, word_ngrams, chars)
    model.quantize(input=lines, thread=1, verbose=0, **QUANTISED[how])
    model.save_model(str(tmp_path / "model.ftz"))
    assert_same(tmp_path / "model.ftz", texts_of(words))


@pytest.mark.parametrize("loss", ["softmax", "hs", "ova"])
def test_quantised_vectors_of_labels_answer_as_the_package(words, tmp_path, loss):
    # A book has 256 entries, and needs as many labels to be made.
    shown = (f"__label__{n % 280} {words[n % 280]} {words[n % 7]}" for n in range(1_120))
    path = tmp_path / "lines.txt"
    path.write_text("\n".join(shown) + "\n", encoding="utf-8")
    model = train(str(path), tmp_path / "model.bin", loss, 2)
    model.quantize(input=str(path), thread=1, verbose=0, qout=True, dsub=3, cutoff=400, qnorm=True)
    model.save_model(str(tmp_path / "model.ftz"))
    assert_same(tmp_path / "model.ftz", texts_of(words), k=5)


def test_a_model_without_one_kept_ngram_answers_as_the_package(lines, words, tmp_path):
    model = train(lines, tmp_path / "model.bin", "softmax", 2, dim=4, bucket=50)
    model.quantize(input=lines, thread=1, verbose=0, cutoff=300)
    model.save_model(str(tmp_path / "model.ftz"))
    assert_same(tmp_path / "model.ftz", texts_of(words))


@pytest.mark.parametrize("dim", [1, 3, 33])
def test_any_width_answers_as_the_package(lines, words, tmp_path, dim):
    train(lines, tmp_path / "model.bin", "softmax", 2, dim=dim, bucket=1)
    assert_same(tmp_path / "model.bin", texts_of(words))


@pytest.fixture(scope="module")
def pairs(lines, tmp_path_factory):
    """A few models, ours and theirs."""
    folder = tmp_path_factory.mktemp("pairs")
    found = []
    for loss, word_ngrams, chars in [("softmax", 2, (0, 0)), ("softmax", 3, (1, 3))]:
        path = folder / f"{word_ngrams}.bin"
        train(lines, path, loss, word_ngrams, chars)
        found.append((read_model(path), fasttext.load_model(str(path))))
    path = default_weight("fasttext.ftz")
    return [*found, (read_model(path), fasttext.load_model(str(path)))]


PIECES = [
    "</s>", "</s> ", " </s>", "__label__l1 ", " __label__q", "__label__hq", "<", "/s>", "\0", "\t",
    "\r\n", "\n", "\x1c", "\x1f", "\x85", "\u2028", "\u2029", "\u00a0", "\u3000", "\u2003",
    "\u205f", "\u1680", " ", "a", "é", "字", "𝔘", "w" * 300, "the ",
]  # fmt: skip
ODD = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)
ANY = st.one_of(ODD, st.text(st.characters(exclude_categories=("Cs",)), max_size=60))


def assert_alike(pair, reading, text, line):
    ours, theirs = pair
    (place,), (score,) = (found[0] for found in ours.likeliest([text.encode()], reading))
    names, values = theirs.predict(line)
    assert score == pytest.approx(values[0], abs=1e-5)
    assert ours.labels[place] == names[0] or len(ours.labels) > 2


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY)
def test_any_line_is_read_as_by_the_package(pairs, text):
    line = text.replace("\n", " ")
    for pair in pairs:
        assert_alike(pair, Reading.LINE, line, line)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(ANY)
def test_any_text_is_read_as_the_package_reads_its_joined_lines(pairs, text):
    line = join_lines(text)
    for pair in pairs:
        if line:
            assert_alike(pair, Reading.LINES, text, line)
        else:
            assert pair[0].likeliest([text.encode()], Reading.LINES)[0].tolist() == [[-1]]
