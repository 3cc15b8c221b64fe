"""Shares of the characters of a text: alphanumeric, digits, URLs, white space, brackets.

Source: 2412.02595, section 3.3, filters 1 and 3 to 6 of NeMo Curator's English pipeline. All five
are 1.0 for an empty text, as in the reference. Deviations: none known. Kept as they are there: a
space is not alphanumeric, a letter with an accent is not either, and a URL includes a full stop
or a bracket that follows it; it ends before `;`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import (
    BITS,
    BLANK,
    BRACKET,
    DECIMAL,
    IN_URL,
    KINDS,
    PLAIN,
    Codes,
    codes_of,
)
from curation.measure.compiled import kernel
from curation.measure.words import Words

_SHARES = ("non_alnum_frac", "digit_frac", "url_frac", "whitespace_frac", "parenthesis_frac")
_COUNTED = np.array([BITS & bit != 0 for bit in (PLAIN, DECIMAL, BLANK, BRACKET)], np.int64)
"""Which kinds of characters each count is of."""
_HTTP, _S = codes_of("http"), np.uint32(ord("s"))
_COLON, _SLASH = np.uint32(ord(":")), np.uint32(ord("/"))


def character_shares(words: Words) -> dict[str, float]:
    """The shares of `words.text`, by signal name."""
    n_chars = len(words.text)
    if not n_chars:
        return dict.fromkeys(_SHARES, 1.0)
    counts = _COUNTED @ words.kind_counts
    n_plain, n_digits, n_blank, n_brackets = counts.tolist()
    n = (n_chars - n_plain, n_digits, n_url_chars(words.text), n_blank, n_brackets)
    return {name: count / n_chars for name, count in zip(_SHARES, n, strict=True)}


def n_url_chars(text: str) -> int:
    """Characters inside http and https URLs."""
    return int(_n_url_chars(codes_of(text), KINDS, BITS, _HTTP)) if "://" in text else 0


@kernel
def _n_url_chars(
    codes: Codes, kinds: NDArray[np.uint8], bits: NDArray[np.uint16], http: Codes
) -> int:
    n, i = 0, 0
    while i < codes.size:
        begin = _behind_scheme(codes, i, http)
        end = begin
        while begin and end < codes.size and bits[kinds[codes[end]]] & IN_URL:
            end += 1
        if end > begin:
            n, i = n + end - i, end
        else:
            i += 1
    return n


@kernel
def _behind_scheme(codes: Codes, start: int, http: Codes) -> int:
    """Place behind `http://` or `https://` at `start`; 0 where neither stands there."""
    if codes[start] != http[0] or start + http.size + 3 > codes.size:
        return 0
    for i in range(1, http.size):
        if codes[start + i] != http[i]:
            return 0
    at = start + http.size
    at += codes[at] == _S
    if at + 3 > codes.size or codes[at] != _COLON:
        return 0
    return at + 3 if codes[at + 1] == _SLASH and codes[at + 2] == _SLASH else 0
