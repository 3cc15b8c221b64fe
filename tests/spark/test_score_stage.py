"""s04 over a few documents: what is scored again, and what is not."""

import pyarrow as pa
import pytest

from curation.config import RunConfig
from curation.pipeline import stage_named
from curation.schemas import DOCUMENTS, SCORES
from curation.score.stage import models_fingerprint, score
from curation.spark.batches import spark_schema
from curation.spark.progress import Silent
from curation.spark.tables import Store
from curation.spark.work import Work

pytestmark = pytest.mark.spark

FASTTEXT = {"kind": "fasttext", "model": "shipped", "columns": {"fasttext": "hq"}}
CONF = {"score": {"members": {"fasttext": FASTTEXT}}, "label": {"members": ["fasttext"]}}


class Tables:
    """A chunk of documents, and s04 run over it."""

    def __init__(self, spark, root):
        self.store, self.root, self.attempt = Store(spark, str(root)), root, 0
        for table in (DOCUMENTS, SCORES):
            self.store.create(table)

    def put(self, **texts):
        rows = [self._document(doc_id, text) for doc_id, text in texts.items()]
        frame = self.store.spark.createDataFrame(rows, spark_schema(DOCUMENTS))
        frame.write.format("delta").mode("overwrite").save(self.store.path(DOCUMENTS))
        return self

    def _document(self, doc_id, text):
        known = {"doc_id": doc_id, "crawl": "c1", "chunk": "k", "text": text, "language": "en"}
        return tuple(
            known.get(field.name, None if field.nullable else _empty(field.type))
            for field in DOCUMENTS.columns
        )

    def score(self):
        self.attempt += 1
        conf = RunConfig(out=str(self.root), **CONF)
        stage = stage_named("s04_score")
        score(Work(self.store, conf, stage, "k", "c1", self.attempt, (), Silent()))
        return self

    def spoil(self):
        """Scores that no model gives, to tell those that are kept from those made anew."""
        table = f"delta.`{self.store.path(SCORES)}`"
        self.store.spark.sql(f"UPDATE {table} SET scores = map('fasttext', CAST(9 AS FLOAT))")
        return self

    def scores(self):
        rows = self.store.read(SCORES).orderBy("doc_id").collect()
        return {row["doc_id"]: row["scores"]["fasttext"] for row in rows}


def _empty(type_):
    if pa.types.is_string(type_):
        return ""
    if pa.types.is_list(type_):
        return []
    return 1.0 if pa.types.is_floating(type_) else 1


def test_a_text_that_has_changed_is_scored_again_and_one_that_has_not_is_not(spark, tmp_path):
    tables = Tables(spark, tmp_path).put(a="a lesson on fractions", b="buy cheap pills", c="gone")
    tables.score().spoil()
    tables.put(a="a lesson on fractions", b="an essay on the history of Rome", d="new").score()
    found = tables.scores()
    assert found.pop("a") == 9
    assert {*found} == {"b", "d"}
    assert max(found.values()) <= 1


def test_the_fingerprint_is_of_what_decides_a_score(tmp_path):
    def print_of(device="cpu", **member):
        members = {"fasttext": {**FASTTEXT, **member}}
        return models_fingerprint(RunConfig(score={"members": members, "device": device}))

    assert print_of() == print_of(columns={"fasttext": "hq"})
    assert print_of() != print_of(columns={"other": "hq"})
