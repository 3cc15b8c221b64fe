"""Which rows tombstones name, and which duplicates they leave."""

import pytest
from dedup_tables import Doc, Tables

from curation.pipeline import STAGES
from curation.schemas import TABLES, TOMBSTONES
from curation.spark.tables import Store
from curation.takedown import lineage
from curation.takedown.accounts import ROWS_OUT, mark_matched_chunks, note_documents_version
from curation.takedown.lineage import (
    LINEAGE,
    copies_elsewhere,
    count_rows,
    documents_named,
    remove_rows,
)
from curation.takedown.match import matched, with_takedowns
from curation.takedown.selectors import selectors
from curation.takedown.tombstones import (
    add_tombstones,
    mark_done,
    read_tombstones,
    unfinished,
    wanted_tombstones,
)

pytestmark = pytest.mark.spark

KEYS = "doc_id string, url_normalized string, host string"


def tombstones(spark, *rows):
    return spark.createDataFrame(list(rows), "kind string, value string")


def names(spark, rows, *stones):
    found = matched(spark.createDataFrame(rows, KEYS), tombstones(spark, *stones)).collect()
    return {row["doc_id"]: row["tombstone"] for row in found}


def test_a_domain_stands_for_itself_and_all_names_below_it(spark):
    hosts = ["example.org", "www.example.org", "a.b.example.org.", "notexample.org", "example.com",
             "org", ""]  # fmt: skip
    rows = [(str(number), f"https://{host}/", host) for number, host in enumerate(hosts)]
    found = names(spark, rows, ("domain", "example.org"))
    assert found == dict.fromkeys("012", "domain example.org")


def test_a_url_names_every_record_of_it_and_no_other_page(spark):
    rows = [("a", "https://e.org/x", "e.org"), ("b", "https://e.org/x", "e.org"),
            ("c", "https://e.org/x?y=1", "e.org"), ("d", "http://e.org/x", "e.org")]  # fmt: skip
    assert set(names(spark, rows, ("url", "https://e.org/x"))) == {"a", "b"}


def test_kinds_are_not_mixed_up_and_each_row_comes_once(spark):
    rows = [("a", "b", "c.org"), ("b", "a", "d.org")]
    assert names(spark, rows, ("url", "d.org"), ("doc_id", "c.org"), ("domain", "a")) == {}
    every = [("url", "b"), ("doc_id", "a"), ("domain", "c.org"), ("domain", "org")]
    assert names(spark, rows, *every)["a"] == "doc_id a"


def test_a_page_that_is_taken_down_is_a_reject_whatever_else_it_is(spark):
    schema = f"{KEYS}, text string, filter_reason string, filter_detail string"
    rows = [
        ("a", "u", "e.org", "t", "robots", "r"), ("b", "v", "f.org", "t", None, None),
        ("c", "w", "g.org", "t", "robots", "r"), ("a", "u", "e.org", "t", None, None),
    ]  # fmt: skip
    pages = spark.createDataFrame(rows, schema)
    found = with_takedowns(pages, tombstones(spark, ("url", "u"), ("domain", "f.org")))
    assert found.columns == pages.columns
    assert sorted(tuple(row)[-2:] for row in found.collect()) == [
        ("robots", "r"), ("taken_down", "domain f.org"), ("taken_down", "url u"),
        ("taken_down", "url u"),
    ]  # fmt: skip
    assert with_takedowns(pages, None) is pages


def test_tombstones_are_written_once_and_marked_when_all_is_done(spark, tmp_path):
    store = Store(spark, str(tmp_path))
    assert read_tombstones(store) is None
    assert unfinished(store) == 0
    wanted = selectors(["https://e.org/x"], ["e.org"], [])
    assert add_tombstones(store, wanted_tombstones(store, wanted, "asked by its author")) == 2
    assert unfinished(store) == 2
    mark_done(store)
    version = store.version(TOMBSTONES)
    again = wanted_tombstones(store, wanted[:1], "")
    assert add_tombstones(store, again.unionByName(again)) == 0
    mark_done(store)
    assert (unfinished(store), store.version(TOMBSTONES)) == (0, version)


def test_every_table_with_text_or_of_a_document_is_dealt_with():
    by_other_means = {"rejects", "blend", "tombstones"}
    of_documents = {t.name for t in TABLES if {"doc_id", "text"} & {*t.columns.names}}
    assert of_documents - by_other_means == {table.name for table in LINEAGE}
    assert LINEAGE[-1].name == "pages"
    assert set(ROWS_OUT) == {stage.name for stage in STAGES}


@pytest.mark.timeout(900)
def test_duplicates_at_other_urls_are_told_apart_and_the_next_batch_finds_another_survivor(
    spark, tmp_path, monkeypatch
):
    tables = Tables(spark, tmp_path, min_jaccard=0.0, substring_tokens=0)
    store = tables.store
    tables.put([
        Doc("a", "c0", "one text", (1, 2), url="https://a.org/", day=0),
        Doc("b", "c0", "One  text", (1, 2), url="https://b.org/", day=1),
        Doc("c", "c1", "nearly one text", (1, 3), url="https://c.org/", day=2),
        Doc("d", "c1", "another", (9,), url="https://d.org/", day=0),
    ])  # fmt: skip
    tables.dedup()
    ids = documents_named(store, tombstones(spark, ("doc_id", "a")))
    others = {row["doc_id"]: row["is_exact"] for row in copies_elsewhere(store, ids).collect()}
    assert others == {"b": True, "c": False}
    mark_matched_chunks(store, ids)
    left = count_rows(store, ids)
    assert left["pages"] == left["measures"] == left["documents"] == 1
    for number, table in enumerate(one for one in LINEAGE if one.name in left):
        # By turns as many documents are removed as are named, and as are joined.
        monkeypatch.setattr(lineage, "MAX_LISTED", number % 2)
        remove_rows(store, table, ids)
    assert count_rows(store, ids) == {}
    note_documents_version(store)
    assert {row[0] for row in tables.documents()} == {"d"}
    tables.dedup()
    assert {row[0] for row in tables.documents()} == {"b", "d"}
    assert tables.changes() == {"b": ("added", None)}
