"""Which requests are still to be asked."""

import pytest

from curation.synth.prompts import load_prompts
from curation.synth.requests import chosen_prompts, unanswered
from curation.synth.stage import _texts

pytestmark = pytest.mark.spark


def test_answered_requests_and_those_that_failed_twice_are_not_asked_again(spark):
    requests = spark.createDataFrame(
        [("ok",), ("once",), ("twice",), ("new",)], "request_id string"
    )
    generations = spark.createDataFrame(
        [("ok", None), ("once", "x"), ("twice", "x"), ("twice", "y"), ("other", None)],
        "request_id string, error string",
    )
    left = {row["request_id"] for row in unanswered(requests, generations).collect()}
    assert left == {"once", "new"}


def test_an_answer_after_an_error_counts(spark):
    requests = spark.createDataFrame([("a",)], "request_id string")
    generations = spark.createDataFrame(
        [("a", "x"), ("a", None)], "request_id string, error string"
    )
    assert unanswered(requests, generations).count() == 0


def test_prompts_of_another_stage_are_refused():
    with pytest.raises(Exception, match=r"no prompt \['debate'\]"):
        chosen_prompts("s06_rephrase", ["debate"])


def test_accepted_segments_of_a_document_are_joined_in_order_with_gaps_marked(spark):
    columns = (
        "request_id string, stage string, task string, doc_id string, crawl string, segment int"
    )
    more = "prompt_version string, model string, n_output_tokens int, verdict string, text string"
    rows = [("r3", 3, "accepted", "d"), ("r0", 0, "accepted", "a"), ("r1", 1, "accepted", "b"),
            ("r2", 2, "truncated", "")]  # fmt: skip
    parsed = spark.createDataFrame(
        [(r, "s06_rephrase", "wikipedia", "doc", "cr", n, "v", "m", 10, verdict, text)
         for r, n, verdict, text in rows], f"{columns}, {more}",
    )  # fmt: skip
    documents = spark.createDataFrame([("doc", "low")], "doc_id string, label string")
    made = _texts(parsed, documents, [load_prompts()["wikipedia"]]).collect()
    assert [(row["text"], row["n_tokens"], row["kind2"]) for row in made] == [
        ("a\nb\n\nd", 30, "wrap_medium")
    ]
    assert made[0]["request_ids"] == ["r0", "r1", "r3"]
