"""MathML without its source: LaTeX by presentation, by content, and back from LaTeX."""

from __future__ import annotations

import re
from random import Random

import pytest
from selectolax.lexbor import LexborHTMLParser

from curation.extract.mathml import latex_of, latex_of_text
from curation.sample.latex import FORMULA, mathml
from curation.sample.mathematics import TOPICS


def latex(inside: str) -> str:
    """LaTeX of a `<math>` with these elements in it."""
    math = LexborHTMLParser(f"<math>{inside}</math>").css_first("math")
    assert math is not None
    return latex_of(math)


X2 = "<msup><mi>x</mi><mn>2</mn></msup>"
TABLE = (
    "<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr>"
    "<mtr><mtd><mi>a</mi></mtd><mtd><mi>b</mi></mtd></mtr></mtable>"
)
CELLS = r"1 & 0 \\ a & b"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<mi>a</mi><mo>=</mo><mi>b</mi><mo>+</mo><mn>1</mn>", "a = b + 1"),
        ("<mo>−</mo><mi>x</mi><mo>−</mo><mn>1</mn>", "-x - 1"),
        ("<mi>x</mi><mo>≤</mo><mo>-</mo><mn>1</mn>", r"x \leq -1"),
        (
            "<mi>f</mi><mo>&#x2061;</mo><mo>(</mo><mi>x</mi><mo>,</mo><mi>y</mi><mo>)</mo>",
            "f(x, y)",
        ),
        ("<mi>α</mi><mo>&#x2062;</mo><mi>x</mi>", r"\alpha x"),
        ("<mn>2</mn><mi>π</mi><mi>r</mi>", r"2\pi r"),
        ("<mn>1</mn><mn>2</mn>", "1 2"),
        ("<mi>sin</mi><mi>x</mi>", r"\sin x"),
        ("<mi>rate</mi><mo>×</mo><mn>100</mn><mo>%</mo>", r"\mathrm{rate} \times 100\%"),
        ('<mi mathvariant="bold">v</mi><mo>∈</mo><mi>ℝ</mi>', r"\mathbf{v} \in \mathbb{R}"),
        ("<mi>𝑥</mi><mi>𝔤</mi><mi>𝐀</mi>", r"x\mathfrak{g}\mathbf{A}"),
        ("<mn>0.</mn><mtext>26</mtext>", "0.26"),
        ("<mtext>if </mtext><mi>x</mi>", r"\text{if }x"),
        ("<mtext>\n  50% of A_1\n</mtext>", r"\text{50\% of A\_1}"),
        ('<mi>a</mi><mspace width="1em"/><mi>b</mi>', r"a \quad b"),
        ("<mi>a</mi><mphantom><mi>q</mi></mphantom><mi>b</mi>", "ab"),
        ("<mo>{</mo><mi>x</mi><mo>|</mo><mi>x</mi><mo>></mo><mn>0</mn><mo>}</mo>", r"\{x|x > 0\}"),
        ("<mn>7</mn><mo>(</mo><mi>mod</mi><mn>5</mn><mo>)</mo>", r"7 \pmod{5}"),
        ("x = 5", "x = 5"),
    ],
)
def test_a_row_spaces_as_latex_is_written(inside: str, expected: str) -> None:
    assert latex(inside) == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (X2, "x^2"),
        ("<msub><mi>x</mi><mrow><mi>i</mi><mo>+</mo><mn>1</mn></mrow></msub>", "x_{i + 1}"),
        ("<msubsup><mi>x</mi><mn>1</mn><mn>2</mn></msubsup>", "x_1^2"),
        ("<msup><msub><mi>x</mi><mn>1</mn></msub><mn>2</mn></msup>", "x_1^2"),
        (f"<msup>{X2}<mn>3</mn></msup>", "{x^2}^3"),
        ("<msup><mrow><mi>a</mi><mi>b</mi></mrow><mn>2</mn></msup>", "{ab}^2"),
        ("<msup><mrow><mo>(</mo><mi>a</mi><mi>b</mi><mo>)</mo></mrow><mn>2</mn></msup>", "(ab)^2"),
        ("<msup><mi>f</mi><mo>′</mo></msup><mo>(</mo><mi>x</mi><mo>)</mo>", "f'(x)"),
        ("<msup><mn>90</mn><mo>°</mo></msup>", r"90^\circ"),
        ("<mmultiscripts><mi>X</mi><mi>a</mi><mi>b</mi><mprescripts/><mi>c</mi><none/>"
         "</mmultiscripts>", "{}_cX_a^b"),
        ("<mfrac><mn>1</mn><mrow><mn>2</mn><mi>a</mi></mrow></mfrac>", r"\frac{1}{2a}"),
        ('<mo>(</mo><mfrac linethickness="0"><mi>n</mi><mi>k</mi></mfrac><mo>)</mo>',
         r"\binom{n}{k}"),
        ("<mo>(</mo><mfrac><mn>1</mn><mn>2</mn></mfrac><mo>)</mo>", r"\left(\frac{1}{2}\right)"),
        ("<msqrt><mi>a</mi><mo>+</mo><mi>b</mi></msqrt>", r"\sqrt{a + b}"),
        ("<mroot><mi>x</mi><mn>3</mn></mroot>", r"\sqrt[3]{x}"),
        ("<munderover><mo>∑</mo><mi>i</mi><mi>n</mi></munderover><mi>i</mi>", r"\sum_i^n i"),
        ("<munder><mo>lim</mo><mrow><mi>x</mi><mo>→</mo><mn>0</mn></mrow></munder><mi>x</mi>",
         r"\lim_{x \to 0} x"),
        ("<mover><mi>x</mi><mo>¯</mo></mover>", r"\bar{x}"),
        ("<mover><mrow><mi>A</mi><mi>B</mi></mrow><mo>→</mo></mover>", r"\overrightarrow{AB}"),
        ("<munder><munder><mi>a</mi><mo>⏟</mo></munder><mi>n</mi></munder>", r"\underbrace{a}_n"),
        ("<mover><mo>=</mo><mtext>def</mtext></mover>", r"\overset{\text{def}}{=}"),
        ("<mover><mo>→</mo><mi>f</mi></mover>", r"\xrightarrow{f}"),
        ('<menclose notation="box"><mi>x</mi></menclose>', r"\boxed{x}"),
        ('<mfenced open="[" close=")" separators=";"><mi>a</mi><mi>b</mi></mfenced>', "[a; b)"),
        ("<mfrac><mi>x</mi></mfrac>", "x"),
    ],
)  # fmt: skip
def test_scripts_fractions_and_signs_above_and_below(inside: str, expected: str) -> None:
    assert latex(inside) == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        (TABLE, rf"\begin{{matrix}} {CELLS} \end{{matrix}}"),
        (f"<mo>(</mo>{TABLE}<mo>)</mo>", rf"\begin{{pmatrix}} {CELLS} \end{{pmatrix}}"),
        (f"<mo>[</mo><mrow>{TABLE}</mrow><mo>]</mo>",
         rf"\begin{{bmatrix}} {CELLS} \end{{bmatrix}}"),
        (f'<mfenced open="|" close="|">{TABLE}</mfenced>',
         rf"\begin{{vmatrix}} {CELLS} \end{{vmatrix}}"),
        (f"<mi>y</mi><mo>=</mo><mo>{{</mo>{TABLE}",
         rf"y = \begin{{cases}} {CELLS} \end{{cases}}"),
        ('<mtable columnalign="right left"><mtr><mtd><mi>a</mi></mtd><mtd><mo>=</mo><mi>b</mi>'
         "</mtd></mtr><mtr><mtd></mtd><mtd><mo>=</mo><mi>c</mi></mtd></mtr></mtable>",
         r"\begin{aligned} a & = b \\ & = c \end{aligned}"),
        ("<mtable><mlabeledtr><mtd>(1)</mtd><mtd><mi>x</mi></mtd></mlabeledtr></mtable>",
         r"\begin{matrix} x \end{matrix}"),
    ],
)  # fmt: skip
def test_a_table_takes_its_name_from_the_fences_around_it(inside: str, expected: str) -> None:
    assert latex(inside) == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("<apply><eq/><ci>y</ci><apply><minus/><ci>x</ci><cn>2</cn></apply></apply>", "y = x - 2"),
        ("<apply><times/><cn>2</cn><apply><plus/><ci>a</ci><ci>b</ci></apply></apply>",
         "2 (a + b)"),
        ("<apply><minus/><ci>a</ci><apply><minus/><ci>b</ci><ci>c</ci></apply></apply>",
         "a - (b - c)"),
        ("<apply><power/><apply><plus/><ci>a</ci><ci>b</ci></apply><cn>2</cn></apply>",
         "(a + b)^{2}"),
        ("<apply><divide/><cn>1</cn><apply><root/><degree><cn>3</cn></degree><ci>x</ci></apply>"
         "</apply>", r"\frac{1}{\sqrt[3]{x}}"),
        ("<apply><int/><bvar><ci>x</ci></bvar><lowlimit><cn>0</cn></lowlimit><uplimit><pi/>"
         "</uplimit><apply><sin/><ci>x</ci></apply></apply>", r"\int_{0}^{\pi} \sin(x) \, dx"),
        ("<apply><sum/><bvar><ci>i</ci></bvar><interval><cn>1</cn><ci>n</ci></interval>"
         "<ci>i</ci></apply>", r"\sum_{i = 1}^{n} i"),
        ("<apply><diff/><bvar><ci>x</ci></bvar><ci>f</ci></apply>", r"\frac{d}{dx} f"),
        ("<apply><ci>f</ci><ci>x</ci><cn>1</cn></apply>", "f(x, 1)"),
        ("<piecewise><piece><cn>0</cn><apply><lt/><ci>x</ci><cn>0</cn></apply></piece>"
         "<otherwise><ci>x</ci></otherwise></piecewise>",
         r"\begin{cases} 0 & x < 0 \\ x & \text{otherwise} \end{cases}"),
        ('<cn type="rational">1<sep/>2</cn>', r"\frac{1}{2}"),
        (f"<ci>{X2}</ci>", "x^2"),
    ],
)  # fmt: skip
def test_content_mathml_says_what_it_means(inside: str, expected: str) -> None:
    assert latex(inside) == expected


