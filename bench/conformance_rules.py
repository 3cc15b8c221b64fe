"""What of datatrove's filters is set against which of our rules, and why the two may differ.

datatrove tells only the first reason, so that each rule gets a filter of its own with every other
threshold off. Steps then take one difference after another out of datatrove's side: first its words
and sentences (spaCy's) are replaced by ours, through the tokenizer that its filters take; then what
is defined otherwise is set to our definition: by options or a change of the text where that can be
done, for n-grams and shares of lines and paragraphs by plain Python beside datatrove. A page on
which the two differ is put down to the step at which they agree.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

import numpy as np
from datatrove.data import Document  # type: ignore[import-untyped]
from datatrove.pipeline.filters import (  # type: ignore[import-untyped]
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)
from datatrove.pipeline.filters.gopher_repetition_filter import (  # type: ignore[import-untyped]
    find_duplicates,
)
from datatrove.utils.text import PUNCTUATION_SET  # type: ignore[import-untyped]
from datatrove.utils.word_tokenizers import WordTokenizer  # type: ignore[import-untyped]

from curation.measure.characters import BITS, CLOSER, KINDS, SPACE, TERMINAL, WIDE
from curation.measure.signals import ELLIPSES

ENGLISH = "en"
WORDS = "words or sentences"
"""The cause that replacing spaCy's words and sentences by ours takes away."""

Verdict = Callable[[str], bool | None]
"""Whether a text is dropped; None where the filter does not say."""


@dataclass(frozen=True)
class Step:
    """One difference taken out of datatrove's side, with all before it."""

    cause: str
    """Why the two differed where they agree from here on; empty for datatrove as it is."""
    drops: Verdict


@dataclass(frozen=True)
class Comparison:
    """One of our rules beside the same rule of datatrove."""

    preset: str
    reason: str
    """Of our rule; `all` for the whole preset."""
    same: bool
    """Whether both define it alike, once they see the same words."""
    steps: tuple[Step, ...]


def _remembered(one: Comparison) -> Comparison:
    """The same; its last step remembers its last text, which the whole preset asks about too."""
    *steps, last = one.steps
    return replace(one, steps=(*steps, Step(last.cause, lru_cache(maxsize=1)(last.drops))))


class OurWords(WordTokenizer):  # type: ignore[misc]
    """Words by white space and sentences by the marks of `measure.prose`, for datatrove's filters.

    With `marks_count`, words of marks alone are given as letters, because GopherQualityFilter
    leaves such words out of its counts and we do not.
    """

    def __init__(self, *, marks_count: bool = False) -> None:
        super().__init__(ENGLISH)
        self.marks_count = marks_count

    def word_tokenize(self, text: str) -> list[str]:
        """Words of the text."""
        words = text.split()
        if not self.marks_count:
            return words
        return ["x" * len(word) if set(word) <= PUNCTUATION_SET else word for word in words]

    def sent_tokenize(self, text: str) -> list[str]:
        """Sentences of the text."""
        return [text[start:end] for start, end in self.span_tokenize(text)]

    def span_tokenize(self, text: str) -> list[tuple[int, int]]:
        """Where each sentence begins and ends."""
        places = (mark.start() for mark in _TERMINALS.finditer(text))
        ends = [end for at in places if (end := _sentence_end(text, at))]
        return list(zip([0, *ends[:-1]], ends, strict=True)) if ends else []


def _sentence_end(text: str, at: int) -> int:
    """Place behind the sentence that the mark at `at` ends; 0 where it ends none."""
    kind = _kind(text[at])
    behind = at + 1
    while behind < len(text) and _kind(text[behind]) & CLOSER:
        behind += 1
    ends = kind & WIDE or behind == len(text) or _kind(text[behind]) & SPACE
    return behind if ends else 0


def _kind(character: str) -> int:
    return int(BITS[KINDS[ord(character)]])


_END_MARKS = tuple(map(chr, np.flatnonzero(BITS[KINDS] & TERMINAL)))
_TERMINALS = re.compile(f"[{re.escape(''.join(_END_MARKS))}]")
_OURS, _MARKS_TOO = OurWords(), OurWords(marks_count=True)

_QUALITY_OFF = dict.fromkeys(
    ("min_doc_words", "max_doc_words", "min_avg_word_length", "max_avg_word_length",
     "max_symbol_word_ratio", "max_bullet_lines_ratio", "max_ellipsis_lines_ratio",
     "max_non_alpha_words_ratio", "min_stop_words")
)  # fmt: skip
_REPETITION_OFF: dict[str, Any] = dict.fromkeys(
    ("dup_line_frac", "dup_para_frac", "dup_line_char_frac", "dup_para_char_frac")
) | {"top_n_grams": (), "dup_n_grams": ()}
_FINEWEB_OFF = {"line_punct_thr": 0.0, "short_line_thr": 9.0, "char_duplicates_ratio": 9.0,
                "new_line_ratio": float("inf")}  # fmt: skip
