"""What a judge model is shown, and what its answer says. Pure.

A judge sees the source and the text made of it, and gives one grade from 1 to 5: single answer
grading of Zheng et al. 2023 (2306.05685), section 3.1, with a reference. Wording is ours
(`judge/judge.md`).
"""

from __future__ import annotations

import re
from typing import Literal

from curation.errors import ConfigError
from curation.synth.postprocess import FinishReason
from curation.synth.prompts import Prompt
from curation.synth.tokenizer import ChatTokenizer

LOWEST, HIGHEST = 1, 5
JudgeFault = Literal["engine_error", "unreadable"]

_SOURCE, _MADE = "SOURCE:\n", "\n\nNEW TEXT:\n"
_SPARE = 4
"""Tokens by which parts may cost more together than each alone."""
LEAST_ROOM = 200
"""Tokens of both texts below which there is nothing to compare."""


def room_of(prompt: Prompt, tokenizer: ChatTokenizer, most: int) -> int:
    """Tokens that a chat of at most `most` leaves to both texts.

    Raises:
        ConfigError: fewer than LEAST_ROOM.
    """
    frame = tokenizer.count([f"{_SOURCE}{_MADE}"])[0] + _SPARE
    room = most - tokenizer.overhead(prompt) - frame
    if room < LEAST_ROOM:
        raise ConfigError(
            f"judge.max_model_tokens: a chat of {most} tokens leaves {room} to source and text, "
            f"beside this judge's chat template; they need {LEAST_ROOM}"
        )
    return room


def pair_text(source: str, made: str, prompt: Prompt, tokenizer: ChatTokenizer, most: int) -> str:
    """`source` and `made` as the judge reads them, each cut at its end to what there is room for.

    Half of the room is sure to each; what one does not need is the other's.

    Args:
        source: What the generator was given.
        made: What it wrote.
        prompt: The judge's.
        tokenizer: The judge's.
        most: Tokens that the whole chat may have.

    Raises:
        ConfigError: that is too few, see `room_of`.
    """
    room = room_of(prompt, tokenizer, most)
    n_source, n_made = tokenizer.count([source, made])
    shown = [
        _head(source, max(room // 2, room - n_made), tokenizer),
        _head(made, max(room // 2, room - n_source), tokenizer),
    ]
    return f"{_SOURCE}{shown[0]}{_MADE}{shown[1]}"


def _head(text: str, n_tokens: int, tokenizer: ChatTokenizer) -> str:
    pieces = tokenizer.split(text, n_tokens)
    return pieces[0].rstrip() if pieces else ""


_OF_FIVE = r"(?:\.0)?(?:\s*(?:/|out of)\s*5)?"
_END = r"(?![\d/]|[.,]\d|\s*(?:[-\u2013\u2014]|to|or)\s*\d)"
"""Not part of a longer number, nor of a range."""
_GRADE = re.compile(rf"\bgrade\W{{0,6}}([1-5]){_OF_FIVE}{_END}", re.IGNORECASE)
_BARE = re.compile(rf"\s*\**([1-5]){_OF_FIVE}\**[\s.]*")


def read_grade(raw: str, finish_reason: FinishReason) -> tuple[int | None, JudgeFault | None]:
    """The grade that an answer gives, or what is wrong with it.

    An answer that goes on after its grade and is cut off is no worse for it. Two different grades
    in one answer are none.
    """
    if finish_reason == "error":
        return None, "engine_error"
    found = {int(grade) for grade in _GRADE.findall(raw)}
    if not found and (bare := _BARE.fullmatch(raw)):
        found = {int(bare[1])}
    return (found.pop(), None) if len(found) == 1 else (None, "unreadable")
