import re
from fractions import Fraction
from random import Random

import pytest
from lxml import etree

from curation.sample import algebra, analysis, chance
from curation.sample.catalogue import load_stock
from curation.sample.latex import FORMS, FORMULA, mathml, render
from curation.sample.mathematics import TOPICS, worked
from curation.sample.problem import Problem, frac, group, matrix, plus, poly, shifted, times

SEEDS = range(40)


def integers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"-?\d+", text)]


def step(problem: Problem, pattern: str) -> re.Match[str]:
    """The first match of `pattern` in the solution."""
    found = re.search(pattern, "\n".join(problem.steps))
    assert found, problem
    return found


def test_rational_numbers_are_written_in_lowest_terms_with_the_sign_in_front() -> None:
    assert frac(Fraction(-6, 4)) == r"-\frac{3}{2}"
    assert frac(Fraction(8, 4)) == "2"
    assert group(-3) == "(-3)"
    assert plus(-3) == "- 3"


def test_polynomials_leave_out_zeros_and_ones() -> None:
    assert poly((1, 0, -1, 0)) == "x^3 - x"
    assert poly((-2, 1), "n") == "-2n + 1"
    assert poly((0, 0)) == "0"
    assert poly((Fraction(1, 3), 0)) == r"\frac{1}{3}x"


def test_factors_and_shifts_have_the_right_signs() -> None:
    assert shifted("x", -2) == "x + 2"
    assert shifted("x", 0) == "x"
    assert [times(n, "y") for n in (1, -1, 3)] == ["y", "-y", "3 y"]


def test_matrices_are_written_row_by_row() -> None:
    assert matrix(((1, 2), (3, -4))) == r"\begin{pmatrix} 1 & 2 \\ 3 & -4 \end{pmatrix}"


@pytest.mark.parametrize("seed", SEEDS)
def test_roots_of_quadratic_equations_solve_them(seed: int) -> None:
    problem = algebra.quadratic(Random(seed))
    b, _, _, c, d = integers(step(problem, r"discriminant is \$(.+?)\$")[1])
    assert b * b - 4 * c == d
    answer = step(problem, r"Hence .*|Both signs .*")[0]
    roots = integers(re.sub(r"_\d", "", answer))
    assert 1 <= len(roots) <= 2
    assert all(x * x + b * x + c == 0 for x in roots)


@pytest.mark.parametrize("seed", SEEDS)
def test_solutions_of_linear_systems_fulfil_the_second_equation(seed: int) -> None:
    problem = algebra.linear_system(Random(seed))
    c, x, d, y, f = integers(step(problem, r"confirms it: \$(.+)\$")[1])
    assert c * x + d * y == f


@pytest.mark.parametrize("seed", SEEDS)
def test_common_divisors_divide_both_numbers_and_are_their_combination(seed: int) -> None:
    problem = algebra.euclid(Random(seed))
    g, x, a, y, b = integers(step(problem, r"obtain \$(.+)\$")[1])
    assert g == x * a + y * b
    assert a % g == b % g == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_remainders_fit_both_moduli(seed: int) -> None:
    problem = algebra.chinese_remainder(Random(seed))
    a, m, b, n = integers(problem.statement)
    x = int(step(problem, r"smallest solution is .* = (\d+)\$")[1])
    assert (x % m, x % n) == (a, b)


@pytest.mark.parametrize("seed", SEEDS)
def test_remainders_of_powers_are_right(seed: int) -> None:
    problem = algebra.modular_power(Random(seed))
    a, n, p = integers(problem.statement)
    assert int(step(problem, r"Therefore .* \\equiv (\d+) \\pmod")[1]) == a**n % p


@pytest.mark.parametrize("seed", SEEDS)
def test_eigenvectors_are_only_stretched(seed: int) -> None:
    problem = algebra.eigenvalues(Random(seed))
    a, b, c, d = integers(problem.statement)
    for line in problem.steps[-2:]:
        value, u, v = integers(line)[:3]
        assert (a * u + b * v, c * u + d * v) == (value * u, value * v)


@pytest.mark.parametrize("seed", SEEDS)
def test_expanded_powers_agree_at_one(seed: int) -> None:
    problem = algebra.binomial(Random(seed))
    left, right = step(problem, r"left side is .* = (-?\d+)\$.* up to \$(-?\d+)\$").groups()
    assert left == right


