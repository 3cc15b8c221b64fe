"""Buckets against the published example: specs of Nemotron-CC, section 10.1."""

import gzip
import itertools
import json
import math
from pathlib import Path

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from curation.config import LabelConfig, ScoreConfig
from curation.errors import ConfigError
from curation.label.buckets import (
    LABEL_FLOORS,
    combined,
    combines,
    in_force,
    label_of,
    with_buckets,
    with_cuts,
)
from curation.label.cuts import bucket_edges
from curation.label.drift import label_drift, of_batch_before, of_crawl_before
from curation.label.stage import labels
from curation.schemas import SIGNALS
from curation.score.kernel import make_score_kernel

pytestmark = pytest.mark.spark

GOLD = Path(__file__).parents[3] / "shared" / "data" / "crawl" / "gold.jsonl.gz"
BYTES = [68, 78, 82, 89, 79, 93, 83, 76, 86, 86]
NEM = [1.3916015625, 0.88916015625, 1.345703125, 1.7275390625, 0.2486572265625, 1.3994140625,
       0.85400390625, 0.8427734375, 0.81884765625, 1.2880859375]  # fmt: skip
MIX = [1.34765625, 0.82763671875, 1.4208984375, 1.572265625, 0.34521484375, 1.0234375,
       0.7822265625, 0.9501953125, 1.42578125, 1.783203125]  # fmt: skip
FT = [0.9990114569664001, 0.9962636232376099, 9.026021871250123e-05, 0.00037683334085159004,
      0.9918678402900696, 0.00011704424832714722, 0.0006898035062476993, 0.9999129772186279,
      0.9919403195381165, 0.9997979998588562]  # fmt: skip
SCHEMA = (
    "doc_id string, crawl string, chunk string, language string, models string, n_words int, "
    "n_bytes long, scores map<string,float>, classes map<string,string>"
)


def scored(spark, crawl="cr", language="en", **members):
    """Ten documents or so with the scores of `members`; None: no score."""
    columns = list(members.values())
    sizes = BYTES if len(columns[0]) == len(BYTES) else [100] * len(columns[0])
    rows = []
    for i, values in enumerate(zip(*columns, strict=True)):
        own = {n: float(v) for n, v in zip(members, values, strict=True) if v is not None}
        rows.append(
            (f"{crawl}-d{i:03}", crawl, "c1", language, "m", 10, sizes[i], own, {"domain": "Games"})
        )
    return spark.createDataFrame(rows, SCHEMA)


def conf(*members, **settings):
    return LabelConfig(members=members, preset="none", **settings)


def cut(frame, settings, batch=1):
    """Rows of BUCKET_EDGES, with the crawl that they are from."""
    wanted = F.map_filter("scores", lambda name, _: name.isin(list(settings.members)))
    edges = bucket_edges(frame, wanted, settings)
    return edges.withColumn("batch", F.lit(batch)).withColumn("cuts_crawl", F.col("crawl"))


def bucketed(frame, settings, edges=None):
    return with_buckets(with_cuts(frame, edges or cut(frame, settings)), settings)


def buckets(spark, settings, **members):
    return bucketed(scored(spark, **members), settings).orderBy("doc_id").collect()


def test_published_buckets_are_reproduced_exactly(spark):
    settings = conf("ft", "nem", "mix")
    rows = buckets(spark, settings, ft=FT, nem=NEM, mix=MIX)[:5]
    assert [row["buckets"]["nem"] for row in rows] == [15, 9, 13, 19, 1]
    assert [row["buckets"]["mix"] for row in rows] == [11, 5, 13, 17, 1]
    assert [row["buckets"]["ft"] for row in rows] == [16, 14, 2, 6, 10]
    assert [row["bucket"] for row in rows] == [16, 14, 13, 19, 10]


@pytest.mark.parametrize("weight", ["documents", "tokens"])
def test_counting_documents_instead_of_bytes_gives_other_buckets(spark, weight):
    rows = buckets(spark, conf("nem", weight=weight), nem=NEM)
    assert [row["buckets"]["nem"] for row in rows[:5]] != [15, 9, 13, 19, 1]


