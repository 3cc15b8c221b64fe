"""Canned answers of every prompt's form, made of words of the segment. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

from curation.synth.prompts import Parser, Prompt

_WORD = re.compile(r"[A-Za-z]{4,12}")
_OWN_WORDS = (
    "account", "balance", "chapter", "detail", "evidence", "feature", "garden", "harbour", "island",
    "journey", "keeper", "lesson", "method", "number", "orchard", "pattern", "quarter", "result",
    "season", "theory", "unit", "valley", "winter", "yield",
)  # fmt: skip
_FORMS = (
    "The {} near the {} follows the {}, while a {} depends on {} and {}.",
    "Every {} that has a {} brings {} to the {} before its {} meets the {}.",
    "A {} without {} would leave the {} with a {}, so {} comes ahead of {}.",
    "In most years {} and {} shape one {}, and the {} explains why {} needs {}.",
)


def fake_answer(prompt: Prompt, text: str, request_id: str) -> str:
    """A whole answer to `prompt` about `text` that its parser accepts, by a hash of the request."""
    told = _Told(text, request_id)
    return _ANSWERS[prompt.parser](prompt, told)


class _Told:
    """Sentences, each different, of words of a text and a few of our own."""

    def __init__(self, text: str, request_id: str) -> None:
        words = [word.lower() for word in _WORD.findall(text)]
        self._words = sorted({*words, *_OWN_WORDS})
        self._request_id = request_id
        self._n_drawn = 0

    def sentence(self) -> str:
        form = _FORMS[self._draw() % len(_FORMS)]
        words = [self._words[self._draw() % len(self._words)] for _ in range(form.count("{}"))]
        return form.format(*words)

    def sentences(self, n: int) -> str:
        return " ".join(self.sentence() for _ in range(n))

    def grade(self) -> int:
        return 1 + self._draw() % 5

    def _draw(self) -> int:
        self._n_drawn += 1
        digest = hashlib.sha256(f"{self._request_id}/{self._n_drawn}".encode()).digest()
        return int.from_bytes(digest[:8], "big")


def _marked(prompt: Prompt, told: _Told) -> str:
    return f"{prompt.marker}\n{told.sentences(8)}"


def _passages(prompt: Prompt, told: _Told) -> str:
    return f"Passage 1:\n{told.sentences(5)}\n\nPassage 2: {told.sentences(4)}"


def _items(prompt: Prompt, told: _Told) -> str:
    return "\n".join(f"- {told.sentence()}" for _ in range(8))


def _pairs(prompt: Prompt, told: _Told) -> str:
    pairs = [
        f"- Question: Why is it that {told.sentence()[4:-1]}?\n- Answer: {told.sentences(5)}"
        for _ in range(4)
    ]
    return "\n".join([prompt.marker, *pairs])


def _dialogue(prompt: Prompt, told: _Told) -> str:
    first = prompt.prefill.removesuffix(":") or "Speaker A"
    turns = [f"{name}: {told.sentences(2)}" for _ in range(3) for name in (first, "Partner")]
    return "\n\n".join(turns)


def _grade(prompt: Prompt, told: _Told) -> str:
    return f"{prompt.marker} {told.grade()}"


_ANSWERS: dict[Parser, Callable[[Prompt, _Told], str]] = {
    "marked": _marked,
    "passages": _passages,
    "items": _items,
    "pairs": _pairs,
    "dialogue": _dialogue,
    "grade": _grade,
}
