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

from curation.measure.formulas import math_frac
from curation.measure.repetition import repetition
from curation.measure.symbols import character_shares
from curation.measure.words import Words

COMMON_WORDS = frozenset({"the", "be", "to", "of", "and", "that", "have", "with"})
ELLIPSES = ("...", "[...]", "…", "(...)", "[…]", "-»", "read more..", "read more")
END_MARKS = (".", "?", "!", '"', "'")
BULLETS = ("•", "‣", "⁃", "⁌", "⁍", "∙", "○", "●", "◘", "◦", "⦾", "⦿")
POLICY_PHRASES = (
    "terms of use", "privacy policy", "cookie policy", "uses cookies", "privacy overview",
    "use of cookies", "use cookies", "privacy & cookies policy", "privacy and cookies policy",
    "necessary cookies are absolutely essential", "without changing your cookie settings",
    "cookies that may not be particularly necessary",
)  # fmt: skip
PLACEHOLDER = "lorem ipsum"

_ELLIPSIS_WORDS = frozenset(ELLIPSES)


def signals(words: Words) -> dict[str, float]:
    """Every column of `schemas.SIGNALS` for one text, by name; counts are whole numbers."""
    return (
        character_shares(words)
        | word_signals(words)
        | line_shares(words)
        | repetition(words)
        | {"boilerplate_frac": boilerplate_frac(words), "math_frac": math_frac(words.text)}
    )


def word_signals(words: Words) -> dict[str, float]:
    """Signals of the words alone."""
    n_words = len(words.words)
    if not n_words:
        return {"symbol_word_frac": 1.0, "alpha_word_frac": 0.0, "n_common_words": 0,
                "mean_word_chars": 0.0, "max_word_chars": 0}  # fmt: skip
    return {
        "symbol_word_frac": _n_symbol_words(words) / n_words,
        "alpha_word_frac": (n_words - _n_letterless_words(words)) / n_words,
        "n_common_words": words.count_words(COMMON_WORDS),
        "mean_word_chars": int(words.word_chars.sum()) / n_words,
        "max_word_chars": int(words.word_chars.max()),
    }


def _n_symbol_words(words: Words) -> int:
    """Words that are an ellipsis, or more than half of whose characters are `#`."""
    n_ellipses = words.count_words(_ELLIPSIS_WORDS)
    if "#" not in words.text:
        return n_ellipses
    mostly_hash = (word for word in words.vocabulary if 2 * word.count("#") > len(word))
    return n_ellipses + words.count_words(frozenset(mostly_hash))


def _n_letterless_words(words: Words) -> int:
    # Most words are letters only, which one call per word finds out.
    suspects = [word for word in words.vocabulary if not word.isalpha()]
    return words.count_words(frozenset(w for w in suspects if not any(map(str.isalpha, w))))


def line_shares(words: Words) -> dict[str, float]:
    """Shares of the non-blank lines, by how they begin and end."""
    lines = words.stripped_lines
    if not lines:
        return {"unpunctuated_line_frac": 1.0, "ellipsis_line_frac": 1.0, "bullet_line_frac": 1.0}
    n_punctuated = sum(line.endswith(END_MARKS) for line in lines)
    n_ellipses = sum(line.lower().endswith(ELLIPSES) for line in lines)
    n_bullets = sum(line.startswith(BULLETS) for line in lines)
    return {
        "unpunctuated_line_frac": (len(lines) - n_punctuated) / len(lines),
        "ellipsis_line_frac": n_ellipses / len(lines),
        "bullet_line_frac": n_bullets / len(lines),
    }


def boilerplate_frac(words: Words) -> float:
    """Share of paragraphs with a policy or cookie phrase; 1.0 for placeholder text or none."""
    if not words.paragraphs or PLACEHOLDER in words.lower:
        return 1.0
    phrases = [phrase for phrase in POLICY_PHRASES if phrase in words.lower]
    if not phrases:
        return 0.0
    lowered = (paragraph.lower() for paragraph in words.paragraphs)
    n_found = sum(any(phrase in paragraph for phrase in phrases) for paragraph in lowered)
    return n_found / len(words.paragraphs)
