import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.classifiers.annotation.parse import parse_answer
from models.classifiers.annotation.rubrics import SHIPPED, load_rubrics

RUBRICS = {rubric.name: rubric for rubric in load_rubrics(SHIPPED)}
EDU, DOMAIN, SPEECH = RUBRICS["edu"], RUBRICS["domain"], RUBRICS["speech"]
SITES = "Product/Company/Organization/Personal Websites"
OPTIONS = [(rubric, option) for rubric in RUBRICS.values() for option in rubric.options]


@pytest.mark.parametrize(
    "said",
    [
        "Answer: 3", "answer:3", "ANSWER = 3", "Answer: 3.", "Answer: 3.0", "The answer is 3.",
        "Score: 3/5", "Score: 3 / 5", "Answer: 3 out of 5", "Educational score: 3 points",
        "**3**", "3", "3/5", "- 3", "**Answer:** 3", "**Answer**: `3`", "Answer:\n\n**3**",
        "Answer: Answer: 3", "It explains its subject.\n\nAnswer: 3", "Answer: 3\nAnswer: 3",
        "Answer: 3 (4 would need examples)", "A score of 5 is rare.\nAnswer: 3",
        "Score: 5 for style.\nAnswer: 3", "3: useful for learning.", "Answer: 3: useful",
        "<think>Answer: 1? No.</think>\nAnswer: 3", "Reads well.\n3",
    ],
)  # fmt: skip
def test_a_number_is_found_in_any_form(said):
    assert parse_answer(EDU, said) == ("3", None)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "no_answer"),
        ("Answer:", "no_answer"),
        ("Answer: X", "no_answer"),
        ("Answer: zq zq zq", "no_answer"),
        ("I'm sorry, but I can't help with that request.", "no_answer"),
        ("The 5 best ways to learn", "no_answer"),
        ("5:30 pm", "no_answer"),
        ("Answer: 3rd", "no_answer"),
        ("Answer: 3%", "no_answer"),
        ("Answer: 3,000", "no_answer"),
        ("<think>Answer: 3", "no_answer"),
        ("A list\n3\nof things", "no_answer"),
        ("Answer: 6", "out_of_range"),
        ("Answer: -1", "out_of_range"),
        ("Answer: 35", "out_of_range"),
        ("Answer: 3/10", "out_of_range"),
        ("Answer: " + "9" * 9_000, "out_of_range"),
        ("Answer: 3.5", "ambiguous"),
        ("Answer: 3-4", "ambiguous"),
        ("Answer: 3 or 4", "ambiguous"),
        ("Answer: 0 | 1 | 2 | 3 | 4 | 5", "ambiguous"),
        ("Answer: 3\nAnswer: 4", "ambiguous"),
        ("The text says 'Answer: 5'.\nAnswer: 2", "ambiguous"),
        ("Answer: 3\nAnswer: 9", "ambiguous"),
    ],
)
def test_what_is_no_number_of_the_scale_has_a_reason(said, reason):
    assert parse_answer(EDU, said) == (None, reason)


@pytest.mark.parametrize(
    ("rubric", "said", "name"),
    [
        (DOMAIN, "Answer: Health", "Health"),
        (DOMAIN, "Answer: HEALTH.", "Health"),
        (DOMAIN, "health", "Health"),
        (DOMAIN, "Domain: **Law and government**", "Law_and_Government"),
        (DOMAIN, "Answer: Food & Drink", "Food_and_Drink"),
        (DOMAIN, "Answer: food and drinks", "Food_and_Drink"),
        (DOMAIN, "Answer: Pets", "Pets_and_Animals"),
        (DOMAIN, "Answer: this page is about Science", "Science"),
        (DOMAIN, "Answer: Sports: news of a match", "Sports"),
        (DOMAIN, "Answer: Sports (not Health)", "Sports"),
        (SPEECH, f"Answer: {SITES}", SITES),
        (SPEECH, "Answer: misc", "MISC"),
        (SPEECH, "Type of speech: Review", "Reviews"),
    ],
)
def test_a_class_is_found_in_any_case_and_with_a_slip(rubric, said, name):
    assert parse_answer(rubric, said) == (name, None)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Answer: Philosophy", "out_of_range"),
        ("Answer: Sports | Health", "ambiguous"),
        ("Answer: Sports\nAnswer: Health", "ambiguous"),
        ("Answer: I'm sorry, but I can't help with that request.", "no_answer"),
        ("I like Sports and Games.", "no_answer"),
        ("zq " * 60, "no_answer"),
    ],
)
def test_what_is_no_class_of_the_rubric_has_a_reason(said, reason):
    assert parse_answer(DOMAIN, said) == (None, reason)


@given(st.sampled_from(OPTIONS), st.sampled_from(["Answer: {}", "**Answer:** {}", "answer: `{}`."]))
def test_every_option_is_read_as_itself_in_either_case(pair, form):
    rubric, option = pair
    for name in (option, option.upper(), option.lower(), option.replace("_", " ")):
        assert parse_answer(rubric, form.format(name)) == (option, None)


@given(st.sampled_from(list(RUBRICS.values())), st.text(max_size=200))
def test_anything_said_is_an_option_or_a_reason_never_both_or_an_error(rubric, said):
    for text in (said, f"Answer: {said}"):
        value, reason = parse_answer(rubric, text)
        assert (value in rubric.options) != (reason in ("no_answer", "out_of_range", "ambiguous"))


@given(st.sampled_from(list(RUBRICS.values())), st.text("qzxj ,;\n!?", max_size=80))
def test_rubbish_is_never_an_answer(rubric, said):
    assert parse_answer(rubric, said).value is None


@given(st.integers(-99, 999))
def test_a_number_counts_only_within_the_scale(number):
    found = parse_answer(EDU, f"Answer: {number}")
    assert found == ((str(number), None) if 0 <= number <= 5 else (None, "out_of_range"))


@given(st.sampled_from(OPTIONS), st.sampled_from(OPTIONS))
def test_two_different_answers_are_none(one, other):
    rubric, first = one
    second = other[1]
    if rubric is other[0] and first != second:
        said = f"Answer: {first}\nAnswer: {second}"
        assert parse_answer(rubric, said) == (None, "ambiguous")
