"""A run's tables as they are before s08, made by hand, and s08 over them."""

from hand_rows import row

from curation.blend.stage import blend, blend_path
from curation.config import RunConfig
from curation.pipeline import stage_named
from curation.schemas import (
    BLEND,
    BLEND_MIX,
    DOCUMENTS,
    LABELS,
    PUBLISHED,
    SELECTION,
    SELECTION_MIX,
    SYNTHETIC,
    SYNTHETIC_MEASURES,
)
from curation.spark.batches import spark_schema
from curation.spark.progress import Silent
from curation.spark.tables import Store
from curation.spark.work import CORPUS, Work

DOCS = {
    "d0": {"n_words": 60, "label": "high", "toxicity": 0.1, "domain": "Games"},
    "d1": {"n_words": 100, "label": "high", "toxicity": 0.2, "domain": "Games"},
    "d2": {"n_words": 200, "label": "low", "toxicity": 0.7, "domain": "Law"},
    "d3": {"n_words": 20, "label": "low"},
    "d4": {"n_words": 1_000, "label": "low", "keep": False},
    "d5": {"n_words": 0, "label": "medium"},
}


class Tables:
    """A run's tables before s08, and s08 run over them: six documents, a text made of d0."""

    def __init__(self, spark, root, *, is_empty=False):
        self.store, self.root, self.attempt = Store(spark, str(root / "tables")), root, 0
        for table in (PUBLISHED, SELECTION, SELECTION_MIX, BLEND_MIX):
            self.store.create(table)
        if not is_empty:
            self._fill(spark)

    def _fill(self, spark):
        facts = [{"keep": True, "doc_id": doc, "text": f"{doc} " * facts["n_words"], **facts}
                 for doc, facts in DOCS.items()]  # fmt: skip
        made = [{"synthetic_id": "s0", "doc_id": "d0", "label": "high", "kind2": "distill",
                 "text": "word " * 20, "keep": True}]  # fmt: skip
        for table, rows in ((DOCUMENTS, facts), (LABELS, facts), (SYNTHETIC, made),
                            (SYNTHETIC_MEASURES, made)):  # fmt: skip
            schema = spark_schema(table, nullable=True)
            frame = spark.createDataFrame([row(table, **known) for known in rows], schema)
            frame.write.format("delta").save(self.store.path(table))

    def blend(self, **settings):
        """One attempt; its account must close."""
        self.done = blend(self.work(**settings))
        self.done.close("s08_blend", CORPUS)
        return self

    def work(self, **settings):
        self.attempt += 1
        conf, stage = RunConfig(out=str(self.root), blend=settings), stage_named("s08_blend")
        return Work(self.store, conf, stage, CORPUS, "c1", self.attempt, (), Silent())

    def mix(self):
        return {row["source"]: row for row in self.store.read(BLEND_MIX).collect()}

    def rows(self):
        """(id, copy) in the order of the shards."""
        rows = self.store.read_parquet(blend_path(str(self.root)), BLEND)
        return [(row["id"], row["copy"], row["source"])
                for row in rows.orderBy("order", "id", "copy").collect()]  # fmt: skip
