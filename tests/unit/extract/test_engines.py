import subprocess
import sys
import time
from types import SimpleNamespace

import pytest

from curation.config import ExtractConfig
from curation.errors import ConfigError, EnvironmentFault
from curation.extract import by_rs_trafilatura
from curation.extract.by_trafilatura import lines_in_pre
from curation.extract.engines import ENGINES, Extracted, engine, title_of

NAMES = ("trafilatura", "rs-trafilatura", "resiliparse", "justext")
SENTENCE = (
    "When the weather is fine, the people of the town walk down to the river and look at the "
    "boats that come in with the tide, and they talk about what was and what will be. "
)
LINKS = "".join(f'<li><a href="/{i}">Section {i}</a></li>' for i in range(8))
PAGE = (
    f"<html><head><title> The  Town &amp;\n River </title></head><body><nav><ul>{LINKS}</ul></nav>"
    f"<article><h1>The river</h1><p>{SENTENCE * 3}</p><p>{SENTENCE * 2}</p></article>"
    "<footer><p>© 2024 All rights reserved. <a href='/imprint'>Imprint</a></p></footer></body>"
)
GERMAN = (
    "Wenn das Wetter schön ist, gehen die Leute aus der Stadt an den Fluss und sehen sich die "
    "Boote an, die mit der Flut kommen, und sie reden über das, was war und was sein wird. "
)


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_keeps_the_paragraphs_and_drops_what_is_around_them(name):
    found = engine(name)(PAGE, url="https://example.org/")
    assert found.title == "The Town & River"
    lines = [line for line in found.text.splitlines() if line.strip()]
    assert (SENTENCE * 3).strip() in lines
    assert (SENTENCE * 2).strip() in lines
    assert "Section 3" not in found.text
    assert "rights reserved" not in found.text


@pytest.mark.parametrize("name", NAMES)
def test_an_engine_keeps_nothing_from_one_page_to_the_next(name):
    extract = engine(name)
    assert {extract(PAGE, url="").text for _ in range(5)} == {extract(PAGE, url="").text}


@pytest.mark.parametrize("name", ["trafilatura", "resiliparse"])
def test_an_engine_finds_no_text_in_an_empty_page(name):
    assert engine(name)("<html><body></body></html>", url="").text == ""


@pytest.mark.parametrize("name", NAMES)
def test_formulas_reach_an_engine_that_knows_no_mathml(name):
    formula = "<math><mi>x</mi><mo>=</mo><mn>1</mn></math>"
    page = PAGE.replace("boats that", f"boats {formula} that")
    text = engine(name)(page, url="https://example.org/").text
    assert "boats $x = 1$ that" in " ".join(text.split())


def test_an_unknown_engine_is_an_error_that_names_the_known_ones():
    with pytest.raises(ConfigError, match="trafilatura, rs-trafilatura, resiliparse, justext"):
        engine("readability")


def test_the_engine_of_the_configuration_exists():
    conf = ExtractConfig()
    assert conf.engine in ENGINES
    assert conf.fallback in (*ENGINES, "none")


def shouting():
    def shout(html, *, url):
        return Extracted("", html.upper())

    return shout


NOT_CALLABLE = 3


def test_an_engine_of_ones_own_is_named_by_its_place():
    assert engine(f"{__name__}:shouting")("words", url="").text == "WORDS"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module:make", "no module `no_such_module`"),
        ("curation.extract.nothing:make", "no module `curation.extract.nothing`"),
        (f"{__name__}:whispering", "no factory `whispering`"),
        (f"{__name__}:NOT_CALLABLE", "no factory `NOT_CALLABLE`"),
        (f"{__name__}:", "no factory ``"),
    ],
)
def test_a_place_without_an_engine_is_an_error_that_says_what_is_missing(name, message):
    with pytest.raises(ConfigError, match=message):
        engine(name)