def test_published_thresholds_are_reproduced(spark):
    (row,) = cut(scored(spark, nem=NEM), conf("nem")).collect()
    expected = [0.24866, *[0.81885] * 3, 0.84277, *[0.85400] * 2, *[0.88916] * 2, *[1.28809] * 2,
                *[1.34570] * 2, *[1.39160] * 2, *[1.39941] * 2, *[1.72754] * 2]  # fmt: skip
    assert row["edges"] == pytest.approx(expected, abs=1e-5)
    assert (row["n_documents"], row["n_drawn"], row["max_error"]) == (10, 10, 0.0)


@pytest.mark.parametrize("n", [1, 10])
def test_one_score_for_all_puts_everybody_in_the_highest_bucket(spark, n):
    assert {row["bucket"] for row in buckets(spark, conf("a"), a=[0.5] * n)} == {19}


def test_half_of_the_weight_at_one_score_leaves_buckets_empty(spark):
    rows = buckets(spark, conf("a"), a=[0.0] * 50 + [i / 100 for i in range(1, 51)])
    assert [row["bucket"] for row in rows[:50]] == [10] * 50
    assert sorted({row["bucket"] for row in rows[50:]}) == list(range(10, 20))


def test_no_score_and_nan_have_no_part_in_cuts_and_buckets(spark):
    rows = buckets(
        spark, conf("a", "b"), a=[None, math.nan, *range(18)], b=[0.5, 0.5, None, *[0.1] * 17]
    )
    clean = buckets(spark, conf("a"), a=list(range(18)))
    assert [row["buckets"].get("a") for row in rows] == [None, None] + [r["bucket"] for r in clean]
    assert rows[0]["bucket"] == rows[0]["buckets"]["b"] == 19
    assert rows[2]["bucket"] == rows[2]["buckets"]["a"]


def test_a_document_without_any_score_has_no_bucket(spark):
    rows = buckets(spark, conf("a"), a=[None, 1.0])
    assert (rows[0]["bucket"], rows[0]["label"]) == (None, None)


def test_every_crawl_and_language_has_cuts_of_its_own(spark):
    settings = conf("a")
    frame = scored(spark, "c1", a=[1.0, 2.0]).unionByName(scored(spark, "c2", a=[3.0, 4.0]))
    frame = frame.unionByName(scored(spark, "c2", "de", a=[9.0]))
    rows = {(r["crawl"], r["language"]): r["edges"] for r in cut(frame, settings).collect()}
    assert rows["c1", "en"] == [1.0] * 10 + [2.0] * 9
    assert rows["c2", "en"] == [3.0] * 10 + [4.0] * 9
    assert rows["c2", "de"] == [9.0] * 19


def test_cuts_of_one_crawl_serve_another(spark):
    settings = conf("a")
    edges = cut(scored(spark, "c1", a=[float(i) for i in range(20)]), settings)
    frame = scored(spark, "c2", a=[0.0, 19.0, 100.0])
    rows = bucketed(frame, settings, edges.drop("crawl")).orderBy("doc_id").collect()
    assert [row["bucket"] for row in rows] == [1, 19, 19]
    assert {row["cuts_crawl"] for row in rows} == {"c1"}
    assert [row["bucket"] for row in bucketed(frame, settings, edges).collect()] == [None] * 3


def test_the_mean_rank_lies_between_the_members(spark):
    n = [float(i) for i in range(100)]
    settings = conf("a", "b", ensemble="mean_rank")
    frame = scored(spark, a=n, b=n[::-1])
    edges = cut(frame, settings)
    ranks = with_cuts(frame, edges).select(combined(settings).alias("rank")).collect()
    assert [row["rank"] for row in ranks] == pytest.approx([0.5] * 100, abs=0.03)
    agreeing = scored(spark, a=n, b=[2 * value for value in n])
    one = with_cuts(agreeing, cut(agreeing, settings))
    rows = one.select("doc_id", combined(settings).alias("rank")).orderBy("doc_id").collect()
    ranks = [row["rank"] for row in rows]
    assert ranks == sorted(ranks)
    assert ranks[50] == pytest.approx(0.5, abs=0.01)


