"""Buckets against the published example: specs of Nemotron-CC, section 10.1."""

import pytest
from pyspark.sql import functions as F

from curation.config import LabelConfig
from curation.label import bucket_edges, label_of, labels
from curation.schemas import SIGNALS

pytestmark = pytest.mark.spark

BYTES = [68, 78, 82, 89, 79, 93, 83, 76, 86, 86]
NEM = [1.3916015625, 0.88916015625, 1.345703125, 1.7275390625, 0.2486572265625, 1.3994140625,
       0.85400390625, 0.8427734375, 0.81884765625, 1.2880859375]  # fmt: skip
MIX = [1.34765625, 0.82763671875, 1.4208984375, 1.572265625, 0.34521484375, 1.0234375,
       0.7822265625, 0.9501953125, 1.42578125, 1.783203125]  # fmt: skip
FT = [0.9990114569664001, 0.9962636232376099, 9.026021871250123e-05, 0.00037683334085159004,
      0.9918678402900696, 0.00011704424832714722, 0.0006898035062476993, 0.9999129772186279,
      0.9919403195381165, 0.9997979998588562]  # fmt: skip


def scored(spark, fasttext, encoder):
    rows = [
        (f"d{i}", "en", 10, size, float(a), float(b), 0.0, "cr", "c1")
        for i, (size, a, b) in enumerate(zip(BYTES, fasttext, encoder, strict=True))
    ]
    frame = spark.createDataFrame(
        rows,
        "doc_id string, language string, n_words int, n_bytes long, score_fasttext double, "
        "score_encoder double, toxicity double, crawl string, chunk string",
    )
    frame = frame.withColumn("score_fasttext", F.col("score_fasttext").cast("float"))
    return frame.withColumn("score_encoder", F.col("score_encoder").cast("float"))


def buckets(spark, fasttext, encoder, weight="bytes"):
    frame = scored(spark, fasttext, encoder)
    edges = bucket_edges(frame, weight)
    rows = labels(frame, edges, LabelConfig(preset="none")).orderBy("doc_id").collect()
    return rows


def test_published_buckets_are_reproduced_exactly(spark):
    rows = buckets(spark, FT, NEM)
    assert [row["bucket_encoder"] for row in rows[:5]] == [15, 9, 13, 19, 1]
    assert [row["bucket_fasttext"] for row in rows[:5]] == [16, 14, 2, 6, 10]
    rows = buckets(spark, FT, MIX)
    assert [row["bucket_encoder"] for row in rows[:5]] == [11, 5, 13, 17, 1]


def test_the_ensemble_takes_the_highest_bucket(spark):
    rows = buckets(spark, FT, NEM)
    assert [row["bucket"] for row in rows[:5]] == [16, 14, 13, 19, 10]


def test_counting_documents_instead_of_bytes_gives_other_buckets(spark):
    rows = buckets(spark, FT, NEM, weight="documents")
    assert [row["bucket_encoder"] for row in rows[:5]] != [15, 9, 13, 19, 1]


def test_published_thresholds_are_reproduced(spark):
    edges = {row["member"]: row for row in bucket_edges(scored(spark, FT, NEM), "bytes").collect()}
    expected = [0.24866, *[0.81885] * 3, 0.84277, *[0.85400] * 2, *[0.88916] * 2, *[1.28809] * 2,
                *[1.34570] * 2, *[1.39160] * 2, *[1.39941] * 2, *[1.72754] * 2]  # fmt: skip
    assert edges["encoder"]["edges"] == pytest.approx(expected, abs=1e-5)
    assert edges["encoder"]["n_documents"] == 10


def test_one_score_for_all_puts_everybody_in_the_highest_bucket(spark):
    rows = buckets(spark, [0.5] * 10, [1.0] * 10)
    assert {row["bucket"] for row in rows} == {19}


def test_labels_group_the_buckets_as_the_paper_does(spark):
    frame = spark.range(20).withColumn("label", label_of(F.col("id")))
    found = {row["id"]: row["label"] for row in frame.collect()}
    expected = dict.fromkeys(range(7), "low") | dict.fromkeys(range(7, 12), "medium-low")
    expected |= dict.fromkeys(range(12, 18), "medium") | {18: "medium-high", 19: "high"}
    assert found == expected


def test_heuristics_spare_the_exempt_label_alone(spark):
    frame = scored(spark, FT, NEM)
    edges = bucket_edges(frame, "bytes")
    for field in SIGNALS:  # a document that every rule drops
        frame = frame.withColumn(field.name, F.lit(-1.0))
    rows = labels(frame, edges, LabelConfig(preset="nemotron")).collect()
    kept = {row["label"] for row in rows if row["keep"]}
    assert kept == {"high"}
    assert all(row["drop_reason"] for row in rows if row["label"] != "high")


def test_toxic_text_is_dropped_whatever_its_label(spark):
    frame = scored(spark, FT, NEM).withColumn("toxicity", F.lit(0.9))
    rows = labels(
        frame, bucket_edges(frame, "bytes"), LabelConfig(preset="none", max_toxicity=0.5)
    ).collect()
    assert {row["drop_reason"] for row in rows} == {"toxic"}
