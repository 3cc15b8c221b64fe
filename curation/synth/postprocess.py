"""From a generator's raw answer to the text it becomes, or to the named fault of it. Pure.

The order is that of 2412.02595, section 2.3, as NeMo Curator has it: truncated answers go, Markdown
marks come off, then each kind is read in its own way (`readers.py`), then what is too short goes.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import Literal, get_args

from curation.synth.markdown import plain_text
from curation.synth.numbers import NumberCount, count_numbers
from curation.synth.prompts import Prompt
from curation.synth.readers import BETWEEN_PAIRS, Verdict, first_words, read
from curation.synth.segment import Count

FinishReason = Literal["stop", "length", "error"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""What can become of an answer; every value but `accepted` names a fault."""

MAX_REPEATED_FRAC = 0.3
"""Largest share of 5-grams that repeat earlier ones. Ours: the papers name no such cut."""

NO_NUMBERS = NumberCount(0, 0)


@dataclass(frozen=True)
class Parsed:
    """What an answer became: a text and `accepted`, or no text and a fault."""

    text: str | None
    verdict: Verdict
    numbers: NumberCount = NO_NUMBERS
    """Numbers of what was generated, and those of them that the segment has."""


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
    said = _visible(raw_text).strip()
    fault = _delivery_fault(prompt, said, finish_reason, n_output_tokens=n_output_tokens)
    if fault is not None:
        return Parsed(None, fault)
    plain = plain_text(said).strip()
    if _is_refusal(prompt, plain):
        return Parsed(None, "refusal")
    reading = read(prompt, plain)
    if reading.text is None:
        return Parsed(None, reading.verdict)
    fault = _content_fault(prompt, reading.text, segment_text)
    if fault is not None:
        return Parsed(None, fault)
    kept = reading.text
    if prompt.parser == "pairs":
        kept = _some_pairs(kept, request_id, n_segment_tokens=count([segment_text])[0])
    return _assembled(prompt, kept, segment_text, count=count)


def _assembled(prompt: Prompt, kept: str, segment_text: str, *, count: Count) -> Parsed:
    """What was generated, below the segment where it is pairs, if that is long enough."""
    is_pairs = prompt.parser == "pairs"
    text = BETWEEN_PAIRS.join([segment_text.strip(), kept]) if is_pairs else kept
    if count([text])[0] < prompt.min_output_tokens:
        return Parsed(None, "too_short")
    return Parsed(text, "accepted", count_numbers(segment_text, kept))


_LINE_ENDS = re.compile(r"\r\n?|[\u2028\u2029\x85]")
_INVISIBLE = re.compile(r"[\u200b\u2060\ufeff\u00ad\x00]")


def _visible(text: str) -> str:
    """`text` with one kind of line end, and without characters that no one sees.

    Joiners (U+200C, U+200D) stay: they are part of words of Persian, and of emoji.
    """
    return _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))


def _content_fault(prompt: Prompt, text: str, segment_text: str) -> Verdict | None:
    if _echoes(prompt, text, segment_text):
        return "prompt_echo"
    return "repetitive" if repeated_frac(text) > MAX_REPEATED_FRAC else None


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


def _delivery_fault(
    prompt: Prompt, said: str, finish_reason: FinishReason, *, n_output_tokens: int
) -> Verdict | None:
    if finish_reason == "error":
        return "engine_error"
    if finish_reason == "length":
        return "truncated"
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
    said = first_words(prompt, plain)[:_REFUSAL_CHARS]
    return _REFUSAL.match(said.lstrip(" \n-\"'\u201c")) is not None


def _some_pairs(pairs: str, request_id: str, *, n_segment_tokens: int) -> str:
    """Some of the pairs, shuffled.

    How many is drawn evenly from 1 to the larger of 1 and a fifteenth of the segment's tokens, as
    NeMo Curator does; the draw and the order are hashes of the request, not of the moment.
    """
    shuffled = sorted(
        enumerate(pairs.split(BETWEEN_PAIRS)), key=lambda pair: _draw(request_id, pair[0])
    )
    n_kept = 1 + _draw(request_id, "pairs") % max(1, 10 * n_segment_tokens // 150)
    return BETWEEN_PAIRS.join(text for _, text in shuffled[:n_kept])


def _draw(request_id: str, purpose: object) -> int:
    digest = hashlib.sha256(f"{request_id}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:8], "big")
