r"""Which numbers of a text its source has too. Pure.

MIND's authors ask for dialogues that add nothing (2410.12881, section 2); a number that is not in
the source is the part of that which can be counted. It is reported and no reason to drop: a step of
a calculation gives a new number rightly.

Numbers are those in digits: `1,000`, `1{,}000`, `1\,000` and a thousand with a narrow space are one
number, and so are `2.5` and `2.50`. A source that says `twenty-one` has 21 too; the text's own
number words are not judged, since `one of them` is no number. Signs, units, the numbers of a list's
items, and digits within names (`H2O`, `x1`) are not looked at.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_ITEM_NUMBER = re.compile(r"^[ \t]*+\(?\d{1,3}[.)](?=\s)", re.MULTILINE)
_LATEX_COMMA = re.compile(r"(?<=\d)(?:\{,\}|\\[,;:!]|[\u00a0\u2009\u202f'](?=\d{3}))(?=\d)")
_NUMBER = re.compile(
    r"(?<![^\W_])"
    r"(?:\d{1,3}(?:,\d{3})++(?!\d)(?:\.\d++)?|\d++(?:\.\d++)?|(?<!\d)\.\d++)"
)

_UNITS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000, "billion": 1_000_000_000}
_WORTH = (
    {word: value for value, word in enumerate(_UNITS)}
    | {word: 10 * value for value, word in enumerate(_TENS, start=2)}
    | _SCALES
)
_SPELT = re.compile(
    r"(?<!\w)(?:{0})(?:(?:[ ]+and[ ]+|[ -])(?:{0}))*+(?!\w)".format("|".join(_WORTH)), re.IGNORECASE
)
_SCALED = re.compile(r"(\d[\d,.]*+)[ -]({})(?!\w)".format("|".join(_SCALES)), re.IGNORECASE)


@dataclass(frozen=True)
class NumberCount:
    """Numbers of a text, and how many of them its source has; repeats count each time."""

    n_numbers: int
    n_in_source: int


def number_faithfulness(source: str, text: str) -> float | None:
    """Share of the numbers in `text` that occur in `source`; None where `text` has none."""
    found = count_numbers(source, text)
    return found.n_in_source / found.n_numbers if found.n_numbers else None


def count_numbers(source: str, text: str) -> NumberCount:
    """The numbers of `text`, and those of them that `source` has in digits or spelt."""
    said = _in_digits(text)
    if not said:
        return NumberCount(0, 0)
    known = {*_in_digits(source), *_spelt(source)}
    return NumberCount(len(said), sum(number in known for number in said))


def _in_digits(text: str) -> list[str]:
    # NFKC makes digits of full-width ones, and spaces of narrow ones: after the separators.
    joined = unicodedata.normalize("NFKC", _LATEX_COMMA.sub("", text))
    return [_canonical(found) for found in _NUMBER.findall(_ITEM_NUMBER.sub("", joined))]


def _canonical(number: str) -> str:
    """One spelling of a number: no separators, no zeros before it or at the end of decimals."""
    whole, _, decimals = number.replace(",", "").partition(".")
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")


def _spelt(text: str) -> set[str]:
    """Numbers that `text` spells in words, `twenty-one` or `3 million`."""
    runs = [re.findall(r"[a-z]+", found.lower()) for found in _SPELT.findall(text)]
    worth = {_worth([word for word in run if word != "and"]) for run in runs}
    scaled = {
        _canonical(f"{float(_canonical(digits)) * _SCALES[scale.lower()]:.6f}")
        for digits, scale in _SCALED.findall(text)
        if digits.count(".") < 2 and not digits.endswith((".", ","))
    }
    return {str(value) for value in worth} | scaled


def _worth(words: list[str]) -> int:
    """The number that `words` spell: `two hundred five thousand` is 205,000."""
    total = current = 0
    for word in words:
        value = _WORTH[word]
        if value < 100:
            current += value
        elif value == 100:
            current = max(current, 1) * 100
        else:
            total += max(current, 1) * value
            current = 0
    return total + current
