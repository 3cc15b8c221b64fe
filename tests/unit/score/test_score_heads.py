import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.errors import InputError
from curation.model_store import model_folder, model_print
from curation.score.heads import HEAD_VERSION, Head, load_head
from curation.score.outputs import EduScore, LabelProbabilities, TopClass
from curation.score.weights import default_weight

WEIGHT, BIAS = np.array([[1.0], [-2.0]], np.float32), np.array([0.5], np.float32)
EDU, TOXIC = Head("edu", WEIGHT, BIAS), Head("probability", WEIGHT, BIAS)
TOPIC = Head("classes", np.eye(2, 3, dtype=np.float32), np.zeros(3, np.float32), ("a", "b", "c"))
SHIPPED = {"edu": "edu", "quality": "edu", "toxicity": "probability", "domain": "classes",
           "speech": "classes"}  # fmt: skip


def rows(*values):
    return np.array(values, np.float32)


def write(folder, **changes):
    # fmt: off
    arrays = {"version": HEAD_VERSION, "kind": "edu", "weight": WEIGHT, "bias": BIAS,
              "labels": np.array([], "U1"), "encoder": "ab", "max_tokens": 256} | changes
    # fmt: on
    path = folder / "h.npz"
    np.savez(path, **{name: array for name, array in arrays.items() if array is not None})
    return str(path)


def test_edu_is_weight_times_embedding_plus_bias():
    # 1 * 2 - 2 * 0.25 + 0.5 = 2
    assert EDU.columns("worth", rows([2.0, 0.25]))["worth"].tolist() == [2.0]


def test_edu_is_clamped_to_zero_and_five():
    assert EDU.columns("edu", rows([0.0, 9.0], [9.0, 0.0]))["edu"].tolist() == [0.0, 5.0]


def test_a_probability_is_the_logistic_of_the_projection():
    # Projections 0 and ln 3: 1 / (1 + 1) and 1 / (1 + 1/3).
    scores = TOXIC.columns("toxicity", rows([0.0, 0.25], [np.log(3) - 0.5, 0.0]))
    assert list(scores) == ["toxicity"]
    np.testing.assert_allclose(scores["toxicity"], [0.5, 0.75], rtol=1e-6)


def test_a_probability_of_extreme_projections_neither_overflows_nor_warns():
    scores = TOXIC.columns("t", rows([1e6, 0.0], [0.0, 1e6]))["t"]
    np.testing.assert_allclose(scores, [1.0, 0.0], atol=1e-12)


def test_classes_give_the_likeliest_and_its_probability():
    # Logits (ln 2, 0, 0): 2 / (2 + 1 + 1).
    found = TOPIC.columns("domain", rows([np.log(2), 0.0], [0.0, 50.0]))
    assert found["domain"].tolist() == ["a", "b"]
    np.testing.assert_allclose(found["domain_p"], [0.5, 1.0], rtol=1e-6)


def test_outputs_say_what_a_head_gives():
    assert EDU.outputs("edu") == EduScore("edu")
    assert TOXIC.outputs("tox") == LabelProbabilities((("tox", "tox"),))
    assert TOPIC.outputs("domain") == TopClass("domain", n_classes=3)


@pytest.mark.parametrize("head", [EDU, TOXIC, TOPIC])
def test_columns_are_those_that_the_outputs_announce(head):
    assert tuple(head.columns("name", rows([0.0, 0.0]))) == head.outputs("name").column_names


@pytest.mark.parametrize("head", [EDU, TOXIC, TOPIC])
def test_a_nan_embedding_gives_no_score_and_leaves_its_neighbours_alone(head):
    found = head.columns("x", rows([1.0, 0.0], [np.nan, np.nan], [1.0, 0.0]))
    for values in found.values():
        missing = [value is None or value != value for value in values]
        assert missing == [False, True, False]
        assert values.dtype in (np.float32, object)


@pytest.mark.parametrize("head", [EDU, TOXIC, TOPIC])
def test_no_texts_give_columns_without_rows(head):
    found = head.columns("x", np.zeros((0, 2), np.float32))
    assert [len(values) for values in found.values()] == [0] * len(head.outputs("x").column_names)


@pytest.mark.parametrize("head", [EDU, TOXIC, TOPIC])
def test_a_head_of_another_width_is_refused(head):
    with pytest.raises(InputError, match=r"width 2.*gives 3"):
        head.columns("x", np.zeros((1, 3), np.float32))


