"""Formulas in HTML: every way of writing them, told once, and only where one is."""

from __future__ import annotations

from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator, WarcRecordType
from hypothesis import given, settings
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser, LexborNode

from curation.extract.formula import Formula
from curation.extract.formulas import formula_of, may_be_formula, write_formulas

MWE = (
    '<span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;">'
    r'<math alttext="{\displaystyle a_{1}}"><semantics><mi>q</mi>'
    r'<annotation encoding="application/x-tex">{\displaystyle a_{1}}</annotation></semantics>'
    r'</math></span><img class="mwe-math-fallback-image-inline" alt="{\displaystyle a_{1}}"></span>'
)
KATEX = (
    '<span class="katex"><span class="katex-mathml"><math><semantics><mi>q</mi>'
    '<annotation encoding="application/x-tex">c^2</annotation></semantics></math></span>'
    '<span class="katex-html" aria-hidden="true">c2</span></span>'
)
ASSISTIVE = "<mjx-assistive-mml><math><mi>x</mi></math></mjx-assistive-mml>"


def texts(html: str) -> list[str]:
    """Texts of all formulas, as a walk over the tree tells them; the repeated ones are left out."""
    found: list[str] = []
    body = LexborHTMLParser(f"<p>{html}").body
    assert body is not None
    _walk(body, found)
    return [text for text in found if text]


def _walk(node: LexborNode, found: list[str]) -> None:
    for child in node.iter():
        formula = None
        if may_be_formula(child.tag or "", child.attributes):
            formula = formula_of(child)
        if formula is None:
            _walk(child, found)
        else:
            found.append(formula.text)


def test_a_formula_stands_between_one_dollar_in_a_line_and_two_on_display() -> None:
    assert Formula("x", display=False).text == "$x$"
    assert Formula("x", display=True).text == "$$x$$"


def test_an_empty_formula_has_no_text() -> None:
    assert Formula("", display=True).text == ""


