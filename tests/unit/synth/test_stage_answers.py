"""Answers of a partition: fed across Arrow batches, whatever their size."""

import pyarrow as pa
import pytest

from curation.config import SynthConfig
from curation.schemas import GENERATIONS, REQUESTS
from curation.synth import asking
from curation.synth.asking import answered
from curation.synth.backends.fake import FakeBackend
from curation.synth.prompts import load_prompts
from curation.synth.requests import request_id

CONF = SynthConfig(backend="fake")
TEXT = "A heron stands still at the edge of the water and waits for fish."


def requests(n):
    names = ("distill", "wikipedia")
    rows = [
        {
            "request_id": f"r{i:03}", "stage": "s06_rephrase", "task": names[i % 2],
            "doc_id": f"d{i}", "crawl": "c", "segment": 0, "prompt_version": "v", "model": "m",
            "n_text_tokens": 15, "max_output_tokens": 400, "text": f"{TEXT} {i}",
        }
        for i in range(n)
    ]  # fmt: skip
    return pa.RecordBatch.from_pylist(rows, schema=REQUESTS.columns)


def cut(batch, size):
    return (batch.slice(start, size) for start in range(0, batch.num_rows, size))


def rows_of(batches):
    found = [row for batch in batches for row in batch.to_pylist()]
    return sorted(found, key=lambda row: row["request_id"])


def test_the_size_of_the_batches_changes_nothing():
    whole = rows_of(answered([requests(30)], FakeBackend(), CONF))
    assert [row["request_id"] for row in whole] == [f"r{i:03}" for i in range(30)]
    assert {row["doc_id"] for row in whole} == {f"d{i}" for i in range(30)}
    for size in (1, 2, 3):
        assert rows_of(answered(cut(requests(30), size), FakeBackend(), CONF)) == whole


def test_answers_go_back_before_the_last_request_is_taken(monkeypatch):
    monkeypatch.setattr(asking, "ANSWERS_PER_BATCH", 5)
    taken = []
    batches = (taken.append(1) or batch for batch in cut(requests(40), 1))
    found = answered(batches, FakeBackend(n_in_flight=3), CONF)
    first = next(found)
    assert first.num_rows == 5
    assert first.schema == GENERATIONS.columns
    assert len(taken) <= 5 + 3
    assert [batch.num_rows for batch in found] == [5] * 7


def test_an_error_is_a_row():
    (row,) = rows_of(answered([requests(1)], FakeBackend(faults={"error": 1.0}), CONF))
    assert row["finish_reason"] == "error"
    assert "as it was told" in row["error"]


@pytest.mark.parametrize(
    ("settings", "is_same"),
    [
        ({}, True),
        ({"engine": {"tensor_parallel_size": 4, "speculative": {}, "max_num_seqs": 9}}, True),
        ({"engine": {"quantization": "fp8"}}, False),
        ({"engine": {"dtype": "float16"}}, False),
    ],
)
def test_a_request_keeps_its_id_unless_its_answer_would_change(settings, is_same):
    prompt = load_prompts()["distill"]
    place = ("model's hash", 300, "d0", 0, TEXT)
    before = request_id(prompt, SynthConfig(), *place)
    assert (request_id(prompt, SynthConfig(**settings), *place) == before) is is_same
