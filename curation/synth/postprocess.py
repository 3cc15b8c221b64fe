"""From a generator's raw answer to the text it becomes, or to the named fault of it. Pure.

The order is that of 2412.02595, section 2.3, as NeMo Curator has it: truncated answers go, Markdown
marks come off, then each kind is read in its own way, then what is too short goes. Its defects are
mended, and each mending is told where it stands.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from curation.synth.markdown import plain_text
from curation.synth.prompts import Parser, Prompt
from curation.synth.segment import Count

FinishReason = Literal["stop", "length", "error"]
Verdict = Literal[
    "accepted",
    "engine_error",
    "truncated",
    "empty",
    "refusal",
    "no_marker",
    "no_items",
    "no_question",
    "no_answer",
    "no_dialogue",
    "prompt_echo",
    "repetitive",
    "too_short",
]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""What can become of an answer; every value but `accepted` names a fault."""

MAX_REPEATED_FRAC = 0.3
"""Largest share of 5-grams that repeat earlier ones. Ours: the papers name no such cut."""


@dataclass(frozen=True)
class Parsed:
    """What an answer became: a text and `accepted`, or no text and a fault."""

    text: str | None
    verdict: Verdict


def parse(
    prompt: Prompt,
    raw_text: str,
    *,
    request_id: str,
    segment_text: str,
    finish_reason: FinishReason,
    n_output_tokens: int,
    count: Count,
) -> Parsed:
    """The text that the answer `raw_text`, prefill included, becomes, or what is wrong with it.

    An answer is truncated if the engine says so; the paper guesses it from the number of tokens.
    Pairs of questions and answers are put after `segment_text`; how many of them, and in which
    order, follows from `request_id` alone.
    """
    fault = _delivery_fault(prompt, raw_text, finish_reason, n_output_tokens=n_output_tokens)
    if fault is not None:
        return Parsed(None, fault)
    plain = plain_text(raw_text).strip()
    if _is_refusal(prompt, plain):
        return Parsed(None, "refusal")
    read = _READERS[prompt.parser](prompt, plain)
    if read.text is None:
        return read
    if _echoes(prompt, read.text, segment_text):
        return Parsed(None, "prompt_echo")
    if repeated_frac(read.text) > MAX_REPEATED_FRAC:
        return Parsed(None, "repetitive")
    text = read.text
    if prompt.parser == "pairs":
        n_segment_tokens = count([segment_text])[0]
        text = _below_segment(segment_text, text, request_id, n_segment_tokens=n_segment_tokens)
    if count([text])[0] < prompt.min_output_tokens:
        return Parsed(None, "too_short")
    return Parsed(text, "accepted")


def repeated_frac(text: str, n: int = 5) -> float:
    """Share of the `n`-grams of words in `text` that repeat an earlier one; 0.0 for none."""
    ngrams = _ngrams(text.casefold().split(), n)
    return (len(ngrams) - len(set(ngrams))) / len(ngrams) if ngrams else 0.0


