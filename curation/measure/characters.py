"""What each character is: one table of bits for every code point, shared by all kernels.

A kernel looks a character up in two steps, `BITS[KINDS[code]]`: the kinds, a byte a code point, are
few and stay in the processor's cache. What is a letter, a digit or white space is Python's Unicode
table's to say; two Python versions can differ in code points that were added between them.
"""

from __future__ import annotations

import string
import sys
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from curation.measure.compiled import kernel

Codes = NDArray[np.uint32]

_FLAGS = tuple(1 << bit for bit in range(12))
SPACE, LETTER, DECIMAL, PLAIN, BLANK, BRACKET, IN_URL, MATH, UPPER, TERMINAL, WIDE, CLOSER = _FLAGS
"""White space of `str.split`; a letter of any script; a decimal digit of any script; ASCII letters,
digits and marks, white space, brackets, and characters of URLs, as `symbols` counts them;
mathematical symbols, as `formulas` does; an upper-case letter; a mark that ends a sentence; one
that does so without a space behind it; a quote or bracket that may stand between mark and space."""

CASED_BY_CONTEXT = "İΣ"
"""Letters whose lower-case form is not one character of their own: `i` with a dot, `σ` or `ς`."""

_IN_URL = string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,=%"
_PLAIN = string.ascii_letters + string.digits + "\n?!,."
_MATH_BLOCKS = (
    (0x2200, 0x2218), (0x221A, 0x22FF), (0x27C0, 0x27EF), (0x2980, 0x29BD), (0x29C0, 0x29FF),
    (0x2A00, 0x2AFF), (0x1D400, 0x1D7FF),
)  # fmt: skip
_TERMINAL = ".!?։؟۔܀।॥။၊።፧᙮។៕᠃᥄᥅᪨᪩᭚᭛‼‽⁇⁈⁉⸮꓿꘎꘏꛳꡶꣎꣏꧈꧉꩝꩞꩟꫰꫱꯫"
_WIDE = "。．！？｡"
_CLOSERS = "\"'”’»›)]}」』）"
_MATH_SIGNS = "±×÷¬ℂℍℕℙℚℝℤℵℏℜℑ℘"


def codes_of(text: str) -> Codes:
    """Code points of `text`, lone surrogates too, shape (len(text),). Not to be written to."""
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")


def _is_capital(character: str) -> bool:
    """Whether it is an upper-case letter: a Roman numeral, or a letter in a circle, is not."""
    return character.isupper() and character.isalpha()


def _bits() -> NDArray[np.uint16]:
    """Bits of every code point, shape (0x110000,)."""
    characters = [chr(code) for code in range(sys.maxunicode + 1)]
    bits = np.zeros(len(characters), np.uint16)
    for bit, method in ((SPACE, str.isspace), (LETTER, str.isalpha), (DECIMAL, str.isdecimal),
                        (UPPER, _is_capital)):  # fmt: skip
        bits |= np.fromiter(map(method, characters), bool, len(characters)) * np.uint16(bit)
    for bit, members in ((PLAIN, _PLAIN), (BLANK, "\t\n\r\b "), (BRACKET, "{}⟨⟩[]()"),
                         (IN_URL, _IN_URL), (MATH, _MATH_SIGNS), (TERMINAL, _TERMINAL + _WIDE),
                         (WIDE, _WIDE), (CLOSER, _CLOSERS)):  # fmt: skip
        bits[_codes(members)] |= bit
    for first, last in _MATH_BLOCKS:
        bits[first : last + 1] |= MATH
    return bits


def _lower() -> Codes:
    """Lower-case form of every code point, shape (0x110000,), but for `CASED_BY_CONTEXT`."""
    characters = "".join(map(chr, range(sys.maxunicode + 1)))
    for character in CASED_BY_CONTEXT:
        characters = characters.replace(character, "\0")
    return codes_of(characters.lower())


def _codes(characters: Iterable[str]) -> list[int]:
    return [ord(character) for character in characters]


BITS, _numbers = np.unique(_bits(), return_inverse=True)
"""Bits of each kind of character."""
KINDS = _numbers.astype(np.uint8)
"""Kind of every code point, shape (0x110000,), 1.1 MB."""
LOWER = _lower()
"""Lower-case form of every code point, shape (0x110000,), 4.5 MB; 0 for `CASED_BY_CONTEXT`."""


@kernel
def count_kinds(codes: Codes, kinds: NDArray[np.uint8], n_kinds: int) -> NDArray[np.int64]:
    """Characters of each kind, shape (n_kinds,). About 1 ns a character."""
    # Two counts in turn: neighbours are often of one kind, and would wait for each other's sum.
    even, odd = np.zeros(n_kinds, np.int64), np.zeros(n_kinds, np.int64)
    for i in range(0, codes.size - 1, 2):
        even[kinds[codes[i]]] += 1
        odd[kinds[codes[i + 1]]] += 1
    if codes.size % 2:
        even[kinds[codes[-1]]] += 1
    return even + odd
