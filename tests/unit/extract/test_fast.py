import io
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.errors import InputError
from curation.extract.engines import engine
from curation.extract.fast import (
    PAGE_TYPES,
    FastEngine,
    best_blocks,
    feature_names,
    read_weights,
    shipped_weights,
)
from curation.extract.nesting import cut_at_depth

PROSE = (
    "The harbour was quiet before the first boats came in, and the gulls sat along the wall. "
    "Nobody had told the keeper that the light would be switched off at noon that day. "
)
MENU = "".join(f'<li><a href="/{n}">Section {n}</a></li>' for n in range(12))
ARTICLE = f"""<html><head><title>The keeper - Daily</title>
<meta property="og:title" content="The keeper"></head><body>
<div class="menu"><ul>{MENU}</ul></div>
<article class="post-content"><h1>The keeper</h1><p>{PROSE}</p><p>{PROSE}{PROSE}</p>
<p>{PROSE}</p></article>
<div class="sidebar related"><h4>Related</h4><ul>{MENU}</ul></div>
<div class="copyright">Copyright 2020. All rights reserved.</div></body></html>"""


@pytest.fixture(scope="module")
def fast() -> FastEngine:
    return FastEngine()


def test_an_article_comes_without_menu_and_copyright(fast) -> None:
    found = fast(ARTICLE, url="https://example.org/2020/05/the-keeper.html")
    assert found.title == "The keeper"
    assert found.text.count("The harbour was quiet") == 4
    assert "Section 3" not in found.text
    assert "rights reserved" not in found.text
    assert found.page_type == "article"
    assert found.confidence is not None
    assert 0.8 < found.confidence <= 1


def test_the_text_of_a_page_is_the_same_in_every_order(fast) -> None:
    first = fast(ARTICLE, url="https://example.org/a")
    fast("<p class='sidebar menu'>other</p>", url="")
    assert fast(ARTICLE, url="https://example.org/a") == first
    assert FastEngine()(ARTICLE, url="https://example.org/a") == first


def test_text_in_any_script_is_kept(fast) -> None:
    for sentence in (
        "港は静かだった。鳥は壁に座っていた。",
        "ท่าเรือเงียบสงบก่อนเรือลำแรกจะมาถึง ",
        "كان الميناء هادئا قبل وصول القوارب. ",
    ):
        page = f"<body><div><p>{sentence * 12}</p><p>{sentence * 9}</p></div></body>"
        assert fast(page, url="").text == f"{(sentence * 12).strip()}\n\n{(sentence * 9).strip()}"


def test_a_formula_in_an_article_is_latex(fast) -> None:
    formula = '<math alttext="E=mc^2"><mi>E</mi></math>'
    page = ARTICLE.replace("The harbour", f"So {formula} for the harbour", 1)
    assert "So $E=mc^2$ for the harbour" in fast(page, url="").text


def test_the_registry_knows_the_engine() -> None:
    assert engine("fast").name == "fast"


@pytest.mark.parametrize(
    "html", ["", "   ", "\x00\x01", "<", "<!doctype html>", "<body>", "<frameset>"]
)
def test_a_page_without_text_is_empty(fast, html) -> None:
    found = fast(html, url="http://[bad/")
    assert found.text.strip("\x00\x01\ufffd<") == ""


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(ARTICLE)), st.integers(0, len(ARTICLE)), st.text(max_size=30))
def test_any_cut_or_insertion_gives_text_and_no_error(start, end, inserted) -> None:
    found = FastEngine()(ARTICLE[:start] + inserted + ARTICLE[end:], url=inserted)
    assert isinstance(found.text, str)
    assert found.confidence is None or 0 <= found.confidence <= 1


def test_bytes_that_are_no_html_are_no_problem(fast) -> None:
    noise = np.random.default_rng(0).integers(0, 256, 200_000, np.uint8).tobytes().decode("latin-1")
    assert isinstance(fast(noise, url="").text, str)


