"""Where personal data could stand in a text: one compiled pass that leaves little to look at.

A candidate is a place with the beginnings of a kind (an `@` between two words, a block of digits, a
word that begins as an access key does); the finders of `pii_email`, `pii_secrets`, `pii_numbers`
and `pii_ids` then decide. Most texts have few or none.
"""

from __future__ import annotations

import string
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import Codes
from curation.measure.compiled import is_among, kernel

Classes = NDArray[np.uint8]
Pairs = NDArray[np.uint8]
Candidates = NDArray[np.int64]

EMAIL, FEW_DIGITS, MANY_DIGITS, DOTTED, CODE, TOKEN, NAMED_VALUE, KEY_BLOCK, IPV6 = range(9)
"""Sorts of candidates: a local part and its `@`; 7 or 8 digits, 9 and more, four to six with three
dots; a word that begins as an IBAN, NINO or codice fiscale does; one that begins as a secret does;
`:` or `=` behind what may be the name of a secret; `-----BEGIN`; a first group of IPv6."""

MIN_TOKEN_CHARS = 16
MAX_LOCAL_CHARS = 64
"""RFC 5321, 4.5.3.1.1: characters of the part of an address before its `@`."""

_N_KINDS = 8
_OTHER, _LETTER, _DIGIT, _GAP, _DASH, _AT, _GIVES, _LOCAL = range(_N_KINDS)
_MAX_GAP = 2
_N_CLASSES, _N_ASCII = 0x250, 128
_LAST_CLASS, _LAST_ASCII = np.uint32(_N_CLASSES - 1), np.uint32(_N_ASCII - 1)
_SPACE, _DOT, _DASH_SIGN, _UNDERSCORE = (np.uint32(ord(sign)) for sign in " .-_")
_QUOTE, _APOSTROPHE, _COLON = (np.uint32(ord(sign)) for sign in "\"':")
_A, _B, _ZERO, _TWO, _THREE, _NINE = (np.uint32(ord(sign)) for sign in "AB0239")
_SMALL_A, _SMALL_F = np.uint32(ord("a")), np.uint32(ord("f"))
_SMALL = np.uint32(32)
_IN_CODE, _IN_TOKEN, _NAME_END, _ALWAYS = np.uint8(1), np.uint8(2), np.uint8(4), np.uint8(8)
_IN_WORD = np.array([_DOT, _DASH_SIGN, _UNDERSCORE], np.uint32)
_WIDE_GAPS = np.array([0x2009, 0x2010, 0x2011, 0x2012, 0x2013, 0x202F], np.uint32)


class Found(NamedTuple):
    """One piece of personal data: `text[start:end]` is of that kind."""

    kind: str
    start: int
    end: int


def _classes() -> Classes:
    """Class of every code point below U+0250, shape (592,); others have that of the last."""
    classes = np.full(_N_CLASSES, _OTHER, np.uint8)
    classes[0xC0:] = _LETTER
    classes[-1] = _OTHER
    for kind, members in ((_LETTER, string.ascii_letters), (_DIGIT, string.digits),
                          (_GAP, " ./()\xa0"), (_DASH, "-"), (_AT, "@"), (_GIVES, ":="),
                          (_LOCAL, "_%+")):  # fmt: skip
        classes[[ord(member) for member in members]] = kind
    return classes


def _steps() -> Pairs:
    """Where to look, by the class of the character before and its own, shape (64,).

    Bits of a pair: a letter behind neither letter nor digit, where the two that begin there have
    one of them; `_ALWAYS`: a mark, a digit behind none.
    """
    steps = np.zeros((_N_KINDS, _N_KINDS), np.uint8)
    steps[:, [_DIGIT, _DASH, _AT, _GIVES]] = _ALWAYS
    steps[:, _LETTER] = _IN_CODE | _IN_TOKEN
    steps[[_LETTER, _DIGIT], _LETTER] = 0
    steps[_DIGIT, _DIGIT] = steps[_DASH, _DASH] = 0
    return steps.ravel()


CLASSES, STEPS = _classes(), _steps()


def pair_table(
    codes: Iterable[str], tokens: Iterable[str], name_ends: Iterable[str]
) -> NDArray[np.uint8]:
    """Which two ASCII characters begin a code or a token, or end a name; shape (16384,)."""
    pairs = np.zeros((_N_ASCII, _N_ASCII), np.uint8)
    for bit, members in ((_IN_CODE, codes), (_IN_TOKEN, tokens), (_NAME_END, name_ends)):
        for pair in members:
            pairs[ord(pair[0]), ord(pair[1])] |= bit
    return pairs.ravel()


