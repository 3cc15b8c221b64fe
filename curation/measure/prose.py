"""What Gopher, C4, FineWeb and RedPajama v2 decide on, beside the statistics of `signals`.

Sources, by column:

- Gopher (Rae et al. 2021, A.1.1): `hash_word_ratio`, `ellipsis_word_ratio`, `dash_line_frac`,
  `n_distinct_common_words`;
- C4 (Raffel et al. 2020, section 2.2): `n_c4_sentences`, `n_curly_brackets`, `has_lorem_ipsum`;
- FineWeb (2406.17557, section 3.4): `terminal_line_frac`, `short_line_frac`, `newline_word_ratio`;
- RedPajama v2 (2411.12372, appendix): `unique_word_frac`, `word_entropy`, `caps_word_frac`,
  `upper_letter_frac`, `n_sentences`.

Words are those of `words`, split by white space, in any language; datatrove's filters split English
by spaCy, so that marks are words of their own there. A sentence ends at a terminal mark with white
space, the end, or closing quotes and brackets before either behind it; at a full-width mark in any
case. C4 asks NLTK, datatrove spaCy; both know abbreviations (`Dr. No` is two here), RedPajama a
regular expression for which every mark ends one.

RedPajama's own code takes words in small letters and without punctuation for its shares of words:
in `The cat saw the cat. The CAT saw, the cat!` 0.3 of them are distinct there, 0.8 here, where
`cat.` and `CAT` are words. Its upper-case letters are counted line by line over all characters;
here in the whole text over its letters. Its symbols are `#`, `...` and `…` together, two columns
here; its bullets are `•`, `▶`, `■` and others, without the hyphen; its letters are English ones.

A text without words or lines has the value that fails its rule, as in `signals`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import (
    BITS,
    CLOSER,
    KINDS,
    LETTER,
    SPACE,
    TERMINAL,
    UPPER,
    WIDE,
    Codes,
    codes_of,
)
from curation.measure.compiled import is_among, kernel
from curation.measure.phrases import C4_SIGNS, PLACEHOLDER
from curation.measure.words import Hashes, Ints, Letters, Spans, Words, hash_of

SHORT_LINE_CHARS = 30
"""FineWeb: a line of so many characters is short."""
C4_MIN_WORDS, C4_MAX_WORD_CHARS = 3, 1000
"""C4 keeps lines with so many words, none of them longer, that end in one of `C4_ENDS`."""
C4_ENDS = (".", "!", "?", '"')
Kinds = NDArray[np.uint8]
Bits = NDArray[np.uint16]

_IS_LETTER, _IS_UPPER = ((BITS & bit != 0).astype(np.int64) for bit in (LETTER, UPPER))
_C4_CODES, _DASHES = codes_of("".join(C4_ENDS)), codes_of("•-")
_HASH, _DOT, _DOTS, _FEED, _OPEN, _CLOSE = (np.uint32(ord(sign)) for sign in "#.…\n{}")


def prose(words: Words, *, common: Hashes) -> dict[str, float]:
    """The columns of this module, by name. `common` are the hashes of common words."""
    n_feeds, n_hashes, n_ellipses, n_curly = _text_counts(words.codes)
    ends = sentence_ends(words)
    n_letters, n_upper = words.kind_counts @ _IS_LETTER, words.kind_counts @ _IS_UPPER
    counts = {
        "n_sentences": ends.size,
        "n_curly_brackets": n_curly,
        "has_lorem_ipsum": int(bool(words.phrases.among([PLACEHOLDER]))),
        "upper_letter_frac": min(int(n_upper) / max(int(n_letters), 1), 1.0),
    }
    ratios = {"newline_word_ratio": n_feeds, "hash_word_ratio": n_hashes,
              "ellipsis_word_ratio": n_ellipses}  # fmt: skip
    n_words = words.n_words
    per_word = {name: n / n_words if n_words else 1.0 for name, n in ratios.items()}
    return counts | per_word | word_variety(words, common) | line_kinds(words, ends)


def word_variety(words: Words, common: Hashes) -> dict[str, float]:
    """How much the words differ, and how many of them are written in capitals."""
    n_words = words.n_words
    hashes, n_each = words.tokens.words.hash, words.distinct.n_each
    n_distinct, entropy, n_caps, n_common = _variety(hashes, n_each, words.letters, common)
    return {
        "unique_word_frac": n_distinct / n_words if n_words else 0.0,
        "word_entropy": entropy,
        "caps_word_frac": n_caps / n_words if n_words else 1.0,
        "n_distinct_common_words": n_common,
    }


def sentence_ends(words: Words) -> Ints:
    """Places of the marks that end a sentence, ascending, shape (n_sentences,)."""
    return _sentence_ends(words.codes, KINDS, BITS)


def line_kinds(words: Words, ends: Ints) -> dict[str, float]:
    """Shares of lines by end, length and beginning; sentences in the lines that C4 keeps.

    `ends` are the text's `sentence_ends`.
    """
    n_lines = words.n_lines
    n_terminal, n_short, n_dashes, n_sentences = _line_kinds(
        words.codes, words.tokens.lines, words.tokens.words, ends, KINDS, BITS, _C4_CODES,
        _DASHES, _no_prose(words),
    )  # fmt: skip
    return {
        "terminal_line_frac": n_terminal / n_lines if n_lines else 0.0,
        "short_line_frac": n_short / n_lines if n_lines else 1.0,
        "dash_line_frac": n_dashes / n_lines if n_lines else 1.0,
        "n_c4_sentences": n_sentences,
    }


def _no_prose(words: Words) -> NDArray[np.bool_]:
    """Which lines have one of `phrases.C4_SIGNS`, shape (n_lines,)."""
    found = words.phrases.among(C4_SIGNS)
    if not found:
        return np.zeros(words.n_lines, np.bool_)
    lowered = (line.lower() for line in words.of(words.tokens.lines))
    return np.array([any(sign in line for sign in found) for line in lowered], np.bool_)


@kernel
def _text_counts(codes: Codes) -> tuple[int, int, int, int]:
    """Line feeds, `#`, ellipses (`...` or one character), curly brackets."""
    n_feeds, n_hashes, n_ellipses, n_curly, n_dots = 0, 0, 0, 0, 0
    for code in codes:
        n_feeds += code == _FEED
        n_hashes += code == _HASH
        n_curly += code in (_OPEN, _CLOSE)
        n_dots = n_dots + 1 if code == _DOT else 0
        n_ellipses += code == _DOTS or (n_dots > 0 and n_dots % 3 == 0)
    return n_feeds, n_hashes, n_ellipses, n_curly


@kernel
def _sentence_ends(codes: Codes, kinds: Kinds, bits: Bits) -> Ints:
    """Places of the marks that end a sentence. What ends one in a line ends one in the text."""
    is_terminal = bits & TERMINAL != 0
    places, n = np.empty(codes.size, np.int64), 0
    for i in range(codes.size):
        if not is_terminal[kinds[codes[i]]]:
            continue
        behind = i + 1
        while behind < codes.size and bits[kinds[codes[behind]]] & CLOSER:
            behind += 1
        is_wide = bits[kinds[codes[i]]] & WIDE != 0
        if is_wide or behind == codes.size or bits[kinds[codes[behind]]] & SPACE != 0:
            places[n] = i
            n += 1
    return places[:n]


@kernel
def _variety(
    hashes: Hashes, n_each: Ints, letters: Letters, common: Hashes
) -> tuple[int, float, int, int]:
    """Distinct words, entropy of their shares in nats, words in capitals, distinct common words."""
    n_letters, n_upper = letters.n, letters.n_upper
    logs, n_caps, n_common = 0.0, 0, 0
    for n in n_each:
        if n > 1:  # most occur once, and the logarithm of one is nothing
            logs += n * np.log(n)
    entropy = np.log(hashes.size) - logs / hashes.size if hashes.size else 0.0
    for i in range(hashes.size):
        n_caps += n_upper[i] > 0 and n_upper[i] == n_letters[i]
    for one in common:
        n_common += is_among(one, hashes)
    return n_each.size, max(entropy, 0.0), n_caps, n_common


@kernel
def _line_kinds(
    codes: Codes,
    lines: Spans,
    words: Spans,
    sentence_ends: Ints,
    kinds: Kinds,
    bits: Bits,
    c4_ends: Codes,
    dashes: Codes,
    no_prose: NDArray[np.bool_],
) -> tuple[int, int, int, int]:
    """Lines with a terminal mark at the end, short ones, ones with a dash; C4's sentences."""
    # Arrays are taken out of their tuples: numba counts references to each at every use.
    begins, stops, starts, ends = lines.start, lines.end, words.start, words.end
    n_terminal, n_short, n_dashes, n_sentences, word, mark = 0, 0, 0, 0, 0, 0
    for i in range(begins.size):
        first, longest = word, 0
        while word < starts.size and starts[word] < stops[i]:
            longest = max(longest, ends[word] - starts[word])
            word += 1
        start, end, first_mark = starts[first], ends[word - 1], mark
        while mark < sentence_ends.size and sentence_ends[mark] < end:
            mark += 1
        n_terminal += bits[kinds[codes[stops[i] - 1]]] & TERMINAL != 0
        n_short += stops[i] - begins[i] <= SHORT_LINE_CHARS
        n_dashes += is_among(codes[start], dashes)
        is_long = word - first >= C4_MIN_WORDS and longest <= C4_MAX_WORD_CHARS
        is_ended = is_among(codes[end - 1], c4_ends) and not _is_ellipsis(codes, end)
        if is_long and is_ended and not no_prose[i]:
            n_sentences += max(mark - first_mark, 1)
    return n_terminal, n_short, n_dashes, n_sentences


@kernel
def _is_ellipsis(codes: Codes, end: int) -> bool:
    return end >= 3 and codes[end - 1] == _DOT and codes[end - 2] == _DOT and codes[end - 3] == _DOT


def hashes_of(words: frozenset[str]) -> Hashes:
    """Hashes of `words`, in alphabetical order."""
    return np.array([hash_of(word) for word in sorted(words)], np.uint64)
