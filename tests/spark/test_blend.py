"""s08: copies by hash, places in the order, sources by attributes, and the mix that is told."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from blend_tables import Tables
from delta.tables import DeltaTable
from pyspark.sql import functions as F

from curation.blend.layout import order_sql, orders
from curation.blend.stage import blend_path, copies, with_copies
from curation.errors import AccountingError, ConfigError
from curation.schemas import BLEND, DOCUMENTS

pytestmark = pytest.mark.spark


def texts(spark, n=2_000):
    ids = spark.range(n).select(F.sha2(F.col("id").cast("string"), 256).alias("id"))
    return ids.withColumn("source", F.lit("s"))


def counts(spark, epochs, seed=1):
    frame = texts(spark).withColumn("epochs", F.lit(epochs)).withColumn("copies", copies(seed))
    return {row["copies"]: row["count"] for row in frame.groupBy("copies").count().collect()}


def test_whole_epochs_copy_each_text_alike(spark):
    assert counts(spark, 2.0) == {2: 2_000}
    assert counts(spark, 0.0) == {0: 2_000}


def test_a_share_of_an_epoch_takes_that_share_of_texts(spark):
    found = counts(spark, 1.25)
    assert set(found) == {1, 2}
    assert found[2] == pytest.approx(500, abs=80)


def test_another_seed_takes_others_and_the_same_seed_the_same(spark):
    frame = texts(spark).withColumn("epochs", F.lit(0.5))

    def chosen(seed):
        picked = frame.where(copies(seed) == 1)
        return {row["id"] for row in picked.collect()}

    assert chosen(1) == chosen(1)
    assert 300 < len(chosen(1) & chosen(2)) < 700


def test_the_order_in_sql_is_that_in_numpy_bit_by_bit(spark):
    copy = np.arange(6_000) % 7
    n_copies = copy + 1 + np.arange(6_000) % 3
    bits = np.random.default_rng(0).integers(-(2**63), 2**63, (2, 6_000), np.int64)
    bits[:, :5] = [[0, -1, -1, 2**63 - 1, 0], [0, -1, -(2**63), -(2**63), -1]]
    rows = list(zip(*(column.tolist() for column in (*bits, copy, n_copies)), strict=True))
    frame = spark.createDataFrame(rows, "home long, move long, copy int, copies int")
    sql = order_sql(home_hash="home", copy_hash="move", copy="copy", n_copies="copies")
    found = [row["found"] for row in frame.select(F.expr(sql).alias("found")).collect()]
    assert found == orders(*bits.view(np.uint64), copy, n_copies).tolist()


def test_copies_of_a_text_are_far_apart_and_the_order_is_another_by_seed(spark):
    missing = [n for n in BLEND.columns.names if n not in ("id", "source", "copy", "order")]
    frame = texts(spark).withColumns({name: F.lit("") for name in missing})
    frame = frame.withColumn("copies", F.expr("1 + cast(pmod(xxhash64(id), 2) AS int)"))

    def placed(seed):
        found = with_copies(frame, seed).orderBy("order", "id", "copy").select("id", "copy")
        return [(row["id"], row["copy"]) for row in found.collect()]

    order = placed(17)
    place = {row: number for number, row in enumerate(order)}
    twice = [id_ for id_, copy in order if copy == 1]
    assert len(twice) > 500
    gaps = [place[id_, 1] - place[id_, 0] for id_ in twice]
    assert min(gaps) > 0.22 * len(order)  # a quarter of the order, and chance
    assert len({*pairwise(order)} & {*pairwise(placed(18))}) < 20


@pytest.fixture(scope="module")
def tables(spark, tmp_path_factory):
    return Tables(spark, tmp_path_factory.mktemp("blend"))


def test_by_default_everything_that_is_kept_goes_in_once(tables):
    tables.blend()
    assert sorted(tables.rows()) == [
        ("d0", 0, "high/actual/actual"), ("d1", 0, "high/actual/actual"),
        ("d2", 0, "low/actual/actual"), ("d3", 0, "low/actual/actual"),
        ("s0", 0, "high/synthetic/distill"),
    ]  # fmt: skip
    mix = tables.mix()
    assert sorted(mix) == ["high/actual/actual", "high/synthetic/distill", "low/actual/actual"]
    high = mix["high/actual/actual"]
    assert (high["n_documents"], high["n_words"], high["words"], high["epochs"]) == (2, 160, 160, 1)
    assert high["share"] == high["natural_share"] == 0.4
    assert (high["total_variation"], high["kl_nats"]) == (0, 0)
    # d5 has no word, so that nothing can be taken of its source.
    assert (tables.done.reasons, tables.done.tokens) == ({"not_sampled": 1}, 400)


def test_buckets_of_two_attributes_by_unimax_small_ones_merged(tables):
    # Sizes 20, 80, 100, 200. Even parts of 600 with at most two repeats: 40, 160, 200, 200.
    tables.blend(method="unimax", total_words=600, max_epochs=2, min_source_frac=0.06,
                 sources=["quality", "toxicity"], toxicity_cuts=[0.2, 0.6])  # fmt: skip
    mix = tables.mix()
    told = {
        name: (one["merged_from"], one["n_documents"], one["n_words"], round(one["words"], 6),
               round(one["epochs"], 6), one["n_copies"], one["n_words_written"])
        for name, one in mix.items()
    }  # fmt: skip
    assert told == {
        "other": (["quality=low,toxicity="], 1, 20, 40, 2, 2, 40),
        "quality=high,toxicity=low": ([], 2, 80, 160, 2, 4, 160),
        "quality=high,toxicity=medium": ([], 1, 100, 200, 2, 2, 200),
        "quality=low,toxicity=high": ([], 1, 200, 200, 1, 1, 200),
    }
    other = mix["other"]
    assert (other["share"], other["natural_share"]) == pytest.approx((40 / 600, 20 / 400))
    # H = -(ln(1/15)/15 + 4 ln(4/15)/15 + 2 ln(1/3)/3); KL = 2 ln(4/3)/3 + ln(2/3)/3.
    assert [other[name] for name in ("n_effective", "total_variation", "kl_nats")] == (
        pytest.approx([3.544557, 1 / 6, 0.056633], abs=1e-5)
    )


def test_the_second_copies_come_in_the_second_half(tables):
    tables.blend(epochs={"high": 2, "low": 0})
    rows = tables.rows()
    assert [copy for _, copy, _ in rows] == [0, 0, 0, 1, 1, 1]
    assert {id_ for id_, *_ in rows} == {"d0", "d1", "s0"}
    assert tables.mix()["low/actual/actual"]["n_copies"] == 0


def test_a_made_text_has_the_attributes_of_its_document(tables):
    tables.blend(sources=["kind", "domain"], weights={"kind=synthetic": 0.25, "kind=actual": 0.75})
    sizes = {name: one["n_words"] for name, one in tables.mix().items()}
    assert sizes == {"kind=actual,domain=": 20, "kind=actual,domain=Games": 160,
                     "kind=actual,domain=Law": 200, "kind=synthetic,domain=Games": 20}  # fmt: skip
    # 20 words are a quarter of 80: of the actual 380 words 60 are wanted.
    assert tables.mix()["kind=actual,domain=Law"]["epochs"] == pytest.approx(60 / 380)


def test_a_budget_that_cannot_be_spent_leaves_the_blend_that_there_is(tables):
    before = tables.blend(epochs={"high": 2, "low": 0}).rows()
    with pytest.raises(ConfigError, match=r"cannot be spent.*repeated 2 times are 800"):
        tables.blend(method="unimax", total_words=1_000, max_epochs=2)
    assert tables.rows() == before


def test_a_large_folder_is_written_by_many_tasks_each_a_stretch_of_its_order(tables):
    tables.blend(epochs={"high": 50}, max_epochs=50, words_per_file=2_000)
    folder = Path(blend_path(str(tables.root)))
    files = sorted(folder.glob("quality=high/kind=actual/kind2=actual/*.parquet"))
    assert len(files) == 4  # of 8,000 words
    found = [pq.read_table(file, columns=["order"])["order"].to_pylist() for file in files]
    assert all(orders == sorted(orders) for orders in found)
    stretches = sorted((orders[0], orders[-1]) for orders in found)
    assert all(before[1] < after[0] for before, after in pairwise(stretches))
    assert len(tables.rows()) == 50 * 3 + 2


def test_a_label_whose_document_is_gone_leaves_the_account_open(spark, tmp_path):
    tables = Tables(spark, tmp_path)
    documents = tables.store.path(DOCUMENTS)
    DeltaTable.forPath(spark, documents).delete("doc_id = 'd1'")
    with pytest.raises(AccountingError, match=r"6 rows in, but 4 out .*\['d1'\]"):
        tables.blend()
