"""Spans of tokens that occur twice in the corpus, found and cut on Spark; one copy survives.

*What is removed.* Documents have a total order: by `rank`, then by `doc_id`. So have windows (runs
of `min_tokens` tokens, `spans.py`): by document, then by place. A window is *later* when an equal
one comes before it, in another document or in the same. A token is removed where it lies in a later
window; a *span* is a longest run of removed tokens. So:

- Every removed token is a copy: equal windows lead from it, always to an earlier one, to a token
  that stays. Nothing is lost from the corpus, only said once.
- A text that repeats itself at once keeps one period: of one word a thousand times, one is left.
- The result depends on the texts, the ids and the ranks, and on nothing else.

*How.* Rows, for T tokens of which a share r is repeated:

1. `anchors`: one row for some 18 tokens (at 50), counted by their hash, and joined to the hashes
   that come more than once: that gives the runs of windows that may be repeated.
2. `candidate_windows`: one row a window of these runs, about r T. The text is joined to them.
3. `later_windows`: the first of each hash, by an aggregation that combines before it shuffles, and
   a join of each window with that one row: a group of n costs n rows, never pairs.
4. `spans`: neighbouring windows made one, in the order of each document.

A group of any size is one key of an aggregation and of a join that Spark splits where it is skewed.
Windows count as equal when their hash and their anchor's hash, 64 bits each, are equal.

Source: 2107.06499 (Lee et al.), section 4.1 (ExactSubstr), whose suffix array needs the corpus on
one machine; 2412.02595 cuts the crawl in eighths for it. The repeats found here are the same (tests
compare them with a suffix array); the tools of 2107.06499 remove every copy, the first too.
"""

from __future__ import annotations

from functools import partial

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from curation.dedup.spans import (
    ANCHORS,
    CUTS,
    WINDOWS,
    anchors_batch,
    cuts_batch,
    windows_batches,
)
from curation.spark.batches import map_batches, not_broadcast

_LAST = float("inf")


def survivor_rank(*keys: Column) -> Column:
    """Rank of a document: the values of some keys, compared one after the other, the least first.

    Args:
        keys: Numbers of which the least keeps its copy; null comes last. Whole numbers are told
            apart up to 2^53, which microseconds since 1970 do not reach before 2255.
    """
    return F.array(*(F.coalesce(key.cast("double"), F.lit(_LAST)) for key in keys))


def repeated_spans(documents: DataFrame, *, min_tokens: int) -> DataFrame:
    """Rows of SPANS: what is to be cut from each document.

    Args:
        documents: `doc_id` (once each), `crawl`, `chunk`, `rank` (`survivor_rank`) and `text`, all
            as they were before any cut. It is read three times.
        min_tokens: Tokens of the shortest span.
    """
    # Both are read twice. Kept on the executors' disks, they cost no second pass over the text.
    found = anchors(documents, min_tokens=min_tokens).localCheckpoint()
    runs = repeated_runs(not_broadcast(found))
    windows = candidate_windows(documents, runs, min_tokens=min_tokens).localCheckpoint()
    rows = spans(later_windows(not_broadcast(windows)), min_tokens=min_tokens)
    return rows.join(documents.select("doc_id", "crawl", "chunk"), "doc_id")


def anchors(documents: DataFrame, *, min_tokens: int) -> DataFrame:
    """Rows of ANCHORS: the runs of windows of each document."""
    kernel = partial(anchors_batch, min_tokens=min_tokens)
    texts = documents.select("doc_id", "text")
    return map_batches(texts, lambda: lambda batch: [kernel(batch)], ANCHORS)


def repeated_runs(found: DataFrame) -> DataFrame:
    """`doc_id`, `runs`: first windows of the runs of a document that have an anchor of others.

    Args:
        found: Rows of ANCHORS.
    """
    counts = found.groupBy("anchor").agg(F.sum("n_places").alias("n"))
    repeated = found.join(counts.where("n > 1"), "anchor", "left_semi")
    return repeated.groupBy("doc_id").agg(F.collect_list("first_window").alias("runs"))


