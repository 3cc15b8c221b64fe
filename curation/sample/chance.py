"""Problems of counting, probability and statistics, made with random numbers."""

from fractions import Fraction
from math import comb, factorial
from random import Random

from curation.sample.problem import Problem, frac

_GROUPS = (
    ("women", "men"),
    ("red balls", "blue balls"),
    ("teachers", "parents"),
    ("oaks", "birches"),
)


def combinations(rng: Random) -> Problem:
    """Choosing a group with a condition on its members."""
    first, second = rng.choice(_GROUPS)
    m, n = rng.randint(4, 9), rng.randint(4, 9)
    i, j = rng.randint(1, 3), rng.randint(1, 3)
    good, every = comb(m, i) * comb(n, j), comb(m + n, i + j)
    steps = (
        f"From the {first} one can choose in $\\binom{{{m}}}{{{i}}} = {comb(m, i)}$ ways.",
        f"From the {second} there are $\\binom{{{n}}}{{{j}}} = {comb(n, j)}$ ways.",
        f"Both choices are made, so we multiply: $${comb(m, i)} \\cdot {comb(n, j)} = {good}$$",
        f"Without the condition there would be $\\binom{{{m + n}}}{{{i + j}}} = {every}$ ways.",
        f"The probability that a random choice fulfils the condition is "
        f"$\\frac{{{good}}}{{{every}}} \\approx {good / every:.4f}$.",
        f"If the order counted too, each group could be arranged in "
        f"${i + j}! = {factorial(i + j)}$ ways.",
    )
    ask = (
        f"There are ${m}$ {first} and ${n}$ {second}. In how many ways can one choose ${i}$ of the "
        f"former and ${j}$ of the latter?"
    )
    return Problem(ask, steps)


def bayes(rng: Random) -> Problem:
    """A medical test with a base rate."""
    people, ill = 10000, rng.randint(2, 40) * 10
    found, wrong = rng.randint(80, 99), rng.randint(1, 12)
    true, false = Fraction(ill * found, 100), Fraction((people - ill) * wrong, 100)
    share = true / (true + false)
    steps = (
        f"Imagine ${people}$ people, of whom ${ill}$ are ill and ${people - ill}$ are healthy.",
        f"Of the ill, ${found}$ per cent test positive: ${float(true):g}$ people.",
        f"Of the healthy, ${wrong}$ per cent do so too: ${float(false):g}$ people.",
        f"Hence $$P(I \\mid T) = \\frac{{{float(true):g}}}{{{float(true):g} + {float(false):g}}} "
        f"\\approx {float(share):.3f}$$",
        f"Before the test the probability was ${ill / people:g}$, so a positive result multiplies "
        f"it by about ${float(share) / (ill / people):.1f}$.",
    )
    ask = (
        f"A disease affects ${ill / 100:g}$ per cent of the population. A test finds ${found}$ per "
        f"cent of the ill and is wrongly positive for ${wrong}$ per cent of the healthy. How "
        f"likely is illness after a positive test?"
    )
    return Problem(ask, steps)


def expected_value(rng: Random) -> Problem:
    """A game with a die, and a binomial number of wins."""
    stake, n = rng.randint(1, 5), rng.randint(10, 90)
    prizes = sorted(rng.choices(range(13), k=6))
    mean = Fraction(sum(prizes), 6)
    wins = sum(prize > stake for prize in prizes)
    p = Fraction(wins, 6)
    steps = (
        f"All faces have probability $\\frac{{1}}{{6}}$, so the expected prize is "
        f"$$E = \\frac{{{' + '.join(map(str, prizes))}}}{{6}} = {frac(mean)}$$",
        f"After the stake the expected gain is ${frac(mean)} - {stake} = {frac(mean - stake)}$.",
        _verdict(mean - stake),
        f"A round brings more than the stake with probability $p = {frac(p)}$.",
        f"In ${n}$ rounds that happens ${frac(n * p)}$ times on average, with variance "
        f"${n} p (1 - p) = {frac(n * p * (1 - p))}$.",
    )
    ask = (
        f"A game costs ${stake}$ coins. A die is thrown, and for the faces 1 to 6 one receives "
        f"${', '.join(map(str, prizes))}$ coins. Is the game fair, and how often does one gain in "
        f"${n}$ rounds?"
    )
    return Problem(ask, steps)


def mean_and_variance(rng: Random) -> Problem:
    """Mean, median and variance of a small sample with an integer mean."""
    n = rng.choice((5, 6, 7))
    data = [rng.randint(2, 40) for _ in range(n - 1)]
    data.append(n * (sum(data) // n + 1) - sum(data))
    data.sort()
    mean = sum(data) // n
    squares = [(x - mean) ** 2 for x in data]
    middle = Fraction(data[(n - 1) // 2] + data[n // 2], 2)
    variance = Fraction(sum(squares), n)
    steps = (
        f"The sum is ${sum(data)}$, and division by ${n}$ gives the mean $\\bar{{x}} = {mean}$.",
        f"The deviations are ${', '.join(str(x - mean) for x in data)}$; they add up to zero.",
        f"Their squares are ${', '.join(map(str, squares))}$, together ${sum(squares)}$.",
        f"The variance is $$\\sigma^2 = \\frac{{{sum(squares)}}}{{{n}}} "
        f"\\approx {float(variance):.2f}$$",
        f"The standard deviation is about ${float(variance) ** 0.5:.3f}$, and dividing by "
        f"${n - 1}$ instead would give ${(sum(squares) / (n - 1)) ** 0.5:.3f}$.",
        f"The median is ${frac(middle)}$, which differs from the mean by "
        f"${frac(abs(middle - mean))}$.",
    )
    ask = f"Find mean, median and standard deviation of ${', '.join(map(str, data))}$."
    return Problem(ask, steps)


def _verdict(gain: Fraction) -> str:
    if gain == 0:
        return "The expected gain is zero, so the game is fair."
    side = "in favour of the player" if gain > 0 else "in favour of the bank"
    total = frac(100 * gain)
    return f"The game is not fair but {side}; over a hundred rounds it adds up to ${total}$."
