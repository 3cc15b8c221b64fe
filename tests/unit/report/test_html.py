import html.parser
import shutil

import pyarrow.parquet as pq
import pytest
from small_runs import arrow, write

from curation import schemas
from curation.errors import InputError
from curation.report.html import write_report

VOID = {"meta", "br", "img", "link", "hr", "input"}


class Page(html.parser.HTMLParser):
    """What a browser would see: elements, their attributes, the text."""

    def __init__(self, source):
        super().__init__()
        self.tags, self.attributes, self.parts, self.open = set(), [], [], []
        self.feed(source)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.extend(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes.extend(attrs)

    def handle_data(self, data):
        self.parts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.parts).split())


@pytest.fixture(scope="module")
def whole_source(written_runs, tmp_path_factory):
    out = shutil.copytree(written_runs / "whole", tmp_path_factory.mktemp("page") / "<b>run")
    return write_report(out).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def whole_page(whole_source):
    return Page(whole_source)


def test_the_report_lies_in_the_folder_of_the_run(half_run):
    assert write_report(half_run) == half_run / "report.html"


def test_text_from_the_web_adds_no_element(whole_page):
    allowed = {
        "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "div", "b",
        "span", "section", "figure", "figcaption", "table", "thead", "tbody", "tr", "th", "td",
        "header", "pre", "svg", "g", "path", "text", "defs", "clippath", "rect", "use",
    }  # fmt: skip
    assert whole_page.tags <= allowed
    assert whole_page.open == []


def test_no_attribute_runs_code_or_loads_anything(whole_page):
    names = {name for name, _ in whole_page.attributes}
    assert not {name for name in names if name.startswith("on")} | (names & {"src", "href"})
    links = {value for name, value in whole_page.attributes if name == "xlink:href"}
    assert links
    assert all(link.startswith("#") for link in links)


def test_text_from_the_web_is_shown_as_it_is_without_escape_sequences(whole_source, whole_page):
    assert "<script>alert(1)</script> [red]stop[/red] red & evil" in whole_page.text
    assert "\x1b" not in whole_source
    assert "\u202e" not in whole_source


def test_names_from_the_run_are_shown_as_they_are(whole_page):
    for text in ("Run <b>run", "1 <u>", "tokenizer <b>gpt</b>", "# <script>", "<i>odd</i>"):
        assert text in whole_page.text


def test_the_headline_gives_the_numbers_of_the_run(whole_page):
    numbers = (
        "9 records 4 pages 3 documents 3 labelled 2 synthetic texts 100 words in the blend "
        "1,200 tokens 8.500 last loss"
    )
    assert numbers in whole_page.text


def test_the_funnel_gives_rows_and_reasons_of_each_stage(whole_page):
    extract = "page or a reject. 2 9 4 44.4 % 3 not_response 1 no_text 1 too_large 110 2.0 s"
    assert extract in whole_page.text


def test_the_labels_stand_beside_the_papers(whole_page):
    assert "high 1 1 30 30.0 % 12.6 %" in whole_page.text
    assert "low 2 1 70 70.0 % 9.2 %" in whole_page.text


def test_the_yields_stand_beside_the_papers(whole_page):
    assert "wikipedia 2 2 1 (50.0 %) 100 70 30 0.30 0.83" in whole_page.text
    assert "diverse_qa 1 1 1 (100.0 %) 50 35 25 1.50 1.11" in whole_page.text
    assert "debate 1 0 0 0 0 0 0.00" in whole_page.text


def test_a_rewrite_stands_beside_its_source(whole_page):
    found = "Moon source. Generated, 30 tokens The Moon <img src=x> orbits."
    assert found in whole_page.text


def test_pages_of_a_label_say_their_bucket_and_fate(whole_page):
    assert "bucket 5, dropped: too_few_words. Games http://a.example/d3?q=<b>" in whole_page.text


def test_a_labelled_page_is_cut_to_320_characters(whole_page):
    assert "f" * 320 + " …" in whole_page.text
    assert "f" * 321 not in whole_page.text


def test_the_blend_is_shown_by_source(whole_page):
    assert "low/actual/actual 2 3 1.50 60 60.0 %" in whole_page.text


def test_the_sources_of_the_blend_stand_beside_the_natural_mix_and_what_was_written(whole_page):
    assert "quality=low,domain=<i>Law 3 65 50.0 % 60.0 % 0.93 60 60" in whole_page.text
    merged = "; ".join(f"quality={n},domain=<b>" for n in range(5))
    assert f"other {merged}; and 1 more 9 65 50.0 % 40.0 % 0.62 40 40" in whole_page.text
    moved = "2 sources, as even as 2.0 equal ones. Beside the natural mix 10.0 % of the words"
    assert moved in whole_page.text


def test_a_run_of_an_older_version_has_a_blend_without_a_mix(whole_run):
    shutil.rmtree(whole_run / "tables" / "blend_mix")
    page = Page(write_report(whole_run).read_text(encoding="utf-8"))
    assert "Sources of the blend Not run: s08_blend." in page.text
    assert "low/actual/actual 2 3 1.50 60 60.0 %" in page.text


def test_what_has_not_run_is_said_in_a_line(half_run):
    page = Page(write_report(half_run).read_text(encoding="utf-8"))
    for line in (
        "Duplicates Not run: s03_dedup.",
        "Training Not run: train.",
    ):
        assert line in page.text
    assert "1, 1 unfinished" in page.text


def test_an_empty_folder_has_a_report(tmp_path):
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert page.text.count("Not run:") == 20
    assert "– records" in page.text


def test_tables_without_rows_have_a_report(tmp_path):
    for table in schemas.TABLES:
        if table is not schemas.BLEND:
            write(tmp_path, table, [])
    folder = tmp_path / "blend" / "quality=low" / "kind=actual" / "kind2=actual"
    folder.mkdir(parents=True)
    columns = arrow(schemas.BLEND, []).drop_columns(["quality", "kind", "kind2"])
    pq.write_table(columns, folder / "part.parquet")
    page = Page(write_report(tmp_path).read_text(encoding="utf-8"))
    assert page.text.count("Not run:") == 2
    assert "No page has a duplicate." in page.text


def test_a_folder_that_is_not_there_has_no_report(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        write_report(tmp_path / "nowhere")


def test_a_report_is_the_same_each_time(half_run):
    first = write_report(half_run).read_bytes()
    assert write_report(half_run).read_bytes() == first
