"""Keys that duplicates share: hashes of text, of URL, of MinHash bands; and the pairs they make.

The band table `dedup_keys` keeps one document for each key. A document is paired with the one that
its key is kept for, not with all others that have it: as many pairs as members, whatever the key's
size, and the same components. What keeps the band table small: only the first document of equal
texts has its bands in it.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from curation.config import DedupConfig
from curation.spark.batches import not_broadcast

KEY = ["kind", "key", "key_low"]


def exact_keys(measures: DataFrame, conf: DedupConfig) -> DataFrame:
    """`kind`, `key`, `key_low`, `doc_id` of the text, and of the URL where it counts.

    Args:
        measures: `doc_id`, `content_hash`, `text_hash`; `url_normalized` where `conf.url`.
        conf: Which of them make a duplicate.
    """
    hashed = F.col("content_hash" if conf.exact == "content" else "text_hash")
    keys = measures.select(F.lit("exact").alias("kind"), _half(hashed, 1).alias("key"),
                           _half(hashed, 17).alias("key_low"), "doc_id")  # fmt: skip
    if not conf.url:
        return keys
    url = F.sha2("url_normalized", 256)
    named = measures.where("url_normalized != ''")
    return keys.unionAll(named.select(F.lit("url"), _half(url, 1), _half(url, 17), "doc_id"))


def _half(hashed: Column, start: int) -> Column:
    """Sixteen hex digits from `start` on as a signed 64-bit number."""
    return F.conv(F.substring(hashed, start, 16), 16, -10).cast("long")


def band_keys(measures: DataFrame) -> DataFrame:
    """`kind`, `key`, `key_low`, `doc_id` of every LSH band; a band's hash covers its number."""
    bands = not_broadcast(measures.select("doc_id", F.explode("bands").alias("key")))
    return bands.select(
        F.lit("band").alias("kind"), "key", F.lit(0).cast("long").alias("key_low"), "doc_id"
    )


def first_of_each(keys: DataFrame, kept: DataFrame) -> DataFrame:
    """Keys that `kept` does not have, each with the least of its documents."""
    least = keys.groupBy(*KEY).agg(F.min("doc_id").alias("doc_id"))
    return least.join(kept.select(*KEY), KEY, "left_anti")


def pairs_by_key(keys: DataFrame, kept: DataFrame) -> DataFrame:
    """`doc_id`, `other_id`, `kind`, `n_keys`: each document with those kept for its keys."""
    holders = kept.select(*KEY, F.col("doc_id").alias("other_id"))
    shared = keys.join(holders, KEY).where("doc_id != other_id")
    counted = shared.groupBy("doc_id", "other_id", "kind").agg(F.count(F.lit(1)).alias("n_keys"))
    return counted.withColumn("n_keys", F.col("n_keys").cast("int"))


def holders_of_texts(kept: DataFrame) -> DataFrame:
    """`doc_id` of the documents that a text is kept for: one of all that are equal."""
    return kept.where("kind = 'exact'").select("doc_id").distinct()
