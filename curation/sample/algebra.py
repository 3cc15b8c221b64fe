"""Problems of algebra and number theory, made with random numbers and solved exactly."""

from fractions import Fraction
from math import gcd
from random import Random

from curation.sample.problem import (
    Problem,
    frac,
    group,
    matrix,
    nonzero,
    plus,
    poly,
    shifted,
    summand,
)


def quadratic(rng: Random) -> Problem:
    """A quadratic equation with integer roots, solved by completing the square and checked."""
    r, s = sorted((rng.randint(-9, 9), rng.randint(-9, 9)))
    b, c = -(r + s), r * s
    half, d = Fraction(b, 2), Fraction((r - s) ** 2, 4)
    inner = f"x {plus(half)}" if half else "x"
    steps = [
        f"The discriminant is ${group(b)}^2 - 4 \\cdot {group(c)} = {(r - s) ** 2}$, "
        f"whose square root is ${s - r}$.",
        f"Completing the square gives $$({inner})^2 = {frac(d)}$$",
        f"Taking roots, ${inner} = \\pm {frac(Fraction(s - r, 2))}$.",
    ]
    if r == s:
        steps.append(f"Both signs give the same number, so $x = {r}$ is a double root.")
    else:
        steps.append(f"Hence $x_1 = {r}$ and $x_2 = {s}$.")
    steps.append(
        f"Check: the sum is ${r} {plus(s)} = {-b}$ and the product is "
        f"${group(r)} \\cdot {group(s)} = {c}$, as Vieta's rule demands."
    )
    ask = rng.choice(("Solve the equation", "Find all real solutions of", "Determine the roots of"))
    return Problem(f"{ask} ${poly((1, b, c))} = 0$.", tuple(steps))


def linear_system(rng: Random) -> Problem:
    """Two linear equations with an integer solution, solved by elimination."""
    x, y = rng.randint(-6, 6), rng.randint(-6, 6)
    while True:
        a, b, c, d = (nonzero(rng, -7, 7) for _ in range(4))
        det = a * d - b * c
        if det:
            break
    e, f = a * x + b * y, c * x + d * y
    first, second = _linear(a, b), _linear(c, d)
    steps = (
        f"Multiply the first equation by ${d}$ and the second by ${b}$: "
        f"$${_linear(a * d, b * d)} = {e * d}, \\quad {_linear(c * b, d * b)} = {f * b}$$",
        f"Subtracting removes $y$ and leaves ${poly((det, 0))} = {e * d - f * b}$, so $x = {x}$.",
        f"Insert this into the first equation: ${group(a)} \\cdot {group(x)} "
        f"{summand(b, 'y')} = {e}$, which gives $y = {y}$.",
        f"The second equation confirms it: ${group(c)} \\cdot {group(x)} "
        f"+ {group(d)} \\cdot {group(y)} = {f}$.",
    )
    return Problem(f"Solve the system ${first} = {e}$ and ${second} = {f}$.", steps)


def arithmetic_series(rng: Random) -> Problem:
    """Last term and sum of an arithmetic sequence."""
    a, d, n = rng.randint(-12, 20), nonzero(rng, -5, 9), rng.randint(10, 60)
    last = a + (n - 1) * d
    total = n * (a + last) // 2
    steps = (
        f"The common difference is $d = {d}$, since ${a + d} - {group(a)} = {d}$.",
        f"Term number ${n}$ is $a_{{{n}}} = {a} + {n - 1} \\cdot {group(d)} = {last}$.",
        f"The sum is $$S_{{{n}}} = \\frac{{{n}}}{{2}} ({a} {plus(last)}) = {total}$$",
        f"On average a term is ${frac(Fraction(a + last, 2))}$, "
        f"and ${n}$ times that is ${total}$ again.",
    )
    terms = ", ".join(str(a + k * d) for k in range(4))
    return Problem(f"Add the first ${n}$ terms of the sequence ${terms}, \\dots$", steps)