@kernel
def candidates(codes: Codes, classes: Classes, pairs: Pairs, steps: Pairs) -> Candidates:
    """Start, end and sort of every candidate, in order, shape (n, 3). About 2 ns a character."""
    places = _places(codes, classes, pairs, steps)
    found = np.empty((2 * places.size, 3), np.int64)
    n, last = 0, -1
    for i in places:
        if i > last:
            n, last = _step(codes, i, classes, pairs, found, n)
    return found[:n]


@kernel
def _places(codes: Codes, classes: Classes, pairs: Pairs, steps: Pairs) -> NDArray[np.int64]:
    """Where a candidate may begin or have its mark. By tables, without a branch: half of the words
    begin where the processor does not expect it.
    """
    places = np.empty(codes.size, np.int64)
    n, before = 0, np.uint32(0)
    for i in range(codes.size - 1):
        code, behind = codes[i], codes[i + 1]
        kind = np.uint32(classes[min(code, _LAST_CLASS)])
        pair = pairs[min(code, _LAST_ASCII) * np.uint32(_N_ASCII) + min(behind, _LAST_ASCII)]
        places[n] = i
        n += steps[before * np.uint32(_N_KINDS) + kind] & (pair | _ALWAYS) != 0
        before = kind
    return places[:n]


@kernel
def _step(
    codes: Codes, i: int, classes: Classes, pairs: Pairs, found: Candidates, n: int
) -> tuple[int, int]:
    """Adds the candidates at `i` to `found`; their number, and the last character looked at."""
    kind = _class(codes[i], classes)
    start, last = i, i
    if kind == _DIGIT:
        if _is_fiscal(codes, i, classes):
            found[n, 0], found[n, 1], found[n, 2] = i - 6, i + 10, CODE
            n += 1
        end, sort = _digits(codes, i, classes)
        last = end - 1
    elif kind == _LETTER:
        sort = _word(codes, i, classes, pairs)
    else:
        start, sort = _mark(codes, i, kind, classes, pairs)
    if sort >= 0:
        found[n, 0], found[n, 1], found[n, 2] = start, last + 1, sort
        n += 1
    return n, last


@kernel
def _class(code: np.uint32, classes: Classes) -> int:
    return int(classes[min(code, _LAST_CLASS)])


@kernel
def _mark(codes: Codes, i: int, kind: int, classes: Classes, pairs: Pairs) -> tuple[int, int]:
    """Start and sort of the candidate at a dash, an `@`, or a colon or equals sign; sort -1: none.

    A colon that ends the first group of an IPv6 address has a digit or a letter before it, as one
    behind a name can have: what is hexadecimal is no name.
    """
    if kind == _DASH:
        return i, KEY_BLOCK if _is_key_block(codes, i) else -1
    if kind == _AT:
        start = _local_start(codes, i, classes)
        return start, EMAIL if start < i and _is_domain(codes, i + 1, classes) else -1
    if kind == _GIVES and codes[i] == _COLON and _is_ipv6(codes, i, classes):
        return i - 4, IPV6
    return i, NAMED_VALUE if kind == _GIVES and _is_named(codes, i, pairs) else -1


@kernel
def _digits(codes: Codes, start: int, classes: Classes) -> tuple[int, int]:
    """End and sort of the block of digits at `start`: up to two separators between two of them.

    `2A` and `2B`, Corsica in a French INSEE number, may be its sixth digit and a letter.
    """
    i, end, n_digits, n_dots, n_gap = start, start, 0, 0, 0
    while i < codes.size and n_gap <= _MAX_GAP:
        code = codes[i]
        kind = _class(code, classes)
        if kind == _DIGIT:
            n_digits, n_dots = n_digits + 1, n_dots + (n_gap == 1 and codes[i - 1] == _DOT)
            n_gap, end = 0, i + 1
        elif kind in (_GAP, _DASH) or (kind == _OTHER and is_among(code, _WIDE_GAPS)):
            n_gap += 1
        elif n_digits != 6 or codes[i - 1] != _TWO or (code != _A and code != _B):
            break
        i += 1
    if n_digits >= 9:
        return end, MANY_DIGITS
    if n_dots >= 3:
        return end, DOTTED
    return end, FEW_DIGITS if n_digits >= 7 else -1


