"""Documents to segments for rephrasing, and to chunks for dialogues. Pure.

Long inputs make a generator oversimplify, hence the cutting (2412.02595, section 2.3). Both
functions are told how to count or split by their caller, who has the generator's tokenizer.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, groupby

from curation.synth.formulas import FORMULAS

Count = Callable[[list[str]], list[int]]
"""Tokens of each text."""

Split = Callable[[str, int], list[str]]
"""A text in pieces of at most so many tokens; together they are the text."""

LongLine = Callable[[str], list[str]]
"""What stands for a line that is over the limit: pieces that are not, or nothing."""

_WINDOW_CHARS_PER_TOKEN = 12
"""Text shown to the splitter at a time: more than English has, so that a chunk fills up."""


@dataclass(frozen=True)
class Segment:
    """A part of a document, and its number; where text between two is missing, so is a number."""

    number: int
    text: str


def segments(
    text: str, *, count: Count, max_tokens: int, min_tokens: int, long_line: LongLine
) -> list[Segment]:
    """Neighbouring lines of `text` joined into segments of `min_tokens` to `max_tokens` tokens.

    A line over `max_tokens` breaks the join: `long_line` (`dropped`, or `sentences`) says what
    stands for it, and each of its pieces is a segment of its own. Blank lines at either end of a
    segment are dropped. Segments under `min_tokens` are dropped, and a line that is dropped takes a
    number, so that no two texts which were apart have numbers in a row.

    Source: 2412.02595, section 2.3, and NeMo Curator's joiner, mended: that one joins across
    dropped lines, adds characters of separators to tokens, and starts segments with a newline.
    """
    lines = text.split("\n")
    counted = zip(lines, count(lines), strict=True)
    parts: list[str] = []
    for fits, run in groupby(counted, key=lambda pair: pair[1] <= max_tokens):
        if fits:
            parts += _joined(list(run), count=count, max_tokens=max_tokens)
        else:
            parts += chain(*(long_line(line) or [_MISSING] for line, _ in run))
    return [
        Segment(number, part)
        for number, (part, n_tokens) in enumerate(zip(parts, count(parts), strict=True))
        if part != _MISSING and min_tokens <= n_tokens <= max_tokens
    ]


_MISSING = ""
"""Stands in the list of parts where a line is missing: no part is empty."""


def dropped(line: str) -> list[str]:
    """Nothing: the line goes, as in 2412.02595."""
    return []


def sentences(line: str, *, split: Split, max_tokens: int) -> list[str]:
    """A long line in pieces of at most `max_tokens` tokens, cut at ends of sentences if it can."""
    pieces = [piece.strip() for piece in chunks(line, split=split, max_tokens=max_tokens)]
    return [piece for piece in pieces if piece]


def chunks(text: str, *, split: Split, max_tokens: int = 500) -> list[str]:
    """`text` cut into chunks of at most `max_tokens` tokens; together they are `text`.

    A cut is made where the text allows it best, in the second half of what fits if possible: at a
    paragraph's end, a line's end, a sentence's end, at white space; inside a formula only where
    the formula alone is over the limit.

    Source: MIND (2410.12881), section 2: documents in chunks of 500 tokens, without overlap.
    """
    found: list[str] = []
    begin = 0
    while begin < len(text):
        window = text[begin : begin + max_tokens * _WINDOW_CHARS_PER_TOKEN]
        limit = len(split(window, max_tokens)[0])
        if begin + limit < len(text):
            limit = _best_cut(window, limit, fits=lambda part: len(split(part, max_tokens)) == 1)
        found.append(text[begin : begin + limit])
        begin += limit
    return found


def _joined(counted: list[tuple[str, int]], *, count: Count, max_tokens: int) -> list[str]:
    """Segments of lines that fit on their own, each given with its tokens."""
    groups = _greedy(counted, separator=count(["\n"])[0], max_tokens=max_tokens)
    return [
        part for group in groups for part in _fitting(group, count=count, max_tokens=max_tokens)
    ]


def _greedy(counted: list[tuple[str, int]], *, separator: int, max_tokens: int) -> list[list[str]]:
    """Lines grouped from the left, each group as long as the sum of its costs allows."""
    groups: list[list[str]] = [[]]
    total = 0
    for line, cost in counted:
        if groups[-1] and total + separator + cost > max_tokens:
            groups.append([])
        if groups[-1]:
            groups[-1].append(line)
            total += separator + cost
        elif line.strip():
            groups[-1].append(line)
            total = cost
    return groups


def _fitting(lines: list[str], *, count: Count, max_tokens: int) -> list[str]:
    """The lines joined; in halves, where the joined text turns out over the limit.

    Tokens of parts do not always add up to the tokens of the whole, so the whole is counted.
    """
    lines = _without_blank_ends(lines)
    if not lines:
        return []
    joined = "\n".join(lines)
    if len(lines) == 1 or count([joined])[0] <= max_tokens:
        return [joined]
    middle = len(lines) // 2
    halves = (lines[:middle], lines[middle:])
    return [part for half in halves for part in _fitting(half, count=count, max_tokens=max_tokens)]


def _without_blank_ends(lines: list[str]) -> list[str]:
    filled = [index for index, line in enumerate(lines) if line.strip()]
    return lines[filled[0] : filled[-1] + 1] if filled else []


_PARAGRAPH_END = re.compile(r"\n\s*\n")
_LINE_END = re.compile(r"\n")
_SENTENCE_END = re.compile(
    r"[.!?][\"')\]\u201d\u2019]*\s+|[\u3002\uff01\uff1f]+[\"')\u201d\u2019\u300d\u300f]*\s*"
)
_SPACE = re.compile(r"\s+")


def _best_cut(window: str, limit: int, *, fits: Callable[[str], bool]) -> int:
    """Length of the best chunk at the start of `window`, of which `limit` characters fit."""
    spans = [match.span() for match in FORMULAS.finditer(window)]
    ends = (_PARAGRAPH_END, _LINE_END, _SENTENCE_END)
    ranked = chain(
        (_last_end(end, window, limit // 2, limit, spans=spans) for end in ends),
        (_last_end(end, window, 0, limit, spans=spans) for end in (*ends, _SPACE)),
        (max((edge for span in spans for edge in span if 0 < edge <= limit), default=0),),
        (_last_end(_SPACE, window, 0, limit, spans=[]),),
    )
    return next((cut for cut in ranked if cut and fits(window[:cut])), limit)


def _last_end(
    pattern: re.Pattern[str], window: str, after: int, limit: int, *, spans: list[tuple[int, int]]
) -> int:
    """Last end of `pattern` in `window` within (after, limit] and in no formula; 0 for none."""
    ends = [match.end() for match in pattern.finditer(window, 0, limit)]
    outside = (
        end for end in ends if end > after and not any(start < end < stop for start, stop in spans)
    )
    return max(outside, default=0)