NUMBERS = st.floats(-1e3, 1e3, width=32)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=8), st.randoms())
def test_a_score_depends_on_its_own_row_alone(values, random):
    order = random.sample(range(len(values)), len(values))
    for head in (EDU, TOXIC, TOPIC):
        found = head.columns("x", rows(*values))
        again = head.columns("x", rows(*[values[place] for place in order]))
        for name, column in found.items():
            assert again[name].tolist() == column[order].tolist()


@given(st.tuples(NUMBERS, NUMBERS))
def test_scores_keep_to_their_scale_and_the_top_class_has_at_least_its_share(values):
    row = rows(values)
    assert 0.0 <= EDU.columns("x", row)["x"][0] <= 5.0
    assert 0.0 <= TOXIC.columns("x", row)["x"][0] <= 1.0
    top = TOPIC.columns("x", row)
    assert 1 / 3 - 1e-6 <= top["x_p"][0] <= 1.0
    logits = TOPIC.logits(row)[0]
    # Logits closer than float32 tells in a probability are a tie.
    assert logits["abc".index(top["x"][0])] >= logits.max() - 1e-6


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_heads_fit_the_encoder_of_384_values(name):
    head = load_head(str(default_weight(f"{name}.npz")))
    assert head.kind == SHIPPED[name]
    assert head.weight.shape == (384, len(head.labels) or 1)
    assert head.weight.dtype == head.bias.dtype == np.float32


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_heads_know_the_encoder_that_is_installed(name):
    head = load_head(str(default_weight(f"{name}.npz")))
    assert (head.encoder, head.max_tokens) == (model_print(model_folder("minilm")), 256)


def test_a_head_is_loaded_once_and_again_only_when_its_file_is_another(tmp_path):
    path = write(tmp_path)
    first = load_head(path)
    assert load_head(path) is first
    write(tmp_path, bias=np.array([0.75], np.float32))
    os.utime(path, ns=(1, 1))
    assert load_head(path).bias.tolist() == [0.75]


def test_a_head_is_read_as_it_was_written(tmp_path):
    labels = np.array(["Art", "Ø"])
    path = write(tmp_path, kind="classes", weight=np.eye(2), bias=np.zeros(2), labels=labels)
    head = load_head(path)
    assert (head.kind, head.labels) == ("classes", ("Art", "Ø"))
    assert (head.encoder, head.max_tokens) == ("ab", 256)
    assert head.weight.tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_what_else_a_file_holds_does_not_matter(tmp_path):
    assert load_head(write(tmp_path, n_pages=np.int32(9))).bias.tolist() == [0.5]


def test_a_missing_head_is_named():
    with pytest.raises(InputError, match=r"nowhere\.npz"):
        load_head("nowhere.npz")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"bias": None}, "bias"),
        ({"version": None}, "version"),
        ({"encoder": None}, "encoder"),
        ({"max_tokens": None}, "max_tokens"),
        ({"version": HEAD_VERSION + 1}, f"version {HEAD_VERSION + 1}, expected {HEAD_VERSION}"),
        ({"kind": "sum"}, "kind"),
        ({"weight": np.full((2, 1), np.nan)}, "finite"),
        ({"bias": np.array([np.inf])}, "finite"),
        ({"weight": np.zeros(2)}, "do not fit 1 outputs"),
        ({"weight": np.zeros((2, 2)), "bias": np.zeros(2)}, "do not fit 1 outputs"),
        ({"bias": np.float32(1)}, "do not fit"),
        ({"kind": "classes"}, "do not fit 0 outputs"),
        ({"kind": "classes", "labels": np.array(["a", "b"])}, "do not fit 2 outputs"),
        ({"labels": np.array([{}], object)}, "not a head"),
    ],
)
def test_a_file_that_cannot_be_right_is_refused_by_name(tmp_path, changes, named):
    with pytest.raises(InputError, match=rf"h\.npz: .*{named}"):
        load_head(write(tmp_path, **changes))


@pytest.mark.parametrize("content", [b"text, not an archive", b"PK\x03\x04 cut short", b""])
def test_a_file_that_is_no_head_is_refused(tmp_path, content):
    (tmp_path / "h.npz").write_bytes(content)
    with pytest.raises(InputError, match="not a head"):
        load_head(str(tmp_path / "h.npz"))


@given(st.data())
def test_a_damaged_file_is_refused_or_read_and_never_breaks(tmp_path_factory, data):
    path = Path(write(tmp_path_factory.mktemp("head")))
    content = bytearray(path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.sampled_from([len(content), place]))
    path.write_bytes(content[:cut])
    with contextlib.suppress(InputError):
        assert np.isfinite(load_head(str(path)).weight).all()
