from collections import Counter
from dataclasses import replace

import pytest

from curation.synth.postprocess import VERDICTS, parse, repeated_frac
from curation.synth.prompts import load_prompts
from curation.synth.readers import unquoted

SEGMENT = "The heron stands still. It waits for fish."
"""Eight words: the counter below makes eight tokens of it."""


def words(texts):
    return [len(text.split()) for text in texts]


def read(name, raw, *, least=0, request_id="r", finish="stop", n_output=9, segment=SEGMENT):
    prompt = replace(load_prompts()[name], min_output_tokens=least)
    return parse(
        prompt,
        raw,
        request_id=request_id,
        segment_text=segment,
        finish_reason=finish,
        n_output_tokens=n_output,
        count=words,
    )


def pairs_of(text):
    return text.removeprefix(f"{SEGMENT}\n\n").split("\n\n")


def test_every_verdict_is_told_apart_and_the_list_is_closed():
    assert len(set(VERDICTS)) == len(VERDICTS) == 14
    found = {
        read("distill", "", finish="error").verdict,
        read("distill", "Condensed version:\nA", finish="length").verdict,
        read("distill", "Condensed version:\n").verdict,
        read("distill", "Condensed version:\nI'm sorry, but I can't help with that.").verdict,
        read("distill", "Herons eat fish.").verdict,
        read("distill", "Condensed version:\nA heron. Condensed version: A bird.").verdict,
        read("knowledge_list", "Herons eat fish.").verdict,
        read("diverse_qa", "Answer: fish").verdict,
        read("diverse_qa", "Question: what?").verdict,
        read("debate", "Speaker A: I say so.").verdict,
        read(
            "distill", "Condensed version:\nAdd nothing that the text does not say. Write"
        ).verdict,
        read("distill", "Condensed version:\n" + "so it is " * 20).verdict,
        read("distill", "Condensed version:\nA heron.", least=3).verdict,
        read("distill", "Condensed version:\nA heron.").verdict,
    }
    assert found == set(VERDICTS)


def test_only_the_engine_says_what_is_truncated():
    # Defect 4: the answer is as long as its cap, and whole.
    prompt = load_prompts()["distill"]
    n_cap = prompt.max_output_tokens
    assert read("distill", "Condensed version:\nA heron.", n_output=n_cap).verdict == "accepted"
    assert read("distill", "Condensed version:\nA heron.", finish="length").verdict == "truncated"


def test_an_answer_of_nothing_but_the_prefill_is_empty():
    for name, prompt in load_prompts().items():
        assert read(name, prompt.prefill).verdict == "empty"
        assert read(name, f"{prompt.prefill} \n").verdict == "empty"
        assert read(name, " \n").verdict == "empty"


def test_a_rejected_answer_has_no_text():
    assert read("distill", "Herons eat fish.").text is None


def test_the_marker_is_cut_whatever_its_case_and_emphasis():
    for raw in ("Condensed version:\nA heron.", "**condensed Version:** A heron. "):
        assert read("distill", raw).text == "A heron."


def test_the_least_length_is_a_length_that_is_kept():
    # The paper's least length of a dialogue: 49 dropped, 50 kept; the labels are two tokens each.
    def dialogue(n_words):
        said = " ".join(f"w{index}" for index in range(n_words - 6))
        return f"Student A: {said}\nStudent B: Good day"

    assert read("two_students", dialogue(49), least=50).verdict == "too_short"
    assert read("two_students", dialogue(50), least=50).verdict == "accepted"


def test_markdown_comes_off_and_identifiers_stay():
    # Defect 11.
    raw = "Condensed version:\nThe **value** of my_var_name is 2 * 3 * 4, see `__init__`."
    assert read("distill", raw).text == "The value of my_var_name is 2 * 3 * 4, see `__init__`."


@pytest.mark.parametrize(
    ("quoted", "plain"),
    [
        ('"Hello, World!"', "Hello, World!"),
        ("\u201cHello\u201d", "Hello"),
        ('"He said "no" to me"', 'He said "no" to me'),
        ('"a" and "b"', '"a" and "b"'),
        ('""', '""'),
        ('"', '"'),
        ('"unclosed', '"unclosed'),
        ('"First."\n"Second."', '"First."\n"Second."'),
        ('5" by 6"', '5" by 6"'),
    ],
)
def test_quotes_come_off_only_around_the_whole(quoted, plain):
    # Defect 12.
    assert unquoted(quoted) == plain


