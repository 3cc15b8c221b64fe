"""Mathematics pages: some theory, then worked problems with random numbers and exact solutions."""

from collections.abc import Callable, Mapping
from random import Random

from curation.sample import algebra, analysis, chance
from curation.sample.catalogue import Stock
from curation.sample.page import Block, Draft, Quality, h2, p
from curation.sample.problem import Problem
from curation.sample.prose import pick, pick_lines
from curation.sample.spin import expand

TOPICS: Mapping[str, Callable[[Random], Problem]] = {
    "Quadratic equations": algebra.quadratic,
    "The derivative of a polynomial": analysis.derivative,
    "Combinations": chance.combinations,
    "Euclid's algorithm": algebra.euclid,
    "Definite integrals": analysis.definite_integral,
    "Systems of linear equations": algebra.linear_system,
    "Bayes' theorem": chance.bayes,
    "Arithmetic series": algebra.arithmetic_series,
    "Product rule and chain rule": analysis.product_rule,
    "Modular arithmetic": algebra.modular_power,
    "Exponential growth": analysis.growth,
    "Eigenvalues": algebra.eigenvalues,
    "Expected value": chance.expected_value,
    "Geometric series": algebra.geometric_series,
    "The theorem of Pythagoras": analysis.pythagoras,
    "Complex numbers": algebra.complex_division,
    "Integration by parts": analysis.by_parts,
    "The Chinese remainder theorem": algebra.chinese_remainder,
    "Limits of rational functions": analysis.limit,
    "Inverse of a matrix": algebra.inverse_matrix,
    "Mean and variance": chance.mean_and_variance,
    "The binomial theorem": algebra.binomial,
    "Proof by induction": analysis.induction,
    "Partial fractions": algebra.partial_fractions,
    "Newton's method": analysis.newton,
    "Vectors": algebra.vectors,
    "Taylor polynomials": analysis.taylor,
    "Polynomial division": algebra.polynomial_division,
}
"""Topic -> its maker of problems; the theory of each is in the stock under the same name."""


def worked(rng: Random, stock: Stock, turn: int) -> Draft:
    """An explanation with two to four worked problems; one page in six is a question and answer."""
    name = list(TOPICS)[turn % len(TOPICS)]
    chapters, n = stock.chapters["mathematics"], rng.randint(2, 4)
    frame, theory = chapters["mathematics"], chapters[name]["text"]
    slots = {**stock.slots, "name": (name,), "n": (("", "", "two", "three", "four")[n],)}
    problems = _different(rng, TOPICS[name], n)
    title = expand(rng.choice(frame["title"]), rng, slots)
    lines = [expand(line, rng, slots) for line in pick(rng, theory, rng.randint(3, 5))]
    if turn % 6 == 5:
        return _asked(rng, stock, title, lines, problems)
    blocks = [p(*pick_lines(rng, frame["opening"], 1, slots)), p(*lines[:2]), p(*lines[2:])]
    heading = rng.choice(frame["heading"])
    bridges = pick_lines(rng, frame["bridge"], n, slots)
    for i, (problem, bridge) in enumerate(zip(problems, bridges, strict=True), 1):
        blocks.append(h2(heading.replace("{n}", str(i))))
        blocks += [p(problem.statement), p(bridge), *_solution(rng, problem)]
    blocks.append(p(*pick_lines(rng, frame["closing"], rng.randint(1, 2), slots)))
    quality: Quality = "good" if n > 2 else "fair"
    return Draft("math", "mathematics", title, tuple(blocks), quality, formulas=True)


def _different(rng: Random, make: Callable[[Random], Problem], n: int) -> list[Problem]:
    """`n` problems of which no two ask the same."""
    problems: dict[str, Problem] = {}
    while len(problems) < n:
        problem = make(rng)
        problems[problem.statement] = problem
    return list(problems.values())


def _asked(
    rng: Random, stock: Stock, title: str, theory: list[str], problems: list[Problem]
) -> Draft:
    """The same matter as a thread: questions of one user, answers of two others."""
    asker, *others = rng.sample(stock.slots["user"], 3)
    posts = [Block("post", (" ".join(theory[:1]) + " But how does it work in an example?",), asker)]
    for problem, user in zip(problems[:2], others, strict=True):
        posts.append(Block("post", (problem.statement, *problem.steps), user))
    posts.append(Block("post", (" ".join(theory[1:]),), others[0]))
    return Draft("math", "forum", title, tuple(posts), "fair", formulas=True)


def _solution(rng: Random, problem: Problem) -> list[Block]:
    if rng.random() < 0.3:
        return [Block("ol", problem.steps)]
    return [p(step) for step in problem.steps]
