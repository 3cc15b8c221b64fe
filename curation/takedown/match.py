"""Which rows the tombstones name. Spark SQL over keys; no text is read or moved."""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.crawl.blocklists import suffixes

TAKEN_DOWN = "taken_down"
"""Reason of a reject, and of rows in accounts."""


def matched(rows: DataFrame, tombstones: DataFrame) -> DataFrame:
    """`doc_id`, `tombstone` (kind and value, in words) of the `rows` that `tombstones` name.

    Each doc_id comes once, with the first of its tombstones.

    Args:
        rows: `doc_id`, `url_normalized`, `host`.
        tombstones: Rows of TOMBSTONES; only `kind` and `value` are looked at.
    """
    keys = rows.select("doc_id", "url_normalized", "host")
    under = keys.select("doc_id", F.explode(suffixes("host")).alias("value"))
    # Each side with its own kind, so that one join finds all three.
    named = (
        keys.select("doc_id", F.lit("url").alias("kind"), F.col("url_normalized").alias("value"))
        .unionAll(under.select("doc_id", F.lit("domain"), "value"))
        .unionAll(keys.select("doc_id", F.lit("doc_id"), "doc_id"))
    )
    found = named.join(tombstones.select("kind", "value"), ["kind", "value"])
    detail = F.concat_ws(" ", "kind", "value")
    return found.groupBy("doc_id").agg(F.min(detail).alias("tombstone"))


def with_takedowns(pages: DataFrame, tombstones: DataFrame | None) -> DataFrame:
    """`pages` with `filter_reason` `taken_down` where a tombstone names them, whatever it was.

    Args:
        pages: Rows of PAGES of one chunk, with `filter_reason` and `filter_detail`.
        tombstones: Rows of TOMBSTONES; None: nothing was ever taken down.
    """
    if tombstones is None:
        return pages
    # As many rows as the chunk has pages that are taken down: the text of a page never moves.
    marked = pages.join(F.broadcast(matched(pages, tombstones)), "doc_id", "left")
    is_named = F.col("tombstone").isNotNull()
    return marked.withColumns({
        "filter_reason": F.when(is_named, TAKEN_DOWN).otherwise(F.col("filter_reason")),
        "filter_detail": F.coalesce("tombstone", "filter_detail"),
    }).select(*pages.columns)  # fmt: skip
