"""Clusters and survivors on small tables, worked out by hand; and batch by batch."""

import random

import pytest
from dedup_tables import Doc, Tables, frame

from curation.config import DedupConfig
from curation.dedup.keys import band_keys, first_of_each, pairs_by_key
from curation.dedup.survivor import clusters, survivor_order
from curation.dedup.verify import similarities
from curation.errors import ConfigError
from curation.schemas import DEDUP_KEYS, DOCUMENTS, MEASURES, PAGES, PAIRS, SPANS

pytestmark = pytest.mark.spark

ROWS = [
    Doc("a", "c1", "Same", (1, 2), n_words=10, day=5),
    Doc("b", "c1", "same", (1, 2), n_words=10, day=2),  # equal to a but for case, older
    Doc("c", "c1", "two", (1, 9), n_words=90, day=3),  # shares a band with both
    Doc("d", "c1", "three", (8, 2), n_words=20, day=1),  # shares another one: the oldest of all
    Doc("e", "c1", "four", (7, 6), n_words=30, day=0),
    Doc("f", "c1", "five", (), n_words=5, day=0),  # too short for bands
]


def run(spark, tmp_path, docs, **settings):
    tables = Tables(spark, tmp_path / "tables", **settings)
    tables.put(docs)
    return tables.dedup()


def test_the_oldest_of_a_cluster_survives(spark, tmp_path):
    tables = run(spark, tmp_path, ROWS)
    assert tables.clusters() == {
        ("a", "c1", "a", "d", "near_duplicate", 4),
        ("b", "c1", "a", "d", "near_duplicate", 4),
        ("c", "c1", "a", "d", "near_duplicate", 4),
        ("d", "c1", "a", "d", "survivor", 4),
    }
    assert [doc for doc, _, _ in tables.documents()] == ["d", "e", "f"]
    assert {doc: change for doc, (change, _) in tables.changes().items()} == {
        "d": "added", "e": "added", "f": "added",
    }  # fmt: skip


def test_texts_that_differ_in_case_are_not_equal_where_the_text_itself_counts(spark, tmp_path):
    docs = [*ROWS[:2], ROWS[1]._replace(doc_id="b2")]
    tables = run(spark, tmp_path, docs, fuzzy=False, exact="text")
    assert tables.fates() == {"b": ("b", "survivor"), "b2": ("b", "exact_duplicate")}
    assert tables.store.read(DEDUP_KEYS).where("kind = 'band'").count() == 0
    tables.configure(exact="text")
    tables.dedup()
    assert tables.fates()["a"] == ("b", "near_duplicate")


def test_pages_of_one_url_are_duplicates_if_asked_and_empty_urls_are_not_one(spark, tmp_path):
    docs = [
        Doc("a", "c1", "old", url="x.org/1", day=1),
        Doc("b", "c1", "new", url="x.org/1", day=2),
        Doc("c", "c1", "no url"),
        Doc("d", "c1", "none either"),
    ]
    tables = run(spark, tmp_path, docs, url=True, survivor="newest")
    assert tables.fates() == {"a": ("b", "url_duplicate"), "b": ("b", "survivor")}


POLICIES = [
    ({"survivor": "oldest"}, "b"),
    ({"survivor": "longest"}, "c"),
    ({"survivor": "newest"}, "a"),
    ({"survivor": ["engine", "oldest"], "survivor_engines": ["fast", "justext"]}, "b"),
    ({"survivor": ["source", "oldest"], "survivor_sources": ["good.org"]}, "c"),
    ({"survivor": "score"}, "a"),  # NaN and null count as none
    ({"survivor": "score", "survivor_score": "-n_words"}, "d"),
]
COPIES = [
    Doc("a", "c1", "s", n_words=2, day=9, engine="justext", confidence=0.5),
    Doc("b", "c1", "s", n_words=3, day=1, engine="fast", confidence=None),
    Doc("c", "c1", "s", n_words=5, day=2, engine="fast", url="good.org/x", confidence=0.1),
    Doc("d", "c1", "s", n_words=1, day=None, engine="x", confidence=float("nan")),
]


def test_survivors_by_every_policy_whatever_the_partitions(spark):
    measures, pages = (frame(spark, COPIES, table) for table in (MEASURES, PAGES))
    components = spark.createDataFrame([(doc.doc_id, "a") for doc in COPIES],
                                       "doc_id string, cluster_id string")  # fmt: skip
    for settings, survivor in POLICIES:
        for n_partitions in (1, 3):
            spread = measures.repartition(n_partitions)
            found = clusters(components, spread, pages, DedupConfig(**settings))
            assert {row["survivor_id"] for row in found.collect()} == {survivor}, settings