def geometric_series(rng: Random) -> Problem:
    """Finite and infinite sum of a geometric sequence."""
    q = Fraction(rng.choice((1, 2, 3, -1, -2)), rng.choice((4, 5, 7)))
    a, n = rng.randint(2, 30), rng.randint(3, 5)
    total = a * (1 - q**n) / (1 - q)
    terms = " + ".join(group(a * q**k) for k in range(4))
    base = rf"\left( {frac(q)} \right)"
    steps = (
        f"The ratio of neighbours is $q = {frac(q)}$, which lies between $-1$ and $1$.",
        f"For ${n}$ terms the formula gives $$S_{n} = {a} \\cdot "
        f"\\frac{{1 - {base}^{n}}}{{1 - {base}}} = {frac(total)}$$",
        f"For the infinite sum the power vanishes: "
        f"$S = \\frac{{{a}}}{{1 - {base}}} = {frac(a / (1 - q))}$.",
        f"The difference of the two, ${frac(abs(a / (1 - q) - total))}$ in absolute value, "
        f"is what the remaining terms contribute.",
    )
    ask = f"Find the sum of the first ${n}$ terms and of all terms of ${terms} + \\dots$"
    return Problem(ask, steps)


def euclid(rng: Random) -> Problem:
    """Greatest common divisor and Bezout's coefficients."""
    g = rng.randint(2, 15)
    a, b = sorted((g * rng.randint(20, 90), g * rng.randint(5, 60)), reverse=True)
    if a == b:
        a += g
    steps, m, n = [], a, b
    while n:
        steps.append(f"${m} = {m // n} \\cdot {n} + {m % n}$")
        m, n = n, m % n
    x, y = _bezout(a, b)
    tail = (
        f"The last remainder other than zero is ${m}$, so $\\gcd({a}, {b}) = {m}$.",
        f"Working backwards we obtain ${m} = {group(x)} \\cdot {a} + {group(y)} \\cdot {b}$.",
        f"The least common multiple is ${a} \\cdot {b} / {m} = {a * b // m}$.",
    )
    ask = f"Find the greatest common divisor of ${a}$ and ${b}$ as a combination of both."
    return Problem(ask, (*steps, *tail))


def modular_power(rng: Random) -> Problem:
    """A high power modulo a prime, by repeated squaring."""
    p = rng.choice((11, 13, 17, 19, 23, 29, 31, 37, 41, 43))
    a, n = rng.randint(2, p - 2), rng.randint(18, 99)
    steps, power, value, used = [], 1, a, []
    while power <= n:
        steps.append(f"${a}^{{{power}}} \\equiv {value} \\pmod{{{p}}}$")
        if n & power:
            used.append((power, value))
        power, value = 2 * power, value * value % p
    sums = " + ".join(str(power) for power, _ in used)
    product = r" \cdot ".join(str(value) for _, value in used)
    tail = (
        f"In powers of two the exponent is ${n} = {sums}$.",
        f"Therefore ${a}^{{{n}}} \\equiv {product} \\equiv {pow(a, n, p)} \\pmod{{{p}}}$.",
        f"As a check, Fermat's theorem allows us to replace the exponent by ${n % (p - 1)}$, "
        f"and ${a}^{{{n % (p - 1)}}} \\equiv {pow(a, n % (p - 1), p)} \\pmod{{{p}}}$ as well.",
    )
    return Problem(f"What is the remainder of ${a}^{{{n}}}$ on division by ${p}$?", (*steps, *tail))


def chinese_remainder(rng: Random) -> Problem:
    """Two congruences with coprime moduli."""
    m, n = rng.choice([(m, n) for m in range(5, 20) for n in range(3, m) if gcd(m, n) == 1])
    x = rng.randint(1, m * n - 1)
    a, b = x % m, x % n
    k = (x - a) // m
    inverse = pow(m, -1, n)
    steps = (
        f"Write $x = {a} + {m} k$; the first condition then holds for every integer $k$.",
        f"The second one becomes ${m} k \\equiv {(b - a) % n} \\pmod{{{n}}}$.",
        f"The inverse of ${m}$ modulo ${n}$ is ${inverse}$, "
        f"because ${m} \\cdot {inverse} = {m * inverse} \\equiv 1 \\pmod{{{n}}}$.",
        f"So $k \\equiv {inverse} \\cdot {(b - a) % n} \\equiv {k} \\pmod{{{n}}}$.",
        f"The smallest solution is $x = {a} + {m} \\cdot {k} = {x}$, and all others differ from it "
        f"by multiples of ${m * n}$.",
    )
    ask = f"Find all integers with $x \\equiv {a} \\pmod{{{m}}}$ and $x \\equiv {b} \\pmod{{{n}}}$."
    return Problem(ask, steps)