def test_labels_of_passages_go_whatever_their_number():
    # Defect 13.
    raw = "Passage 1:\nHerons wade.\n\nPassage 4:\nFish swim.\n\nPassage 12: Reeds grow.\nPassage 3"
    assert read("extract_knowledge", raw).text == "Herons wade.\n\nFish swim.\n\nReeds grow."


def test_the_word_passage_in_a_sentence_stays():
    raw = "Passage 9 of the law protects herons: it says so.\nThe passage: narrow."
    assert read("extract_knowledge", raw).text == raw


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("1. A heron\n2. A fish", "A heron\nA fish"),
        ("* A heron\n* A fish", "A heron\nA fish"),
        ("\u2022 A heron\n\u2022 A fish", "A heron\nA fish"),
        ("-A heron\n-A fish", "A heron\nA fish"),
        ("1) A heron\n(2) A fish", "A heron\nA fish"),
        ("Facts:\n- A heron\n\n  - A fish\nSome extra text", "A heron\nA fish\nSome extra text"),
        ("- 1.5 metres tall\n- -5 degrees", "1.5 metres tall\n-5 degrees"),
        ("- Well-known birds - herons\n- Long-legged", "Well-known birds - herons\nLong-legged"),
        ("- A heron\nIt is well-known - to us", "A heron\nIt is well-known - to us"),
        ("- 1. A heron\n- (2) A fish", "A heron\nA fish"),
        ("- -x is the negative of x\n- x", "-x is the negative of x\nx"),
        ("1\u3001A heron\n2\uff0eA fish", "A heron\nA fish"),
    ],
)
def test_lists_lose_their_heading_and_marks_of_any_kind(raw, text):
    # Defect 10.
    assert read("knowledge_list", raw).text == text


def test_prose_is_no_list():
    for raw in ("A heron waits.", "A heron waits.\nA fish comes.", "3.5 metres\n4.5 metres"):
        assert read("knowledge_list", raw).verdict == "no_items"


ANSWER = """Questions and answers about the text:
- Question: Does it move?
- Answer: No, it stands still.

- Question: What does it wait for? A) fish B) rain
- Answer: A) fish
- Question: Why does it stand still?
- Answer: Because it waits.
"""


def test_pairs_stand_below_the_segment_each_once_and_whole():
    # 150 words allow 1 to 10 pairs; some request keeps all three.
    segment = " ".join(["heron"] * 150)
    found = [read("diverse_qa", ANSWER, segment=segment, request_id=str(n)).text for n in range(40)]
    longest = max(found, key=len)
    first, *pairs = longest.split("\n\n")
    assert first == segment
    assert sorted(pairs) == [
        "Question: Does it move?\nAnswer: No, it stands still.",
        "Question: What does it wait for? A) fish B) rain\nAnswer: A) fish",
        "Question: Why does it stand still?\nAnswer: Because it waits.",
    ]


def test_how_many_pairs_are_kept_is_bounded_by_the_segment():
    # 8 tokens: 10*8//150 = 0, so 1 pair; 30 tokens: 2, so 1 or 2.
    assert all(
        len(pairs_of(read("diverse_qa", ANSWER, request_id=str(n)).text)) == 1 for n in range(20)
    )
    segment = " ".join(["heron"] * 30)
    kept = Counter(
        len(read("diverse_qa", ANSWER, segment=segment, request_id=str(n)).text.split("\n\n")) - 1
        for n in range(60)
    )
    assert set(kept) == {1, 2}
    assert min(kept.values()) > 15


def test_choice_and_order_of_pairs_follow_from_the_request_alone():
    # Defect 14.
    segment = " ".join(["heron"] * 150)
    answers = [
        read("diverse_qa", ANSWER, segment=segment, request_id=str(n)).text for n in range(20)
    ]
    again = [read("diverse_qa", ANSWER, segment=segment, request_id=str(n)).text for n in range(20)]
    assert answers == again
    assert len({answer.split("\n\n")[1] for answer in answers}) == 3


def test_questions_and_answers_may_be_numbered_inline_and_of_many_lines():
    raw = (
        "1. Question 1: Which is it?\nA) a heron\nB) a fish\nAnswer 1: A)\nIt has legs.\n"
        "2. question: Is it wet? answer: Yes."
    )
    segment = " ".join(["heron"] * 150)
    found = {
        pair
        for n in range(20)
        for pair in read("diverse_qa", raw, segment=segment, request_id=str(n)).text.split("\n\n")
    }
    assert found - {segment} == {
        "Question: Which is it?\nA) a heron\nB) a fish\nAnswer: A)\nIt has legs.",
        "Question: Is it wet?\nAnswer: Yes.",
    }


