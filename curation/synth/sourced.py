"""Texts of `synthetic` put beside the segments that they were made of."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.synth.generated import GENERATED


def with_sources(synthetic: DataFrame, requests: DataFrame, documents: DataFrame) -> DataFrame:
    """Rows of GENERATED: texts of SYNTHETIC beside the segments that they were made of."""
    numbered = synthetic.select(
        "synthetic_id", F.posexplode("request_ids").alias("n", "request_id")
    )
    parts = numbered.join(requests.select("request_id", F.col("text").alias("part")), "request_id")
    ordered = F.array_sort(F.collect_list(F.struct("n", "part")))
    sources = parts.groupBy("synthetic_id").agg(F.array_join(ordered["part"], "\n").alias("source"))
    about = documents.select("doc_id", F.col("language").alias("source_language"))
    joined = synthetic.join(sources, "synthetic_id").join(about, "doc_id")
    return joined.select(*GENERATED.columns.names)
