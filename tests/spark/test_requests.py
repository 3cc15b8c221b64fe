"""Which requests are still to be asked."""

import pytest

from curation.synth.requests import chosen_prompts, unanswered

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