@pytest.mark.parametrize(
    ("html", "text"),
    [
        pytest.param(MWE, "$a_{1}$", id="MediaWiki"),
        pytest.param(
            r'<img class="mwe-math-fallback-image-display" alt="{\displaystyle {\frac {1}{2}}}">',
            r"$${\frac {1}{2}}$$",
            id="MediaWiki's picture alone",
        ),
        pytest.param(
            '<span class="mwe-math-mathml-inline"><math><mi>a</mi></math></span>'
            '<img class="mwe-math-fallback-image-inline" alt="a">',
            "$a$",
            id="MediaWiki without its wrapper",
        ),
        pytest.param(KATEX, "$c^2$", id="KaTeX"),
        pytest.param(f'<span class="katex-display">{KATEX}</span>', "$$c^2$$", id="KaTeX display"),
        pytest.param(
            '<span class="katex"><span class="katex-mathml">\n x\n\n 2\n\n x^2\n</span>'
            '<span class="katex-html">x2</span></span>',
            "$x^2$",
            id="KaTeX whose MathML lost its tags",
        ),
        pytest.param('<span class="katex-error">\\foo x</span>', r"$\foo x$", id="error"),
        pytest.param('<script type="math/tex">a < b</script>', "$a < b$", id="script"),
        pytest.param(
            '<div class="MathJax_Preview">p</div><div class="MathJax_Display">'
            '<span class="MathJax"><nobr>x1</nobr></span></div>'
            '<script type="math/tex; mode=display">\nx_1\n=2</script>',
            "$$x_1 =2$$",
            id="MathJax 2 rendered",
        ),
        pytest.param(
            '<span class="MathJax" data-mathml="<math><mi>q</mi></math>">q</span>'
            '<script type="math/tex">q</script>',
            "$q$",
            id="MathJax 2 rendered with MathML",
        ),
        pytest.param(
            '<script type="math/tex; mode=display">% <![CDATA[\na<b %]]></script>',
            "$$a<b$$",
            id="kramdown",
        ),
        pytest.param(
            '<script type="math/mml"><math display="block"><mi>x</mi></math></script>',
            "$$x$$",
            id="MathML in a script",
        ),
        pytest.param(
            '<span class="MathJax_Preview"></span><span class="MathJax" data-mathml='
            '"&lt;math&gt;&lt;mi&gt;&amp;#x3B1;&lt;/mi&gt;&lt;/math&gt;">a</span>',
            r"$\alpha$",
            id="MathJax 2 without its script",
        ),
        pytest.param(
            f'<mjx-container display="true"><mjx-math></mjx-math>{ASSISTIVE}</mjx-container>',
            "$$x$$",
            id="MathJax 3",
        ),
        pytest.param(
            '<mjx-container><mjx-mi><mjx-c class="mjx-c1D465"></mjx-c></mjx-mi></mjx-container>',
            "$x$",
            id="MathJax 3 by its glyphs",
        ),
        pytest.param(
            r'<mjx-container><mjx-math data-latex="\frac{a}{b}"></mjx-math></mjx-container>',
            r"$\frac{a}{b}$",
            id="MathJax 4",
        ),
        pytest.param(
            '<math class="ltx_Math" alttext="x^{2}%\n+y"><mi>q</mi></math>',
            "$x^{2}+y$",
            id="LaTeXML",
        ),
        pytest.param('<img class="latex" alt="n" src="a.png">', "$n$", id="WordPress"),
        pytest.param(
            '<img src="https://s0.wp.com/latex.php?latex=x%5E2+%2B1&amp;bg=ffffff">',
            "$x^2 +1$",
            id="WordPress by address",
        ),
        pytest.param(
            r'<img src="https://latex.codecogs.com/gif.latex?\dpi{120}&amp;space;a+b=\frac{1}{2}">',
            r"$a+b=\frac{1}{2}$",
            id="CodeCogs",
        ),
        pytest.param(
            '<img src="https://www.zhihu.com/equation?tex=x%5E2" eeimg="1">', "$x^2$", id="Zhihu"
        ),
        pytest.param(
            '<img class="Wirisformula" alt="one half" data-mathml='
            '"«math»«mfrac»«mn»1«/mn»«mn»2«/mn»«/mfrac»«/math»">',
            r"$\frac{1}{2}$",
            id="WIRIS",
        ),
        pytest.param(
            '<img src="https://a.b/chart?cht=tx&amp;chf=bg&amp;chl=x%5E2">', "$x^2$", id="chart"
        ),
        pytest.param('<span data-tex="x^2">x2</span>', "$x^2$", id="attribute"),
        pytest.param('<span class="math notranslate">\\(x\\)</span>', "$x$", id="Sphinx"),
        pytest.param('<div class="math notranslate">\\[x\\]</div>', "$$x$$", id="Sphinx display"),
        pytest.param('<span class="math-container">$$x$$</span>', "$$x$$", id="StackExchange"),
        pytest.param('<span class="math display">\\sum x</span>', r"$$\sum x$$", id="no delimiter"),
        pytest.param("<tex>y</tex>", "$y$", id="tex"),
    ],
)
def test_each_way_of_writing_a_formula_gives_its_latex_once(html: str, text: str) -> None:
    assert texts(html) == [text]


@pytest.mark.parametrize(
    "html",
    [
        '<span class="math">Math 101</span>',
        '<span class="math">$a$ and $b$</span>',
        '<div class="math"><p>Theorem</p><p>\\alpha</p></div>',
        '<div class="abstract mathjax">We merge models with parameter_names as keys.</div>',
        '<pre class="latex">\\frac{1}{2}</pre>',
        '<img class="math" alt="A boy writes long sums">',
        '<img src="chart.png" alt="$5 and $10">',
        '<img src="/svg?x=some%20long%20words%20here" alt="C:\\Users">',
        '<img src="data:image/png;base64,AAAA?tex=x">',
        '<div data-math="12">12</div>',
        '<div data-formula="{&quot;a_b&quot;:1}">1</div>',
        '<div data-tex="true">text</div>',
        '<img class="equation" alt="Equation">',
        '<img src="https://a.b/thumb.png?from=homepage">',
        '<img src="https://a.b/latex.png?v=1622795297">',
        '<img src="https://a.b/chart?cht=p3&amp;chl=Sales|Cost">',
        '<script type="text/javascript">x_1</script>',
    ],
)
def test_what_is_no_formula_is_left_to_the_text(html: str) -> None:
    assert texts(html) == []


def test_a_program_is_no_formula_even_if_nobody_asked_before() -> None:
    script = LexborHTMLParser("<script>x_1</script>").css_first("script")
    assert script is not None
    assert formula_of(script) is None


def test_text_for_readers_of_the_page_is_no_source() -> None:
    html = '<math alttext="x squared plus one"><msup><mi>x</mi><mn>2</mn></msup></math>'
    assert texts(html) == ["$x^2$"]