_C4_OFF = {"filter_lorem_ipsum": False, "filter_curly_bracket": False, "min_num_sentences": -1}
_C4_ALL_LINES = {
    "filter_no_terminal_punct": False, "min_words_per_line": -1, "max_word_length": -1,
    "filter_javascript": False, "filter_policy": False, "remove_citations": False,
}  # fmt: skip

_LINE_ENDS = re.compile(r"[\r\v\f\x1c-\x1e\x85\u2028\u2029]")
_OTHER_ELLIPSES = re.compile(
    rf"(?:{'|'.join(map(re.escape, ELLIPSES))})(?=\s*$)", re.IGNORECASE | re.MULTILINE
)
_QUOTE_ENDS = re.compile(r"'(?=[^\S\n]*$)", re.MULTILINE)


def _drops(filters: tuple[Any, ...], text: str, *, unless: str = "") -> bool | None:
    """Whether one of `filters` drops the text; None where the reason given is `unless`."""
    for one in filters:
        # A new document each time: C4's filter edits it.
        result = one.filter(Document(text=text, id=""))
        if result is not True:
            return None if unless and result[1] == unless else True
    return False


def _lines_as_ours(text: str) -> str:
    """The text without blank lines, in which only line feeds end a line."""
    lines = _LINE_ENDS.sub(" ", text).split("\n")
    return "\n".join(line for line in lines if line.strip())


def _bare_blank_lines(text: str) -> str:
    """The text with nothing in its blank lines, and none at its ends."""
    return "\n".join(line if line.strip() else "" for line in text.split("\n")).strip("\n")


def _over(change: Callable[[str], str], verdict: Verdict) -> Verdict:
    return lambda text: verdict(change(text))


def _steps(
    kind: Any, off: dict[str, Any], on: dict[str, Any], *, unless: str = "", by_words: bool = True
) -> tuple[Step, ...]:
    """The filter as it is, and with our words where words are what it counts."""

    def verdict(language: Any) -> Verdict:
        return partial(_drops, (kind(**off | on, language=language),), unless=unless)

    as_is = Step("", verdict(ENGLISH))
    return (as_is, Step(WORDS, verdict(_OURS))) if by_words else (as_is,)


def _quality(reason: str, on: dict[str, Any], *more: Step, **how: Any) -> Comparison:
    steps = _steps(GopherQualityFilter, _QUALITY_OFF, on, **how)
    return Comparison("gopher", reason, not more, (*steps, *more))


def _words_with_marks(reason: str, **on: Any) -> Comparison:
    """A rule on counts of words, from which datatrove leaves words of marks alone."""
    one = GopherQualityFilter(**_QUALITY_OFF | on, language=_MARKS_TOO)
    return _quality(reason, on, Step("words of marks alone", partial(_drops, (one,))))


def _gopher_quality() -> list[Comparison]:
    bullets = GopherQualityFilter(**_QUALITY_OFF | {"max_bullet_lines_ratio": 0.9}, language=_OURS)
    dots = GopherQualityFilter(**_QUALITY_OFF | {"max_ellipsis_lines_ratio": 0.3}, language=_OURS)
    by_dots, by_bullets = partial(_drops, (dots,)), partial(_drops, (bullets,))

    def with_other_ellipses(text: str) -> str:
        return _OTHER_ELLIPSES.sub("…", _lines_as_ours(text))

    return [
        _words_with_marks("too_few_words", min_doc_words=50),
        _words_with_marks("too_many_words", max_doc_words=100_000),
        _words_with_marks("too_short_words", min_avg_word_length=3),
        _words_with_marks("too_long_words", max_avg_word_length=10),
        _quality("too_many_hashes", {"max_symbol_word_ratio": 0.1},
                 unless="gopher_too_many_ellipsis"),
        _quality("too_many_ellipses", {"max_symbol_word_ratio": 0.1},
                 unless="gopher_too_many_hashes"),
        _quality("too_many_bullet_lines", {"max_bullet_lines_ratio": 0.9},
                 Step("blank lines count", _over(_lines_as_ours, by_bullets)), by_words=False),
        _quality("too_many_ellipsis_lines", {"max_ellipsis_lines_ratio": 0.3},
                 Step("blank lines count", _over(_lines_as_ours, by_dots)),
                 Step("other ellipses", _over(with_other_ellipses, by_dots)), by_words=False),
        _quality("too_few_alpha_words", {"max_non_alpha_words_ratio": 0.8}),
        _quality("too_few_common_words", {"min_stop_words": 2}),
    ]  # fmt: skip


