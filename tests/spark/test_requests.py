"""Which requests are still to be asked."""

import os
import signal
from types import SimpleNamespace

import pytest

from curation.config import SynthConfig
from curation.schemas import GENERATIONS, REQUESTS
from curation.spark.batches import map_partitions, spark_schema
from curation.spark.tables import Store
from curation.synth import asking
from curation.synth.asking import _asker
from curation.synth.backends.fake import FakeBackend
from curation.synth.backends.protocol import KILLS_ENGINE
from curation.synth.corpora import corpora
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


def test_a_request_that_kills_the_engine_has_no_second_try(spark):
    requests = spark.createDataFrame([("killer",), ("unlucky",)], "request_id string")
    generations = spark.createDataFrame(
        [("killer", f"{KILLS_ENGINE}: RuntimeError: x"), ("unlucky", f"it {KILLS_ENGINE}")],
        "request_id string, error string",
    )
    left = [row["request_id"] for row in unanswered(requests, generations).collect()]
    assert left == ["unlucky"]


def request_rows(n):
    """Rows of REQUESTS by id."""
    prompt = load_prompts()["distill"]
    one = dict.fromkeys(
        ("doc_id", "crawl", "prompt_version", "model", "revision", "sampling"), "x"
    ) | {
        "stage": prompt.stage, "task": prompt.name, "segment": 0, "n_text_tokens": 9,
        "max_output_tokens": 300, "text": "A heron waits for fish at the edge of the water.",
    }  # fmt: skip
    return {f"r{k:04}": one | {"request_id": f"r{k:04}"} for k in range(n)}


def requests_of_rows(spark, rows):
    schema = spark_schema(REQUESTS)
    return spark.createDataFrame([tuple(row[n] for n in schema.names) for row in rows], schema)


def test_a_whole_partition_goes_through_the_backend(spark):
    # More rows than an Arrow batch has, in one partition.
    rows = request_rows(1200)
    requests = requests_of_rows(spark, rows.values())
    asker = _asker(SynthConfig(backend="fake"))
    found = map_partitions(requests.repartition(1), asker, GENERATIONS).collect()
    assert sorted(row["request_id"] for row in found) == [*rows]
    assert all(row["error"] is None and row["n_output_tokens"] for row in found)


def test_a_request_that_ends_its_process_is_found_and_all_others_are_answered(
    spark, tmp_path, monkeypatch
):
    """A fault in native code ends the worker: no exception, no answers, nothing to ask again."""

    class Deadly(FakeBackend):
        def _complete(self, request):
            if "POISON" in request.user:
                os.kill(os.getpid(), signal.SIGSEGV)
            return super()._complete(request)

    monkeypatch.setattr(asking, "load_backend", lambda conf, seed: Deadly())
    texts = ["A heron waits for fish.", "POISON, said the heron.", "It had fish for breakfast."]
    rows = request_rows(6)
    for n, row in enumerate(rows.values()):
        row["text"] = texts[n % 3] if n < 3 else texts[0]
    requests = requests_of_rows(spark, rows.values())
    store = Store(spark, str(tmp_path))
    store.create(GENERATIONS)
    work = SimpleNamespace(
        store=store, read=store.read, progress=SimpleNamespace(part_done=lambda *parts: None),
    )  # fmt: skip
    asking.answer_all(work, requests, SynthConfig(backend="fake"))
    found = {row["request_id"]: row["error"] for row in store.read(GENERATIONS).collect()}
    deadly = found.pop("r0001")
    assert deadly.startswith(f"{KILLS_ENGINE}: Python worker exited unexpectedly")
    assert found == dict.fromkeys(rows.keys() - {"r0001"})


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
    more = (
        "prompt_version string, model string, n_output_tokens int, verdict string, text string, "
        "n_numbers int, n_source_numbers int"
    )
    rows = [("r3", 3, "accepted", "d"), ("r0", 0, "accepted", "a"), ("r1", 1, "accepted", "b"),
            ("r2", 2, "truncated", "")]  # fmt: skip
    parsed = spark.createDataFrame(
        [(r, "s06_rephrase", "wikipedia", "doc", "cr", n, "v", "m", 10, verdict, text, n, min(n, 2))
         for r, n, verdict, text in rows], f"{columns}, {more}",
    )  # fmt: skip
    documents = spark.createDataFrame([("doc", "low")], "doc_id string, label string")
    made = _texts(parsed, documents, [load_prompts()["wikipedia"]]).collect()
    assert [(row["text"], row["n_tokens"], row["kind2"]) for row in made] == [
        ("a\nb\n\nd", 30, "wrap_medium")
    ]
    assert made[0]["request_ids"] == ["r0", "r1", "r3"]
    # Numbers of the accepted segments: 0, 1 and 3, of which the source has 0, 1 and 2.
    assert (made[0]["segment"], made[0]["number_faithfulness"]) == (None, 0.75)


def test_segments_of_other_tasks_stay_apart_and_keep_their_numbers(spark):
    columns = (
        "request_id string, stage string, task string, doc_id string, crawl string, segment int, "
        "prompt_version string, model string, n_output_tokens int, verdict string, text string, "
        "n_numbers int, n_source_numbers int"
    )
    rows = [
        (f"r{n}", "s06_rephrase", "distill", "doc", "cr", n, "v", "m", 10, "accepted", text, n, 0)
        for n, text in ((0, "a"), (2, "b"))
    ]
    documents = spark.createDataFrame([("doc", "high")], "doc_id string, label string")
    made = _texts(
        spark.createDataFrame(rows, columns), documents, [load_prompts()["distill"]]
    ).collect()
    # No numbers were made of the first: nothing to be faithful to.
    assert sorted((row["segment"], row["text"], row["number_faithfulness"]) for row in made) == [
        (0, "a", None), (2, "b", 0.0),
    ]  # fmt: skip


def test_corpora_of_dialogues_are_sql_for_spark_too(spark):
    both = "doc_id string, crawl string, stage string, task string, segment int, "
    of = "prompt_version string, model string, "
    place = ("d", "c", "s07_dialogue")
    requests = [(*place, task, chunk, "v", "m", 5, f"raw {chunk}")
                for task in ("debate", "interview") for chunk in (0, 1)]  # fmt: skip
    made = [("debate", 0, 80, "x"), ("interview", 0, 90, "y")]
    synthetic = [(*place, task, chunk, "v", "m", f"{task}{chunk}", n, None, text)
                 for task, chunk, n, text in made]  # fmt: skip
    spark.createDataFrame(
        requests, f"{both}{of}n_text_tokens int, text string"
    ).createOrReplaceTempView("requests")
    spark.createDataFrame(
        synthetic,
        f"{both}{of}synthetic_id string, n_tokens long, number_faithfulness float, text string",
    ).createOrReplaceTempView("synthetic")
    found = {
        name: sorted((row["id"], row["n_tokens"], row["text"]) for row in spark.sql(sql).collect())
        for name, sql in corpora().items()
    }
    assert found["raw"] == [("d/0/raw", 5, "raw 0"), ("d/1/raw", 5, "raw 1")]
    assert found["all"] == [("d/0/debate", 80, "x"), ("d/0/interview", 90, "y")]
    assert found["longest"] == [("d/0/interview", 90, "y"), ("d/1/raw", 5, "raw 1")]
    assert found["one_to_one"] == [("d/0/interview", 90, "y"), ("d/0/raw", 5, "raw 0")]
    assert found["concatenation"] == [("d/0/raw+interview", 96, "raw 0\n\ny")]
    assert found["debate"] == [("d/0/debate", 80, "x")]
    assert found["rephrase"] == []
