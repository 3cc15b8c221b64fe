"""Rows of SCORES: maps by document, reasons by member, halvings once a batch."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.config import ScoreConfig
from curation.schemas import SCORES
from curation.score.kernel import make_score_kernel, score_batch
from curation.score.sequence import Scores


class Canned:
    """A model that says what it is told."""

    def __init__(self, columns, reasons, n_halvings=0):
        self._scores = Scores(columns, reasons, n_halvings)

    def score_texts(self, texts):
        return self._scores


def numbers(*values):
    return np.array(values, np.float32)


def classes(*values):
    return np.array(values, object)


def batch(n):
    texts = [f"text {i}" for i in range(n)]
    same = pa.array(["c"] * n)
    return pa.RecordBatch.from_pydict(
        {"doc_id": pa.array(texts), "crawl": same, "chunk": same,
         "text_hash": pa.array(range(n), pa.int64()), "text": pa.array(texts)}
    )  # fmt: skip


def rows(n, **models):
    found = SCORES.conform(score_batch(batch(n), models, "m"))
    return [
        {name: dict(v) if isinstance(v, list) else v for name, v in row.items()}
        for row in found.to_pylist()
    ]


def test_a_row_has_the_scores_and_classes_of_all_members():
    (row,) = rows(
        1,
        a=Canned({"edu": numbers(2.5)}, [None]),
        b=Canned({"domain": classes("Games"), "domain_p": numbers(0.5)}, [None]),
    )
    assert row["scores"] == {"edu": 2.5, "domain_p": 0.5}
    assert row["classes"] == {"domain": "Games"}
    assert (row["reasons"], row["error"], row["models"]) == ({}, None, "m")


def test_a_text_that_breaks_one_member_keeps_the_scores_of_the_other():
    first, second = rows(
        2,
        a=Canned({"edu": numbers(np.nan, 1)}, ["too_large", None], n_halvings=3),
        b=Canned({"fasttext": numbers(0.5, 0.25)}, [None, None], n_halvings=1),
    )
    assert first["scores"] == {"fasttext": 0.5}
    assert first["reasons"] == {"a": "too_large"}
    assert first["error"] is None
    assert second["scores"] == {"edu": 1.0, "fasttext": 0.25}
    assert (first["n_halvings"], second["n_halvings"]) == (4, 0)


def test_a_text_that_breaks_all_has_an_error_and_no_score():
    (row,) = rows(
        1,
        a=Canned({"edu": numbers(np.nan)}, ["no_token"]),
        b=Canned({"kind": classes(None), "kind_p": numbers(np.nan)}, ["not_finite"]),
    )
    assert (row["scores"], row["classes"], row["error"]) == ({}, {}, "no_token")
    assert row["reasons"] == {"a": "no_token", "b": "not_finite"}


@given(st.lists(st.lists(st.sampled_from([None, 0.0, 1.5]), min_size=3, max_size=3), min_size=1))
def test_maps_hold_exactly_the_values_that_there_are(table):
    columns = {
        f"c{k}": numbers(*(np.nan if row[k] is None else row[k] for row in table)) for k in range(3)
    }
    found = rows(len(table), a=Canned(columns, [None] * len(table)))
    expected = [{f"c{k}": v for k, v in enumerate(row) if v is not None} for row in table]
    assert [row["scores"] for row in found] == expected


@pytest.mark.timeout(300)
def test_hostile_texts_cost_only_themselves():
    lesson = "A lesson on fractions, with examples."
    family = "\U0001f469\u200d\U0001f469\u200d\U0001f467"
    texts = [lesson, "", " \n\t ", "a" * 10_000_000, "the " * 50_000, "\x00\x01", family * 5_000]
    texts.append(lesson)
    n = len(texts)
    same = pa.array(["c"] * n)
    told = pa.RecordBatch.from_pydict(
        {"doc_id": pa.array([str(i) for i in range(n)]), "crawl": same, "chunk": same,
         "text_hash": pa.array(range(n), pa.int64()), "text": pa.array(texts)}
    )  # fmt: skip
    (found,) = make_score_kernel(ScoreConfig(), "m", n_threads=1)(told)
    result = SCORES.conform(found).to_pylist()
    assert result[0]["scores"] == result[-1]["scores"]
    assert len(dict(result[0]["scores"])) == 6
    assert [row["error"] for row in result[1:3]] == ["no_token"] * 2
    assert all(row["error"] is None for row in result[3:5])
