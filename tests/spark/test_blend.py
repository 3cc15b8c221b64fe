"""Copies of texts: as many as the epochs say, by hash, the same each time."""

import pytest
from pyspark.sql import functions as F

from curation.blend.stage import copies

pytestmark = pytest.mark.spark


def texts(spark, n=2_000):
    ids = spark.range(n).select(F.sha2(F.col("id").cast("string"), 256).alias("id"))
    return ids.withColumns(
        {"quality": F.lit("high"), "kind": F.lit("actual"), "kind2": F.lit("actual")}
    )


def counts(spark, epochs, seed=1):
    frame = texts(spark).withColumn("copies", copies({"high/actual/actual": epochs}, seed))
    return {row["copies"]: row["count"] for row in frame.groupBy("copies").count().collect()}


def test_whole_epochs_copy_each_text_alike(spark):
    assert counts(spark, 2.0) == {2: 2_000}
    assert counts(spark, 0.0) == {0: 2_000}


def test_a_share_of_an_epoch_takes_that_share_of_texts(spark):
    found = counts(spark, 1.25)
    assert set(found) == {1, 2}
    assert found[2] == pytest.approx(500, abs=80)


def test_another_seed_takes_others_and_the_same_seed_the_same(spark):
    frame = texts(spark)

    def chosen(seed):
        picked = frame.where(copies({"high/actual/actual": 0.5}, seed) == 1)
        return {row["id"] for row in picked.collect()}

    assert chosen(1) == chosen(1)
    assert 300 < len(chosen(1) & chosen(2)) < 700
