"""s07a over a few generated texts: questions asked once, grades kept, the gate applied."""

import pytest
from hand_rows import row

from curation.config import RunConfig
from curation.pipeline import stage_named
from curation.schemas import DOCUMENTS, GENERATIONS, JUDGEMENTS, REQUESTS, SYNTHETIC
from curation.spark.batches import spark_schema
from curation.spark.progress import Silent
from curation.spark.tables import Store
from curation.spark.work import CORPUS, Work
from curation.synth.judging import identity, judge

pytestmark = pytest.mark.spark

N = 12


class Run:
    """N generated texts with their sources, and s07a run over them."""

    def __init__(self, spark, root):
        self.store, self.root, self.attempt = Store(spark, str(root)), root, 0
        for table in (DOCUMENTS, REQUESTS, GENERATIONS, SYNTHETIC, JUDGEMENTS):
            self.store.create(table)
        about = [
            {"doc_id": f"d{n:02}", "request_id": f"q{n:02}", "request_ids": [f"q{n:02}"],
             "synthetic_id": f"s{n:02}", "stage": "s06_rephrase", "task": "distill",
             "language": "en", "crawl": "c", "chunk": "c", "text": f"The heron ate {n} fish."}
            for n in range(N)
        ]  # fmt: skip
        for table in (DOCUMENTS, REQUESTS, SYNTHETIC):
            frame = spark.createDataFrame([row(table, **of) for of in about], spark_schema(table))
            frame.write.format("delta").mode("append").save(self.store.path(table))

    def judge(self, **settings):
        self.attempt += 1
        conf = RunConfig(
            out=str(self.root),
            judge={"enabled": True, "backend": "fake", "requests_per_commit": 5, **settings},
        )
        stage = stage_named("s07a_judge")
        work = Work(self.store, conf, stage, CORPUS, "c", self.attempt, (), Silent())
        done = judge(work)
        done.close("s07a_judge", CORPUS)
        return done

    def rows(self, table, where="true"):
        return [r.asDict() for r in self.store.read(table).where(where).collect()]


@pytest.fixture
def run(spark, tmp_path):
    return Run(spark, tmp_path)


def test_every_text_is_asked_about_once_and_has_its_grade(run):
    done = run.judge()
    assert (done.rows_in, done.rows_out, done.reasons) == (N, N, {})
    found = {r["synthetic_id"]: r for r in run.rows(JUDGEMENTS)}
    assert len(found) == N
    assert all(r["fault"] is None and 1 <= r["judge_score"] <= 5 for r in found.values())
    assert {r["task"] for r in found.values()} == {"distill"}
    answers = run.rows(GENERATIONS)
    again = run.judge()
    assert (again.rows_in, again.rows_out) == (N, N)
    assert run.rows(GENERATIONS) == answers
    asked = {r["request_id"]: r for r in run.rows(REQUESTS, "stage = 's07a_judge'")}
    assert {r["request_id"] for r in found.values()} == asked.keys()
    assert all("SOURCE:\nThe heron ate" in r["text"] for r in asked.values())
    assert len(run.rows(REQUESTS, "stage = 's06_rephrase'")) == N  # of others: untouched


def test_a_budget_leaves_the_rest_without_a_grade_and_a_larger_one_goes_on(run):
    done = run.judge(budget={"requests": 7})
    assert (done.rows_out, done.reasons) == (7, {"over_budget": N - 7})
    assert len(run.rows(JUDGEMENTS)) == 7
    done = run.judge()
    assert (done.rows_out, done.reasons) == (N, {})
    assert len(run.rows(GENERATIONS)) == N


def test_a_judge_that_is_off_asks_nothing_and_forgets_the_grades_not_the_answers(run):
    run.judge()
    done = run.judge(enabled=False)
    assert (done.rows_in, done.rows_out) == (0, 0)
    assert run.rows(JUDGEMENTS) == []
    assert len(run.rows(GENERATIONS)) == N
    assert identity(RunConfig()) == {}


def test_a_changed_judge_is_asked_anew_and_its_answers_alone_count(run):
    run.judge()
    run.judge(engine_seed=3)
    assert len(run.rows(GENERATIONS)) == 2 * N
    assert len(run.rows(JUDGEMENTS)) == N
