"""Answers that no one asked for: parsing takes them all, and takes no time to speak of."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.synth.postprocess import VERDICTS, parse, repeated_frac
from curation.synth.prompts import load_prompts

SEGMENT = "The heron stands still. It waits for 3 fish."
PROMPTS = {name: replace(p, min_output_tokens=0) for name, p in load_prompts().items()}
MARKERS = sorted({prompt.marker for prompt in PROMPTS.values() if prompt.marker})

_MARKS = [
    "Question:",
    "answer 2:",
    "- Question: Why?",
    "- Answer: So.",
    "Question：",
    "Answer：",
    "Student A:",
    "**Teacher**: ",
    "Passage 7:",
    "passage",
    "- ",
    "* ",
    "• ",
    "12. ",
    "(3)",
    "、",
    "**",
    "*",
    "_",
    "__",
    "***",
    "`",
    "```",
    "$",
    "$$",
    "\\[",
    "\\]",
    "\\(",
    "\\)",
    "\\begin{a}",
    "\\end{a}",
    "[a](b)",
    "](",
    "## ",
    '"',
    "“",
    "”",
    "「",
    "{text}",
    "heron",
    "waits",
    "1,000",
    "I'm sorry, but I can't help with that.",
    "苍鹭。",
    "ſt",
    "ﬆ",
]
_BLANKS = (
    "\n", "\n\n", "\r\n", "\r", "\u2028", "\t", " ", "\u00a0", "\u200b", "\ufeff", "\u00ad", "\x00",
    "\ue000", "\ue0001\ue001",
)  # fmt: skip
PIECES = (
    *MARKERS, *(marker.upper() for marker in MARKERS), *(f"**{marker}**" for marker in MARKERS),
    *(marker.replace(":", "\uff1a") for marker in MARKERS), *(f"# {marker}" for marker in MARKERS),
    *(prompt.prefill for prompt in PROMPTS.values()), *_MARKS, *_BLANKS,
)  # fmt: skip
"""What answers are made of, and what breaks them; two letters fold to more or other ones."""

ANSWERS = st.lists(st.one_of(st.sampled_from(PIECES), st.text(max_size=8)), max_size=30).map(
    "".join
)


def words(texts):
    return [len(text.split()) for text in texts]


def read(name, raw, finish="stop", segment=SEGMENT):
    return parse(
        PROMPTS[name], raw, request_id="r", segment_text=segment, finish_reason=finish,
        n_output_tokens=9, count=words,
    )  # fmt: skip


def says_marker(prompt, text):
    """Whether the marker stands in `text`, in any case, with any space and either colon."""
    squeezed = re.sub(r"\s+", "", text).replace("\uff1a", ":").lower()
    return re.sub(r"\s+", "", prompt.marker).lower() in squeezed


@given(st.sampled_from(sorted(PROMPTS)), ANSWERS, st.sampled_from(("stop", "length", "error")))
def test_any_answer_has_a_verdict_and_no_accepted_text_holds_the_marker(name, raw, finish):
    found = read(name, raw, finish)
    assert found.verdict in VERDICTS
    assert (found.text is not None) == (found.verdict == "accepted")
    assert 0 <= found.numbers.n_in_source <= found.numbers.n_numbers
    if found.text is None:
        return
    prompt, text = PROMPTS[name], found.text
    assert finish == "stop"
    assert text == text.strip()
    assert "\r" not in text
    assert "\u200b" not in text
    if prompt.marker:
        assert not says_marker(prompt, text)
    if prompt.parser == "pairs":
        assert text.startswith(f"{SEGMENT}\n\nQuestion: ")
        assert "\nAnswer: " in text
    assert repeated_frac(text.removeprefix(SEGMENT)) <= 0.5


@given(st.sampled_from(sorted(PROMPTS)), ANSWERS)
def test_an_answer_is_read_alike_twice_and_whatever_its_line_ends_are(name, raw):
    assert read(name, raw) == read(name, raw)
    if "\r" not in raw:
        assert read(name, raw.replace("\n", "\r\n")) == read(name, raw)


READ = ("distill", "diverse_qa", "knowledge_list", "extract_knowledge", "two_students")
"""One prompt for each way of reading."""


@pytest.mark.parametrize("name", READ)
def test_a_megabyte_of_one_line_is_read(name):
    assert read(name, f"{PROMPTS[name].prefill}{'a' * 1_000_000}").verdict in VERDICTS
    assert read(name, "heron " * 170_000).verdict != "accepted"


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "piece",
    [
        " ", "\t", "Question:", "question ", "answer ", "- ", "* a ", "Passage ", "passage 1 ",
        "Student A: ", "A.", '"', "\u201c", "\u200b", "\u82cd\u3002", "Condensed ",
        "condensed version:", "1) ", "1", "7,000,", "I'm sorry ", "twenty-", "one and ",
    ],
)  # fmt: skip
def test_time_is_linear_in_an_answer(piece):
    # A pattern that is quadratic takes minutes for one of these.
    long = piece * (150_000 // len(piece))
    for name in READ:
        assert read(name, f"{PROMPTS[name].prefill}a{long}b").verdict in VERDICTS


@pytest.mark.parametrize("name", sorted(PROMPTS))
@pytest.mark.parametrize(
    "raw",
    [
        "", " \n\t", "\u200b\ufeff\u2060", "**", "# ", '"', "\u201c\u201d", "```\n```", "\x00", "-",
        "\r\n" * 50, "\u3002\uff1a\u3001",
    ],
)  # fmt: skip
def test_what_says_nothing_is_never_accepted(name, raw):
    assert read(name, raw).text is None
    assert read(name, PROMPTS[name].marker + raw).text is None


@pytest.mark.parametrize("marker", MARKERS)
def test_an_answer_of_markers_alone_is_never_accepted(marker):
    (name,) = (name for name, prompt in PROMPTS.items() if prompt.marker == marker)
    for raw in (marker, marker.upper(), f"**{marker}**", f"{marker}\n{marker}", f"## {marker}\n\n"):
        assert read(name, raw).verdict in ("empty", "no_question")