@kernel
def _word(codes: Codes, i: int, classes: Classes, pairs: Pairs) -> int:
    """Sort of the word that begins at `i`: CODE, TOKEN, or -1."""
    if i + 4 >= codes.size or codes[i] >= _N_ASCII or codes[i + 1] >= _N_ASCII:
        return -1
    bits = pairs[codes[i] * np.uint32(_N_ASCII) + codes[i + 1]]
    if bits & _IN_CODE:
        at = i + 2 + (codes[i + 2] == _SPACE)
        if _class(codes[at], classes) == _DIGIT and _class(codes[at + 1], classes) == _DIGIT:
            return CODE
    if not bits & _IN_TOKEN or (i and is_among(codes[i - 1], _IN_WORD)):
        return -1
    return TOKEN if _is_long(codes, i, classes) else -1


@kernel
def _is_long(codes: Codes, start: int, classes: Classes) -> bool:
    """Whether so many characters of a token stand at `start`: letters, digits, `_`, `-`, `.`."""
    if start + MIN_TOKEN_CHARS > codes.size:
        return False
    for code in codes[start : start + MIN_TOKEN_CHARS]:
        kind = _class(code, classes)
        if kind not in (_LETTER, _DIGIT) and not is_among(code, _IN_WORD):
            return False
    return True


@kernel
def _is_fiscal(codes: Codes, i: int, classes: Classes) -> bool:
    """Whether the digit at `i` is the seventh character of a word formed as a codice fiscale."""
    if i < 6 or i + 9 >= codes.size or (i > 6 and _class(codes[i - 7], classes) == _LETTER):
        return False
    for at in range(i - 6, i):
        if _class(codes[at], classes) != _LETTER:
            return False
    is_shape = _class(codes[i + 1], classes) == _DIGIT and _class(codes[i + 2], classes) == _LETTER
    return is_shape and _class(codes[i + 3], classes) == _DIGIT


@kernel
def _local_start(codes: Codes, at: int, classes: Classes) -> int:
    """Where the local part before the `@` at `at` begins; `at`: none, or too long."""
    start = at
    while start > 0 and at - start <= MAX_LOCAL_CHARS:
        code = codes[start - 1]
        kind = _class(code, classes)
        is_mark = code in (_DOT, _DASH_SIGN, _APOSTROPHE)
        if kind not in (_LETTER, _DIGIT, _LOCAL) and not is_mark:
            break
        start -= 1
    return start if at - start <= MAX_LOCAL_CHARS else at


@kernel
def _is_domain(codes: Codes, start: int, classes: Classes) -> bool:
    """Whether a label, a dot and a letter stand at `start`. A label has at most 63 characters."""
    for i in range(start, min(start + 64, codes.size - 1)):
        kind = _class(codes[i], classes)
        if codes[i] == _DOT:
            return i > start and _class(codes[i + 1], classes) in (_LETTER, _DIGIT)
        if kind not in (_LETTER, _DIGIT, _DASH):
            return False
    return False


@kernel
def _is_key_block(codes: Codes, start: int) -> bool:
    """Whether five dashes and a `B` stand at `start`."""
    if start + 5 >= codes.size or codes[start + 5] != _B:
        return False
    for i in range(start + 1, start + 5):  # noqa: SIM110 - numba compiles no generator
        if codes[i] != _DASH_SIGN:
            return False
    return True


@kernel
def _is_ipv6(codes: Codes, colon: int, classes: Classes) -> bool:
    """Whether four hexadecimal digits, the first of them 2 or 3, are the word before `colon`."""
    if colon < 4 or (codes[colon - 4] != _TWO and codes[colon - 4] != _THREE):
        return False
    for i in range(colon - 3, colon):
        letter = codes[i] | _SMALL
        is_digit = _ZERO <= codes[i] <= _NINE
        if not is_digit and not _SMALL_A <= letter <= _SMALL_F:
            return False
    if colon == 4:
        return True
    kind = _class(codes[colon - 5], classes)
    return kind not in (_LETTER, _DIGIT, _DASH) and codes[colon - 5] != _COLON


@kernel
def _is_named(codes: Codes, at: int, pairs: Pairs) -> bool:
    """Whether the two letters before `at`, quotes and blanks skipped, end the name of a secret."""
    i = at - 1
    while i > 1 and i > at - 4 and codes[i] in (_SPACE, _QUOTE, _APOSTROPHE):
        i -= 1
    if i < 1:
        return False
    first, second = codes[i - 1] | _SMALL, codes[i] | _SMALL
    pair = first * np.uint32(_N_ASCII) + second
    return bool(first < _N_ASCII and second < _N_ASCII and pairs[pair] & _NAME_END)
