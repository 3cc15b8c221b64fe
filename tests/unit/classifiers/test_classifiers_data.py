import csv
import gzip
import json
from collections import Counter
from pathlib import Path

import pytest

from curation.errors import InputError
from models.classifiers import annotate, train
from models.classifiers.data import (
    LABELS,
    candidate_pages,
    domain_of,
    fold_of,
    load_cases,
    load_pages,
    page_groups,
)

SHARED = Path(__file__).parents[3].parent / "shared" / "data"
MANIFEST_COLUMNS = ("warc", "target_uri", "uri_known", "source", "sha1_payload", "bytes", "lang")


def label_rows():
    with LABELS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def data(tmp_path):
    (tmp_path / "crawl").mkdir()
    rows = [
        ("w", "https://www.one.example/a", "1", "src_a", "aa", "1", "en"),
        ("w", "https://unknown.invalid/b", "0", "src_b", "bb", "1", "en"),
        ("w", "https://two.example/c", "1", "src_a", "cc", "1", "de"),
    ]
    with gzip.open(tmp_path / "crawl" / "manifest.csv.gz", "wt", newline="") as file:
        csv.writer(file).writerows([MANIFEST_COLUMNS, *rows])
    gold = [
        {"sha1": "bb", "main_text": "b" * 300},
        {"sha1": "aa", "main_text": "first " * 50},
        {"sha1": "aa", "main_text": "second " * 50},
        {"sha1": "cc", "main_text": "c" * 300},
        {"sha1": "dd"},
    ]
    with gzip.open(tmp_path / "crawl" / "gold.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in gold)
    return tmp_path


def test_labels_are_hashes_scores_and_lengths_and_nothing_else():
    rows = label_rows()
    assert all(set(row) == {"sha1", "edu", "n_chars"} for row in rows)
    assert all(len(row["sha1"]) == 40 and int(row["sha1"], 16) for row in rows)
    assert all(row["edu"] in "012345" for row in rows)


def test_no_page_is_labelled_twice_and_every_score_occurs():
    rows = label_rows()
    assert len({row["sha1"] for row in rows}) == len(rows) == 958
    assert set(Counter(row["edu"] for row in rows)) == set("012345")


def test_pages_join_label_text_and_domain(data, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("sha1,edu,n_chars\nbb,4,300\naa,0,300\n")
    pages = load_pages(data, labels)
    assert [(page.sha1, page.edu, page.group) for page in pages] == [
        ("bb", 4, "src_b"),
        ("aa", 0, "one.example"),
    ]
    assert pages[1].text.startswith("first")


def test_a_labelled_page_that_the_data_lack_is_named(data, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("sha1,edu,n_chars\nee,4,300\n")
    with pytest.raises(InputError, match="page ee"):
        load_pages(data, labels)


def test_candidates_are_english_long_enough_and_in_the_order_of_the_hash(data):
    assert list(candidate_pages(data)) == ["aa", "bb"]
    assert list(candidate_pages(data, min_chars=301)) == []


def test_pages_of_unknown_address_are_grouped_by_source(data):
    assert page_groups(data) == {"aa": "one.example", "bb": "src_b", "cc": "two.example"}


def test_a_domain_is_the_end_of_the_host_in_lower_case():
    assert domain_of("https://Docs.Python.org:443/3/?a=b") == "python.org"
    assert domain_of("http://localhost/") == "localhost"


def test_a_group_always_lies_in_the_same_fold_and_groups_spread_over_all():
    # 16 leaves 1 when divided by 5, so a hash leaves what the sum of its 64 hex digits leaves.
    assert fold_of("python.org") == 3
    assert {fold_of(f"site{i}.example") for i in range(40)} == {0, 1, 2, 3, 4}


def test_missing_data_is_one_line_and_exit_code_2(tmp_path, capsys):
    for command in (annotate.main, train.main):
        out = ["--out", str(tmp_path / "o")] if command is train.main else []
        assert command(["--data", str(tmp_path), *out]) == 2
        error = capsys.readouterr().err
        assert error.startswith("InputError: ")
        assert error.count("\n") == 1


def test_annotate_prints_a_line_a_page_with_room_for_the_score(data, capsys):
    assert annotate.main(["--data", str(data), "--start", "1", "--count", "5"]) == 0
    assert capsys.readouterr().out == f"bb,?,300  {'b' * 300}\n"


def test_the_excerpt_of_a_long_page_shows_its_opening_and_its_middle():
    text = "o" * 1_000 + "M" * 110 + "e" * 890
    assert annotate.excerpt(text) == "o" * 520 + " ## " + "M" * 110


@pytest.mark.shared
def test_every_labelled_page_is_in_the_real_data_with_the_length_that_was_read():
    pages = load_pages(SHARED)
    assert len(pages) == 958
    assert [len(page.text) for page in pages] == [int(row["n_chars"]) for row in label_rows()]
    assert [page.sha1 for page in pages] == list(candidate_pages(SHARED))


@pytest.mark.shared
def test_the_toxicity_cases_are_read_whole():
    cases = load_cases(SHARED)
    assert len(cases) == 3_728
    assert {case.toxic for case in cases if case.functionality.endswith("_nh")} == {False}