def with_combined_cuts(frame, settings):
    edges = cut(frame, settings)
    one = F.create_map(F.lit(settings.ensemble), combined(settings))
    again = bucket_edges(with_cuts(frame, edges), one, settings).withColumn("batch", F.lit(1))
    return edges.unionByName(again.withColumn("cuts_crawl", F.col("crawl")))


@pytest.mark.parametrize("ensemble", ["mean_rank", "logistic"])
def test_a_combined_score_is_ranked_again(spark, ensemble, tmp_path):
    file = tmp_path / "two.json"
    file.write_text(json.dumps({"columns": ["a", "b"], "weights": [1.0, 1.0], "bias": -9.0}))
    settings = conf("a", "b", ensemble=ensemble, combination=str(file), weight="documents")
    values = [float(i % 10) for i in range(200)], [float(i // 20) for i in range(200)]
    frame = scored(spark, a=values[0], b=values[1])
    rows = bucketed(frame, settings, with_combined_cuts(frame, settings)).collect()
    best = max(rows, key=lambda row: sum(row["scores"].values()))
    assert best["bucket"] == 19
    by_sum = sorted(rows, key=lambda row: sum(row["scores"].values()))
    assert [row["bucket"] for row in by_sum[:10]] < [row["bucket"] for row in by_sum[-10:]]
    shares = [sum(row["bucket"] >= k for row in rows) / 200 for k in range(20)]
    assert all(share >= 1 - k / 20 for k, share in enumerate(shares))


def test_a_combination_of_other_columns_is_refused(spark, tmp_path):
    file = tmp_path / "two.json"
    file.write_text(json.dumps({"columns": ["a", "b"], "weights": [1.0, 1.0], "bias": 0.0}))
    with pytest.raises(ConfigError, match=r"combines a, b, label.members are a"):
        combined(conf("a", ensemble="logistic", combination=str(file)))


def test_more_documents_than_may_be_exact_are_drawn_by_hash(spark):
    settings = conf("a", max_exact=1_000, weight="documents")
    frame = scored(spark, a=[float(i) for i in range(4_000)])
    first, again = cut(frame, settings).collect(), cut(frame.repartition(7), settings).collect()
    assert first == again
    (row,) = first
    assert row["n_documents"] == 4_000
    assert 800 < row["n_drawn"] < 1_200
    # r = 17.4531 * 0.95 / 3 = 5.5268; r^2 + 2 * 17.4531 * 1/4 * 3/4 * 0.95^2 * 4000 = 23657.7
    assert row["max_error"] == pytest.approx((5.5268 + math.sqrt(23657.7)) / 1_000, rel=1e-5)
    other = cut(frame, conf("a", max_exact=1_000, weight="documents", seed=18)).collect()
    assert other[0]["edges"] != row["edges"]


def test_documents_without_a_word_weigh_one(spark):
    frame = scored(spark, a=[float(i) for i in range(20)])
    for n_words in (F.lit(0), F.lit(1)):
        (row,) = cut(frame.withColumn("n_words", n_words), conf("a", weight="tokens")).collect()
        assert row["edges"] == [float(i) for i in range(19)]
    many = scored(spark, a=[float(i) for i in range(4_000)]).withColumn("n_words", F.lit(0))
    (row,) = cut(many, conf("a", max_exact=1_000, weight="tokens")).collect()
    assert 0.1 < row["max_error"] < 0.2
    assert row["edges"][9] == pytest.approx(2_000, abs=200)


@pytest.mark.timeout(600)
def test_ten_million_documents_are_cut_within_the_stated_error(spark):
    """Sizes are log-normal, sigma 1.5, and the longer a page the lower its score."""
    u, v, noise = (F.abs(F.xxhash64("id", F.lit(k)) / F.lit(2.0**63)) for k in (5, 6, 7))
    normal = F.sqrt(-2 * F.log(u)) * F.cos(2 * math.pi * v)
    frame = spark.range(10_000_000, numPartitions=8).select(
        F.col("id").cast("string").alias("doc_id"), F.lit("cr").alias("crawl"),
        F.lit("en").alias("language"), F.lit("m").alias("models"), F.lit(1).alias("n_words"),
        F.ceil(3_000 * F.exp(1.5 * normal)).alias("n_bytes"),
        F.create_map(F.lit("a"), (noise - normal).cast("float")).alias("scores"),
    )  # fmt: skip
    (row,) = cut(frame, conf("a")).collect()
    assert (row["n_documents"], row["max_error"] < 0.04) == (10_000_000, True)
    assert row["n_drawn"] == pytest.approx(1_000_000, rel=0.01)
    shares = [
        F.sum(F.expr(f"IF(scores['a'] {sign} float({edge!r}), n_bytes, 0)")) / F.sum("n_bytes")
        for sign in ("<", "<=") for edge in row["edges"]
    ]  # fmt: skip
    found = frame.agg(F.array(*shares).alias("shares")).collect()[0]["shares"]
    too_high = [found[k - 1] - k / 20 for k in range(1, 20)]
    too_low = [k / 20 - found[18 + k] for k in range(1, 20)]
    assert 0 < max(too_high + too_low) < row["max_error"]


def test_labels_group_the_buckets_as_the_paper_does(spark):
    frame = spark.range(20).withColumn("label", label_of(F.col("id")))
    found = {row["id"]: row["label"] for row in frame.collect()}
    expected = dict.fromkeys(range(7), "low") | dict.fromkeys(range(7, 12), "medium-low")
    expected |= dict.fromkeys(range(12, 18), "medium") | {18: "medium-high", 19: "high"}
    assert found == expected


@pytest.mark.parametrize(
    ("correlated", "shares"),
    [(True, (5, 5, 30, 25, 35)), (False, (14.26, 12.84, 51.30, 17.31, 4.29))],
)
def test_shares_of_the_maximum_are_those_derived_for_the_two_bounds(spark, correlated, shares):
    """Section 5.3: three members that agree wholly, and three that know nothing of each other."""
    n = 20_000
    score = [F.xxhash64("id", F.lit(0 if correlated else k)).cast("float") for k in range(3)]
    names = ("a", "b", "c")
    frame = spark.range(n).select(
        F.col("id").cast("string").alias("doc_id"), F.lit("cr").alias("crawl"),
        F.lit("en").alias("language"), F.lit("m").alias("models"), F.lit(1).alias("n_words"),
        F.lit(1).alias("n_bytes"),
        F.map_from_arrays(F.array(*map(F.lit, names)), F.array(*score)).alias("scores"),
    )  # fmt: skip
    found = bucketed(frame, conf(*names)).groupBy("label").count().collect()
    by_label = {row["label"]: 100 * row["count"] / n for row in found}
    order = [name for name, _ in LABEL_FLOORS]
    assert [by_label[name] for name in order] == pytest.approx(shares, abs=1.0)


@pytest.mark.skipif(not GOLD.is_file(), reason="no real pages beside the project")
def test_shares_of_real_pages_lie_between_the_two_bounds(spark):
    """Section 5.3, over three shipped members and 600 real pages."""
    with gzip.open(GOLD, "rt", encoding="utf-8") as lines:
        pages = (json.loads(line).get("main_text") for line in lines)
        texts = list(itertools.islice(filter(None, pages), 600))
    n, same = len(texts), ["c"] * len(texts)
    batch = pa.RecordBatch.from_pydict({
        "doc_id": [str(i) for i in range(n)], "crawl": same, "chunk": same,
        "text_hash": [0] * n, "text": texts,
    })  # fmt: skip
    (found,) = make_score_kernel(ScoreConfig(), "m", n_threads=2)(batch)
    rows = [
        (row["doc_id"], "c", "c", "en", "m", 10, len(text.encode()), dict(row["scores"]), {})
        for row, text in zip(found.to_pylist(), texts, strict=True)
    ]
    labels = bucketed(spark.createDataFrame(rows, SCHEMA), conf("fasttext", "edu", "quality"))
    sizes = {row["label"]: row["w"] for row in labels.groupBy("label").agg(
        F.sum("n_bytes").alias("w")).collect()}  # fmt: skip
    shares = [100 * sizes[name] / sum(sizes.values()) for name, _ in LABEL_FLOORS]
    bounds = zip((5, 5, 30, 17.31, 4.29), (14.26, 12.84, 51.3, 25, 35), strict=True)
    # One long page of 600 is worth a point of a hundred.
    for share, (low, high) in zip(shares, bounds, strict=True):
        assert low - 1 <= share <= high + 1, shares


def labelled(frame, settings, benchmark_frac=None):
    for field in SIGNALS:  # a document that every rule drops
        frame = frame.withColumn(field.name, F.lit(-1.0))
    frame = frame.withColumn("benchmark_frac", F.lit(benchmark_frac).cast("float"))
    return labels(bucketed(frame, settings), settings)


def test_heuristics_spare_the_exempt_label_alone(spark):
    settings = LabelConfig(members=("nem",), preset="nemotron")
    rows = labelled(scored(spark, nem=NEM), settings).collect()
    assert {row["label"] for row in rows if row["keep"]} == {"high"}
    assert all(row["drop_reason"] for row in rows if row["label"] != "high")
    assert {(row["domain"], row["speech"]) for row in rows} == {("Games", None)}


def test_toxic_text_is_dropped_whatever_its_label(spark):
    settings = conf("nem", max_toxicity=0.5)
    rows = labelled(scored(spark, nem=NEM, toxicity=[0.9] * 10), settings).collect()
    assert {row["drop_reason"] for row in rows} == {"toxic"}
    rows = labelled(scored(spark, nem=NEM, toxicity=[None] * 10), settings).collect()
    assert {row["drop_reason"] for row in rows} == {None}


@pytest.mark.parametrize(("frac", "reason"), [(0.2, "benchmark_text"), (0.1, None), (None, None)])
def test_text_of_benchmarks_is_dropped_whatever_its_label(spark, frac, reason):
    rows = labelled(scored(spark, nem=NEM), conf("nem"), benchmark_frac=frac).collect()
    assert {row["drop_reason"] for row in rows} == {reason}
    assert {tuple(row["drop_reasons"]) for row in rows} == {(reason,) if reason else ()}


def test_a_score_that_tells_nobody_apart_spares_nobody_the_heuristics(spark):
    settings = LabelConfig(members=("nem",), preset="nemotron")
    for n in (1, 12):
        rows = labelled(scored(spark, nem=[0.5] * n), settings).collect()
        assert {(row["label"], row["keep"]) for row in rows} == {("high", False)}


def test_a_constant_member_does_not_make_all_documents_high(spark):
    n = [float(i) for i in range(40)]
    both = buckets(spark, conf("a", "b"), a=n, b=[0.5] * 40)
    alone = buckets(spark, conf("a"), a=n)
    assert [row["bucket"] for row in both] == [row["bucket"] for row in alone]
    assert {tuple(row["buckets"]) for row in both} == {("a",)}


@pytest.mark.parametrize("n_equal", [93, 97])
def test_a_score_that_nearly_all_share_does_not_drown_the_others(spark, n_equal):
    n = [float(i) for i in range(100)]
    b = [0.0] * n_equal + [1.0] * (100 - n_equal)
    both, alone = buckets(spark, conf("a", "b"), a=n, b=b), buckets(spark, conf("a"), a=n)
    assert [r["bucket"] for r in both[:n_equal]] == [r["bucket"] for r in alone[:n_equal]]
    assert {r["bucket"] for r in both[n_equal:]} == {19}


def test_a_document_that_only_a_constant_member_scored_is_not_spared(spark):
    settings = LabelConfig(members=("a", "nem"), preset="nemotron")
    frame = scored(spark, a=[*[float(i) for i in range(19)], None], nem=[0.5] * 20)
    last = labelled(frame, settings).orderBy("doc_id").collect()[-1]
    assert (last["bucket"], last["keep"]) == (19, False)


def test_drift_is_against_the_same_crawl_whose_cuts_serve_all(spark):
    settings = conf("a", weight="documents", cuts_from="c1")
    frame = scored(spark, "c1", a=[float(i) for i in range(100)]).unionByName(
        scored(spark, "c2", a=[float(i) for i in range(50, 150)])
    )
    cuts = cut(frame, settings, 1).unionByName(cut(frame, settings, 2)).drop("cuts_crawl")
    found = bucketed(frame, settings, in_force(cuts, 2, settings))
    drift = label_drift(frame, found, cuts, 2, settings).where("against = 'batch'").collect()
    assert {row["cuts_crawl"] for row in drift} == {"c1"}
    assert all(row["label_before"] == row["label"] for row in drift)
    assert sum(row["n_documents"] for row in drift) == 200


def test_drift_tells_how_earlier_cuts_would_have_called_the_documents(spark):
    settings = conf("a", weight="documents")
    worse = scored(spark, "c1", a=[float(i) for i in range(100)])
    better = scored(spark, "c2", a=[float(i) for i in range(50, 150)])
    both = worse.unionByName(better)
    now = cut(both, settings, batch=2)
    old = cut(scored(spark, "c1", a=[0.0] * 100), settings, batch=1)
    found = bucketed(both, settings, now)
    kept = old.unionByName(now).drop("cuts_crawl")
    drift = label_drift(both, found, kept, 2, settings).collect()
    crawl = [row for row in drift if row["against"] == "crawl"]
    assert {(row["crawl"], row["cuts_crawl"]) for row in crawl} == {("c2", "c1")}
    assert sum(row["n_documents"] for row in crawl) == 100
    assert sum(r["n_documents"] for r in crawl if r["label_before"] == "high") == 56
    assert sum(r["n_documents"] for r in crawl if r["label"] == "high") == 6
    batch = [row for row in drift if row["against"] == "batch"]
    told = {(row["crawl"], row["cuts"], row["label_before"]) for row in batch}
    assert told == {("c1", 1, "high")}
    assert sum(row["n_words"] for row in batch) == 1_000


def test_cuts_of_one_crawl_for_all_are_not_compared_with_themselves(spark):
    settings = conf("a", weight="documents", cuts_from="c1")
    frame = scored(spark, "c1", a=[float(i) for i in range(20)]).unionByName(
        scored(spark, "c2", a=[float(i) for i in range(20)])
    )
    cuts = cut(frame, settings, 1).drop("cuts_crawl")
    found = bucketed(frame, settings, in_force(cuts, 1, settings))
    assert label_drift(frame, found, cuts, 1, settings).count() == 0


@pytest.mark.parametrize("other", ["a, b by the cuts of c1", None])
def test_cuts_of_another_combination_are_not_compared(spark, other):
    settings = LabelConfig(members=("a", "b"), ensemble="mean_rank", preset="none")
    frame = scored(spark, a=[float(i) for i in range(20)], b=[float(i % 7) for i in range(20)])
    both = cut(frame, settings).withColumn("combines", F.lit(None).cast("string"))
    one = both.where("member = 'a'").withColumn("member", F.lit("mean_rank"))
    now = both.unionByName(one.withColumn("combines", F.lit(combines(settings))))
    before = both.unionByName(one.withColumn("combines", F.lit(other).cast("string")))
    cuts = before.unionByName(now.withColumn("batch", F.lit(2))).drop("cuts_crawl")
    found = bucketed(frame, settings, in_force(cuts, 2, settings))
    assert label_drift(frame, found, cuts, 2, settings).count() == 0
    same = now.unionByName(now.withColumn("batch", F.lit(2))).drop("cuts_crawl")
    assert label_drift(frame, found, same, 2, settings).count() > 0


def test_ranks_by_the_cuts_of_a_crawl_are_another_combination():
    settings = {"members": ("b", "a"), "ensemble": "mean_rank"}
    assert combines(LabelConfig(**settings)) == "a, b"
    assert combines(LabelConfig(**settings, cuts_from="c1")) == "a, b by the cuts of c1"


def test_cuts_of_other_models_or_members_are_not_compared(spark):
    settings = conf("a", weight="documents")
    frame = scored(spark, "c1", a=[float(i) for i in range(100)])
    now = cut(frame, settings, batch=2).drop("cuts_crawl")
    other = now.withColumn("batch", F.lit(1)).withColumn("models", F.lit("others"))
    assert of_batch_before(other.unionByName(now), 2, settings).count() == 0
    assert of_crawl_before(now, 2).count() == 0
    found = bucketed(frame, settings, in_force(other, 1, settings))
    assert {row["bucket"] for row in found.collect()} == {None}
    renamed = now.withColumn("batch", F.lit(1)).withColumn("member", F.lit("b"))
    found = bucketed(frame, settings)
    assert label_drift(frame, found, renamed.unionByName(now), 2, settings).count() == 0
