"""s05 over a few documents: accounts, cuts kept and applied again, drift."""

import json

import pytest
from hand_rows import row

from curation.config import RunConfig
from curation.errors import ConfigError, InputError
from curation.label.stage import identity, label
from curation.pipeline import stage_named
from curation.schemas import (
    BUCKET_EDGES,
    DOCUMENTS,
    FUNNEL,
    LABEL_DRIFT,
    LABELS,
    MEASURES,
    SCORES,
)
from curation.spark.batches import spark_schema
from curation.spark.progress import Silent
from curation.spark.tables import Store
from curation.spark.work import CORPUS, Work

pytestmark = pytest.mark.spark


class Tables:
    """A run's tables with scored documents, and s05 run over them."""

    def __init__(self, spark, root):
        self.store = Store(spark, str(root))
        self.root, self.attempt = root, 0
        for table in (DOCUMENTS, SCORES, MEASURES, BUCKET_EDGES, LABELS, LABEL_DRIFT, FUNNEL):
            self.store.create(table)

    def put(self, crawl, scores, models="m", language="en"):
        """One document for each dict of `scores`."""
        for table in (DOCUMENTS, SCORES, MEASURES):
            rows = [
                row(table, doc_id=f"{crawl}-{i:03}", crawl=crawl, chunk="c", language=language,
                    models=models, scores=told, n_words=10, n_bytes=60)
                for i, told in enumerate(scores)
            ]  # fmt: skip
            frame = self.store.spark.createDataFrame(rows, spark_schema(table))
            writer = frame.write.format("delta").mode("overwrite")
            writer.option("replaceWhere", f"crawl = '{crawl}'").save(self.store.path(table))
        return self

    def label(self, *, finishes=True, **settings):
        """One attempt; its account must close."""
        self.attempt += 1
        conf = RunConfig(out=str(self.root), label={"preset": "none", "members": ["a"], **settings})
        stage = stage_named("s05_label")
        work = Work(self.store, conf, stage, CORPUS, "c1", self.attempt, (), Silent())
        self.done = label(work)
        self.done.close("s05_label", CORPUS)
        return self.finish() if finishes else self

    def finish(self):
        """What the job writes when an attempt has come to its end."""
        told = row(FUNNEL, stage="s05_label", unit=CORPUS, attempt=self.attempt)
        told = self.store.spark.createDataFrame([told], spark_schema(FUNNEL))
        told.write.format("delta").mode("append").save(self.store.path(FUNNEL))
        return self

    def labels(self):
        rows = self.store.read(LABELS).orderBy("doc_id").collect()
        return {row["doc_id"]: row for row in rows}

    def cuts(self):
        return self.store.read(BUCKET_EDGES).collect()


@pytest.fixture
def tables(spark, tmp_path):
    return Tables(spark, tmp_path).put("c1", [{"a": float(i)} for i in range(40)])


def test_documents_without_a_score_of_the_ensemble_are_accounted_for(tables):
    tables.put("c2", [{"a": 1.0}, {"b": 1.0}, {}]).label()
    assert tables.done.rows_in == 43
    assert tables.done.reasons == {"no_quality_score": 2}
    assert tables.done.rows_out == len(tables.labels()) == 41


def test_cuts_are_kept_and_can_be_applied_again_to_scores_of_the_same_models(tables):
    first = tables.label().labels()
    tables.put("c1", [{"a": 100.0 + i} for i in range(40)])
    second = tables.label().labels()
    assert [row["bucket"] for row in second.values()] == [r["bucket"] for r in first.values()]
    again = tables.label(cuts_of="1").labels()
    assert {row["bucket"] for row in again.values()} == {19}
    assert {row["cuts"] for row in again.values()} == {1}
    assert {row["batch"] for row in tables.cuts()} == {1, 2}
    with pytest.raises(InputError, match=r"no batch 9 in bucket_edges; there are: 1, 2"):
        tables.label(cuts_of="9")
    with pytest.raises(InputError, match="batch 1 has no cuts of b"):
        tables.label(cuts_of="1", members=["a", "b"])
    tables.put("c1", [{"a": 1.0}], models="others")
    with pytest.raises(InputError, match="batch 1 cut the scores of other models"):
        tables.label(cuts_of="1")


