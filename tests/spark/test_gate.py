"""s07b's SQL: sources put together, duplicates found, gates applied."""

import pytest
from pyspark.sql import functions as F

from curation.config import GateConfig
from curation.gates.stage import judged, with_duplicates, with_grades
from curation.schemas import DOCUMENTS, JUDGEMENTS, REQUESTS, SYNTHETIC, SYNTHETIC_MEASURES
from curation.spark.batches import spark_schema
from curation.synth.sourced import with_sources

pytestmark = pytest.mark.spark


def table(spark, kind, *rows):
    schema = spark_schema(kind, nullable=True)
    return spark.createDataFrame([tuple(row.get(n) for n in schema.names) for row in rows], schema)


def measured(spark, *rows):
    """Rows of SYNTHETIC_MEASURES that fail no gate, but for what is said."""
    good = {
        "task": "distill", "language_kept": 1, "n_stock_phrases": 0, "n_new_pii": 0,
        "benchmark_frac": 0.0, "copied_frac": 0.0, "unique_line_frac": 1.0, "top_3gram_frac": 0.0,
        "dup_8gram_frac": 0.0, "length_ratio": 0.5, "name_frac": None,
    }  # fmt: skip
    told = [
        {**good, "content_hash": row["synthetic_id"], "bands": [], "drop_reasons": [], **row}
        for row in rows
    ]
    return table(spark, SYNTHETIC_MEASURES, *told)


def duplicates(found):
    rows = found.orderBy("synthetic_id").collect()
    return {row["synthetic_id"]: (row["duplicate_kind"], row["duplicate_of"]) for row in rows}


def real(spark, *rows):
    return spark.createDataFrame(list(rows), "id string, key long")


def test_a_text_stands_beside_its_segments_in_their_order(spark):
    requests = table(
        spark, REQUESTS, {"request_id": "r2", "text": "two"}, {"request_id": "r1", "text": "one"},
        {"request_id": "r3", "text": "three"},
    )  # fmt: skip
    synthetic = table(
        spark, SYNTHETIC, {"synthetic_id": "s1", "doc_id": "d", "request_ids": ["r1", "r2"]},
        {"synthetic_id": "s2", "doc_id": "d", "request_ids": ["r3"]},
    )  # fmt: skip
    documents = table(spark, DOCUMENTS, {"doc_id": "d", "language": "de"})
    found = with_sources(synthetic, requests, documents).orderBy("synthetic_id").collect()
    assert [(row["source"], row["source_language"]) for row in found] == [
        ("one\ntwo", "de"), ("three", "de"),
    ]  # fmt: skip


def test_of_texts_that_share_a_band_or_a_content_the_lowest_id_stays(spark):
    found = with_duplicates(
        measured(
            spark, {"synthetic_id": "a", "bands": [1, 2]}, {"synthetic_id": "b", "bands": [2, 3]},
            {"synthetic_id": "c", "bands": [4], "content_hash": "same"},
            {"synthetic_id": "d", "bands": [5], "content_hash": "same"},
            {"synthetic_id": "e", "bands": []},
        ),
        real(spark),
    )  # fmt: skip
    assert duplicates(found) == {
        "a": (None, None), "b": ("synthetic", "a"), "c": (None, None), "d": ("synthetic", "c"),
        "e": (None, None),
    }  # fmt: skip


def test_a_document_counts_before_another_text_and_not_for_kinds_that_hold_their_source(spark):
    found = with_duplicates(
        measured(
            spark, {"synthetic_id": "a", "bands": [1]}, {"synthetic_id": "b", "bands": [1, 7]},
            {"synthetic_id": "c", "bands": [7], "task": "diverse_qa"},
        ),
        real(spark, ("doc2", 1), ("doc1", 1), ("doc1", 7)),
    )  # fmt: skip
    assert duplicates(found) == {
        "a": ("real", "doc1"), "b": ("real", "doc1"), "c": ("synthetic", "b"),
    }  # fmt: skip


def test_every_gate_that_a_text_fails_is_told_and_columns_of_synthetic_count(spark):
    rows = measured(
        spark, {"synthetic_id": "a"}, {"synthetic_id": "b", "copied_frac": 0.9, "n_new_pii": 2},
        {"synthetic_id": "c"}, {"synthetic_id": "d", "duplicate_of": "a"},
    )  # fmt: skip
    synthetic = table(
        spark, SYNTHETIC, *[{"synthetic_id": name, "number_faithfulness": n}
                            for name, n in (("a", 1.0), ("b", None), ("c", 0.1), ("d", None))],
    )  # fmt: skip
    found = judged(rows, synthetic, GateConfig()).orderBy("synthetic_id").collect()
    assert [(row["keep"], row["drop_reasons"]) for row in found] == [
        (True, []), (False, ["new_pii", "copied"]), (False, ["unknown_numbers"]),
        (False, ["duplicate"]),
    ]  # fmt: skip
    free = judged(rows.withColumn("duplicate_of", F.lit(None)), synthetic, GateConfig(rules="none"))
    assert {row["keep"] for row in free.collect()} == {True}


def test_a_grade_is_a_column_and_a_gate_and_without_one_a_text_passes(spark):
    texts = [{"synthetic_id": name} for name in ("good", "bad", "none", "unreadable")]
    grades = table(
        spark, JUDGEMENTS, {"synthetic_id": "good", "judge_score": 3},
        {"synthetic_id": "bad", "judge_score": 2}, {"synthetic_id": "unreadable"},
    )  # fmt: skip
    graded = with_grades(measured(spark, *texts), grades)
    found = judged(graded, table(spark, SYNTHETIC, *texts), GateConfig()).collect()
    assert {r["synthetic_id"]: (r["judge_score"], r["drop_reasons"]) for r in found} == {
        "good": (3, []), "bad": (2, ["judged_low"]), "none": (None, []), "unreadable": (None, []),
    }  # fmt: skip
