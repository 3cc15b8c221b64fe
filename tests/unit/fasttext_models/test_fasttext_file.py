"""Files that are no model, or none that is run here, say so; what is mapped is not copied."""

import mmap
import struct
import subprocess
import sys

import numpy as np
import pytest

from curation.errors import InputError
from curation.fasttext.model import read_model
from curation.fasttext.reading import Reading
from curation.score.weights import default_weight

_MODEL, _LOSS, _VERSION, _N_KEPT = 36, 32, 4, 84


def changed(tmp_path, place, form, value):
    """The shipped model with another number at `place`."""
    content = bytearray(default_weight("fasttext.ftz").read_bytes())
    struct.pack_into(form, content, place, value)
    path = tmp_path / "changed.ftz"
    path.write_bytes(content)
    return path


def write_dense(path, words, *, n_labels=2, dim=4, version=12, n_buckets=0, max_chars=0):
    """A dense softmax model of `words`, whose row n is all n + 1; labels point at 1, 2, ..."""
    names = [(word, 0) for word in words] + [(f"__label__{n}", 1) for n in range(n_labels)]
    header = (793712314, version, dim, 5, 1, 1, 5, 1, 3, 3, n_buckets, 2 if max_chars else 0)
    with path.open("wb") as file:
        file.write(struct.pack("<14id", *header, max_chars, 100, 1e-4))
        file.write(struct.pack("<iiiqq", len(names), len(words), n_labels, 1, -1))
        for name, type_ in names:
            file.write(name.encode() + struct.pack("<bqb", 0, 1, type_))
        rows = np.arange(1, len(words) + n_buckets + 1, dtype=np.float32)
        file.write(struct.pack("<?qq", False, len(rows), dim))
        file.write(np.repeat(rows[:, None], dim, axis=1).tobytes())
        labels = np.eye(n_labels, dim, dtype=np.float32) * np.arange(1, n_labels + 1)[:, None]
        file.write(struct.pack("<?qq", False, n_labels, dim) + labels.astype(np.float32).tobytes())
    return path


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"nowhere\.bin: no such fastText model"):
        read_model(tmp_path / "nowhere.bin")


@pytest.mark.parametrize("content", [b"", b"no model", b"\0" * 200])
def test_a_file_of_something_else_is_no_model(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(InputError, match="other: not a fastText model"):
        read_model(tmp_path / "other")


def test_a_file_that_is_cut_anywhere_says_so(tmp_path):
    content = default_weight("fasttext.ftz").read_bytes()
    for size in [*range(0, 200, 7), 1_000, 200_000, 400_000, 900_000, len(content) - 1]:
        (tmp_path / "cut.ftz").write_bytes(content[:size])
        with pytest.raises(InputError, match=r"cut\.ftz: not a fastText model"):
            read_model(tmp_path / "cut.ftz")


@pytest.mark.parametrize(("kind", "name"), [(1, "cbow"), (2, "skipgram")])
def test_a_model_of_words_is_refused_by_its_kind(tmp_path, kind, name):
    with pytest.raises(InputError, match=f"of the kind {name}, not supervised"):
        read_model(changed(tmp_path, _MODEL, "<i", kind))


@pytest.mark.parametrize("place", [_MODEL, _LOSS, _VERSION])
def test_a_number_that_is_not_known_is_refused(tmp_path, place):
    with pytest.raises(InputError, match=r"not a fastText model that is known here.* 9"):
        read_model(changed(tmp_path, place, "<i", 9))


@pytest.mark.parametrize("value", [-5, 0, 1, 34_371, 2**40])
def test_a_wrong_number_of_kept_ngrams_is_damage(tmp_path, value):
    with pytest.raises(InputError, match="damaged"):
        read_model(changed(tmp_path, _N_KEPT, "<q", value))


def test_answers_of_a_dense_model_are_those_worked_out_by_hand(tmp_path):
    model = read_model(write_dense(tmp_path / "hand.bin", ["</s>", "a", "b"]))
    (places,), (scores,) = model.likeliest([b"b nothing b"], Reading.LINE, k=5)
    # The mean of 3, 3 and 1 is 7/3 in every dimension; the labels see once and twice of it.
    share = 1 / (1 + np.exp(-7 / 3))
    assert places.tolist() == [1, 0]
    assert scores == pytest.approx([share + 1e-5, 1 - share + 1e-5], abs=1e-6)


def test_a_text_of_which_nothing_is_known_has_no_label(tmp_path):
    model = read_model(write_dense(tmp_path / "hand.bin", ["a", "b"]))
    places, scores = model.likeliest([b"c", b"a"], Reading.LINE)
    assert places.tolist() == [[-1], [1]]
    assert np.isnan(scores[:, 0]).tolist() == [True, False]


def test_version_11_has_no_ngrams_of_characters(tmp_path):
    texts = [b"unknown"]
    old, new = (
        read_model(
            write_dense(tmp_path / f"{n}.bin", ["a"], version=n, n_buckets=7, max_chars=3)
        ).likeliest(texts, Reading.LINE)[0].tolist()
        for n in (11, 12)
    )  # fmt: skip
    assert (old, new) == ([[-1]], [[1]])


def test_vectors_of_a_dense_model_stay_in_the_file(tmp_path):
    model = read_model(write_dense(tmp_path / "hand.bin", ["</s>", "a", "b"]))
    held = model._tables.vectors
    while isinstance(held, np.ndarray):
        held = held.base
    assert isinstance(held.obj, mmap.mmap)


def test_no_texts_have_no_labels(tmp_path):
    model = read_model(write_dense(tmp_path / "hand.bin", ["a"]))
    places, scores = model.likeliest([], Reading.LINES, k=2)
    assert places.shape == scores.shape == (0, 2)


def test_the_members_of_a_configuration_are_known_without_numba():
    code = "import sys, curation.score.members; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
