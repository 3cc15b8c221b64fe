"""What the words of a text are. Apart from the model, so that to name it loads no compiler."""

from __future__ import annotations

from enum import IntEnum


class Reading(IntEnum):
    """What the words of a text are."""

    WORDS = 0
    """All between white space, fastText's own marks `</s>` and `__label__x` too."""
    LINE = 1
    """As fastText's `predict`: nothing is read behind the word `</s>`; labels are no words."""
    LINES = 2
    """As of lines that `join_lines` put on one: each without its outer white space, as Python knows
    it, and `</s>` taken apart; labels are no words. A text without a visible character has none.
    """
