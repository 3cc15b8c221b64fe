"""s02: one pass over the text of a chunk gives every measure."""

from __future__ import annotations

from collections.abc import Callable

from pyspark.sql import functions as F

from curation.config import MeasureConfig
from curation.measure.kernel import measure_batch
from curation.measure.language import load_language_model
from curation.measure.minhash import MinHasher
from curation.model_store import language_model_path
from curation.schemas import MEASURES, PAGES
from curation.spark.batches import Kernel, map_batches
from curation.spark.funnel import Account, account
from curation.spark.work import Work


def measure(work: Work) -> Account:
    """Measure the chunk's pages; none is dropped here."""
    pages = work.read(PAGES).select("doc_id", "crawl", "chunk", "text")
    work.write(map_batches(pages, _kernel(work.conf.measure), MEASURES), MEASURES)
    outcomes = work.read(MEASURES).select(
        "doc_id", F.lit(None).cast("string").alias("reason"), F.col("n_words").alias("tokens")
    )
    return account(pages, outcomes, "doc_id")


def _kernel(conf: MeasureConfig) -> Callable[[], Kernel]:
    def make() -> Kernel:
        model = load_language_model(str(language_model_path()))
        hasher = MinHasher(
            ngram_chars=conf.ngram_chars, ngram_words=conf.ngram_words, n_bands=conf.n_bands,
            rows_per_band=conf.rows_per_band, seed=conf.minhash_seed,
        )  # fmt: skip
        return lambda batch: [measure_batch(batch, language_model=model, hasher=hasher, conf=conf)]

    return make