def _repeated(
    reason: str, on: dict[str, Any], *, clean: Callable[[str], str], separator: str, by_chars: bool
) -> Comparison:
    """A rule on equal lines or paragraphs."""
    steps = _steps(GopherRepetitionFilter, _REPETITION_OFF, on, by_words=False)
    blank = Step("white space in blank lines", _over(clean, steps[0].drops))
    if not by_chars:
        return Comparison("gopher", reason, True, (*steps, blank))
    (most,) = on.values()

    def over_parts(text: str) -> bool:
        parts = [part for part in re.split(separator, clean(text)) if part]
        n_chars = sum(map(len, parts))
        return not n_chars or find_duplicates(parts)[1] / n_chars > most

    return Comparison(
        "gopher", reason, False, (*steps, blank, Step("share of the whole text", over_parts))
    )


@lru_cache(maxsize=1)
def _spans(text: str, n: int) -> dict[tuple[str, ...], list[int]]:
    """Where each n-gram of words stands."""
    words, found = text.split(), dict[tuple[str, ...], list[int]]()
    for at in range(len(words) - n + 1):
        found.setdefault(tuple(words[at : at + n]), []).append(at)
    return found


def _covered_chars(words: list[str], starts: list[int], n: int) -> int:
    """Characters of the words that n-grams at `starts` cover, and of the joints inside them."""
    covered = {at for start in starts for at in range(start, start + n)}
    joints = {at for start in starts for at in range(start, start + n - 1)}
    return sum(len(words[at]) for at in covered) + len(joints)


def _top(text: str, n: int, most: float, *, overlaps_once: bool) -> bool:
    """The top n-gram: at least twice, the longest of equally frequent ones."""
    words = text.split()
    if len(words) < n:
        return True
    again = {gram: at for gram, at in _spans(text, n).items() if len(at) > 1}
    if not again:
        return False
    top = max(again, key=lambda gram: (len(again[gram]), sum(map(len, gram)), -again[gram][0]))
    n_chars = len(" ".join(top)) * len(again[top])
    if overlaps_once:
        n_chars = _covered_chars(words, again[top], n)
    return n_chars / len(text) > most


def _duplicates_with_joints(text: str, n: int, most: float) -> bool:
    """As datatrove counts, but of n-grams with a space at each joint; short texts fail."""
    words, seen, at, n_chars = text.split(), set(), 0, 0
    while at < len(words) - n + 1:
        gram = " ".join(words[at : at + n])
        n_chars += len(gram) * (gram in seen)
        at += n if gram in seen else 1
        seen.add(gram)
    return len(words) < n or n_chars / len(text) > most


def _duplicates(text: str, n: int, most: float) -> bool:
    """Every later occurrence of an n-gram covers its words."""
    words = text.split()
    later = [at for places in _spans(text, n).values() for at in places[1:]]
    return len(words) < n or _covered_chars(words, later, n) / len(text) > most


def _gopher_repetition() -> list[Comparison]:
    lines = partial(_repeated, clean=_lines_as_ours, separator="\n")
    paragraphs = partial(_repeated, clean=_bare_blank_lines, separator="\n{2,}")
    found = [
        lines("too_many_repeated_lines", {"dup_line_frac": 0.3}, by_chars=False),
        paragraphs("too_many_repeated_paragraphs", {"dup_para_frac": 0.3}, by_chars=False),
        lines("too_many_repeated_line_chars", {"dup_line_char_frac": 0.2}, by_chars=True),
        paragraphs("too_many_repeated_paragraph_chars", {"dup_para_char_frac": 0.2}, by_chars=True),
    ]
    for n, most in ((2, 0.20), (3, 0.18), (4, 0.16)):
        on = {"top_n_grams": ((n, most),)}
        ties = partial(_top, n=n, most=most, overlaps_once=False)
        whole = partial(_top, n=n, most=most, overlaps_once=True)
        steps = (
            *_steps(GopherRepetitionFilter, _REPETITION_OFF, on),
            Step("once, or a tie", ties), Step("overlaps count twice", whole),
        )  # fmt: skip
        found.append(Comparison("gopher", f"too_frequent_{n}gram", False, steps))
    for n, most in ((5, 0.15), (6, 0.14), (7, 0.13), (8, 0.12), (9, 0.11), (10, 0.10)):
        on = {"dup_n_grams": ((n, most),)}
        steps = (
            *_steps(GopherRepetitionFilter, _REPETITION_OFF, on),
            Step("joints do not count", partial(_duplicates_with_joints, n=n, most=most)),
            Step("n-grams are stepped over", partial(_duplicates, n=n, most=most)),
        )  # fmt: skip
        found.append(Comparison("gopher", f"too_many_duplicate_{n}grams", False, steps))
    return found


