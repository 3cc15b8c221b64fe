"""From what a model said to one answer of the rubric, or to the reason why there is none. Pure.

Tolerant of form (`Score: 3/5`, `**3**`, a class in other case or with a slip), strict on rubbish: a
number or class counts behind a mark such as `Answer:`, or alone on the first or last line. Answers
that contradict each other are none.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from typing import Literal, NamedTuple

from models.classifiers.annotation.rubrics import Rubric, plain

Reason = Literal["no_answer", "out_of_range", "ambiguous"]
MAX_NAME_WORDS = 8
"""Longest phrase that is searched for the name of a class in it."""
MAX_WRONG_WORDS = 4
"""Longest phrase that is taken for a class which the rubric lacks."""
NEAREST = 0.8
"""Least similarity (difflib's ratio) of a name to the class that it is taken for."""


class Parsed(NamedTuple):
    """An answer of the rubric, or why there is none."""

    value: str | None
    reason: Reason | None


_Reader = Callable[[str], "Parsed | None"]
"""From what is marked to an answer or a reason; None where it is neither."""

_NO_ANSWER = Parsed(None, "no_answer")
_OUT_OF_RANGE = Parsed(None, "out_of_range")
_AMBIGUOUS = Parsed(None, "ambiguous")
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_DECORATION = " \t*_`\"'#>()[]{}<$\\"
# What is marked is the rest of the line, or the next line that is not blank.
_MARK = r"\b(?:{})\b[*_`\"']*[^\S\n]*(?:[:=]|is\b)[\s*_`\"'\[(<{{#$]*(?=([^\n]*))"
_ANSWER = re.compile(_MARK.format("answer"), re.IGNORECASE)
_SCORE = re.compile(_MARK.format("score|rating|grade|value"), re.IGNORECASE)
_CLASS = re.compile(_MARK.format(r"class|category|label|domain|type(?: of \w+)?"), re.IGNORECASE)
_NUMBER = re.compile(r"([-+−]?\d+(?:\.\d+)?)[*_`\"'\])>}]*")
_UNIT = re.compile(r"[^\W_]|%|[.,]\d")
_OF = re.compile(r"[^\S\n]*(?:/|out of\b|of\b)[^\S\n]*(\d{1,6})[*_`\"'\])>}]*(?!\w)")
_MORE = re.compile(r"\s*(?:-|–|—|to\b|or\b|and\b|,|/|\|)?\s*\d")
_MEANING = re.compile(r":\s+\D")
_EXPLAINED = re.compile(r":|\(|\s[-–—]\s|\.\s")
_BULLET = re.compile(r"^[-•+]\s+")


def parse_answer(rubric: Rubric, said: str) -> Parsed:
    """The answer in `said`, which is what the model said and nothing else.

    The value is one of `rubric.options`. A mark `Answer` goes before others such as `Score`; marks
    that name different answers are ambiguous, as `3 or 4` and 3.5 are.
    """
    said = _THOUGHT.sub("", said)
    is_class = rubric.limits is None
    read = _class_reader(rubric) if is_class else _number_reader(rubric)
    for mark in (_ANSWER, _CLASS if is_class else _SCORE):
        marked = [match[1] for match in mark.finditer(said)]
        found = _one([read(text) for text in marked if not mark.match(text)])
        if found is not None:
            return found
    read_alone = _class_alone(rubric) if is_class else _number_alone(rubric)
    return _one([read_alone(line) for line in _ends(said)]) or _NO_ANSWER


def _ends(said: str) -> list[str]:
    """The first and the last line that hold more than decoration, without it."""
    lines = [_BULLET.sub("", line.strip()).strip(_DECORATION) for line in said.splitlines()]
    filled = [line for line in lines if line]
    return filled[:1] + filled[1:][-1:]


def _one(found: list[Parsed | None]) -> Parsed | None:
    """What all that are something agree on; None where none is."""
    told = {item for item in found if item is not None}
    if len(told) > 1:
        return _AMBIGUOUS
    return told.pop() if told else None


def _number_reader(rubric: Rubric) -> _Reader:
    low, high = rubric.limits or (0, 0)

    def read(marked: str) -> Parsed | None:
        match = _NUMBER.match(marked)
        if match is None:
            return None
        rest = marked[match.end() :]
        if _UNIT.match(rest):
            return None
        whole = _OF.match(rest)
        if _MORE.match(rest[whole.end() :] if whole else rest):
            return _AMBIGUOUS
        is_other_scale = whole is not None and int(whole[1]) != high
        return _OUT_OF_RANGE if is_other_scale else _placed(match[1], low, high)

    return read


def _placed(number: str, low: int, high: int) -> Parsed:
    value = float(number.replace("−", "-"))
    if not low <= value <= high:
        return _OUT_OF_RANGE
    return Parsed(str(int(value)), None) if value == int(value) else _AMBIGUOUS


def _number_alone(rubric: Rubric) -> _Reader:
    """A line that is a number, or a step of the scale said again (`3: useful`), and no more."""
    read = _number_reader(rubric)

    def read_alone(line: str) -> Parsed | None:
        match = _NUMBER.match(line)
        if match is None:
            return None
        whole = _OF.match(line, match.end())
        rest = line[(whole or match).end() :]
        is_alone = not rest.strip(f"{_DECORATION}.") or _MEANING.match(rest)
        return read(line) if is_alone else None

    return read_alone


def _class_reader(rubric: Rubric) -> _Reader:
    names = {plain(name): name for name in rubric.options}

    def read(marked: str) -> Parsed | None:
        whole, head = plain(marked), plain(_EXPLAINED.split(marked, maxsplit=1)[0])
        if not whole:
            return None
        for phrase in (whole, head):
            if phrase in names:
                return Parsed(names[phrase], None)
        return _contained(names, head or whole) or _near(names, head or whole)

    return read


def _contained(names: dict[str, str], phrase: str) -> Parsed | None:
    """The one class that a short phrase names among other words; of two that overlap the longer."""
    if len(phrase.split()) > MAX_NAME_WORDS:
        return None
    found, left = [], f" {phrase} "
    for name in sorted(names, key=len, reverse=True):
        if f" {name} " in left:
            found.append(Parsed(names[name], None))
            left = left.replace(f" {name} ", " | ")
    return _one([*found])


def _near(names: dict[str, str], phrase: str) -> Parsed | None:
    """The class that `phrase` begins or is a slip of; else one that the rubric lacks, or none."""
    begun = [Parsed(names[name], None) for name in names if name.startswith(f"{phrase} ")]
    if begun:
        return _one([*begun])
    near = difflib.get_close_matches(phrase, names, n=1, cutoff=NEAREST)
    if near:
        return Parsed(names[near[0]], None)
    return _OUT_OF_RANGE if len(phrase.split()) <= MAX_WRONG_WORDS else None


def _class_alone(rubric: Rubric) -> _Reader:
    """A line that is a class, or a class with its meaning, and no more."""
    names = {plain(name): name for name in rubric.options}

    def read(line: str) -> Parsed | None:
        head = plain(_EXPLAINED.split(line, maxsplit=1)[0])
        name = names.get(plain(line)) or names.get(head)
        return Parsed(name, None) if name else None

    return read
