"""Spans found on Spark, against a suffix array over the same small corpora."""

import datetime as dt
import random

import pytest
from pyspark.sql import functions as F
from unit.dedup import suffix_oracle

from curation.dedup.substring import (
    anchors,
    candidate_windows,
    cut_documents,
    later_windows,
    repeated_runs,
    repeated_spans,
    survivor_rank,
    with_cuts,
)

pytestmark = pytest.mark.spark

COLUMNS = "doc_id string, crawl string, chunk string, rank array<double>, text string"


def table(spark, rows):
    """Documents of rows (doc_id, rank, text)."""
    return spark.createDataFrame(
        [(d, "cr", f"c-{d}", [float(r)], text) for d, r, text in rows], COLUMNS
    )


def found(spans):
    """Rows (doc_id, start token, end token, source), in order."""
    return sorted(
        (row["doc_id"], row["start_token"], row["end_token"], row["source_doc_id"])
        for row in spans.collect()
    )


def by_oracle(rows, min_tokens):
    ordered = sorted(rows, key=lambda row: (row[1], row[0]))
    ids = [doc_id for doc_id, *_ in ordered]
    spans = suffix_oracle.spans([text.split() for *_, text in ordered], min_tokens)
    return sorted((ids[doc], start, end, ids[source]) for doc, start, end, source in spans)


def corpus(seed, n_docs):
    """Random words with planted spans of 44 to 56 words, cut short, repeated and overlapping."""
    rng = random.Random(seed)
    planted = [[f"p{i}-{j}" for j in range(rng.randrange(44, 57))] for i in range(6)]
    rows = []
    for i in range(n_docs):
        words = []
        for _ in range(rng.randrange(5)):
            span = rng.choice(planted)
            begin = rng.choice([0, 0, 0, 3])
            words += span[begin:] + [f"w{rng.randrange(10**6)}"] * rng.choice([0, 1, 8, 120])
        rows.append((f"d{i:02d}", rng.randrange(4), " ".join(words)))
    return rows


def test_spans_are_those_of_the_suffix_array_in_any_order_and_partitioning(spark):
    rows = corpus(3, 40)
    expected = by_oracle(rows, 50)
    assert len(expected) > 20
    assert found(repeated_spans(table(spark, rows), min_tokens=50)) == expected
    shuffled = random.Random(1).sample(rows, len(rows))
    again = table(spark, shuffled).repartition(7, "text")
    assert found(repeated_spans(again, min_tokens=50)) == expected


@pytest.mark.parametrize("min_tokens", [1, 3])
def test_short_spans_over_few_words_are_those_of_the_suffix_array(spark, min_tokens):
    rng = random.Random(min_tokens)
    rows = [
        (f"d{i:02d}", rng.randrange(3), " ".join(rng.choices("abcdefgh"[:n], k=rng.randrange(60))))
        for i, n in enumerate([1, 2, 3, 8, 8, 8, 8, 2])
    ]
    expected = by_oracle(rows, min_tokens)
    assert len(expected) > 3
    assert found(repeated_spans(table(spark, rows), min_tokens=min_tokens)) == expected


def test_a_span_tells_its_place_in_tokens_and_characters_and_whose_copy_stays(spark):
    rows = [("b", 1, "x  uno dos\ntres y"), ("a", 2, "uno dos tres"), ("c", 1, "é uno dos tres.")]
    spans = repeated_spans(table(spark, rows), min_tokens=2).collect()
    by_doc = {row["doc_id"]: row.asDict() for row in spans}
    assert by_doc["a"] == {
        "doc_id": "a", "crawl": "cr", "chunk": "c-a", "start_token": 0, "end_token": 3,
        "start_char": 0, "end_char": 12, "n_tokens": 3, "source_doc_id": "b",
    }  # fmt: skip
    assert (by_doc["c"]["start_token"], by_doc["c"]["end_token"]) == (1, 3)
    assert (by_doc["c"]["start_char"], by_doc["c"]["end_char"]) == (2, 9)
    assert set(by_doc) == {"a", "c"}


def test_a_text_that_repeats_itself_keeps_one_period_and_needs_no_other_text(spark):
    rows = [("a", 0, "m " * 40), ("b", 0, "p q r " * 40)]
    expected = [("a", 1, 40, "a"), ("b", 3, 120, "b")]
    assert found(repeated_spans(table(spark, rows), min_tokens=30)) == expected