def test_another_policy_compares_nothing_anew_and_tells_what_it_changes(spark, tmp_path):
    tables = run(spark, tmp_path, COPIES)
    n_keys = tables.store.read(DEDUP_KEYS).count()
    tables.configure(survivor="longest")
    tables.dedup()
    assert tables.changes() == {"c": ("added", None), "b": ("displaced", "c")}
    assert tables.store.read(DEDUP_KEYS).count() == n_keys == 1


def test_a_score_that_is_no_sql_is_named(spark):
    members = frame(spark, COPIES, MEASURES)
    with pytest.raises(ConfigError, match=r"survivor_score.*n_wurds"):
        survivor_order(members, DedupConfig(survivor="score", survivor_score="n_wurds + 1"))


def chance_documents(rng):
    """Documents of three crawls and six chunks, of which many share texts, bands or nothing."""
    n = rng.randrange(30, 60)
    return [
        Doc(
            f"{rng.randrange(10**6):06d}",
            f"k{rng.randrange(6)}",
            f"text {rng.randrange(25)}",
            day=rng.choice([None, *range(9)]),
            n_words=rng.randrange(4),
        )
        for _ in range(n)
    ]


def with_bands(docs, rng):
    """Equal texts have equal bands, as in measures; texts of neighbouring numbers may share one."""
    bands = {doc.text: tuple(rng.sample(range(60), 2)) for doc in docs}
    return [doc._replace(bands=bands[doc.text], crawl=f"crawl{int(doc.chunk[1]) % 3}")
            for doc in docs]  # fmt: skip


def test_batches_in_any_order_give_what_all_at_once_gives(spark, tmp_path):
    rng = random.Random(5)
    docs = with_bands(chance_documents(rng), rng)
    # The same record in another chunk, and twice in one.
    docs += [docs[0]._replace(chunk="k0"), docs[1]._replace(chunk="k5"), docs[2]]
    settings = {"survivor": rng.choice(["oldest", "newest", "longest"])}
    whole = Tables(spark, tmp_path / "whole", **settings)
    whole.put(docs)
    whole.dedup()
    chunks = sorted({doc.chunk for doc in docs})
    rng.shuffle(chunks)
    split = Tables(spark, tmp_path / "split", **settings)
    cuts = sorted(rng.sample(range(1, len(chunks)), 2))
    for part in (chunks[: cuts[0]], chunks[cuts[0] : cuts[1]], chunks[cuts[1] :]):
        before = {doc for doc, _, _ in split.documents()}
        split.put(doc for doc in docs if doc.chunk in part)
        split.dedup()
        changed = split.changes()
        gained = {doc for doc, (change, _) in changed.items() if change == "added"}
        lost = {doc for doc, (change, _) in changed.items() if change == "displaced"}
        assert {doc for doc, _, _ in split.documents()} == (before | gained) - lost
    assert split.clusters() == whole.clusters()
    assert split.documents() == whole.documents()
    assert whole.done.reasons["same_record"] >= 1
    assert split.store.read(DEDUP_KEYS).select("batch").distinct().count() > 1


def test_a_chunk_that_is_measured_anew_begins_from_nothing(spark, tmp_path):
    bridge = Doc("b", "c2", "two", (1, 2))
    docs = [Doc("a", "c1", "one", (1,)), bridge, Doc("c", "c3", "three", (2,))]
    tables = run(spark, tmp_path, docs)
    assert {row[0] for row in tables.clusters()} == {"a", "b", "c"}
    tables.put([bridge._replace(text="other", bands=())], print_="p2")
    tables.dedup()
    assert tables.clusters() == set()
    assert [doc for doc, _, _ in tables.documents()] == ["a", "b", "c"]


