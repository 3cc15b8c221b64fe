import gzip
import hashlib
import json
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import justext
import pytest
import rs_trafilatura
import trafilatura
from resiliparse.extract.html2text import extract_plain_text

from curation.errors import InputError
from curation.extract.arbitration import words_of
from curation.extract.engines import Extracted, engine

# `bench` is run from the root and is not installed.
sys.path.append(str(Path(__file__).parents[3]))
bench = import_module("bench.extract")

GOOD = b"<html><body>one two three four</body></html>"
POISON = b"<html><body>five six</body></html>"
UNMARKED = b"<html><body>seven</body></html>"


@dataclass(frozen=True)
class Half:
    """Finds the first two words; fails over a page with `five`."""

    name: str = "half"

    def __call__(self, html, *, url):
        if "five" in html:
            raise ValueError("five")
        return Extracted("", " ".join(html.replace("<html><body>", "").split()[:2]))


@dataclass(frozen=True)
class Slow:
    name: str = "fast"

    def __call__(self, html, *, url):
        if "five" in html:
            while True:
                pass
        return Extracted("", "one two three four nine")


@pytest.fixture
def gold(tmp_path):
    rows = [
        {"main_text": "One two. Three four!", "page_type": "article", "must": ["two  three"]},
        {"main_text": "five six"},
        {"main_text": None, "must_not": ["seven"], "page_type": "article"},
    ]
    for row, payload in zip(rows, (GOOD, POISON, UNMARKED), strict=True):
        row["sha1"] = hashlib.sha1(payload, usedforsecurity=False).hexdigest()
    path = tmp_path / "any name"
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    return str(path)


def _measure(warc, gold, *more):
    names = [f"{__name__}:{name}" for name in ("Half", "Slow")]
    command = ["--warc", warc, "--gold", gold, "--json", "", "--engines", *names, *more]
    return bench.measure(bench.arguments(command))


def test_a_page_is_scored_by_its_words_and_a_fault_or_a_slow_page_is_an_error(warc_of, gold):
    other = {"payload": b"<html>not in the gold</html>"}
    pages = [{"payload": payload} for payload in (GOOD, GOOD, POISON, UNMARKED)]
    found = _measure(warc_of(other, *pages), gold, "--max-page-s", "0.2")
    half, slow = found["engines"]["half"], found["engines"]["fast"]
    # "one two" of four words: precision 1, recall 1/2, F1 2/3; the poisoned page counts 0
    assert (half["f1"], half["precision"], half["recall"]) == (0.3333, 0.5, 0.25)
    assert half["by_type"]["article"] == {
        "n_pages": 1, "f1": 0.6667, "precision": 1.0, "recall": 0.5,
    }  # fmt: skip
    # 4 of 5 found, 4 of 4 wanted: F1 8/9
    assert (slow["f1"], slow["by_type"]["untold"]["f1"]) == (0.4444, 0.0)
    assert (half["errors"], slow["errors"]) == (1, 1)
    assert slow["slowest_s"] > 0.1
    assert found["n_pages"] == 2
    assert found["ratios"]["half"]["f1_more"] == pytest.approx(0.1111)
    assert found["snippets"]["fast"] == {"must_frac": 1.0, "absent_must_not_frac": 1.0}
    assert set(half) == {
        "f1", "precision", "recall", "pages_per_s", "errors", "slowest_s", "by_type"
    }  # fmt: skip
    assert "article (1)" in bench.table(found)


PEERS = ("rs-trafilatura", "trafilatura", "resiliparse", "justext")