def test_cuts_of_an_attempt_that_was_broken_off_are_not_applied_nor_compared(tables):
    tables.label().put("c1", [{"a": 100.0 + i} for i in range(40)]).label(finishes=False)
    tables.put("c1", [{"a": float(i)} for i in range(40)])
    with pytest.raises(InputError, match=r"no batch 2 in bucket_edges; there are: 1$"):
        tables.label(cuts_of="2")
    tables.label()
    drift = tables.store.read(LABEL_DRIFT).where("against = 'batch'").collect()
    assert {row["cuts"] for row in drift} == {1}
    assert all(row["label_before"] == row["label"] for row in drift)


def test_cuts_of_another_combination_are_refused(tables):
    tables.put("c1", [{"a": float(i), "b": float(-i)} for i in range(40)])
    tables.label(members=["a", "b"], ensemble="mean_rank")
    with pytest.raises(InputError, match="batch 1 has cuts of another mean_rank: a, b"):
        tables.label(cuts_of="1", ensemble="mean_rank")


def test_an_attempt_that_is_gone_on_with_writes_its_cuts_once(tables):
    tables.label(ensemble="mean_rank")
    tables.attempt -= 1
    tables.label(ensemble="mean_rank")
    told = [(row["batch"], row["member"]) for row in tables.cuts()]
    assert sorted(told) == [(1, "a"), (1, "mean_rank")]


def test_cuts_of_one_crawl_serve_all_and_a_language_without_cuts_has_no_label(tables):
    tables.put("c2", [{"a": 1_000.0}]).put("c3", [{"a": 1.0}], language="de")
    tables.label(cuts_from="c1")
    assert tables.labels()["c2-000"]["bucket"] == 19
    assert tables.labels()["c2-000"]["cuts_crawl"] == "c1"
    assert tables.done.reasons == {"no_cuts": 1}
    with pytest.raises(InputError, match=r"no cuts of crawl c9; there are those of c1, c2, c3"):
        tables.label(cuts_from="c9")
    with pytest.raises(InputError, match=r"no cuts of crawl c9; there are those of c1, c2, c3"):
        tables.label(cuts_from="c9", cuts_of="1")
    assert {row["batch"] for row in tables.cuts()} == {1}


def test_drift_is_written_between_crawls_and_between_batches(tables, spark):
    tables.label()
    assert tables.store.read(LABEL_DRIFT).count() == 0
    tables.put("c2", [{"a": 20.0 + i} for i in range(40)]).label()
    rows = tables.store.read(LABEL_DRIFT).collect()
    crawl = [row for row in rows if row["against"] == "crawl"]
    assert sum(row["n_documents"] for row in crawl) == 40
    assert any(row["label_before"] == "high" and row["label"] == "medium" for row in crawl)
    batch = [row for row in rows if row["against"] == "batch"]
    assert {row["label_before"] == row["label"] for row in batch} == {True}
    assert sum(row["n_documents"] for row in batch) == 40


def test_a_logistic_ensemble_uses_every_member(tables, tmp_path):
    file = tmp_path / "two.json"
    file.write_text(json.dumps({"columns": ["a", "b"], "weights": [0.0, 1.0], "bias": 0.0}))
    tables.put("c1", [{"a": float(i), "b": float(-i) / 10} for i in range(40)] + [{"a": 1.0}])
    tables.label(members=["a", "b"], ensemble="logistic", combination=str(file))
    found = tables.labels()
    assert found["c1-000"]["bucket"] == 19
    assert found["c1-039"]["bucket"] < 2
    assert tables.done.reasons == {"no_quality_score": 1}


def test_labels_that_rest_on_a_score_that_nobody_gives_are_refused_beforehand():
    conf = RunConfig(label={"members": ["fasttext", "other"]})
    with pytest.raises(ConfigError, match=r"label\.members: score\.members gives no other; it"):
        identity(conf)
    members = {"one": {"kind": "fasttext", "model": "shipped"}}
    conf = RunConfig(score={"members": members}, label={"members": ["one"], "max_toxicity": 0.5})
    with pytest.raises(ConfigError, match=r"label\.max_toxicity: .* gives no toxicity"):
        identity(conf)
