import csv
import gzip
import json
import math
from collections import Counter
from pathlib import Path

import pytest

from curation.errors import InputError
from models.classifiers import annotate, evaluate, train
from models.classifiers.annotation.rubrics import load_rubrics
from models.classifiers.data import (
    EDU_BEFORE,
    LABELS,
    SECOND_READING,
    LabelledPage,
    candidate_pages,
    domain_of,
    fold_of,
    load_cases,
    load_pages,
    load_reading,
    page_groups,
    text_hash,
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


@pytest.mark.parametrize("path", [LABELS, SECOND_READING])
def test_labels_are_hashes_judgements_and_lengths_and_nothing_else(path):
    domains, speech = ({*load_rubrics([name])[0].options} for name in ("domain", "speech"))
    for sha1, row in load_reading(path).items():
        assert set(row) == {"sha1", "edu", "quality", "domain", "speech", "toxicity", "n_chars"}
        assert len(sha1) == 40
        assert int(sha1, 16)
        assert {row["edu"], row["quality"], row["toxicity"]} <= set("012345")
        assert row["domain"] in domains
        assert row["speech"] in speech


def test_no_page_is_labelled_twice_and_every_score_occurs():
    rows = label_rows()
    assert len({row["sha1"] for row in rows}) == len(rows) == 1_260
    assert set(Counter(row["edu"] for row in rows)) == set("012345")


def test_the_further_readings_are_of_labelled_pages():
    assert len(load_reading(SECOND_READING)) == 210
    assert len(load_reading(EDU_BEFORE)) == 958
    assert load_reading(SECOND_READING).keys() | load_reading(EDU_BEFORE).keys() <= {
        row["sha1"] for row in label_rows()
    }


def test_pages_join_label_text_and_domain(data, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("sha1,edu,n_chars\nbb,4,300\naa,0,300\n")
    pages = load_pages(data, labels, ())
    assert [(page.sha1, page.edu, page.group) for page in pages] == [
        ("bb", 4, "src_b"),
        ("aa", 0, "one.example"),
    ]
    assert pages[1].text.startswith("first")


def test_a_labelled_page_that_the_data_lack_is_named(data, tmp_path):
    labels = tmp_path / "labels.csv"
    labels.write_text("sha1,edu,n_chars\nee,4,300\n")
    with pytest.raises(InputError, match="page ee"):
        load_pages(data, labels, ())


def test_values_are_the_mean_of_the_readings_and_classes_the_first_readers(data, tmp_path):
    first, second, before = (tmp_path / f"{name}.csv" for name in "abc")
    first.write_text("sha1,edu,quality,domain,speech,toxicity\naa,1,4,News,Blogs,2\nbb,3,,,,\n")
    second.write_text("sha1,edu,quality,domain,speech,toxicity\naa,2,3,Games,MISC,0\n")
    before.write_text("sha1,edu\naa,3\nbb,4\n")
    one, two = load_pages(data, first, (second, before))
    assert (one.edu, one.quality, one.toxicity) == (2.0, 3.5, 2.0)
    assert (one.domain, one.speech, one.language) == ("News", "Blogs", "en")
    assert (two.edu, two.domain) == (3.5, "")
    assert math.isnan(two.quality)
    assert math.isnan(two.toxicity)


def test_annotations_name_the_page_by_id_and_may_lack_rubrics(data, tmp_path):
    path = tmp_path / "annotations.csv"
    path.write_text("id,quality\naa,2.5\nbb,\n")
    pages = load_pages(data, path, ())
    assert pages[0].quality == 2.5
    assert all(math.isnan(value) for value in (pages[0].edu, pages[1].quality))


@pytest.mark.parametrize(
    ("content", "named"),
    [("sha1,edu\naa,6\n", "edu is 6"), ("sha1,quality\naa,good\n", "quality is good"),
     ("sha1,edu\naa,nan\n", "edu is nan"), ("page,edu\naa,1\n", "without `sha1`")],
)  # fmt: skip
def test_a_file_of_labels_that_cannot_be_right_is_refused(tmp_path, content, named):
    (tmp_path / "l.csv").write_text(content)
    with pytest.raises(InputError, match=named):
        load_reading(tmp_path / "l.csv")


def test_the_hash_of_the_texts_changes_with_a_text_and_with_the_order():
    pages = [LabelledPage(sha1, 0, "g", text) for sha1, text in (("a", "x"), ("b", "y"))]
    other = [LabelledPage("a", 0, "g", "x"), LabelledPage("b", 0, "g", "z")]
    assert len({text_hash(pages), text_hash(pages[::-1]), text_hash(other)}) == 3
    assert text_hash(pages) == text_hash(list(pages))


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
    for command in (annotate.main, evaluate.main, train.main):
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
    assert len(pages) == 1_260
    assert [len(page.text) for page in pages] == [int(row["n_chars"]) for row in label_rows()]
    assert [page.sha1 for page in pages] == sorted(candidate_pages(SHARED))


@pytest.mark.shared
def test_the_toxicity_cases_are_read_whole():
    cases = load_cases(SHARED)
    assert len(cases) == 3_728
    assert {case.toxic for case in cases if case.functionality.endswith("_nh")} == {False}