def test_documents_without_repeats_give_no_span(spark):
    rows = [("a", 0, ""), ("b", 0, "\n\n"), ("c", 0, "one two three"), ("d", 0, "x" * 1_000_000)]
    assert found(repeated_spans(table(spark, rows), min_tokens=2)) == []


def test_a_span_in_every_document_costs_a_row_a_window_and_not_a_pair(spark):
    n_docs, boilerplate = 300, " ".join(f"b{i}" for i in range(60))
    documents = table(spark, [(f"d{i:03d}", 0, f"u{i} {boilerplate} v{i}") for i in range(n_docs)])
    runs = repeated_runs(anchors(documents, min_tokens=50))
    windows = candidate_windows(documents, runs, min_tokens=50)
    # Of 62 tokens there are 13 windows, and 11 of them lie in the 60 that all share.
    assert 11 * n_docs <= windows.count() <= 13 * n_docs
    later = later_windows(windows).collect()
    assert len(later) == 11 * (n_docs - 1)
    assert {row["source_doc_id"] for row in later} == {"d000"}


def test_cut_texts_keep_one_copy_and_are_judged_by_what_is_left(spark):
    rows = [
        ("a", 0, "first uno dos tres"),
        ("b", 1, "uno dos tres"),
        ("c", 2, "k uno dos tres l"),
        ("d", 3, "a b c d\n\nuno dos tres\n\ne f uno dos tres g"),
        ("e", 4, "untouched"),
    ]
    documents = table(spark, rows)
    spans = repeated_spans(documents, min_tokens=3)
    cuts = cut_documents(documents, spans, min_tokens_left=3).collect()
    assert {row["doc_id"]: (row["text"], row["n_tokens"], row["reason"]) for row in cuts} == {
        "b": ("", 0, "substring_empty"),
        "c": ("k l", 2, "substring_short"),
        "d": ("a b c d\n\ne f g", 7, None),
    }


def test_the_rank_compares_its_keys_in_order_and_puts_null_last(spark):
    day = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    rows = spark.createDataFrame(
        [("old", day, 5), ("new", day + dt.timedelta(microseconds=1), 9), ("newest", None, 7),
         ("older", day, 6)],
        "doc_id string, warc_date timestamp, n_words int",
    )  # fmt: skip
    age, length = F.unix_micros("warc_date"), -F.col("n_words")
    for keys, order in (
        ([age, length], ["older", "old", "new", "newest"]),
        ([-age, length], ["new", "older", "old", "newest"]),
        ([length], ["new", "newest", "older", "old"]),
    ):
        ranked = rows.orderBy(survivor_rank(*keys)).collect()
        assert [row["doc_id"] for row in ranked] == order


def test_a_later_key_decides_whose_copy_stays_where_the_first_leaves_a_tie(spark):
    rows = spark.createDataFrame(
        [("a", "cr", "c", 1, 9, "p q r"), ("b", "cr", "c", 1, 8, "p q r x"),
         ("c", "cr", "c", 2, 0, "p q r y")],
        "doc_id string, crawl string, chunk string, first int, second int, text string",
    )  # fmt: skip
    ranked = rows.withColumn("rank", survivor_rank(F.col("first"), F.col("second")))
    assert found(repeated_spans(ranked, min_tokens=3)) == [("a", 0, 3, "b"), ("c", 0, 3, "b")]


def test_documents_get_the_text_that_is_left_and_the_reason_or_stay_as_they_are(spark):
    documents = spark.createDataFrame(
        [("a", "x y", 2, 3, "u"), ("b", "x y z", 3, 5, "u"), ("c", "x", 1, 1, "u")],
        "doc_id string, text string, n_words int, n_bytes long, url string",
    )
    cuts = spark.createDataFrame(
        [("b", 1, 1, 1, None, "z"), ("c", 0, 0, 0, "substring_empty", "")],
        "doc_id string, n_words int, n_tokens int, n_bytes long, reason string, text string",
    )
    judged = with_cuts(documents, cuts)
    assert judged.columns == [*documents.columns, "reason"]
    assert sorted(tuple(row) for row in judged.collect()) == [
        ("a", "x y", 2, 3, "u", None),
        ("b", "z", 1, 1, "u", None),
        ("c", "", 0, 0, "u", "substring_empty"),
    ]