def test_hyphens_and_the_word_answer_within_a_pair_stay():
    raw = (
        "- Question: What well-known bird is the correct answer: a heron - or a fish?\n"
        "- Answer: It is this.\n  - The long-legged one\nIts Answer: a heron."
    )
    assert pairs_of(read("diverse_qa", raw).text) == [
        "Question: What well-known bird is the correct answer: a heron - or a fish?\n"
        "Answer: It is this.\n- The long-legged one\nIts Answer: a heron."
    ]


def test_labels_with_a_colon_of_full_width_are_labels():
    raw = "Question\uff1aIs it wet?\nAnswer 1\uff1aYes."
    assert pairs_of(read("diverse_qa", raw).text) == ["Question: Is it wet?\nAnswer: Yes."]
    raw = "Student A\uff1aHello.\nStudent B\uff1aGood day."
    assert read("two_students", raw).text == raw
    assert read("distill", "Condensed version\uff1aA heron.").text == "A heron."
    assert read("extract_knowledge", "Passage 2\uff1aHerons wade.").text == "Herons wade."


def test_a_question_asked_twice_or_not_answered_is_left_out():
    raw = "Question: Is it wet?\nAnswer: Yes.\nQuestion: is it wet?\nAnswer: No.\nQuestion: Why?"
    segment = " ".join(["heron"] * 150)
    for n in range(10):
        text = read("diverse_qa", raw, segment=segment, request_id=str(n)).text
        assert text == f"{segment}\n\nQuestion: Is it wet?\nAnswer: Yes."


@pytest.mark.parametrize(
    ("raw", "verdict"),
    [
        ("Answer: fish\nAnswer: water", "no_question"),
        ("It is about herons.", "no_question"),
        ("It is about herons.\nQuestion: Why?\nAnswer: So.", "no_marker"),
        ("Question: Why?\nQuestion: When?", "no_answer"),
        ("Question: Why?\nAnswer:", "no_answer"),
    ],
)
def test_answers_without_pairs_are_told_apart(raw, verdict):
    assert read("diverse_qa", raw).verdict == verdict


def test_pairs_and_segment_together_must_reach_the_least_length():
    # Segment 8 + "Question: Why?" 2 + "Answer: So." 2.
    raw = "Question: Why?\nAnswer: So."
    assert read("diverse_qa", raw, least=12).verdict == "accepted"
    assert read("diverse_qa", raw, least=13).verdict == "too_short"


def test_a_dialogue_loses_the_line_that_announces_it():
    raw = "Sure! Here is the conversation:\n\n**Student A:** Hello.\n\n**Student B:** Good day."
    assert read("two_students", raw).text == "Student A: Hello.\n\nStudent B: Good day."


def test_a_speaker_may_stand_on_a_line_of_his_own():
    raw = "Dr. Grey:\nHello there.\nHow are you?\nMiss O'Neil:\nWell, thanks."
    assert read("interview", raw).text == raw


@pytest.mark.parametrize(
    "raw",
    [
        "Student A: I talk.\nStudent A: And talk.",
        "Student A: I talk.\nStudent B:",
        "Step 1: add them.\nStep 2: halve them.",
        "Problem: add.\nSolution: halve.",
        "Student A: We add.\nTherefore: it is four.\nAnswer: four.",
        "They talk about herons: a long time.",
        "See https://example.org/a: it says so.\nhttps://example.org/b",
    ],
)
def test_less_than_two_speakers_who_speak_are_no_dialogue(raw):
    assert read("two_students", raw).verdict == "no_dialogue"


def test_repeated_ngrams_are_counted_by_hand():
    assert repeated_frac("one two three four") == 0.0
    assert repeated_frac("a b c d e f g") == 0.0
    # a b a b a b a: three 5-grams, the third is the first again.
    assert repeated_frac("a b a b a b A") == pytest.approx(1 / 3)


def test_up_to_three_tenths_of_repeated_ngrams_are_kept():
    # 10 5-grams, of which 3 repeat: 14 words, the last 7 of which are the first 7 again; one
    # word more, 4 of 11 repeat.
    seven = [f"w{index}" for index in range(7)]
    kept = " ".join([*seven, *seven])
    raw = "Condensed version:\n"
    assert repeated_frac(kept) == pytest.approx(0.3)
    assert read("distill", raw + kept).verdict == "accepted"
    assert read("distill", f"{raw}{kept} w0").verdict == "repetitive"


