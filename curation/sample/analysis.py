"""Problems of calculus and geometry, made with random numbers and solved exactly."""

import math
from fractions import Fraction
from random import Random

from curation.sample.problem import (
    Problem,
    frac,
    group,
    nonzero,
    plus,
    poly,
    shifted,
    summand,
    times,
)


def derivative(rng: Random) -> Problem:
    """Derivative of a cubic and the tangent at a point."""
    a, b, c, d = nonzero(rng, -4, 5), rng.randint(-6, 6), rng.randint(-9, 9), rng.randint(-9, 9)
    x = rng.randint(-3, 3)
    value, slope = ((a * x + b) * x + c) * x + d, 3 * a * x * x + 2 * b * x + c
    steps = (
        f"Term by term, the power rule gives $$f'(x) = {poly((3 * a, 2 * b, c))}$$",
        f"At $x = {x}$ the slope is $f'({x}) = {slope}$.",
        f"The point on the graph is $({x}, {value})$, because $f({x}) = {value}$.",
        f"The tangent has the equation $y = {poly((slope, value - slope * x))}$.",
        f"The second derivative is $f''(x) = {poly((6 * a, 2 * b))}$, and its value at the point "
        f"is ${6 * a * x + 2 * b}$, which tells how the curve bends there.",
    )
    ask = f"Let $f(x) = {poly((a, b, c, d))}$. Find the tangent to its graph at $x = {x}$."
    return Problem(ask, steps)


def product_rule(rng: Random) -> Problem:
    """Derivative of a polynomial times an exponential function, and its zeros."""
    a, r = nonzero(rng, -4, 4), rng.randint(-6, 6)
    k = rng.randint(2, 5)
    factor = shifted("x", r)
    zero = r - Fraction(k, a)
    power = f"({factor})^{k - 1}" if k > 2 else f"({factor})"
    exp = f"e^{{{poly((a, 0))}}}"
    inner = poly((a, k - a * r))
    steps = (
        f"Put $u = ({factor})^{k}$ and $v = {exp}$.",
        f"By the chain rule $u' = {k} {power}$ and $v' = {times(a, exp)}$.",
        f"The product rule yields $$f'(x) = {k} {power} {exp} "
        f"{summand(a, f'({factor})^{k}')} {exp}$$",
        f"Taking out the common factors, $f'(x) = {power} ({inner}) {exp}$.",
        f"The exponential is never zero, so horizontal tangents occur at $x = {r}$ and at "
        f"$x = {frac(zero)}$.",
    )
    ask = f"Differentiate $f(x) = ({factor})^{k} {exp}$ and find the horizontal tangents."
    return Problem(ask, steps)


def definite_integral(rng: Random) -> Problem:
    """Definite integral of a quadratic."""
    a, b, c = nonzero(rng, -6, 9), rng.randint(-8, 8), rng.randint(-7, 7)
    low = rng.randint(-3, 2)
    high = low + rng.randint(1, 5)

    def big(x: int) -> Fraction:
        return Fraction(a * x**3, 3) + Fraction(b * x * x, 2) + c * x

    antiderivative = poly((Fraction(a, 3), Fraction(b, 2), c, 0))
    result = big(high) - big(low)
    steps = (
        f"An antiderivative is $F(x) = {antiderivative}$.",
        f"At the upper limit $F({high}) = {frac(big(high))}$.",
        f"At the lower limit $F({low}) = {frac(big(low))}$.",
        f"The difference is $$\\int_{{{low}}}^{{{high}}} ({poly((a, b, c))}) \\, dx = "
        f"{frac(big(high))} - {group(big(low))} = {frac(result)}$$",
        f"The mean value of the function on the interval is ${frac(result / (high - low))}$.",
    )
    ask = f"Compute $\\int_{{{low}}}^{{{high}}} ({poly((a, b, c))}) \\, dx$."
    return Problem(ask, steps)


