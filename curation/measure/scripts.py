"""Which writing systems a text is in: the share of its letters by script.

A letter is what `characters.LETTER` says. Its script is the first word of its name in Python's
`unicodedata` (Unicode 14.0 in Python 3.11, 15.0 in 3.12), which has no script property, after
a word for its form (`FULLWIDTH LATIN SMALL LETTER A`). Against the
property of Unicode's Scripts.txt:

- letters of no one script count as other: `MICRO SIGN`, `MODIFIER LETTER APOSTROPHE`, and letters
  of mathematics (`MATHEMATICAL BOLD CAPITAL A`), for which there are measures of their own;
- marks over and under letters are no letters: a syllable of Thai or Devanagari counts its
  consonants.

For rules such as: an English page with less than 0.9 of Latin letters is mislabelled or mixed; a
Japanese page without kana is Chinese.
"""

from __future__ import annotations

import re
import unicodedata

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import BITS, KINDS, LETTER, Codes
from curation.measure.compiled import kernel
from curation.measure.words import Words

Shares = NDArray[np.float64]

SCRIPTS = (
    "latin", "cyrillic", "greek", "arabic", "hebrew", "devanagari", "han", "kana", "hangul", "thai",
    "other_script",
)  # fmt: skip
"""Names of the scripts told apart; `other_script` is every other letter."""

_FORM = re.compile(r"^(?:FULLWIDTH|HALFWIDTH|SUPERSCRIPT) ")
_BY_NAME = {
    "LATIN": "latin", "CYRILLIC": "cyrillic", "GREEK": "greek", "COPTIC": "other_script",
    "ARABIC": "arabic", "HEBREW": "hebrew", "DEVANAGARI": "devanagari", "CJK": "han",
    "IDEOGRAPHIC": "han", "HIRAGANA": "kana", "KATAKANA": "kana", "KATAKANA-HIRAGANA": "kana",
    "HENTAIGANA": "kana", "HANGUL": "hangul", "THAI": "thai",
    # Letter-like ordinals, and the signs for kelvin and ångström.
    "FEMININE": "latin", "MASCULINE": "latin", "KELVIN": "latin", "ANGSTROM": "latin",
    "OHM": "greek",
}  # fmt: skip
_ASCII = np.uint32(128)
_CASE, _A, _N_CASED = np.uint32(32), np.uint32(ord("a")), np.uint32(26)


def script_shares(words: Words) -> dict[str, float]:
    """`latin_frac` and so on, of each of `SCRIPTS`: its letters / letters; all 0.0 without letters.

    About 7 us for 5,000 characters.
    """
    shares = shares_of_scripts(words.codes, SCRIPT_OF)
    return dict(zip(_COLUMNS, shares.tolist(), strict=True))


def script_of(letter: str) -> int:
    """Place in `SCRIPTS` of the script that `letter` belongs to."""
    name = _FORM.sub("", unicodedata.name(letter, ""))
    return SCRIPTS.index(_BY_NAME.get(name.split(" ")[0], "other_script"))


def _script_of_codes() -> NDArray[np.uint8]:
    scripts = np.full(KINDS.size, len(SCRIPTS), np.uint8)
    letters = np.flatnonzero(BITS[KINDS] & LETTER)
    scripts[letters] = [script_of(chr(code)) for code in letters.tolist()]
    return scripts


@kernel
def shares_of_scripts(codes: Codes, script_of: NDArray[np.uint8]) -> Shares:
    """Share of each script, shape (len(SCRIPTS),). Letters of ASCII are not looked up."""
    counts = np.zeros(len(SCRIPTS) + 1, np.int64)
    for code in codes:
        if code >= _ASCII:
            counts[script_of[code]] += 1
    counts[0] += _n_ascii_letters(codes)
    shares: Shares = counts[:-1] / max(counts[:-1].sum(), 1)
    return shares


@kernel
def _n_ascii_letters(codes: Codes) -> np.uint32:
    n_letters = np.uint32(0)  # 32 bits, so that the processor compares many characters at a time
    for code in codes:
        # Of anything below `a` the difference wraps around to a large number.
        n_letters += np.uint32(np.uint32((code | _CASE) - _A) < _N_CASED)
    return n_letters


_COLUMNS = tuple(f"{name}_frac" for name in SCRIPTS)
SCRIPT_OF = _script_of_codes()
"""Place in `SCRIPTS` of every code point, one behind the last for what is no letter; 1.1 MB."""
