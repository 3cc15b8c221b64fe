"""s02: one pass over the text of a chunk gives every measure."""

from __future__ import annotations

import functools
from collections.abc import Callable

from pyspark.sql import functions as F

from curation.config import MeasureConfig, RunConfig
from curation.measure import guests
from curation.measure.benchmarks import identity_of_benchmarks
from curation.measure.kernel import (
    INPUT,
    Instruments,
    instruments,
    measure_batch,
    perplexity_paths,
)
from curation.measure.language import load_language_model
from curation.measure.perplexity import PerplexityModels
from curation.model_store import language_model_path
from curation.schemas import MEASURES, PAGES
from curation.spark.batches import Kernel, map_batches
from curation.spark.funnel import Account, account
from curation.spark.work import Work


def measure(work: Work) -> Account:
    """Measure the chunk's pages; none is dropped here."""
    pages = work.read(PAGES).select(*INPUT.columns.names)
    work.write(map_batches(pages, _kernel(work.conf.measure), MEASURES), MEASURES)
    outcomes = work.read(MEASURES).select(
        "doc_id", F.lit(None).cast("string").alias("reason"), F.col("n_words").alias("tokens")
    )
    return account(pages, outcomes, "doc_id")


def identity(conf: RunConfig) -> dict[str, object]:
    """The models, guests and benchmark items, which their names alone do not tell.

    Raises:
        ConfigError: a model is not there, or a guest cannot be used.
        InputError: a file of benchmark items is missing or not JSON lines.
    """
    models = PerplexityModels(perplexity_paths(conf.measure)).identity()
    told: dict[str, object] = {
        "perplexity": models, "guests": guests.identity(conf.measure.guests),
    }  # fmt: skip
    if conf.measure.benchmarks:
        told["benchmarks"] = identity_of_benchmarks(conf.measure)
    return told


def _kernel(conf: MeasureConfig) -> Callable[[], Kernel]:
    said = conf.model_dump_json()

    def make() -> Kernel:
        tools = _instruments(said)
        return lambda batch: [measure_batch(batch, tools)]

    return make


@functools.lru_cache(maxsize=1)
def _instruments(said: str) -> Instruments:
    """Instruments for the settings in JSON, kept for the next task of the same process."""
    conf = MeasureConfig.model_validate_json(said)
    return instruments(conf, load_language_model(str(language_model_path())))