def test_text_between_a_preview_and_a_script_keeps_them_apart() -> None:
    html = '<span class="MathJax_Preview">$y$</span> and <script type="math/tex">x</script>'
    assert texts(html) == ["$y$", "$x$"]


def test_only_a_wrapper_around_all_is_taken_off() -> None:
    assert texts(r'<script type="math/tex">{\displaystyle a}+{b}</script>') == [
        r"${\displaystyle a}+{b}$"
    ]


@pytest.mark.parametrize("html", ["", "<p>No sums here.</p>", "<p>math and latex</p>"])
def test_a_page_without_formulas_comes_back_as_the_same_object(html: str) -> None:
    assert write_formulas(html) is html


def test_formulas_written_into_a_page_are_escaped_and_stand_where_they_stood() -> None:
    html = '<p>If <script type="math/tex">a < b</script> then <b>stop</b>.</p>'
    assert "<p>If $a &lt; b$ then <b>stop</b>.</p>" in write_formulas(html)


def test_what_repeats_a_formula_is_gone_from_the_written_page() -> None:
    assert f"<p>{'x'} $a_{{1}}$ y $c^2$</p>" in write_formulas(f"<p>x {MWE} y {KATEX}</p>")


@pytest.mark.parametrize(
    "opening",
    [
        "<math><mrow><mi>a</mi>",
        "<math><msup><mi>a</mi>",
        "<math><apply><plus/>",
        "<m:math><m:mspace/>x",
        '<span class="math">',
        '<span class="katex">',
        '<span class="MathJax">',
        '<mjx-container class="math">',
        '<span class="mwe-math-element">',
    ],
)
def test_nesting_without_end_neither_raises_nor_loses_the_text(opening: str) -> None:
    assert "last" in write_formulas(opening * 5_000 + "last")


_BITS = st.sampled_from([
    "<math>", "</math>", "<mrow>", "<mfrac>", "<mi>x</mi>", "<mo>(</mo>", "<mtable><mtr><mtd>",
    "<msubsup>", "<mover>", "<mmultiscripts>", "<mprescripts/>", "<mfenced open>", "<semantics>",
    '<annotation encoding="TeX">', '<script type="math/tex">', "</script>", "<mtext>\n", "<piece>",
    '<img class="latex" alt>', '<span class="katex">', '<span class="MathJax_Preview">', "</span>",
    "<apply>", "<ci>", "<menclose notation=box>", "$", "\\", "{", "x", "<cn>1<sep/>",
    "<mspace width=1em>",
])  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_BITS, max_size=25))
def test_any_mixture_of_tags_gives_formulas_on_one_line(bits: list[str]) -> None:
    assert not any("\n" in text for text in texts("".join(bits)))
    write_formulas("".join(bits))


_SIGNS = (
    b"mjx-container display", b"katex--inline", b"m16836", b"MathML input, HTML output test",
    b"latex.codecogs.com/png.latex",
)  # fmt: skip


@pytest.fixture(scope="module")
def real_pages(shared_data: Path) -> dict[bytes, str]:
    """The last page of the crawl with each of the signs."""
    pages: dict[bytes, str] = {}
    for path in sorted((shared_data / "crawl").glob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response):
                payload = record.reader.read()
                if b"math" in payload or b"latex" in payload:
                    html = payload.decode("utf-8", "replace")
                    pages |= dict.fromkeys([s for s in _SIGNS if s in payload], html)
    return pages


@pytest.mark.shared
@pytest.mark.parametrize(
    ("sign", "n_formulas", "one"),
    [
        (_SIGNS[0], 21, r"$$\vec{F} = m\vec{a}$$"),
        (_SIGNS[1], 141, r"$\lim\limits_{x \to 1}\dfrac{x^2-1}{x-1}$"),
        (_SIGNS[2], 187, r"$\frac{5}{8}$"),
        (_SIGNS[3], 13, "$ax^2 + bx + c = 0$"),
        (_SIGNS[4], 30, r"$\lim_{x\rightarrow c}{f(x)} = f(c)$"),
    ],
)
def test_real_pages_keep_their_formulas(
    real_pages: dict[bytes, str], sign: bytes, n_formulas: int, one: str
) -> None:
    found = texts(real_pages[sign])
    assert len(found) == n_formulas
    assert one in found