def test_rows_of_one_element_do_not_count_as_depth() -> None:
    assert latex("<mrow>" * 5_000 + X2) == "x^2"


def test_what_is_nested_too_deep_gives_its_text() -> None:
    deep = "<msqrt>" * 500 + "<mi>x</mi><mo>+</mo><mi>y</mi>"
    assert latex(deep).count(r"\sqrt") == 50
    assert "x + y" in latex(deep)


def test_an_unknown_element_is_a_row() -> None:
    assert latex(f"<mnew>{X2}<mo>+</mo><mi>y</mi></mnew>") == "x^2 + y"


def test_characters_in_a_row_become_latex() -> None:
    assert latex_of_text("x²≤α") == r"x^{2} \leq \alpha"


_SAME = (
    (r"\\left|\\right|\\quad|\\[,;]|\s", ""),
    (r"\\mid", "|"),
    (r"\\le(?!q)", r"\\leq"),
    (r"\\ge(?!q)", r"\\geq"),
    (r"\\ne(?!q)", r"\\neq"),
    (r"([_^])\{(\w)\}", r"\1\2"),
)
"""Ways of writing the same: stretched brackets, spaces, short names, braces around one sign."""


def _bare(latex: str) -> str:
    for pattern, replacement in _SAME:
        latex = re.sub(pattern, replacement, latex)
    return latex


@pytest.mark.parametrize("topic", list(TOPICS))
def test_formulas_of_the_sample_come_back_from_their_mathml(topic: str) -> None:
    rng = Random(topic)
    problems = [TOPICS[topic](rng) for _ in range(3)]
    drafts = " ".join(line for p in problems for line in (p.statement, *p.steps))
    for found in FORMULA.finditer(drafts):
        source = found[1] or found[2]
        page = LexborHTMLParser(mathml(source, display=False, annotated=False))
        math = page.css_first("math")
        assert math is not None
        assert _bare(latex_of(math)) == _bare(source)