def test_one_engine_is_had_without_importing_the_others():
    code = (
        "import sys; from curation.extract.engines import engine; engine('resiliparse'); "
        "print([m for m in ('trafilatura', 'justext', 'rs_trafilatura') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


CODE = "def f(x):\n    if x &lt; 3:\n        return 1\n\n    return 2"
LISTING_PAGE = (
    f"<html><body><article><h1>The river</h1><p>{SENTENCE * 3}</p>"
    f"<pre><code class='python'>{CODE}</code></pre><p>{SENTENCE * 2}</p>"
    f"<PRE>$ ls<br/>a.txt<br>b.txt</PRE><p>{SENTENCE}</p><p>{SENTENCE * 2}</p>"
    "</article></body></html>"
)


def test_trafilatura_ends_paragraphs_with_a_blank_line_and_not_the_lines_of_a_listing():
    text = engine("trafilatura")(LISTING_PAGE, url="").text
    code = "def f(x):\n    if x < 3:\n        return 1\n\n    return 2"
    one, two, three = (SENTENCE.strip(), (SENTENCE * 2).strip(), (SENTENCE * 3).strip())
    listing = "$ ls\na.txt\nb.txt"
    assert text == "\n\n".join(["The river", three, code, two, listing, one, two])


@pytest.mark.parametrize(
    ("html", "pairs"),
    [
        ("<p>a\nb</p>", set()),
        ("<pre>a\nb\n\nc</pre> d\ne", {("a", "b")}),
        ("<pre class=x>a  <b>b</b>\n\tc</pre>", {("a b", "c")}),
        ("<preface>a\nb</preface>", set()),
        ("<pre>if x < 3 and y > 2:\n&lt;b&gt;</pre>", {("if x < 3 and y > 2:", "<b>")}),
        ("<pre>a\nb", {("a", "b")}),
    ],
)
def test_lines_in_pre_are_those_that_follow_each_other(html, pairs):
    assert lines_in_pre(html) == pairs


@pytest.mark.parametrize("bit", ["<pre>", "<pre ", "</pre", "<pre><", "<pre><br "])
def test_broken_listings_by_the_ten_thousand_end(bit):
    begun = time.process_time()
    assert lines_in_pre(bit * 50_000) == frozenset()
    assert time.process_time() - begun < 2


def test_rs_trafilatura_that_is_not_installed_is_said_before_any_page(monkeypatch):
    monkeypatch.setitem(sys.modules, "rs_trafilatura", None)
    with pytest.raises(EnvironmentFault, match="rs-trafilatura is not installed"):
        engine("rs-trafilatura")


def test_rs_trafilatura_tells_the_type_of_the_page_and_how_sure_it_is():
    found = engine("rs-trafilatura")(PAGE, url="https://example.org/")
    assert found.page_type == "article"
    assert 0.0 < found.confidence <= 1.0


def test_a_panic_of_rust_is_a_fault_of_the_page(monkeypatch):
    class PanicException(BaseException):  # as pyo3 calls it
        pass

    def panic(html, url):
        raise PanicException("index out of bounds")

    fake = SimpleNamespace(extract=panic)
    monkeypatch.setattr(by_rs_trafilatura, "import_module", lambda name: fake)
    with pytest.raises(ValueError, match="panicked: index out of bounds"):
        engine("rs-trafilatura")("<p>words", url="")


def test_justext_takes_the_stop_list_of_the_language():
    page = f"<html><body><p>{GERMAN * 2}</p><p>{GERMAN * 3}</p></body></html>"
    assert engine("justext")(page, url="").text == "\n\n".join(
        [(GERMAN * 2).strip(), (GERMAN * 3).strip()]
    )


@pytest.mark.parametrize(
    "text",
    [
        "这是一个中文页面。",
        "日本語のページです。",
        "หน้าเว็บภาษาไทย",
        "한국어 글",
        "ໜ້າເວັບ",
        "មាតិកា",
        "မြန်မာ",
    ],
)
def test_justext_keeps_every_paragraph_of_languages_without_spaces(text):
    page = f"<html><body><p>{text}</p><p>{text}</p><ul><li><a href='/'>{text}</a></li></ul></body>"
    assert engine("justext")(page, url="").text == "\n\n".join([text] * 3)


def test_a_page_nested_too_deep_is_cut_before_resiliparse_sees_it():
    rows = "<p>Words<li>and<td>so<b>on</b>" * 20_000  # none of these nest
    assert engine("resiliparse")(f"<html><body>{rows}", url="").text.count("Words") == 20_000
    deep = "<p>Up here</p>" + "<div>" * 5_000
    assert engine("resiliparse")(deep + "Words", url="").text == "Up here\n\nWords"
    assert engine("resiliparse")(deep + "<div>Words", url="").text == "Up here"


@pytest.mark.parametrize(
    ("html", "title"),
    [
        ("<title>a</title><title>b</title>", "a"),
        ('<TITLE lang="en">A &lt;b&gt;\n c</TITLE>', "A <b> c"),
        ("<titles>no</titles><p>none</p>", ""),
        ("<title></title>", ""),
        ("<title>" + "x" * 5000, "x" * 1000),
    ],
)
def test_the_title_is_the_first_title_element(html, title):
    assert title_of(html) == title
