from small_runs import HOSTILE, write

from curation import schemas
from curation.report import samples
from curation.report.run import open_run


def opened(out, reader):
    with open_run(out) as run:
        return reader(run)


def test_pages_are_chosen_by_the_hash_of_their_id(half_run):
    # MD5 of e30: 1199..., d0: 1331..., d1: 9948..., d2: b25b..., d3: e531...
    write(half_run, schemas.PAGES, [{"doc_id": "e30", "crawl": "demo", "chunk": "c1"}])
    pages = opened(half_run, lambda run: samples.kept_pages(run, 3))
    assert [page.doc_id for page in pages] == ["e30", "d0", "d1"]


def test_a_text_leaves_its_table_cut(half_run):
    long = {"doc_id": "dx", "crawl": "other", "chunk": "c9", "text": "x" * 9_000}
    write(half_run, schemas.PAGES, [long])
    pages = opened(half_run, lambda run: samples.kept_pages(run, 9))
    assert {len(page.text) for page in pages if page.doc_id == "dx"} == {8_000}


def test_rejects_are_one_of_each_reason_the_most_frequent_first(half_run):
    found = opened(half_run, lambda run: samples.rejects(run, 2))
    assert [reject.reason for reject in found] == ["not_response", "<i>odd</i>"]
    assert found[0].detail == HOSTILE


def test_a_removed_page_stands_beside_the_one_kept_with_the_reason(whole):
    (found,) = samples.duplicates(whole)
    assert (found.removed.doc_id, found.kept.doc_id, found.fate) == ("d2", "d1", "near_duplicate")
    assert (found.n_members, found.why) == (2, "7 bands shared, Jaccard 0.83")


def test_every_fate_has_an_example(whole_run):
    write(whole_run, schemas.CLUSTERS, [
        {"crawl": "demo", "chunk": "c0", "fate": "exact_duplicate", "doc_id": "d3",
         "cluster_id": "d1", "survivor_id": "d1", "n_members": 3}
    ])  # fmt: skip
    found = opened(whole_run, samples.duplicates)
    assert [(d.removed.doc_id, d.why) for d in found] == [
        ("d2", "7 bands shared, Jaccard 0.83"), ("d3", ""),
    ]  # fmt: skip


def test_each_label_has_pages_with_their_fate(whole):
    found = samples.labelled(whole, 2)
    assert {(p.page.doc_id, p.label, p.bucket, p.drop_reason) for p in found} == {
        ("d0", "high", 19, None), ("d1", "low", 2, None), ("d3", "low", 5, "too_few_words"),
    }  # fmt: skip


def test_no_more_pages_of_a_label_than_asked_for(whole):
    found = samples.labelled(whole, 1)
    assert sorted(page.label for page in found) == ["high", "low"]


def test_a_rewrite_stands_beside_the_segment_it_was_made_from(whole):
    texts = {text.task: text for text in samples.generated(whole)}
    assert texts["wikipedia"].source == "Moon source."
    assert texts["wikipedia"].text == "The Moon <img src=x> orbits."
    assert texts["wikipedia"].url == "http://a.example/d1?q=<b>"


def test_questions_are_shown_without_the_source_text_before_them(whole):
    texts = {text.task: text for text in samples.generated(whole)}
    assert texts["diverse_qa"].text == "Question: [link]Who?\nAnswer: I."


def test_the_source_of_a_joined_text_is_its_segments_in_order(whole_run):
    for number, text in (("j1", "First."), ("j0", "Second.")):
        asked = {"request_id": number, "stage": "s07_dialogue", "task": "debate", "text": text}
        write(whole_run, schemas.REQUESTS, [asked])
    made = {"synthetic_id": "y2", "stage": "s07_dialogue", "task": "debate", "text": "A: Hm."}
    write(whole_run, schemas.SYNTHETIC, [made | {"request_ids": ["j1", "j0"]}])
    texts = {text.task: text for text in opened(whole_run, samples.generated)}
    assert texts["debate"].source == "First.\nSecond."
    assert texts["debate"].url == ""
