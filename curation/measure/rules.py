"""Presets of heuristic rules, and the drop reason that they give. Spark SQL only, no text.

A rule bounds one column of `measures`. Thresholds can change without touching text again: the
signals stay, and only this expression is computed anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column
from pyspark.sql import functions as F

from curation.errors import ConfigError


@dataclass(frozen=True)
class Rule:
    """Keep a page while `low <= signal <= high`; otherwise drop it for `reason`."""

    reason: str
    signal: str
    low: float = -math.inf
    high: float = math.inf


NEMOTRON: tuple[Rule, ...] = (
    Rule("too_many_non_alnum_chars", "non_alnum_frac", high=0.25),
    Rule("too_many_symbols", "symbol_word_frac", high=0.1),
    Rule("too_many_digits", "digit_frac", high=0.15),
    Rule("too_many_urls", "url_frac", high=0.2),
    Rule("too_much_whitespace", "whitespace_frac", high=0.25),
    Rule("too_many_parentheses", "parenthesis_frac", high=0.1),
    Rule("too_much_boilerplate", "boilerplate_frac", high=0.4),
    Rule("too_many_repeated_lines", "unique_line_frac", low=0.7),
    Rule("too_many_repeated_paragraphs", "unique_paragraph_frac", low=0.7),
    Rule("too_many_repeated_line_chars", "unique_line_char_frac", low=0.8),
    Rule("too_many_repeated_paragraph_chars", "unique_paragraph_char_frac", low=0.8),
    Rule("too_few_words", "n_words", low=50),
    Rule("too_many_words", "n_words", high=100_000),
    Rule("too_many_unpunctuated_lines", "unpunctuated_line_frac", high=0.85),
    Rule("too_few_alpha_words", "alpha_word_frac", low=0.8),
    Rule("too_few_common_words", "n_common_words", low=2),
    Rule("too_short_words", "mean_word_chars", low=3),
    Rule("too_long_words", "mean_word_chars", high=10),
    Rule("too_long_a_word", "max_word_chars", high=1000),
    Rule("too_many_ellipsis_lines", "ellipsis_line_frac", high=0.3),
    Rule("too_frequent_2gram", "top_2gram_frac", high=0.20),
    Rule("too_frequent_3gram", "top_3gram_frac", high=0.18),
    Rule("too_frequent_4gram", "top_4gram_frac", high=0.16),
    Rule("too_many_duplicate_5grams", "dup_5gram_frac", high=0.15),
    Rule("too_many_duplicate_6grams", "dup_6gram_frac", high=0.14),
    Rule("too_many_duplicate_7grams", "dup_7gram_frac", high=0.13),
    Rule("too_many_duplicate_8grams", "dup_8gram_frac", high=0.12),
    Rule("too_many_duplicate_9grams", "dup_9gram_frac", high=0.11),
    Rule("too_many_duplicate_10grams", "dup_10gram_frac", high=0.10),
    Rule("too_many_bullet_lines", "bullet_line_frac", high=0.9),
)
"""The 28 filters of Nemotron-CC, in order. 2412.02595, section 3.3; bounds of NeMo Curator.

Thirty rules, because two filters (words, mean word length) have a bound at either end, and what
fails at one has another fault than what fails at the other.
"""

_NOT_IN_GOPHER = {
    "non_alnum_frac", "digit_frac", "url_frac", "whitespace_frac", "parenthesis_frac",
    "boilerplate_frac", "unpunctuated_line_frac", "max_word_chars",
}  # fmt: skip

GOPHER: tuple[Rule, ...] = tuple(r for r in NEMOTRON if r.signal not in _NOT_IN_GOPHER)
"""Those of the rules that Gopher has, whose bounds are the same. Rae et al. 2021, A.1.1, table A1.

Gopher bounds repeated lines and paragraphs at 0.3 (by characters 0.2), which is 0.7 (0.8) unique
ones, and asks for two different common words, where `n_common_words` also counts one twice.
"""

_PRESETS = {"nemotron": NEMOTRON, "gopher": GOPHER, "none": ()}


def rules(preset: str) -> tuple[Rule, ...]:
    """The rules of a preset, in order.

    Raises:
        ConfigError: there is no such preset.
    """
    if preset not in _PRESETS:
        raise ConfigError(f"no preset is called `{preset}`; known: {', '.join(_PRESETS)}")
    return _PRESETS[preset]


def drop_reason(rules: Sequence[Rule]) -> Column:
    """Reason of the first failing rule, or null if the page is kept.

    A null signal counts as failing: a page that could not be measured is never kept silently.
    """
    failures = [F.when(_fails(rule), F.lit(rule.reason)) for rule in rules]
    return F.coalesce(*failures, F.lit(None).cast("string"))


def _fails(rule: Rule) -> Column:
    # Signals are 32-bit: 0.1 is stored as 0.100000001, which a 64-bit bound of 0.1 would refuse.
    signal, low, high = (
        value.cast("float") for value in (F.col(rule.signal), F.lit(rule.low), F.lit(rule.high))
    )
    return signal.isNull() | ~signal.between(low, high)