def test_a_batch_that_was_broken_off_leaves_nothing_that_counts(spark, tmp_path, monkeypatch):
    tables = run(spark, tmp_path, [Doc("a", "c1", "x", day=5)])
    tables.put([Doc("b", "c2", "x", day=1)])
    with monkeypatch.context() as patch:
        patch.setattr("curation.dedup.stage.finish_batch", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            tables.dedup()
    assert [doc for doc, _, _ in tables.documents()] == ["b"]  # written, but not finished
    tables.put([Doc("b", "c2", "another", day=1)], print_="p2")
    tables.dedup()
    assert tables.documents() == [("a", "c1", "x"), ("b", "c2", "another")]
    assert tables.clusters() == set()
    assert tables.changes() == {"b": ("added", None)}


def test_only_chunks_that_change_are_written(spark, tmp_path):
    tables = run(spark, tmp_path, [Doc("a", "c1", "x"), Doc("b", "c2", "y")])
    tables.put([Doc("c", "c3", "y", day=3)])
    before = tables.store.version(DOCUMENTS)
    tables.put([Doc("d", "c4", "z")])  # c is a duplicate of b, which is older
    tables.dedup()
    assert tables.store.version(DOCUMENTS) == before + 1
    files = tables.store.read(DOCUMENTS).inputFiles()
    assert len(files) == 3


NEAR = [
    Doc("a", "c1", "the quick brown fox jumps over the lazy dog near the river bank", (1, 2)),
    Doc("b", "c2", "the quick brown fox jumps over the lazy dog near the river bend", (1, 3)),
    Doc("c", "c3", "something else that only shares a hash by chance with the two", (1, 4)),
]


def test_verified_pairs_are_as_alike_as_asked_and_no_pair_is_compared_twice(
    spark, tmp_path, monkeypatch
):
    asked = []
    real = similarities

    def counted(pairs, *rest, **settings):
        asked.append({frozenset(row) for row in pairs.select("doc_id", "other_id").collect()})
        return real(pairs, *rest, **settings)

    monkeypatch.setattr("curation.dedup.stage.similarities", counted)
    tables = Tables(spark, tmp_path / "tables", min_jaccard=0.6)
    for doc in reversed(NEAR):
        tables.put([doc])
        tables.dedup()
    assert tables.fates() == {"a": ("a", "survivor"), "b": ("a", "near_duplicate")}
    assert asked == [set(), {frozenset("bc")}, {frozenset("ab"), frozenset("ac")}]
    pairs = tables.store.read(PAIRS).where(f"batch = {tables.attempt}").collect()
    by_ends = {frozenset((row["doc_id"], row["other_id"])): row["jaccard"] for row in pairs}
    # 63 characters, 40 shingles of 24 each; they differ in the last three characters: 3 shingles.
    assert by_ends == {
        frozenset("ab"): pytest.approx(37 / 43, abs=1e-6),
        frozenset("ac"): 0.0,
        frozenset("bc"): 0.0,
    }


def test_repeated_spans_are_cut_and_texts_that_end_short_are_told(spark, tmp_path):
    shared = " ".join(f"w{i}" for i in range(12))
    docs = [
        Doc("a", "c1", f"{shared} of a alone", n_words=15, day=2),
        Doc("b", "c1", f"more {shared}", n_words=13, day=1),  # the oldest keeps its copy
        Doc("c", "c2", shared, n_words=12, day=3),
    ]
    tables = run(spark, tmp_path, docs, substring_tokens=10, substring_tokens_left=2)
    assert tables.documents() == [("a", "c1", "of a alone"), ("b", "c1", f"more {shared}")]
    spans = tables.store.read(SPANS).select("doc_id", "n_tokens", "source_doc_id").collect()
    assert {tuple(row) for row in spans} == {("a", 12, "b"), ("c", 12, "b")}
    assert tables.done.reasons == {"substring_empty": 1}
    assert tables.done.tokens == 3 + 13
    tables.configure(substring_tokens=0)
    tables.dedup()
    assert [text for _, _, text in tables.documents()] == [doc.text for doc in docs]
    assert tables.changes() == {"c": ("added", None), "a": ("recut", None)}


def test_a_text_that_is_cut_elsewhere_now_is_a_change(spark, tmp_path):
    shared = " ".join(f"w{i}" for i in range(12))
    tables = run(spark, tmp_path, [Doc("a", "c1", f"{shared} alone", day=2)], substring_tokens=10)
    tables.put([Doc("b", "c2", f"older {shared}", day=1)])
    tables.configure(substring_tokens=10, substring_tokens_left=1)
    tables.dedup()
    assert tables.documents() == [("a", "c1", "alone"), ("b", "c2", f"older {shared}")]
    assert tables.changes() == {"a": ("recut", None), "b": ("added", None)}


def test_a_similarity_at_the_bound_is_enough(spark, tmp_path):
    # 10 shingles of 24 characters, 9 of them in the other text: a similarity of 9/10.
    text = "abcdefghijklmnopqrstuvwxyz0123456"
    docs = [Doc("a", "c1", text, (1,)), Doc("b", "c1", text[:-1], (1,))]
    tables = run(spark, tmp_path, docs, min_jaccard=0.9)
    assert tables.fates() == {"a": ("a", "survivor"), "b": ("a", "near_duplicate")}


def test_bands_are_never_broadcast(spark):
    # Spark takes exploded rows for as few as there were before, and would try to.
    texts = spark.createDataFrame(
        [("a", [1, 2]), ("b", [2, 3])], "doc_id string, bands array<bigint>"
    )
    keys = band_keys(texts)
    for joined in (first_of_each(keys, keys), pairs_by_key(keys, keys)):
        plan = joined._jdf.queryExecution().executedPlan().toString()
        assert "SortMergeJoin" in plan
        assert "Broadcast" not in plan