def by_parts(rng: Random) -> Problem:
    """Integral of a linear function times an exponential."""
    a, m, n = rng.choice((-3, -2, -1, 2, 3, 4)), nonzero(rng, -6, 6), rng.randint(-7, 7)
    exp = f"e^{{{poly((a, 0))}}}"
    linear = poly((m, n))
    first, second = Fraction(1, a), Fraction(m, a * a)
    inside = poly((Fraction(m, a), Fraction(n, a) - second))
    steps = (
        f"Choose $u = {linear}$ and $v' = {exp}$, so that $u' = {m}$ and "
        f"$v = {times(first, exp)}$.",
        f"The rule gives $$\\int ({linear}) {exp} \\, dx = {times(first, f'({linear}) {exp}')} - "
        f"\\int {times(Fraction(m, a), exp)} \\, dx$$",
        f"The remaining integral is ${times(second, exp)}$.",
        f"Together this is $\\left( {inside} \\right) {exp} + C$.",
        f"Differentiating the result returns $({linear}) {exp}$, as it should.",
    )
    return Problem(f"Find $\\int ({linear}) {exp} \\, dx$.", steps)


def growth(rng: Random) -> Problem:
    """Exponential growth: doubling time and the time to reach a value."""
    start, percent = rng.randint(2, 90) * 50, rng.randint(2, 19)
    a = 1 + percent / 100
    target = start * rng.randint(3, 9)
    double, reach = math.log(2) / math.log(a), math.log(target / start) / math.log(a)
    steps = (
        f"Each year the amount is multiplied by $a = {a:.2f}$.",
        f"After $t$ years there are $N(t) = {start} \\cdot {a:.2f}^t$ units.",
        f"The doubling time is $$t = \\frac{{\\ln 2}}{{\\ln {a:.2f}}} \\approx {double:.2f}$$",
        f"For the second question solve ${a:.2f}^t = {target // start}$, that is "
        f"$t = \\frac{{\\ln {target // start}}}{{\\ln {a:.2f}}} \\approx {reach:.2f}$ years.",
        f"The rule of seventy would have given $70 / {percent} \\approx {70 / percent:.1f}$ years "
        f"for doubling.",
    )
    ask = (
        f"A quantity of ${start}$ units grows by ${percent}$ per cent a year. When has it doubled, "
        f"and when does it reach ${target}$?"
    )
    return Problem(ask, steps)


def pythagoras(rng: Random) -> Problem:
    """A whole-number right triangle, its area and height."""
    m = rng.randint(2, 9)
    n, k = rng.randint(1, m - 1), rng.randint(1, 5)
    a, b, c = sorted((k * (m * m - n * n), k * 2 * m * n, k * (m * m + n * n)))
    steps = (
        f"The squares of the legs are ${a * a}$ and ${b * b}$, together ${a * a + b * b}$.",
        f"The hypotenuse is $$c = \\sqrt{{{a}^2 + {b}^2}} = \\sqrt{{{c * c}}} = {c}$$",
        f"The area is $\\frac{{1}}{{2}} \\cdot {a} \\cdot {b} = {frac(Fraction(a * b, 2))}$.",
        f"The same area is half of hypotenuse times height, so the height is "
        f"$h = {frac(Fraction(a * b, c))}$.",
        f"The triple arises from $m = {m}$ and $n = {n}$"
        + (f" with the factor ${k}$." if k > 1 else "."),
    )
    ask = f"A right-angled triangle has the legs ${a}$ and ${b}$. "
    ask += "Find the hypotenuse, the area and the height."
    return Problem(ask, steps)


def limit(rng: Random) -> Problem:
    """Limit of a rational function with a removable gap, and at infinity."""
    r, s, t = rng.sample(range(-7, 8), 3)
    top, bottom = (1, -(r + s), r * s), (1, -(r + t), r * t)
    value = Fraction(r - s, r - t)
    left, right = shifted("x", s), shifted("x", t)
    steps = (
        f"At $x = {r}$ numerator and denominator are both zero, so we factor them.",
        f"The numerator is $({shifted('x', r)})({left})$, the denominator "
        f"$({shifted('x', r)})({right})$.",
        f"After cancelling, $$\\lim_{{x \\to {r}}} \\frac{{{left}}}{{{right}}} = "
        f"\\frac{{{r - s}}}{{{r - t}}} = {frac(value)}$$",
        "For $x \\to \\infty$ divide by $x^2$; only the leading coefficients remain and the limit "
        "is $1$.",
        f"At $x = {t}$ the function has a pole, as only the denominator vanishes there.",
    )
    fraction = f"\\frac{{{poly(top)}}}{{{poly(bottom)}}}"
    return Problem(
        f"Find the limits of ${fraction}$ for $x \\to {r}$ and for $x \\to \\infty$.", steps
    )