def test_peers_are_measured_without_what_our_adapters_add(warc_of, gold, monkeypatch):
    def refuse(html):
        raise AssertionError("ours, not the peer's")

    monkeypatch.setattr("curation.extract.string_engine.write_formulas", refuse)
    monkeypatch.setattr("curation.extract.string_engine.title_of", refuse)
    monkeypatch.setattr("curation.extract.by_resiliparse.cut_at_depth", refuse)
    monkeypatch.setattr("curation.extract.by_trafilatura.lines_in_pre", refuse)
    options = ["--warc", warc_of({"payload": GOOD}), "--gold", gold, "--json", ""]
    options += ["--engines", *PEERS]
    bare = bench.measure(bench.arguments(options))["engines"]
    assert [bare[name]["errors"] for name in PEERS] == [0, 0, 0, 0]
    adapted = bench.measure(bench.arguments([*options, "--adapters"]))["engines"]
    assert [adapted[name]["errors"] for name in PEERS] == [1, 1, 1, 1]


SENTENCE = "The boats come in with the tide, and the people walk down to the river to see them. "
ARTICLE = (
    f"<html><head><title>Boats</title></head><body><article><h1>Boats</h1><p>{SENTENCE * 4}</p>"
    f"<p>Here is <math><mi>x</mi></math>. {SENTENCE * 4}</p></article></body></html>"
)
URL = "https://example.org/"


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("rs-trafilatura", lambda html: rs_trafilatura.extract(html, url=URL).main_content),
        ("resiliparse", lambda html: extract_plain_text(html, main_content=True, alt_texts=False)),
        (
            "trafilatura",
            lambda html: trafilatura.extract(
                html,
                include_comments=True,
                include_tables=True,
                deduplicate=False,
                with_metadata=False,
            ),
        ),
        (
            "justext",
            lambda html: "\n\n".join(
                paragraph.text
                for paragraph in justext.justext(
                    html,
                    justext.get_stoplist("English"),
                    length_low=70,
                    length_high=200,
                    stopwords_low=0.30,
                    stopwords_high=0.32,
                    max_link_density=0.2,
                    max_heading_distance=200,
                    no_headings=False,
                )
                if not paragraph.is_boilerplate
            ),
        ),
    ],
)
def test_a_bare_peer_gives_the_very_text_of_its_package(name, call):
    found = bench.bare(engine(name)).text_of(ARTICLE, URL)
    assert found == call(ARTICLE)
    assert "$x$" not in found
    assert "$x$" in bench.adapted(engine(name)).text_of(ARTICLE, URL)


def test_an_engine_that_is_no_adapter_is_measured_whole():
    assert bench.bare(Half()).text_of("one two three", URL) == "one two"


def test_gold_without_page_types_and_unpacked_is_read(tmp_path):
    path = tmp_path / "gold.txt"
    path.write_text('{"sha1": "a", "main_text": ""}\n\n{"sha1": "a", "main_text": "x X y"}\n')
    (one,) = bench.read_gold(str(path)).values()
    assert one.words == {"x": 2, "y": 1}
    assert one.page_type == "untold"


def test_gold_that_is_not_gold_and_files_that_are_not_there_are_said(tmp_path, warc_of, gold):
    (tmp_path / "bad").write_text('{"main_text": "x"}\n')
    with pytest.raises(InputError, match="sha1"):
        bench.read_gold(str(tmp_path / "bad"))
    with pytest.raises(InputError, match="no such file"):
        _measure(str(tmp_path / "*.warc.zst"), gold)
    with pytest.raises(InputError, match="no page of"):
        _measure(warc_of({"payload": b"<html>"}), gold)


def test_scores_count_words_as_multisets():
    # shared: a twice, b once = 3; 3 of 5 found, 3 of 4 wanted
    f1, precision, recall = bench.score(words_of("a a b x x"), words_of("a a b c"))
    assert (precision, recall) == (0.6, 0.75)
    assert f1 == pytest.approx(2 / 3)
    assert bench.score(words_of(""), words_of("a")) == (0.0, 0.0, 0.0)


def test_snippets_are_looked_for_with_white_space_squeezed():
    assert bench.snippet_frac("a\n\n b c", ["a b", "b  c", "c d"]) == pytest.approx(2 / 3)