@pytest.mark.parametrize(
    "said",
    [
        "I'm sorry, but I can't help with that.",
        "I am sorry, but this is not possible.",
        "I cannot assist with this request.",
        "As an AI language model, I have no view.",
        "\u201cI can\u2019t help with that.\u201d",
        "Unfortunately, I am unable to rewrite this.",
    ],
)
def test_refusals_are_found_behind_marker_and_speaker(said):
    assert read("distill", said).verdict == "refusal"
    assert read("distill", f"Condensed version:\n{said}").verdict == "refusal"
    assert read("diverse_qa", f"Questions and answers about the text:\n{said}").verdict == "refusal"
    begun = f"Questions and answers about the text:\n- Question: {said}"
    assert read("diverse_qa", begun).verdict == "refusal"
    assert read("knowledge_list", f"- {said}").verdict == "refusal"
    assert read("extract_knowledge", f"Passage 1:\n{said}").verdict == "refusal"
    assert read("two_students", f"Student A: {said}\nStudent B: Oh.").verdict == "refusal"


@pytest.mark.parametrize(
    "said",
    [
        "I cannot believe that the heron waited.",
        "I'm sorry for the fish.",
        "The keeper said: I'm sorry, but I can't help with that.",
        "As an aid to memory, herons are grey.",
    ],
)
def test_regret_in_a_text_is_no_refusal(said):
    assert read("distill", f"Condensed version:\n{said}").verdict == "accepted"


def test_eight_words_of_the_instructions_are_an_echo_and_seven_are_not():
    eight = "Add nothing that the text does not say"
    seven = "add nothing that the text does not"
    told = "Condensed version:\nA heron waits. "
    assert eight in load_prompts()["distill"].user
    assert read("distill", f"{told}{eight}.").verdict == "prompt_echo"
    assert read("distill", f"{told}{seven}.").verdict == "accepted"


def test_words_that_the_segment_has_too_are_no_echo():
    said = "Add nothing that the text does not say"
    found = read("distill", f"Condensed version:\n{said}", segment=f"We say: {said}!")
    assert found.verdict == "accepted"


def test_repeated_items_of_a_list_are_kept_once():
    raw = "- A heron\n- A fish\n- A heron\n- 1. A reed\n-\n"
    assert read("knowledge_list", raw).text == "A heron\nA fish\nA reed"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("Condensed version:\nCondensed version:\nA heron.", "A heron."),
        ("CONDENSED VERSION:\ncondensed  version :\nA heron.", "A heron."),
        ("## Condensed version:\n\nA heron.", "A heron."),
        (
            "\ufeff\u200bCondensed\u00a0version:\r\nA her\u200bon.\r\nIt waits.",
            "A heron.\nIt waits.",
        ),
        ('Condensed version: "A heron."', "A heron."),
        ('Condensed version:\n"A heron', '"A heron'),
    ],
)
def test_the_marker_goes_however_it_is_written(raw, text):
    assert read("distill", raw).text == text


@pytest.mark.parametrize(
    "raw",
    [
        "Condensed version:\nCondensed version:",
        "condensed version:",
        'Condensed version: " "',
        "Condensed version:\n\u200b",
        "\u200b\ufeff",
        "\r\n\r\n",
    ],
)
def test_an_answer_without_words_is_no_text(raw):
    found = read("distill", raw)
    assert found.text is None
    assert found.verdict in ("empty", "no_marker")


def test_passages_and_items_without_words_are_empty():
    assert read("extract_knowledge", "Passage 2:\nPassage 3:").verdict == "empty"
    assert read("knowledge_list", "-\n- \n1.").verdict == "empty"


def test_latex_of_a_dialogue_is_intact():
    raw = (
        "Student A: Is $a_1 * b_1 = c_1$, or \\(x_{i} *y* z\\)?\n"
        "Student B: \\[ \\frac{a_1}{b_1} \\\\[2pt] \\] and $$ _x_ $$ **only**."
    )
    assert read("two_students", raw).text == raw.replace("**only**", "only")


def test_numbers_are_counted_of_what_was_generated_and_not_of_the_segment():
    # Of the pair: 30 is in the segment, 7 is not; the segment's own 12 is not counted.
    raw = "Question: Of 30 herons, how many wade?\nAnswer: 7"
    found = read("diverse_qa", raw, segment="We saw 30 herons in 12 lakes.")
    assert (found.numbers.n_numbers, found.numbers.n_in_source) == (2, 1)