def _ngrams(words: list[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(words[begin : begin + n]) for begin in range(len(words) - n + 1)]


_ECHO_WORDS = 8
_WORD = re.compile(r"\w+")


def _echoes(prompt: Prompt, text: str, segment_text: str) -> bool:
    """Whether `text` repeats eight words in a row of the instructions, and not of the segment.

    Ours: small models recite what they were told instead of doing it.
    """
    told, said, given = (
        set(_ngrams(_WORD.findall(part.casefold()), _ECHO_WORDS))
        for part in (prompt.user, text, segment_text)
    )
    return not told.isdisjoint(said - given)


def unquoted(text: str) -> str:
    """`text` without one pair of quotes around the whole of it.

    A quote opens after nothing, white space or a bracket, and closes otherwise; so `"a" and "b"`
    keeps its quotes, and `"He said "no" to me"` loses the outer ones.
    """
    if len(text) < 3 or text[0] not in _OPENING or text[-1] not in _CLOSING:
        return text
    depth = 0
    for index, character in enumerate(text):
        if character in _OPENING + _CLOSING:
            depth += 1 if _opens(text, index) else -1
            if depth <= 0:
                return text[1:-1].strip() if index == len(text) - 1 else text
    return text


_OPENING = '"\u201c'
_CLOSING = '"\u201d'


def _opens(text: str, index: int) -> bool:
    """Whether the quote at `index` opens a quotation."""
    if text[index] != '"':
        return text[index] in _OPENING
    return index == 0 or text[index - 1].isspace() or text[index - 1] in "([{\u2014"


def _delivery_fault(
    prompt: Prompt, raw_text: str, finish_reason: FinishReason, *, n_output_tokens: int
) -> Verdict | None:
    if finish_reason == "error":
        return "engine_error"
    if finish_reason == "length":
        return "truncated"
    said = raw_text.strip()
    if n_output_tokens == 0 or said in ("", prompt.prefill.strip(), prompt.marker.strip()):
        return "empty"
    return None


_UNABLE = r"(?:can(?:not|['\u2019]?t)|(?:am|['\u2019]m) (?:unable|not able) to|won['\u2019]t)"
_SERVE = (
    r"(?:help|assist|provide|fulfil|comply|create|generate|write|rewrite|paraphrase|answer|continue"
    r"|summari|engage|process|access|complete|do that|do this|discuss)"
)
_REFUSAL = re.compile(
    rf"(?:(?:i['\u2019]m|i am) (?:\w+ )?sorry,? (?:but|as|i|\w+ing)\b|i apologi[sz]e\b|as an ai\b"
    rf"|as a (?:large )?language model|(?:unfortunately,? |but )?i {_UNABLE} (?:\w+ )?{_SERVE})",
    re.IGNORECASE,
)
_REFUSAL_CHARS = 300


def _is_refusal(prompt: Prompt, plain: str) -> bool:
    """Whether the answer, or the first speaker in it, begins by declining."""
    body = plain
    for opening in (prompt.prefill, prompt.marker):
        body = _without_prefix(body, plain_text(opening).strip())
    label = _SPEAKER.match(body) if prompt.parser == "dialogue" else None
    if label is not None:
        body = body[label.end() :]
    return _REFUSAL.match(body.lstrip(" \n-\"'")[:_REFUSAL_CHARS]) is not None


def _without_prefix(text: str, prefix: str) -> str:
    if prefix and text.casefold().startswith(prefix.casefold()):
        return text[len(prefix) :].lstrip()
    return text


def _read_marked(prompt: Prompt, plain: str) -> Parsed:
    """What follows the marker, without quotes around it."""
    body = _without_prefix(plain, prompt.marker)
    if body == plain:
        return Parsed(None, "no_marker")
    return Parsed(unquoted(body.strip()), "accepted")


_PASSAGE = re.compile(r"\s*passage(?:\s+\d+\s*:|\s*:|\s+\d+\s*$)\s*", re.IGNORECASE)


def _read_passages(prompt: Prompt, plain: str) -> Parsed:
    """The passages without their labels.

    Any number is a label's number, and a label before text goes too; the paper's code knows three
    numbers, on lines of their own.
    """
    lines = [(line, _PASSAGE.sub("", line, count=1)) for line in plain.split("\n")]
    kept = [
        stays if _PASSAGE.match(line) else line
        for line, stays in lines
        if stays.strip() or not line.strip()
    ]
    return Parsed(re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), "accepted")


_BULLET = r"[-\u2013\u2014*+\u2022\u2023\u2043\u00b7\u25cb\u25cf\u25aa\u25e6]"
_TEXT_OR_NONE = r"(?:\s+|$|(?=[^\W\d]))"
_ITEM = re.compile(rf"(?:{_BULLET}|\(?\d{{1,3}}[.)]){_TEXT_OR_NONE}")


def _read_items(prompt: Prompt, plain: str) -> Parsed:
    """The different items of a list, one a line, without their bullets or numbers.

    A first line that is no item is a heading, and goes; the paper's code takes `1. A` and `* A` for
    headings.
    """
    lines = [line.strip() for line in plain.split("\n") if line.strip()]
    if lines and not _ITEM.match(lines[0]):
        lines = lines[1:]
    if not any(_ITEM.match(line) for line in lines):
        return Parsed(None, "no_items")
    # Twice, for a number behind a bullet.
    items = [_ITEM.sub("", _ITEM.sub("", line, count=1), count=1).strip() for line in lines]
    return Parsed("\n".join(item for item in dict.fromkeys(items) if item), "accepted")


_BETWEEN_PAIRS = "\n\n"
_QUESTION = re.compile(r"question\s*\d{0,2}\s*:\s*", re.IGNORECASE)
_ANSWER = re.compile(r"answer\s*\d{0,2}\s*:\s*", re.IGNORECASE)
_INLINE_ANSWER = re.compile(r"\s+(?=answer\s*\d{0,2}\s*:)", re.IGNORECASE)
_BEFORE_PAIR = re.compile(rf"{_BULLET}\s*|\d{{1,2}}[.)]\s*(?=(?:question|answer)\b)", re.IGNORECASE)