@pytest.mark.parametrize("seed", SEEDS)
def test_right_triangles_are_right(seed: int) -> None:
    problem = analysis.pythagoras(Random(seed))
    a, b = integers(problem.statement)
    assert int(step(problem, r"} = (\d+)\$\$")[1]) ** 2 == a * a + b * b


def test_an_integral_worked_out_by_hand() -> None:
    class Fixed(Random):
        """Gives 3x^2 + 2x + 1 from 0 to 2."""

        values = iter((2, 1, 0, 2))

        def choice(self, seq):
            return 3

        def randint(self, a, b):
            return next(self.values)

    # x^3 + x^2 + x is 14 at 2 and 0 at 0.
    problem = analysis.definite_integral(Fixed())
    assert problem.statement == r"Compute $\int_{0}^{2} (3x^2 + 2x + 1) \, dx$."
    assert problem.steps[3].endswith("= 14 - 0 = 14$$")
    assert problem.steps[4].endswith("is $7$.")


@pytest.mark.parametrize("seed", SEEDS)
def test_deviations_from_the_mean_add_up_to_zero(seed: int) -> None:
    problem = chance.mean_and_variance(Random(seed))
    deviations = integers(step(problem, r"deviations are \$(.+)\$;")[1])
    assert sum(deviations) == 0
    assert sum(x * x for x in deviations) == int(step(problem, r"together \$(\d+)\$")[1])


@pytest.mark.parametrize("name", TOPICS)
def test_every_formula_of_a_topic_can_be_written_in_every_form(name: str) -> None:
    stock = load_stock()
    theory = stock.chapters["mathematics"][name]["text"]
    assert len(theory) >= 5
    for seed in SEEDS:
        problem = TOPICS[name](Random(seed))
        for line in (problem.statement, *problem.steps, *theory):
            assert line.count("$") % 2 == 0
            for found in FORMULA.finditer(line):
                for form in FORMS:
                    assert render(found[1] or found[2], form, display=found[1] is not None)


def test_pages_go_through_the_topics_and_have_different_problems() -> None:
    stock = load_stock()
    for turn in range(len(TOPICS)):
        page = worked(Random(turn), stock, turn)
        assert page.formulas
        assert page.kind == "math"
        assert page.text.count("$") >= 10


def test_forms_of_one_formula() -> None:
    latex = r"a < \frac{1}{2}"
    assert render(latex, "dollars", display=False) == r"$a &lt; \frac{1}{2}$"
    assert render(latex, "dollars", display=True) == r"$$a &lt; \frac{1}{2}$$"
    assert render(latex, "brackets", display=False) == r"\(a &lt; \frac{1}{2}\)"
    assert render(latex, "brackets", display=True) == r"\[a &lt; \frac{1}{2}\]"
    script = r'<script type="math/tex; mode=display">a < \frac{1}{2}</script>'
    assert render(latex, "script", display=True) == script
    assert r'alt="a &lt; \frac{1}{2}"' in render(latex, "image", display=False)


def test_mathml_of_scripts_fractions_and_integrals() -> None:
    found = mathml(r"\int_0^1 x^{2} \, dx = \frac{1}{3}", display=False, annotated=False)
    assert "<msubsup><mo>∫</mo><mn>0</mn><mn>1</mn></msubsup>" in found
    assert "<msup><mi>x</mi><mrow><mn>2</mn></mrow></msup>" in found
    assert "<mfrac><mrow><mn>1</mn></mrow><mrow><mn>3</mn></mrow></mfrac>" in found
    etree.fromstring(found)


def test_mathml_of_a_matrix_has_its_rows() -> None:
    found = mathml(matrix(((1, -2), (3, 4))), display=True, annotated=True)
    assert found.count("<mtr>") == 2
    assert found.count("<mtd>") == 4
    assert "<mtd><mo>-</mo><mn>2</mn></mtd>" in found
    assert r"\begin{pmatrix} 1 &amp; -2 \\" in found
    etree.fromstring(found)


def test_unknown_commands_and_missing_braces_are_errors() -> None:
    with pytest.raises(ValueError, match="frobnicate"):
        mathml(r"\frobnicate{x}", display=False, annotated=False)
    with pytest.raises(ValueError, match="missing"):
        mathml(r"\sqrt{x", display=False, annotated=False)
