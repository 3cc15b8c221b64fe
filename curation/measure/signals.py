"""Every signal of one text: what the heuristic rules and the analysts decide by.

Source: 2412.02595, section 3.3: the 28 heuristic filters of NeMo Curator's English pipeline, whose
values these are, apart from the deviations listed here and in `words`, `symbols` and
`repetition`; `math_frac` (`formulas`) is ours.

A text without a word, line or paragraph gets the value that fails its rule: 1.0 where much is bad,
0.0 where little is (`alpha_word_frac`, `mean_word_chars`, `n_common_words`, unique lines and
paragraphs). No rule limits `math_frac` (0.0), and `max_word_chars` is 0: too few words is reason
enough. The reference raises `ZeroDivisionError` for some of them.

- `boilerplate_frac` of a text without paragraphs is 1.0; the reference says 0 for an empty text.
- `boilerplate_frac`: instead of five whole cookie banners, a few words of each are looked for:
  `Necessary cookies are absolutely essential for you.` counts; the reference wants four sentences.
- `symbol_word_frac` counts characters: `###` is all `#`; the reference counts runs, one in three
  characters, and lets it pass.
- `n_common_words` counts all: `the the the` is 3; the reference stops at 2.
- `alpha_word_frac`: a letter is what Unicode calls one; the reference also takes letter-like
  numbers (`Ⅳ`) and vowel signs for letters.
- `max_word_chars` of a text without words is 0; the reference says 1,001.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import BITS, KINDS, MATH, SPACE, Codes, codes_of
from curation.measure.compiled import is_among, kernel
from curation.measure.formulas import math_frac
from curation.measure.phrases import PLACEHOLDER, POLICY_PHRASES
from curation.measure.prose import hashes_of, prose
from curation.measure.repetition import repetition
from curation.measure.symbols import character_shares
from curation.measure.words import Hashes, Ints, Spans, Words

COMMON_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
END_MARKS = (".", "?", "!", '"', "'")
BULLETS = ("•", "‣", "⁃", "⁌", "⁍", "∙", "○", "●", "◘", "◦", "⦾", "⦿")

_IS_MATH = (BITS & MATH != 0).astype(np.int64)
_MAX_COMMON_CHARS = max(map(len, COMMON_WORDS))
_COMMON_HASHES = hashes_of(COMMON_WORDS)
_ELLIPSIS_HASHES = hashes_of(frozenset(mark for mark in ELLIPSES if " " not in mark))
_ELLIPSIS_CODES = codes_of("".join(ELLIPSES))
_ELLIPSIS_ENDS = np.cumsum([len(mark) for mark in ELLIPSES])
_END_CODES, _BULLET_CODES = codes_of("".join(END_MARKS)), codes_of("".join(BULLETS))
_HASH_SIGN, _CAPITAL_A, _CAPITAL_Z = np.uint32(ord("#")), np.uint32(ord("A")), np.uint32(ord("Z"))


def signals(words: Words) -> dict[str, float]:
    """Every column of `schemas.SIGNALS` for one text, by name; counts are whole numbers."""
    return (
        character_shares(words)
        | word_signals(words)
        | line_shares(words)
        | repetition(words)
        | prose(words, common=_COMMON_HASHES)
        | {"boilerplate_frac": boilerplate_frac(words), "math_frac": _math_frac(words)}
    )


def _math_frac(words: Words) -> float:
    return math_frac(words.text, has_symbols=bool(words.kind_counts @ _IS_MATH))


def word_signals(words: Words) -> dict[str, float]:
    """Signals of the words alone."""
    n_words = words.n_words
    if not n_words:
        return {"symbol_word_frac": 1.0, "alpha_word_frac": 0.0, "n_common_words": 0,
                "mean_word_chars": 0.0, "max_word_chars": 0}  # fmt: skip
    n_symbols, n_lettered, n_common, n_chars, longest = _word_counts(
        words.codes, words.tokens.words, words.letters.n, "#" in words.text,
        _COMMON_HASHES, _ELLIPSIS_HASHES,
    )  # fmt: skip
    return {
        "symbol_word_frac": n_symbols / n_words,
        "alpha_word_frac": n_lettered / n_words,
        "n_common_words": n_common,
        "mean_word_chars": n_chars / n_words,
        "max_word_chars": longest,
    }


@kernel
def _word_counts(
    codes: Codes, words: Spans, n_letters: Ints, has_hash_signs: bool, common: Hashes,
    ellipses: Hashes,
) -> tuple[int, int, int, int, int]:  # fmt: skip
    """Symbol words, words with a letter, common words; characters of all and of the longest."""
    # Arrays are taken out of their tuples: numba counts references to each at every use.
    starts, ends, hashes = words.start, words.end, words.hash
    n_symbols, n_lettered, n_common, n_chars, longest = 0, 0, 0, 0, 0
    for i in range(starts.size):
        length, has_letter, n_hash_signs = ends[i] - starts[i], n_letters[i] > 0, 0
        if has_hash_signs:
            for k in range(starts[i], ends[i]):
                n_hash_signs += codes[k] == _HASH_SIGN
        is_ellipsis = not has_letter and is_among(hashes[i], ellipses)
        n_symbols += 2 * n_hash_signs > length or is_ellipsis
        n_lettered += has_letter
        n_common += length <= _MAX_COMMON_CHARS and is_among(hashes[i], common)
        n_chars, longest = n_chars + length, max(longest, length)
    return n_symbols, n_lettered, n_common, n_chars, longest


def line_shares(words: Words) -> dict[str, float]:
    """Shares of the non-blank lines, by how they begin and end."""
    n_lines = words.n_lines
    if not n_lines:
        return {"unpunctuated_line_frac": 1.0, "ellipsis_line_frac": 1.0, "bullet_line_frac": 1.0}
    n_open, n_ellipses, n_bullets = _line_counts(
        words.codes, words.tokens.lines, KINDS, BITS, _ELLIPSIS_CODES, _ELLIPSIS_ENDS,
        _END_CODES, _BULLET_CODES,
    )  # fmt: skip
    return {
        "unpunctuated_line_frac": n_open / n_lines,
        "ellipsis_line_frac": n_ellipses / n_lines,
        "bullet_line_frac": n_bullets / n_lines,
    }


@kernel
def _line_counts(
    codes: Codes,
    lines: Spans,
    kinds: NDArray[np.uint8],
    bits: NDArray[np.uint16],
    ellipses: Codes,
    ellipsis_ends: Ints,
    end_marks: Codes,
    bullets: Codes,
) -> tuple[int, int, int]:
    """Lines without a mark at the end, with an ellipsis there, with a bullet at the start."""
    starts, ends = lines.start, lines.end
    n_open, n_ellipses, n_bullets = 0, 0, 0
    for i in range(starts.size):
        start, end = starts[i], ends[i]
        while bits[kinds[codes[start]]] & SPACE:
            start += 1
        while bits[kinds[codes[end - 1]]] & SPACE:
            end -= 1
        line = codes[start:end]
        n_open += not is_among(line[-1], end_marks)
        n_bullets += is_among(line[0], bullets)
        begin = 0
        for behind in ellipsis_ends:
            if _ends_with(line, ellipses[begin:behind]):
                n_ellipses += 1
                break
            begin = behind
    return n_open, n_ellipses, n_bullets


@kernel
def _ends_with(line: Codes, mark: Codes) -> bool:
    """Whether `line` ends with `mark`, which is lower-case; its own case does not matter."""
    if line.size < mark.size:
        return False
    for i in range(1, mark.size + 1):
        code = line[-i]
        if _CAPITAL_A <= code <= _CAPITAL_Z:
            code += np.uint32(32)
        if code != mark[-i]:
            return False
    return True


def boilerplate_frac(words: Words) -> float:
    """Share of paragraphs with a policy or cookie phrase; 1.0 for placeholder text or none."""
    paragraphs = words.tokens.paragraphs
    if not paragraphs.start.size:
        return 1.0
    found = words.phrases.among((PLACEHOLDER, *POLICY_PHRASES))
    if found[:1] == [PLACEHOLDER]:
        return 1.0
    if not found:
        return 0.0
    lowered = (paragraph.lower() for paragraph in words.of(paragraphs))
    n_found = sum(any(phrase in paragraph for phrase in found) for paragraph in lowered)
    return n_found / paragraphs.start.size
