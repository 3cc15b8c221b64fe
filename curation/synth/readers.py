"""How each kind of answer is read: what is kept of it, or what is wrong with its form. Pure.

One reader for each `parser` of a prompt's head. The forms are those of 2412.02595, section 2.3, and
of MIND (2410.12881, section 2); NeMo Curator's readers are mended, and each mending is told where
it stands. Labels are known in any case and with a colon of full width.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Literal

from curation.synth.prompts import Parser, Prompt

Verdict = Literal[
    "accepted",
    "engine_error",
    "truncated",
    "empty",
    "refusal",
    "no_marker",
    "marker_repeated",
    "no_items",
    "no_question",
    "no_answer",
    "no_dialogue",
    "prompt_echo",
    "repetitive",
    "too_short",
]


@dataclass(frozen=True)
class Reading:
    """What stays of an answer and `accepted`, or no text and what its form lacks."""

    text: str | None
    verdict: Verdict


def read(prompt: Prompt, plain: str) -> Reading:
    """The reading of an answer from which Markdown marks are gone."""
    found = _READERS[prompt.parser](prompt, plain)
    if found.text is None:
        return found
    if not re.search(r"\w", found.text):
        return Reading(None, "empty")
    if prompt.marker and _marker(prompt.marker).search(found.text):
        # The generator began again: which of the two is the answer?
        return Reading(None, "marker_repeated")
    return found


def without_marker(prompt: Prompt, plain: str) -> str:
    """What follows the marker, said once or several times; `plain` itself where it has none."""
    if not prompt.marker:
        return plain
    rest = plain.lstrip("#> \n\t")
    while found := _marker(prompt.marker).match(rest):
        rest = plain = rest[found.end() :].lstrip()
    return plain


_COLON = "[:\uff1a]"


@cache
def _marker(marker: str) -> re.Pattern[str]:
    """A marker in any case, with any white space, and either colon."""
    words = r"\s+".join(re.escape(word) for word in marker.removesuffix(":").split())
    colon = rf"\s*{_COLON}" if marker.endswith(":") else ""
    return re.compile(rf"{words}{colon}", re.IGNORECASE)


def unquoted(text: str) -> str:
    """`text` without one pair of quotes around the whole of it.

    A quote opens after nothing, white space or a bracket, and closes otherwise; so `"a" and "b"`
    keeps its quotes, and `"He said "no" to me"` loses the outer ones.
    """
    if len(text) < 3 or text[0] not in _OPENING or text[-1] not in _CLOSING:
        return text
    depth = 0
    for index, character in enumerate(text):
        if character in _QUOTES:
            depth += 1 if _opens(text, index) else -1
            if depth <= 0:
                return text[1:-1].strip() if index == len(text) - 1 else text
    return text


_OPENING = '"\u201c'
_CLOSING = '"\u201d'
_QUOTES = _OPENING + _CLOSING


def _opens(text: str, index: int) -> bool:
    """Whether the quote at `index` opens a quotation."""
    if text[index] != '"':
        return text[index] in _OPENING
    return index == 0 or text[index - 1].isspace() or text[index - 1] in "([{\u2014"


def _read_marked(prompt: Prompt, plain: str) -> Reading:
    """What follows the marker, without quotes around it."""
    body = without_marker(prompt, plain)
    if body == plain:
        return Reading(None, "no_marker")
    return Reading(unquoted(body.strip()), "accepted")


_PASSAGE = re.compile(rf"\s*passage(?:\s+\d+\s*{_COLON}|\s*{_COLON}|\s+\d+\s*$)\s*", re.IGNORECASE)


def _read_passages(prompt: Prompt, plain: str) -> Reading:
    """The passages without their labels.

    Any number is a label's number, and a label before text goes too; the paper's code knows three
    numbers, on lines of their own.
    """
    lines = [(line, _after(_PASSAGE, line)) for line in plain.split("\n")]
    kept = [stays for line, stays in lines if stays.strip() or not line.strip()]
    return Reading(re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), "accepted")


def _after(opening: re.Pattern[str], line: str) -> str:
    """What follows `opening` at the start of `line`; the line where it begins otherwise."""
    found = opening.match(line)
    return line[found.end() :] if found else line


_BULLET = r"[-\u2013\u2014*+\u2022\u2023\u2043\u00b7\u25cb\u25cf\u25aa\u25e6]"
_NUMBER = r"\(?\d{1,3}(?:[.)]|\uff0e|\uff09|\u3001)"
_ITEM = re.compile(rf"(?:{_BULLET}|{_NUMBER})(?:\s+|$|(?=[^\W\d]))")
_NUMBERED = re.compile(rf"{_NUMBER}(?:\s+|$|(?=[^\W\d]))")


def _read_items(prompt: Prompt, plain: str) -> Reading:
    """The different items of a list, one a line, without their bullets or numbers.

    A first line that is no item is a heading, and goes; the paper's code takes `1. A` and `* A` for
    headings.
    """
    lines = [line.strip() for line in plain.split("\n") if line.strip()]
    if lines and not _ITEM.match(lines[0]):
        lines = lines[1:]
    if not any(_ITEM.match(line) for line in lines):
        return Reading(None, "no_items")
    # Twice, for a number behind a bullet.
    items = [_after(_NUMBERED, _after(_ITEM, line)).strip() for line in lines]
    return Reading("\n".join(item for item in dict.fromkeys(items) if item), "accepted")


BETWEEN_PAIRS = "\n\n"
"""A blank line: no pair holds one."""
_LABEL = rf"(?:\s*\d{{1,2}})?\s*{_COLON}\s*"
_QUESTION = re.compile(rf"question{_LABEL}", re.IGNORECASE)
_ANSWER = re.compile(rf"answer{_LABEL}", re.IGNORECASE)
# In lower case only behind a sentence: `the correct answer: A or B` is part of a question.
_INLINE_ANSWER = re.compile(
    rf"(?<!\s)\s++(?=Answer{_LABEL})|(?<=[?.!)\u3002\uff1f])\s*+(?=(?i:answer){_LABEL})"
)
_BEFORE_PAIR = re.compile(
    rf"(?:{_BULLET}\s*|{_NUMBER}\s*)+(?=(?:question|answer)\b)", re.IGNORECASE
)


def _read_pairs(prompt: Prompt, plain: str) -> Reading:
    """The pairs of a question and its answer, a blank line between two pairs.

    A question without an answer goes, and so does one that was asked before.
    """
    lines = _pair_lines(without_marker(prompt, plain))
    starts = [index for index, line in enumerate(lines) if _QUESTION.match(line)]
    if not starts:
        return Reading(None, "no_question")
    if starts[0] > 0:
        return Reading(None, "no_marker")
    unique: dict[str, str] = {}
    for begin, end in pairwise([*starts, len(lines)]):
        question, answer = _pair(lines[begin:end])
        if question and answer:
            unique.setdefault(question.casefold(), f"Question: {question}\nAnswer: {answer}")
    if not unique:
        return Reading(None, "no_answer")
    return Reading(BETWEEN_PAIRS.join(unique.values()), "accepted")


def _pair_lines(plain: str) -> list[str]:
    """The lines of an answer of pairs, without blank lines and the bullets before labels."""
    found = [_after(_BEFORE_PAIR, line.strip()) for line in plain.split("\n") if line.strip()]
    return [part.strip() for line in found for part in _question_and_answer(line)]


def _question_and_answer(line: str) -> list[str]:
    """A question that is answered on its own line, as two lines."""
    return _INLINE_ANSWER.split(line, maxsplit=1) if _QUESTION.match(line) else [line]


def _pair(lines: list[str]) -> tuple[str, str]:
    """Question and answer of the lines from one question to the next; "" for no answer."""
    answers = [index for index, line in enumerate(lines) if _ANSWER.match(line)]
    ends = [*answers, len(lines), len(lines)]
    question = [_after(_QUESTION, lines[0]), *lines[1 : ends[0]]]
    answer = [_after(_ANSWER, line) for line in lines[ends[0] : ends[1]]]
    return "\n".join(filter(None, question)), "\n".join(filter(None, answer))


_NO_SPEAKER = (
    "step|note|notes|example|examples|solution|theorem|proof|lemma|definition|case|problem|part"
    "|figure|table|equation|formula|given|hint|remark|conclusion|summary|title|topic|context|text"
    "|assignment|task|exercise|result|output|input|https?|therefore|thus|hence|where|then|so|first"
    "|second|third|firstly|secondly|finally|lastly|also|recall|remember|important|tip|question"
    "|answer|for example|in summary|in short|in conclusion"
)
_SPEAKER = re.compile(
    rf"[ \t]*+(?!(?i:{_NO_SPEAKER})(?:[ ]?[\dA-Z])?[ \t]*{_COLON})"
    r"(?P<name>[A-Z][\w.'\u2019-]*+(?:[ ][\w.'\u2019#()-]+){0,3})[ \t]*(?::(?=\s|$)|\uff1a)[ \t]*"
)
"""A name and a colon at the start of a line; not the words that structure a solution."""

_ANNOUNCEMENT = re.compile(
    r"(?:sure|certainly|of course|okay|ok|here\b|below\b|the following|title\s*:|conversation\b"
    r"|dialogue\b|transcript\b)",
    re.IGNORECASE,
)


def _read_dialogue(prompt: Prompt, plain: str) -> Reading:
    """The turns, without a line before them that announces them.

    At least two speakers must say something, one after the other.
    """
    lines = plain.split("\n")
    first = next((index for index, line in enumerate(lines) if _SPEAKER.match(line)), len(lines))
    before = [line for line in lines[:first] if not _ANNOUNCEMENT.match(line.strip())]
    turns = _turns(lines[first:])
    if len(turns) < 2 or len({name for name, _ in turns}) < 2:
        return Reading(None, "no_dialogue")
    return Reading("\n".join([*before, *lines[first:]]).strip(), "accepted")


def _turns(lines: list[str]) -> list[tuple[str, str]]:
    """Speaker and words of each turn that has words; the first line begins a turn."""
    found: list[tuple[str, list[str]]] = []
    for line in lines:
        label = _SPEAKER.match(line)
        if label is not None:
            found.append((label["name"].casefold(), [line[label.end() :]]))
        else:
            found[-1][1].append(line)
    turns = [(name, "\n".join(words).strip()) for name, words in found]
    return [(name, words) for name, words in turns if words]


_READERS: dict[Parser, Callable[[Prompt, str], Reading]] = {
    "marked": _read_marked,
    "passages": _read_passages,
    "items": _read_items,
    "pairs": _read_pairs,
    "dialogue": _read_dialogue,
}

_FIRST_LABELS: dict[Parser, tuple[re.Pattern[str], ...]] = {
    "marked": (),
    "passages": (_PASSAGE,),
    "items": (_ITEM,),
    "pairs": (_BEFORE_PAIR, _QUESTION),
    "dialogue": (_SPEAKER,),
}


def first_words(prompt: Prompt, plain: str) -> str:
    """`plain` from the first words on that are not of its form: behind marker and first label."""
    body = without_marker(prompt, plain)
    for label in _FIRST_LABELS[prompt.parser]:
        body = _after(label, body)
    return body