def test_a_hundred_thousand_levels_take_moments(fast) -> None:
    before = time.process_time()
    for page in (
        "<div>" * 100_000 + "deep",
        "<b>" * 50_000 + "x",
        "<div>" * 50_000 + "</div>" * 50_000,
    ):
        fast(page, url="")
    assert time.process_time() - before < 5


def test_a_page_is_cut_where_it_is_nested_too_deep() -> None:
    page = "<div>" * 40_000 + "deep"
    assert cut_at_depth(page, 3) == "<div>" * 3
    assert cut_at_depth("<p>" * 40_000, 3) == "<p>" * 40_000
    drawing = "<svg>" + "<path d=x />" * 30_000
    assert cut_at_depth(drawing, 3) is drawing
    wide = "<div></div>" * 30_000
    assert cut_at_depth(wide) is wide


@pytest.mark.parametrize(
    "unclosed",
    [
        "<tr><td><span>x<td><a name=x>y<td><b>z</tr>",
        "<p><a name=x>text<br>",
        "<li><span>item",
        "<p><b>text",
        "<tr><td><font size=1>x<td><font size=2>y",
    ],
)
def test_elements_that_others_close_are_not_nested(unclosed: str) -> None:
    page = "<table>" + unclosed * 9_000 + "</table><p>end"
    assert cut_at_depth(page) is page


def test_formatting_that_nothing_closes_is_nested() -> None:
    page = "".join(f"<p><b class=x{number}>text" for number in range(12_000))
    assert len(cut_at_depth(page, 3_000)) < len(page) / 2
    cells = "<table>" + "".join(f"<td><b class=x{number}>y" for number in range(12_000))
    assert cut_at_depth(cells, 3_000) is cells


def test_what_was_not_read_of_a_page_is_told(fast: FastEngine) -> None:
    deep = fast("<p>" + "word " * 100 + "</p>" + "<div>" * 40_000 + "deep", url="")
    assert deep.faults == ("fast: not read beyond 3000 levels",)
    assert "word" in deep.text
    long = fast("<p>Some words of text." * 20_100, url="")
    assert long.faults == ("fast: not read beyond 20000 blocks or 400000 nodes",)
    assert fast("<p>Some words of text.", url="").faults == ()


def test_the_blocks_kept_are_those_with_the_highest_expected_f1() -> None:
    # All sets of three blocks: {0} 2*.9/(1+1.6), {0, 1} 2*1.5/(2+1.6), all 2*1.6/(3+1.6).
    probability = np.array([0.9, 0.1, 0.6], np.float32)
    kept, expected = best_blocks(probability, np.ones(3))
    assert kept == [0, 2]
    assert expected == pytest.approx(3.0 / 3.6)


def test_a_long_block_outweighs_short_ones() -> None:
    kept, _ = best_blocks(np.array([0.5, 0.6], np.float32), np.array([100.0, 1.0]))
    assert kept == [0, 1]


def test_shipped_weights_fit_the_code() -> None:
    weights = shipped_weights()
    n_features = len(feature_names())
    assert weights.networks.entry.shape[1] == n_features
    assert len(weights.types) == len(PAGE_TYPES)
    assert (np.diff(weights.calibration[0]) >= 0).all()
    assert len(set(feature_names())) == n_features


def arrays() -> dict[str, np.ndarray]:
    return {"version": np.int64(1), "features": np.array(feature_names())}


def packed(**changed: object) -> io.BytesIO:
    file = io.BytesIO()
    np.savez(file, **(arrays() | changed))
    file.seek(0)
    return file


def test_weights_for_other_features_are_refused_by_name() -> None:
    names = feature_names()
    with pytest.raises(InputError, match="n_moons"):
        read_weights(packed(features=np.array([*names[:-1], "n_moons"])))
    with pytest.raises(InputError, match="their order"):
        read_weights(packed(features=np.array(names[::-1])))


def test_weights_of_another_layout_are_refused() -> None:
    with pytest.raises(InputError, match="layout 7, expected 1"):
        read_weights(packed(version=np.int64(7)))