def _c4_step(cause: str, on: dict[str, Any], change: Callable[[str], str] = str) -> Step:
    one = C4QualityFilter(**_C4_OFF | on, language=_OURS)
    return Step(cause, _over(change, partial(_drops, (one,))))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _c4() -> list[Comparison]:
    lorem, curly, few = (
        {"filter_lorem_ipsum": True}, {"filter_curly_bracket": True}, {"min_num_sentences": 5},
    )  # fmt: skip

    def both_brackets(text: str) -> str:
        return text.replace("}", "{")

    def no_quotes(text: str) -> str:
        return _QUOTE_ENDS.sub("' -", _lines_as_ours(text))

    make = partial(_steps, C4QualityFilter, _C4_OFF)
    return [
        Comparison("c4", "placeholder_text", False, (
            *make(lorem, by_words=False),
            _c4_step("lines taken out before", lorem | _C4_ALL_LINES, _squeezed))),
        Comparison("c4", "curly_brackets", False, (
            *make(curly, by_words=False),
            _c4_step("lines taken out before", curly | _C4_ALL_LINES),
            _c4_step("closing brackets", curly | _C4_ALL_LINES, both_brackets))),
        Comparison("c4", "too_few_sentences", False, (
            *make(few),
            _c4_step("line ends", few, _lines_as_ours),
            _c4_step("a line may end in '", few, no_quotes),
            _c4_step("citations taken out", few | {"remove_citations": False}, no_quotes))),
    ]  # fmt: skip


def _fineweb() -> list[Comparison]:
    make = partial(_steps, FineWebQualityFilter, _FINEWEB_OFF)
    chars = make({"char_duplicates_ratio": 0.01}, by_words=False)
    blank = Step("white space in blank lines", _over(_lines_as_ours, chars[0].drops))
    ends = make({"line_punct_thr": 0.12}, by_words=False)
    our_ends = FineWebQualityFilter(
        **_FINEWEB_OFF | {"line_punct_thr": 0.12, "stop_chars": _END_MARKS}, language=_OURS
    )
    marks = Step("marks that end a line", partial(_drops, (our_ends,)))
    return [
        Comparison("fineweb", "too_few_terminal_lines", True, (*ends, marks)),
        Comparison("fineweb", "too_many_short_lines", True,
                   make({"short_line_thr": 0.67}, by_words=False)),
        Comparison("fineweb", "too_many_repeated_line_chars", True, (*chars, blank)),
        Comparison("fineweb", "too_many_line_feeds", True, make({"new_line_ratio": 0.3})),
    ]  # fmt: skip


def _whole(preset: str, rules: list[Comparison], *kinds: Any) -> Comparison:
    """A preset beside the filters that it is taken from; last, with every rule defined as ours."""

    def verdict(language: Any) -> Verdict:
        return partial(_drops, tuple(kind(language=language) for kind in kinds))

    def defined_alike(text: str) -> bool:
        return any(rule.steps[-1].drops(text) for rule in rules)

    steps = (Step("", verdict(ENGLISH)), Step(WORDS, verdict(_OURS)),
             Step("definitions", defined_alike))  # fmt: skip
    return Comparison(preset, "all", False, steps)


def comparisons() -> list[Comparison]:
    """Every rule of ours that datatrove has too, and the presets as wholes; C4, which splits
    single lines into sentences, last, because datatrove remembers its last five splits.
    """
    gopher, fineweb, c4 = (
        [_remembered(one) for one in some]
        for some in ([*_gopher_quality(), *_gopher_repetition()], _fineweb(), _c4())
    )
    return [
        *gopher,
        _whole("gopher", gopher, GopherRepetitionFilter, GopherQualityFilter),
        *fineweb,
        _whole("fineweb", fineweb, FineWebQualityFilter),
        *c4,
        _whole("c4", c4, C4QualityFilter),
    ]


def counted(causes: list[str]) -> dict[str, int]:
    """Pages by cause, the most frequent first."""
    return dict(Counter(causes).most_common())
