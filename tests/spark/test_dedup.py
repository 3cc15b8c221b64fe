"""Clusters and survivors on small tables, worked out by hand."""

import datetime as dt

import pytest

from curation.config import DedupConfig
from curation.dedup.stage import clusters, duplicate_edges, once_each

pytestmark = pytest.mark.spark

DAY = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def tables(spark, rows):
    """Measures and pages of rows (doc_id, hash, bands, words, days after DAY or None)."""
    measures = spark.createDataFrame(
        [(d, "cr", "c1", h, b, w) for d, h, b, w, _ in rows],
        "doc_id string, crawl string, chunk string, content_hash string, bands array<long>, "
        "n_words int",
    )
    pages = spark.createDataFrame(
        [(d, "cr", "c1", None if t is None else DAY + dt.timedelta(days=t)) for d, *_, t in rows],
        "doc_id string, crawl string, chunk string, warc_date timestamp",
    )
    return measures, pages


ROWS = [
    ("a", "h1", [1, 2], 10, 5),
    ("b", "h1", [1, 2], 10, 2),  # equal to a, older
    ("c", "h2", [1, 9], 90, 3),  # shares a band with both
    ("d", "h3", [8, 2], 20, 1),  # shares another band with a and b: the oldest of all
    ("e", "h4", [2, 1], 30, 0),  # the same hashes in other bands: not a duplicate
    ("f", "h5", [], 5, 0),  # too short for bands
]


def fates(spark, **settings):
    measures, pages = tables(spark, ROWS)
    found = clusters(measures, pages, DedupConfig(**settings)).collect()
    return {row["doc_id"]: (row["cluster_id"], row["survivor_id"], row["fate"]) for row in found}


def test_the_oldest_of_a_cluster_survives(spark):
    assert fates(spark) == {
        "a": ("a", "d", "near_duplicate"),
        "b": ("a", "d", "near_duplicate"),
        "c": ("a", "d", "near_duplicate"),
        "d": ("a", "d", "survivor"),
    }


def test_a_copy_equal_to_the_survivor_is_an_exact_duplicate(spark):
    assert fates(spark, fuzzy=False) == {
        "a": ("a", "b", "exact_duplicate"),
        "b": ("a", "b", "survivor"),
    }


def test_the_longest_and_the_newest_may_survive_instead(spark):
    assert fates(spark, survivor="longest")["c"] == ("a", "c", "survivor")
    assert fates(spark, survivor="newest")["a"] == ("a", "a", "survivor")


def test_a_document_without_a_date_survives_no_dated_one_and_ids_break_ties(spark):
    measures, pages = tables(
        spark, [("x", "h", [], 1, None), ("y", "h", [], 1, 4), ("z", "h", [], 1, 4)]
    )
    found = clusters(measures, pages, DedupConfig()).collect()
    assert {row["survivor_id"] for row in found} == {"y"}


def test_a_group_of_many_gives_one_edge_a_member(spark):
    measures, _ = tables(spark, [(f"d{i:03d}", "same", [], 1, 0) for i in range(100)])
    assert duplicate_edges(measures, fuzzy=True).count() == 99


def test_a_record_that_comes_with_two_chunks_counts_once_and_the_other_is_told(spark):
    rows = [("a", "c2"), ("a", "c1"), ("b", "c2")]
    once, again = once_each(spark.createDataFrame(
        [(doc, "cr", chunk) for doc, chunk in rows], "doc_id string, crawl string, chunk string"
    ))  # fmt: skip
    assert {(row["doc_id"], row["chunk"]) for row in once.collect()} == {("a", "c1"), ("b", "c2")}
    assert [(row["doc_id"], row["chunk"]) for row in again.collect()] == [("a", "c2")]
