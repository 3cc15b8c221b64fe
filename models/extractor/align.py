"""Which blocks of a page its main text is made of, told by their words in order."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

WORD = re.compile(r"\w+")
"""Words as the F1 counts them, in lower-cased text."""
_GRAM = 4
_LONG = _GRAM + 2
"""Words from which on a block is placed by its word 4-grams."""
_BACK_COST = 5_000
"""A step back in the main text weighs as much as so many words forward."""
_SLACK = 3
_MIN_PLACED = 0.5


@dataclass
class _Gold:
    """The main text, and which of its words are taken."""

    words: list[str]
    grams: dict[tuple[str, ...], list[int]] = field(default_factory=lambda: defaultdict(list))
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    taken: bytearray = field(default_factory=bytearray)

    def __post_init__(self) -> None:
        self.taken = bytearray(len(self.words))
        for place in range(len(self.words) - _GRAM + 1):
            self.grams[tuple(self.words[place : place + _GRAM])].append(place)
        for place, word in enumerate(self.words):
            self.places[word].append(place)

    def take(self, start: int, end: int) -> None:
        self.taken[start:end] = b"\1" * (end - start)


def share_in_gold(blocks: Sequence[Sequence[str]], gold_words: list[str]) -> list[float]:
    """Share of each block's words that stand in the main text, 0..1; 0 for a block without words.

    Long blocks are placed by their word 4-grams, each place used once, nearest behind the last one
    first. A short block counts as found where its words stand in a row that no other block has
    taken, between the places of the long blocks around it. Cost: linear but for 4-grams that occur
    often.
    """
    gold = _Gold(gold_words)
    shares = [0.0] * len(blocks)
    ends = _place_long(blocks, gold, shares)
    _place_short(blocks, gold, shares, ends)
    return shares


def _place_long(
    blocks: Sequence[Sequence[str]], gold: _Gold, shares: list[float]
) -> list[int | None]:
    """Fills in the shares of long blocks; where each that was placed ends in the main text."""
    cursor = 0
    ends: list[int | None] = [None] * len(blocks)
    for number, words in enumerate(blocks):
        if len(words) < _LONG:
            continue
        n_found, end = _cover(words, gold, cursor)
        shares[number] = n_found / len(words)
        if shares[number] > _MIN_PLACED:
            cursor = ends[number] = end
    return ends


def _cover(words: Sequence[str], gold: _Gold, cursor: int) -> tuple[int, int]:
    """Takes the runs of `words` in the main text; how many words, and where the last run ends."""
    n_found, at = 0, 0
    while at <= len(words) - _GRAM:
        places = gold.grams.get(tuple(words[at : at + _GRAM]), ())
        start = _nearest([place for place in places if not gold.taken[place]], cursor)
        length = 0 if start is None else _run(words, at, gold, start)
        if start is not None and length:
            gold.take(start, start + length)
            cursor = start + length
        n_found += length
        at += max(length, 1)
    return n_found, cursor


def _nearest(places: list[int], cursor: int) -> int | None:
    return min(
        places,
        key=lambda place: abs(place - cursor) + _BACK_COST * (place < cursor),
        default=None,
    )


def _run(words: Sequence[str], at: int, gold: _Gold, start: int) -> int:
    """Words from `at` on that equal the main text from `start` on and are not taken yet."""
    length = 0
    for word, there, taken in zip(words[at:], gold.words[start:], gold.taken[start:], strict=False):
        if word != there or taken:
            break
        length += 1
    return length


def _place_short(
    blocks: Sequence[Sequence[str]], gold: _Gold, shares: list[float], ends: list[int | None]
) -> None:
    low = 0
    highs = _next_ends(ends, len(gold.words))
    for number, words in enumerate(blocks):
        if (end := ends[number]) is not None:
            low = end
        elif 0 < len(words) < _LONG:
            high = highs[number]
            start = _free_run(words, gold, min(low, high) - _SLACK, max(low, high))
            if start is not None:
                gold.take(start, start + len(words))
                shares[number] = 1.0
                low = max(low, start + len(words)) if low <= high else low


def _next_ends(ends: list[int | None], last: int) -> list[int]:
    """For each block where the next placed one ends, or the end of the main text."""
    following = last
    highs = []
    for end in reversed(ends):
        highs.append(following)
        following = following if end is None else end
    return highs[::-1]


def _free_run(words: Sequence[str], gold: _Gold, low: int, high: int) -> int | None:
    n = len(words)
    for start in gold.places.get(words[0], ()):
        if start + n > high:
            return None
        there = gold.words[start : start + n]
        if start >= low and there == list(words) and not any(gold.taken[start : start + n]):
            return start
    return None
