"""Documents mined by their likeness to given texts. Spec: mind_data_reuse.md, part 3.4."""

import json

import numpy as np
import pytest

from curation.config import RunConfig
from curation.errors import ConfigError, InputError
from curation.score.kernel import make_score_kernel
from curation.score.members import identity, number_columns
from curation.score.similarity import greatest_cosine, items_of

QA = [{"question": "How does a steam engine work?",
       "answer": "Steam pushes a piston, which turns a wheel."},
      {"text": "The capital of France is Paris."}]  # fmt: skip
TEXTS = [
    "In a steam engine, boiling water makes steam that drives the piston and turns a wheel.",
    "Paris is the largest city and the capital of France.",
    "Add two eggs and a cup of sugar, then bake the cake for forty minutes.", "  ",
]  # fmt: skip


def qa_file(tmp_path, *lines):
    path = tmp_path / "qa.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


def score_conf(path):
    member = {"kind": "similarity", "model": "minilm", "columns": {"qa": str(path)}}
    return RunConfig.model_validate({"score": {"members": {"near": member}}}).score


def test_the_nearest_item_counts_whatever_the_blocks(monkeypatch):
    rows = np.random.default_rng(0).normal(size=(12, 8)).astype(np.float32)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    rows[3] = np.nan
    expected = (rows @ rows[4:].T).max(axis=1)
    for block in (1, 3, 100):
        monkeypatch.setattr("curation.score.similarity._BLOCK", block)
        assert greatest_cosine(rows, rows[4:]) == pytest.approx(expected, abs=1e-6, nan_ok=True)


def test_texts_about_what_is_asked_are_nearer_than_others(tmp_path):
    import pyarrow as pa

    conf = score_conf(qa_file(tmp_path, *QA))
    assert number_columns(conf) == ("qa",)
    n = len(TEXTS)
    known = {name: ["x"] * n for name in ("doc_id", "crawl", "chunk")}
    batch = pa.RecordBatch.from_pydict(known | {"text_hash": [0] * n, "text": TEXTS})
    [rows] = make_score_kernel(conf, "m", n_threads=1)(batch)
    found = [dict(one).get("qa") for one in rows["scores"].to_pylist()]
    assert min(found[:2]) > found[2] + 0.3
    assert found[3] is None
    assert rows["error"].to_pylist() == [None, None, None, "no_token"]


def test_other_items_are_another_model(tmp_path):
    before = identity(score_conf(qa_file(tmp_path, *QA)))
    assert identity(score_conf(qa_file(tmp_path, QA[0]))) != before


def test_items_are_texts_or_questions_with_their_answers(tmp_path):
    path = qa_file(tmp_path, *QA, {"other": 1})
    assert items_of(path) == [f"{QA[0]['question']}\n{QA[0]['answer']}", QA[1]["text"]]
    with pytest.raises(InputError, match="no line has a text"):
        items_of(qa_file(tmp_path, {"other": 1}))


def test_what_cannot_be_compared_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(InputError, match=r"score\.members\.near\.columns: .*nowhere"):
        identity(score_conf(tmp_path / "nowhere.jsonl"))
    with pytest.raises(ValueError, match="similarity needs the texts"):
        RunConfig.model_validate({"score": {"members": {"a": {
            "kind": "similarity", "model": "minilm"}}}})  # fmt: skip
    path = qa_file(tmp_path, *QA)
    twice = {name: {"kind": "similarity", "model": "minilm", "columns": {"qa": str(path)}}
             for name in ("a", "b")}  # fmt: skip
    with pytest.raises((ConfigError, ValueError), match="both give the column qa"):
        RunConfig.model_validate({"score": {"members": twice}})