def candidate_windows(documents: DataFrame, runs: DataFrame, *, min_tokens: int) -> DataFrame:
    """Rows of WINDOWS: the windows of `runs`, which is what `repeated_runs` gives."""
    rows = documents.select("doc_id", "rank", "text").join(runs, "doc_id")
    kernel = partial(windows_batches, min_tokens=min_tokens)
    return map_batches(rows, lambda: kernel, WINDOWS)


def later_windows(windows: DataFrame) -> DataFrame:
    """Windows that have an equal one before them, with `source_doc_id`: where the first is."""
    place = F.struct("rank", "doc_id", "start_token")
    same = ["anchor", "hash"]
    groups = windows.groupBy(*same).agg(F.min(place).alias("first"), F.count(F.lit(1)).alias("n"))
    joined = windows.join(groups.where("n > 1"), same).where(place != F.col("first"))
    return joined.select("doc_id", "start_token", "start_char", "end_char",
                         F.col("first.doc_id").alias("source_doc_id"))  # fmt: skip


def spans(later: DataFrame, *, min_tokens: int) -> DataFrame:
    """Rows of SPANS, but for `crawl` and `chunk`: windows that overlap or touch made one."""
    in_order = Window.partitionBy("doc_id").orderBy("start_token")
    before = F.lag("start_token").over(in_order)
    begins = before.isNull() | (F.col("start_token") > before + min_tokens)
    so_far = in_order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    numbered = later.withColumn("begins", begins.cast("int")).withColumn(
        "span", F.sum("begins").over(so_far)
    )
    end = F.max("start_token") + F.lit(min_tokens)
    return numbered.groupBy("doc_id", "span").agg(
        F.min("start_token").alias("start_token"), end.alias("end_token"),
        F.min("start_char").alias("start_char"), F.max("end_char").alias("end_char"),
        (end - F.min("start_token")).alias("n_tokens"),
        F.min_by("source_doc_id", "start_token").alias("source_doc_id"),
    ).drop("span")  # fmt: skip


def cut_documents(documents: DataFrame, found: DataFrame, *, min_tokens_left: int) -> DataFrame:
    """Rows of CUTS: the texts that have spans, without them, and whether they still stay.

    Args:
        documents: `doc_id`, `text`, as they were when the spans were found.
        found: Rows of SPANS.
        min_tokens_left: Tokens below which a text that was cut is too short.
    """
    bounds = F.sort_array(F.collect_list(F.struct("start_char", "end_char")))
    by_doc = found.groupBy("doc_id").agg(bounds.alias("bounds"))
    rows = documents.select("doc_id", "text").join(by_doc, "doc_id")
    named = rows.select("doc_id", "text", F.col("bounds.start_char").alias("starts"),
                        F.col("bounds.end_char").alias("ends"))  # fmt: skip
    kernel = partial(cuts_batch, min_tokens_left=min_tokens_left)
    return map_batches(named, lambda: lambda batch: [kernel(batch)], CUTS)


def with_cuts(documents: DataFrame, cuts: DataFrame) -> DataFrame:
    """`documents` with the `text`, `n_words` and `n_bytes` that are left, and why one is dropped.

    Args:
        documents: Rows of DOCUMENTS, as they were before the cut.
        cuts: Rows of CUTS.

    Returns:
        The same columns, and `reason`: null where the document stays, cut or not.
    """
    new = ("text", "n_words", "n_bytes")
    left = cuts.select("doc_id", "reason", *(F.col(name).alias(f"{name}_left") for name in new))
    joined = documents.join(left, "doc_id", "left")
    values = {name: F.coalesce(f"{name}_left", name) for name in new}
    return joined.withColumns(values).select(*documents.columns, "reason")
