"""How many characters of which kind each text has, for all texts of a page at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_DIGIT, _UPPER, _LETTER, _STOP, _COMMA, _SIGN, _MONEY, _SPACE = _KINDS = tuple(
    1 << bit for bit in range(8)
)
_SIGNS = dict.fromkeys("|»›>/•©®→←«‹+", _SIGN) | dict.fromkeys("$€£¥₹₽₩", _MONEY)
_STOPS = dict.fromkeys(".!?。！？؟।…", _STOP) | dict.fromkeys(",;:،、·，；：", _COMMA)
_N_CLASSED = 0x3100
"""Code points beyond count as letters, as most of them are."""


def _kinds_of(char: str) -> int:
    bits = _SIGNS.get(char, 0) | _STOPS.get(char, 0)
    bits |= _DIGIT * char.isdigit() | _UPPER * char.isupper() | _LETTER * char.isalpha()
    return bits | _SPACE * char.isspace()


_BITS, _numbers = np.unique(
    np.array([_kinds_of(chr(code)) for code in range(_N_CLASSED)] + [_LETTER], np.uint8),
    return_inverse=True,
)
"""Combinations of kinds that occur, as bits."""
_TABLE = _numbers.astype(np.uint8)
"""Number of the combination of each code point; the last stands for all beyond."""
_N = len(_BITS)
_IS_OF_KIND = np.array([_BITS & kind != 0 for kind in _KINDS], np.float64)


@dataclass(frozen=True)
class Characters:
    """Of each text: how many characters it has of each kind, and how it begins and ends.

    Arrays of shape (n,). `signs` are bullets, arrows, bars and the like.
    """

    total: Doubles
    digits: Doubles
    upper: Doubles
    letters: Doubles
    stops: Doubles
    commas: Doubles
    signs: Doubles
    money: Doubles
    spaces: Doubles
    ends: NDArray[np.bool_]
    """Whether the text ends with a stop, and with a comma; shape (2, n)."""
    begins: NDArray[np.bool_]
    """Whether it begins with a digit, an upper-case letter, or neither letter nor digit; (3, n)."""


def count_characters(texts: Sequence[str]) -> Characters:
    """Counts over `texts`, none of them empty. Cost: about 9 ns a character."""
    total = np.array(list(map(len, texts)), np.int64)
    behind = np.cumsum(total)
    first = behind - total
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    numbers = _TABLE.take(codes, mode="clip")
    place = np.repeat(np.arange(0, _N * len(texts), _N), total)
    place += numbers
    counts = np.bincount(place, minlength=_N * len(texts)).reshape(-1, _N)
    digits, upper, letters, stops, commas, signs, money, spaces = _IS_OF_KIND @ counts.T
    last, begin = _BITS[numbers[behind - 1]], _BITS[numbers[first]]
    no_word = begin & (_DIGIT | _LETTER) == 0
    return Characters(
        total.astype(np.float64), digits, upper, letters, stops, commas, signs, money, spaces,
        ends=np.array([last & _STOP != 0, last & _COMMA != 0]),
        begins=np.array([begin & _DIGIT != 0, begin & _UPPER != 0, no_word]),
    )  # fmt: skip