def induction(rng: Random) -> Problem:
    """Proof of the sum of the first terms of an arithmetic progression."""
    a, b = rng.randint(1, 7) * 2, rng.randint(-5, 9)
    half = a // 2
    term, total = poly((a, b), "k"), poly((half, half + b, 0), "n")
    following = poly((half, 3 * half + b, 2 * half + b), "n")
    steps = (
        f"Base case: for $n = 1$ the left side is ${a + b}$ and the right side is "
        f"${half} {plus(half + b)} = {a + b}$.",
        f"Step: assume that $\\sum_{{k=1}}^{{n}} ({term}) = {total}$ for some $n$.",
        f"The next term is ${a} (n + 1) {plus(b)} = {poly((a, a + b), 'n')}$.",
        f"Adding it, $$\\sum_{{k=1}}^{{n+1}} ({term}) = {total} + {poly((a, a + b), 'n')} = "
        f"{following}$$",
        f"On the other hand ${half} (n+1)^2 {plus(half + b)} (n+1) = {following}$ as well, and "
        f"this is the formula for $n + 1$.",
    )
    ask = f"Prove by induction that $\\sum_{{k=1}}^{{n}} ({term}) = {total}$ for all $n \\ge 1$."
    return Problem(ask, steps)


def newton(rng: Random) -> Problem:
    """Three steps of Newton's method for a square root."""
    a = rng.choice([n for n in range(2, 200) if math.isqrt(n) ** 2 != n])
    x = Fraction(round(math.sqrt(a)))
    steps = [f"We start with $x_0 = {x}$, since ${x}^2 = {x * x}$ is close to ${a}$."]
    for k in range(1, 4):
        before, x = x, (x + a / x) / 2
        shown = frac(before) if k < 3 else f"{float(before):.6f}"
        steps.append(
            f"$x_{k} = \\frac{{1}}{{2}} \\left( {shown} + \\frac{{{a}}}{{{shown}}} \\right) "
            f"\\approx {float(x):.{3 * k}f}$"
        )
    steps.append(f"For comparison, $\\sqrt{{{a}}} \\approx {math.sqrt(a):.9f}$.")
    return Problem(
        f"Approximate $\\sqrt{{{a}}}$ with three steps of Newton's method.", tuple(steps)
    )


def taylor(rng: Random) -> Problem:
    """Taylor polynomial of an exponential function and its error."""
    a, n = rng.choice((-3, -2, -1, 2, 3)), rng.choice((3, 4))
    x = Fraction(rng.randint(1, 4), 10)
    terms = [Fraction(a**k, math.factorial(k)) for k in range(n + 1)]
    value = sum((term * x**k for k, term in enumerate(terms)), Fraction(0))
    exact = math.exp(a * float(x))
    exp = f"e^{{{poly((a, 0))}}}"
    steps = (
        f"Every derivative brings another factor ${a}$, so $f^{{(k)}}(0) = {group(a)}^k$.",
        f"The coefficients are ${', '.join(frac(term) for term in terms)}$.",
        f"The polynomial is $$T_{n}(x) = {poly(terms[::-1])}$$",
        f"At $x = {float(x)}$ it gives ${float(value):.6f}$, while the function has the value "
        f"${exact:.6f}$.",
        f"The error of ${abs(float(value) - exact):.6f}$ is about as large as the first term that "
        f"was left out, ${abs(a * float(x)) ** (n + 1) / math.factorial(n + 1):.6f}$.",
    )
    ask = (
        f"Find the Taylor polynomial of degree ${n}$ of $f(x) = {exp}$ at zero and test it at "
        f"$x = {float(x)}$."
    )
    return Problem(ask, steps)
