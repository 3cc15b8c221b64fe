"""The shipped extractor on real pages that it was not trained on: those with snippets only."""

import re
from pathlib import Path
from statistics import mean

import pytest

from curation.extract.fast import FastEngine
from models.extractor.data import GoldPage, load_pages

_EVERY = 4


def words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


@pytest.fixture(scope="module")
def snippet_pages(shared_data: Path) -> list[GoldPage]:
    folder = shared_data / "crawl"
    pages = load_pages(str(folder / "*.warc.gz"), folder / "gold.jsonl.gz")
    return [page for page in pages if page.must and not page.main_text][::_EVERY]


@pytest.mark.shared
def test_wanted_snippets_are_found_and_unwanted_ones_left_out(snippet_pages) -> None:
    fast = FastEngine()
    found, left_out = [], []
    for page in snippet_pages:
        text = words(fast(page.html, url=page.url).text)
        found.append(mean(words(snippet) in text for snippet in page.must))
        if page.must_not:
            left_out.append(mean(words(snippet) not in text for snippet in page.must_not))
    assert len(snippet_pages) > 90
    assert mean(found) > 0.90
    assert mean(left_out) > 0.83
