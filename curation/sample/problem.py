"""Worked problems of mathematics, and the LaTeX of numbers and polynomials."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from random import Random


@dataclass(frozen=True)
class Problem:
    """A question and the lines of its solution; formulas stand between dollar signs."""

    statement: str
    steps: tuple[str, ...]


def nonzero(rng: Random, low: int, high: int) -> int:
    """An integer in `low`..`high` other than 0."""
    return rng.choice([n for n in range(low, high + 1) if n])


def frac(value: Fraction | int) -> str:
    r"""LaTeX of a rational number: `\frac{a}{b}` with its sign in front, or an integer."""
    value = Fraction(value)
    if value.denominator == 1:
        return str(value.numerator)
    sign = "-" if value < 0 else ""
    return rf"{sign}\frac{{{abs(value.numerator)}}}{{{value.denominator}}}"


def poly(coefficients: Sequence[Fraction | int], x: str = "x") -> str:
    """LaTeX of a polynomial, coefficients from the highest power down; "0" if all are zero."""
    degree = len(coefficients) - 1
    out = ""
    for i, value in enumerate(coefficients):
        if value:
            out += _term(Fraction(value), degree - i, x, first=not out)
    return out or "0"


def plus(value: Fraction | int) -> str:
    """`value` as a summand: "+ 3" or "- 3"."""
    return f"- {frac(-value)}" if value < 0 else f"+ {frac(value)}"


def shifted(x: str, root: int) -> str:
    """`x - root` with the right sign; just `x` where the root is 0."""
    return x if root == 0 else f"{x} {plus(-root)}"


def group(value: Fraction | int) -> str:
    """`value`, in brackets if it is negative."""
    return f"({frac(value)})" if value < 0 else frac(value)


def times(value: Fraction | int, x: str) -> str:
    """`value` times `x`, without a factor 1."""
    return x if value == 1 else f"-{x}" if value == -1 else f"{frac(value)} {x}"


def summand(value: int, x: str) -> str:
    """`value` times `x` as a summand: "+ 3y" or "- y"."""
    return f"{'-' if value < 0 else '+'} {poly((abs(value), 0), x)}"


def matrix(rows: Sequence[Sequence[Fraction | int]]) -> str:
    """LaTeX of a matrix in round brackets."""
    body = r" \\ ".join(" & ".join(frac(cell) for cell in row) for row in rows)
    return rf"\begin{{pmatrix}} {body} \end{{pmatrix}}"


def _term(value: Fraction, power: int, x: str, *, first: bool) -> str:
    sign = ("-" if value < 0 else "") if first else (" - " if value < 0 else " + ")
    size = "" if abs(value) == 1 and power else frac(abs(value))
    symbol = "" if power == 0 else x if power == 1 else f"{x}^{power}" if power < 10 else ""
    return sign + size + (symbol or (f"{x}^{{{power}}}" if power else ""))
