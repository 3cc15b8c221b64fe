"""Names in a text: whether those of a generated text were in its source."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
_ENDS = frozenset(".!?:;\u2026\u3002\uff01\uff1f\n")
_OPENERS = " \t\"'\u201c\u201e\u2018\u00ab(\u00bf\u00a1[*#-\u2022>"
_NEVER = frozenset({"i", "i'm", "i'll", "i've", "i'd"})


def names_in(text: str) -> set[str]:
    """Words that begin upper-case within a sentence, in lower case.

    At its beginning every word does, and tells nothing. Titles and headings give words that are no
    names, and languages that write nouns so (German) give many: a signal, not a finding.
    """
    found = set()
    for match in _WORD.finditer(text):
        word = match[0]
        if word[0].isupper() and len(word) > 1 and not _begins(text, match.start()):
            found.add(word.lower().replace("\u2019", "'"))
    return found - _NEVER


def _begins(text: str, start: int) -> bool:
    """Whether a sentence, a line or a speaker's turn begins at `start`."""
    before = text[max(0, start - 8) : start].rstrip(_OPENERS)
    return not before or before[-1] in _ENDS


def name_faithfulness(source: str, text: str) -> float | None:
    """Share of the names in `text` that `source` has as a word, in any case; None without names."""
    names = names_in(text)
    if not names:
        return None
    known = {word.lower().replace("\u2019", "'") for word in _WORD.findall(source)}
    # Of "Curie's" in one and "Curie" in the other.
    known |= {word.removesuffix("'s") for word in known}
    return sum(name in known or name.removesuffix("'s") in known for name in names) / len(names)