def _read_pairs(prompt: Prompt, plain: str) -> Parsed:
    """The pairs of a question and its answer, a blank line between two pairs.

    A question without an answer goes, and so does one that was asked before.
    """
    lines = _pair_lines(prompt, plain)
    starts = [index for index, line in enumerate(lines) if _QUESTION.match(line)]
    if not starts:
        return Parsed(None, "no_question")
    if starts[0] > 0:
        return Parsed(None, "no_marker")
    unique: dict[str, str] = {}
    for begin, end in pairwise([*starts, len(lines)]):
        question, answer = _pair(lines[begin:end])
        if question and answer:
            unique.setdefault(question.casefold(), f"Question: {question}\nAnswer: {answer}")
    if not unique:
        return Parsed(None, "no_answer")
    return Parsed(_BETWEEN_PAIRS.join(unique.values()), "accepted")


def _pair_lines(prompt: Prompt, plain: str) -> list[str]:
    """The lines of an answer of pairs, without marker, blank lines and bullets."""
    found = [line.strip() for line in plain.split("\n") if line.strip()]
    if found and prompt.marker and found[0].casefold() == prompt.marker.casefold():
        found = found[1:]
    return [
        part for line in found for part in _INLINE_ANSWER.split(_BEFORE_PAIR.sub("", line, count=1))
    ]


def _pair(lines: list[str]) -> tuple[str, str]:
    """Question and answer of the lines from one question to the next; "" for no answer."""
    answers = [index for index, line in enumerate(lines) if _ANSWER.match(line)]
    ends = [*answers, len(lines), len(lines)]
    question = [_QUESTION.sub("", lines[0], count=1), *lines[1 : ends[0]]]
    answer = [_ANSWER.sub("", line, count=1) for line in lines[ends[0] : ends[1]]]
    return "\n".join(filter(None, question)), "\n".join(filter(None, answer))


def _below_segment(segment: str, pairs: str, request_id: str, *, n_segment_tokens: int) -> str:
    """The segment and below it some of its pairs, shuffled.

    How many is drawn evenly from 1 to the larger of 1 and a fifteenth of the segment's tokens, as
    NeMo Curator does; the draw and the order are hashes of the request, not of the moment.
    """
    shuffled = sorted(
        enumerate(pairs.split(_BETWEEN_PAIRS)), key=lambda pair: _draw(request_id, pair[0])
    )
    n_kept = 1 + _draw(request_id, "pairs") % max(1, 10 * n_segment_tokens // 150)
    return _BETWEEN_PAIRS.join([segment.strip(), *(text for _, text in shuffled[:n_kept])])


def _draw(request_id: str, purpose: object) -> int:
    digest = hashlib.sha256(f"{request_id}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big")


_SPEAKER = re.compile(
    r"[ \t]*(?!(?i:step|note|notes|example|examples|solution|theorem|proof|lemma|definition|case"
    r"|problem|part|figure|table|equation|formula|given|hint|remark|conclusion|summary|title|topic"
    r"|context|text|assignment|task|exercise|result|output|input|https?)(?:[ ]?[\dA-Z])?[ \t]*:)"
    r"(?P<name>[A-Z][\w.'\u2019-]*(?:[ ][\w.'\u2019#()-]+){0,3})[ \t]*:(?=\s|$)[ \t]*",
)
"""A name and a colon at the start of a line; not the words that structure a solution."""

_ANNOUNCEMENT = re.compile(
    r"(?:sure|certainly|of course|okay|ok|here\b|below\b|the following|title\s*:|conversation\b"
    r"|dialogue\b|transcript\b)",
    re.IGNORECASE,
)


def _read_dialogue(prompt: Prompt, plain: str) -> Parsed:
    """The turns, without a line before them that announces them.

    At least two speakers must say something, one after the other.
    """
    lines = plain.split("\n")
    first = next((index for index, line in enumerate(lines) if _SPEAKER.match(line)), len(lines))
    before = [line for line in lines[:first] if not _ANNOUNCEMENT.match(line.strip())]
    turns = _turns(lines[first:])
    if len(turns) < 2 or len({name for name, _ in turns}) < 2:
        return Parsed(None, "no_dialogue")
    return Parsed("\n".join([*before, *lines[first:]]).strip(), "accepted")


def _turns(lines: list[str]) -> list[tuple[str, str]]:
    """Speaker and words of each turn that has words; the first line begins a turn."""
    found: list[tuple[str, str]] = []
    for line in lines:
        label = _SPEAKER.match(line)
        if label is not None:
            found.append((label["name"].casefold(), line[label.end() :].strip()))
        elif line.strip():
            name, words = found[-1]
            found[-1] = (name, f"{words}\n{line}".strip())
    return [(name, words) for name, words in found if words]


_READERS: dict[Parser, Callable[[Prompt, str], Parsed]] = {
    "marked": _read_marked,
    "passages": _read_passages,
    "items": _read_items,
    "pairs": _read_pairs,
    "dialogue": _read_dialogue,
}
