"""Shares of the characters of a text: alphanumeric, digits, URLs, white space, brackets.

Source: 2412.02595, section 3.3, filters 1 and 3 to 6 of NeMo Curator's English pipeline. All five
are 1.0 for an empty text, as in the reference. Deviations: none known. Kept as they are there: a
space is not alphanumeric, a letter with an accent is not either, and a URL includes a full stop
or a bracket that follows it.
"""

from __future__ import annotations

import functools
import re
import string

import numpy as np
from numpy.typing import NDArray

from curation.measure.words import Words

_URL = re.compile(r"https?://[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,=%]+")
"""RFC 3986 without `;`, at which the reference stops."""

_CLASSES = {
    "alnum": string.ascii_letters + string.digits + "\n?!,.",
    "digit": "",
    "whitespace": "\t\n\r\b ",
    "parenthesis": "{}⟨⟩[]()",
}
"""Characters of each class; bit k of a mask stands for class k. `digit` is Unicode's Nd."""

_BIT = {name: 1 << k for k, name in enumerate(_CLASSES)}
_N_CODE_POINTS = 0x110000


def character_shares(words: Words) -> dict[str, float]:
    """The shares of `words.text`, by signal name."""
    n_chars = len(words.text)
    if not n_chars:
        return dict.fromkeys(_SHARES, 1.0)
    n = _count_classes(words.text)
    counts = (n_chars - n["alnum"], n["digit"], n_url_chars(words.text), n["whitespace"],
              n["parenthesis"])  # fmt: skip
    return {name: count / n_chars for name, count in zip(_SHARES, counts, strict=True)}


_SHARES = ("non_alnum_frac", "digit_frac", "url_frac", "whitespace_frac", "parenthesis_frac")


def n_url_chars(text: str) -> int:
    """Characters inside http and https URLs."""
    return sum(map(len, _URL.findall(text))) if "://" in text else 0


def _count_classes(text: str) -> dict[str, int]:
    """Characters of each class in one pass: the text's masks are counted, then their bits."""
    codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
    n_by_mask = np.bincount(_masks()[codes], minlength=1 << len(_CLASSES))
    return {
        name: int(n_by_mask[np.arange(n_by_mask.size) & bit > 0].sum())
        for name, bit in _BIT.items()
    }


@functools.cache
def _masks() -> NDArray[np.uint8]:
    """Classes of every code point as a bit mask, shape (0x110000,), 1 MiB."""
    masks = np.zeros(_N_CODE_POINTS, np.uint8)
    decimal = map(str.isdecimal, map(chr, range(_N_CODE_POINTS)))
    masks[np.fromiter(decimal, bool, _N_CODE_POINTS)] = _BIT["digit"]
    for name, characters in _CLASSES.items():
        masks[[ord(character) for character in characters]] |= _BIT[name]
    return masks