def inverse_matrix(rng: Random) -> Problem:
    """Inverse of an integer matrix with two rows, checked by multiplication."""
    while True:
        a, b, c, d = (rng.randint(-6, 7) for _ in range(4))
        det = a * d - b * c
        if det:
            break
    m = matrix(((a, b), (c, d)))
    inverse = tuple(tuple(Fraction(v, det) for v in row) for row in ((d, -b), (-c, a)))
    steps = (
        f"The determinant is ${group(a)} \\cdot {group(d)} - {group(b)} \\cdot {group(c)} "
        f"= {det}$, so the inverse exists.",
        f"Exchange the entries of the diagonal and change the other signs: "
        f"${matrix(((d, -b), (-c, a)))}$.",
        f"Division by the determinant gives $$A^{{-1}} = {matrix(inverse)}$$",
        f"Check of the first entry: ${group(a)} \\cdot {group(inverse[0][0])} + {group(b)} \\cdot "
        f"{group(inverse[1][0])} = 1$.",
    )
    return Problem(f"Find the inverse of $A = {m}$.", steps)


def eigenvalues(rng: Random) -> Problem:
    """Eigenvalues and eigenvectors of a triangular-looking matrix made from integer eigenvalues."""
    r, s = rng.sample(range(-5, 8), 2)
    k, t = nonzero(rng, -3, 3), nonzero(rng, -3, 3)
    # The matrix has the eigenvectors (1, k) for r and (t, 1 + k t) for s; their determinant is 1.
    u, v = (1, k), (t, 1 + k * t)
    a = r * u[0] * v[1] - s * v[0] * u[1]
    b = (s - r) * u[0] * v[0]
    c = (r - s) * u[1] * v[1]
    d = s * u[0] * v[1] - r * v[0] * u[1]
    low, high = sorted((r, s))
    steps = (
        f"The trace is ${a} {plus(d)} = {a + d}$ and the determinant is ${a * d - b * c}$.",
        f"The characteristic equation is "
        f"$${poly((1, -(a + d), a * d - b * c), chr(92) + 'lambda')} = 0$$",
        f"It has the solutions $\\lambda_1 = {low}$ and $\\lambda_2 = {high}$.",
        f"For $\\lambda = {r}$ the vector ${matrix(((u[0],), (u[1],)))}$ is an eigenvector: the "
        f"matrix maps it to ${matrix(((r * u[0],), (r * u[1],)))}$.",
        f"For $\\lambda = {s}$ one finds ${matrix(((v[0],), (v[1],)))}$ in the same way.",
    )
    ask = f"Find the eigenvalues and eigenvectors of ${matrix(((a, b), (c, d)))}$."
    return Problem(ask, steps)


def complex_division(rng: Random) -> Problem:
    """Product and quotient of two complex numbers."""
    a, b, c, d = (nonzero(rng, -7, 7) for _ in range(4))
    n = c * c + d * d
    z, w = _complex(a, b), _complex(c, d)
    product = _complex(a * c - b * d, a * d + b * c)
    re, im = Fraction(a * c + b * d, n), Fraction(b * c - a * d, n)
    top = _complex(a * c + b * d, b * c - a * d)
    steps = (
        f"The product is $({z})({w}) = {product}$, because $i^2 = -1$.",
        f"For the quotient we multiply by the conjugate ${_complex(c, -d)}$ of the denominator.",
        f"The new denominator is ${group(c)}^2 + {group(d)}^2 = {n}$.",
        f"Therefore $$\\frac{{{z}}}{{{w}}} = \\frac{{{top}}}{{{n}}}$$",
        f"The real part is ${frac(re)}$ and the imaginary part ${frac(im)}$.",
        f"The absolute values are $\\sqrt{{{a * a + b * b}}}$ and $\\sqrt{{{n}}}$.",
    )
    return Problem(f"Multiply and divide $z = {z}$ by $w = {w}$.", steps)


def binomial(rng: Random) -> Problem:
    """Expansion of a power of a linear expression."""
    a, b, n = rng.randint(1, 4), nonzero(rng, -5, 5), rng.choice((3, 4, 5))
    row = [1]
    for k in range(n):
        row.append(row[-1] * (n - k) // (k + 1))
    coefficients = [row[k] * a ** (n - k) * b**k for k in range(n + 1)]
    steps = (
        f"Row ${n}$ of Pascal's triangle is ${', '.join(map(str, row))}$.",
        f"The powers of the first term fall from ${poly((a**n, *[0] * n))}$ to $1$, "
        f"those of ${b}$ rise from $1$ to ${b**n}$.",
        f"Multiplying term by term, $$({poly((a, b))})^{n} = {poly(coefficients)}$$",
        f"For $x = 1$ the left side is ${group(a + b)}^{n} = {(a + b) ** n}$, and the coefficients "
        f"on the right add up to ${sum(coefficients)}$ too.",
    )
    return Problem(f"Expand $({poly((a, b))})^{n}$.", steps)


def polynomial_division(rng: Random) -> Problem:
    """Zeros of a cubic with three integer roots."""
    r, s, t = sorted(rng.sample([n for n in range(-6, 7) if n], 3))
    cubic = (1, -(r + s + t), r * s + r * t + s * t, -r * s * t)
    rest = (1, -(s + t), s * t)
    steps = (
        f"Whole-number zeros must divide ${cubic[3]}$, so there are only a few candidates.",
        f"Trying them, we find that $x = {r}$ is a zero.",
        f"Division by ${shifted('x', r)}$ leaves the quadratic ${poly(rest)}$.",
        f"Its zeros are ${s}$ and ${t}$, as their sum is ${s + t}$ and their product ${s * t}$.",
        f"The complete factorisation is $${poly(cubic)} = "
        f"({shifted('x', r)})({shifted('x', s)})({shifted('x', t)})$$",
    )
    return Problem(f"Find all zeros of ${poly(cubic)}$.", steps)


def partial_fractions(rng: Random) -> Problem:
    """A fraction with two linear factors in the denominator."""
    a, b = rng.sample(range(-6, 7), 2)
    big, small = nonzero(rng, -6, 6), nonzero(rng, -6, 6)
    p, q = big + small, -big * b - small * a
    left, right = shifted("x", a), shifted("x", b)
    bottom = f"({left})({right})"
    steps = (
        f"We look for constants with $$\\frac{{{poly((p, q))}}}{{{bottom}}} = "
        f"\\frac{{A}}{{{left}}} + \\frac{{B}}{{{right}}}$$",
        f"After multiplication: ${poly((p, q))} = A({right}) + B({left})$.",
        f"Inserting $x = {a}$ gives ${p * a + q} = {group(a - b)} A$, hence $A = {big}$.",
        f"Inserting $x = {b}$ gives ${p * b + q} = {group(b - a)} B$, hence $B = {small}$.",
        f"An antiderivative is therefore ${big} \\ln |{left}| {plus(small)} \\ln |{right}|$.",
    )
    ask = f"Split $\\frac{{{poly((p, q))}}}{{{bottom}}}$ into partial fractions and integrate."
    return Problem(ask, steps)


def vectors(rng: Random) -> Problem:
    """Dot product, cross product and area."""
    u, v = (tuple(rng.randint(-5, 6) for _ in range(3)) for _ in range(2))
    dot = sum(a * b for a, b in zip(u, v, strict=True))
    w = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
    length = sum(a * a for a in w)
    angle = (
        "perpendicular" if dot == 0 else "at an acute angle" if dot > 0 else "at an obtuse angle"
    )
    parts = " + ".join(rf"{group(a)} \cdot {group(b)}" for a, b in zip(u, v, strict=True))
    steps = (
        f"The dot product is ${parts} = {dot}$, so the vectors are {angle}.",
        f"The cross product is $$u \\times v = {matrix([[a] for a in w])}$$",
        f"Check: $u \\cdot (u \\times v) = "
        f"{' + '.join(rf'{group(a)} {chr(92)}cdot {group(b)}' for a, b in zip(u, w, strict=True))}"
        f" = 0$.",
        f"The area of the parallelogram is $\\sqrt{{{length}}} \\approx {length**0.5:.3f}$.",
    )
    ask = f"Let $u = {matrix([[a] for a in u])}$ and $v = {matrix([[a] for a in v])}$. "
    return Problem(ask + "Compute both products and the area between the vectors.", steps)


def _linear(a: int, b: int) -> str:
    return f"{poly((a, 0))} {summand(b, 'y')}"


def _complex(a: int, b: int) -> str:
    return poly((b, 0), "i") if a == 0 else str(a) if b == 0 else (f"{a} {summand(b, 'i')}")


def _bezout(a: int, b: int) -> tuple[int, int]:
    """Integers x, y with a x + b y = gcd(a, b)."""
    if b == 0:
        return 1, 0
    x, y = _bezout(b, a % b)
    return y, x - a // b * y
