"""What a judge is shown, and how its answers are read."""

import pytest

from curation.config import JudgeConfig, RunConfig
from curation.errors import ConfigError
from curation.model_store import model_folder
from curation.synth.backends.fake import FakeBackend
from curation.synth.backends.protocol import ChatRequest
from curation.synth.judgement import pair_text, read_grade
from curation.synth.judging import identity, question
from curation.synth.prompts import all_prompts, load_judge, load_prompts, render
from curation.synth.tokenizer import load_chat_tokenizer

JUDGE = load_judge()


@pytest.fixture(scope="module")
def tokenizer():
    return load_chat_tokenizer(model_folder("smollm2-135m"))


def cost(tokenizer, text):
    return len(tokenizer.encode_chat(JUDGE.system, render(JUDGE, text), JUDGE.prefill))


@pytest.mark.parametrize(
    ("raw", "grade"),
    [
        ("Grade: 4", 4), ("Grade:5", 5), ("grade : **3**", 3), ("4", 4), (" 2. ", 2),
        ("Grade: 4/5", 4), ("Grade: 3 out of 5. The text", 3), ("Grade: 4.0", 4),
        ("Grade\uff1a 2", 2), ("Grade: 4\nGrade: 4", 4), ("Sound. Grade: 1", 1),
        ("Grade: 3, as the", 3), ("**Grade**: 4", 4), ("Grade 2", 2), ("Grade: 5 - good", 5),
    ],
)  # fmt: skip
def test_a_grade_is_read_however_it_is_put(raw, grade):
    assert read_grade(raw, "stop") == (grade, None)
    assert read_grade(raw, "length") == (grade, None)


@pytest.mark.parametrize(
    "raw",
    ["", "Grade:", "Grade: 0", "Grade: 6", "Grade: 10", "Grade: 45", "Grade: 3.5", "Grade: 4,5",
     "Grade: 2/10", "Grade: 2\nGrade: 5", "Grade: good", "5 apples",
     "Grade: 4 - 5", "Grade: 4 \u2013 5", "Grade: 1 to 5"],
)  # fmt: skip
def test_what_is_no_single_grade_is_none(raw):
    assert read_grade(raw, "stop") == (None, "unreadable")


def test_an_error_of_the_engine_is_its_fault():
    assert read_grade("Grade: 5", "error") == (None, "engine_error")


def test_short_texts_are_shown_whole(tokenizer):
    shown = pair_text("One source.", "Another text.", JUDGE, tokenizer, 3_000)
    assert shown == "SOURCE:\nOne source.\n\nNEW TEXT:\nAnother text."


@pytest.mark.parametrize(
    ("n_source", "n_made"), [(5_000, 5_000), (5_000, 3), (3, 5_000), (900, 900)]
)
def test_a_question_is_never_longer_than_it_may_be_and_uses_the_room(tokenizer, n_source, n_made):
    source, made = "heron " * n_source, "pond " * n_made
    for most in (700, 3_000):
        n_tokens = cost(tokenizer, pair_text(source, made, JUDGE, tokenizer, most))
        assert n_tokens <= most
        assert n_tokens > most - 40 or n_source + n_made < most


def test_of_two_long_texts_each_keeps_half_and_of_one_the_rest(tokenizer):
    shown = pair_text("water " * 4_000, "pond " * 4_000, JUDGE, tokenizer, 2_000)
    assert abs(shown.count("water") - shown.count("pond")) < 10
    shown = pair_text("water " * 4_000, "pond " * 4, JUDGE, tokenizer, 2_000)
    assert shown.count("pond") == 4
    assert shown.count("water") > 1_000


def test_a_context_too_short_for_two_texts_is_refused_before_anything_is_asked(tokenizer):
    short = {"enabled": True, "max_model_tokens": 384}
    with pytest.raises(ConfigError, match=r"judge\.max_model_tokens: a chat of 376 tokens leaves"):
        identity(RunConfig(judge=short))
    assert identity(RunConfig(judge={"enabled": True}))["prompt"] == JUDGE.version


ROW = {
    "synthetic_id": "s1", "doc_id": "d1", "crawl": "c", "stage": "s06_rephrase",
    "task": "diverse_qa", "source": "The heron eats fish.", "source_language": "en",
    "text": "The heron eats fish.\n\nQuestion: What does it eat?\nAnswer: Fish.",
}  # fmt: skip


def test_a_question_is_about_what_the_generator_wrote_itself(tokenizer):
    asked = question(ROW, JUDGE, JudgeConfig(), tokenizer, "hash")
    assert asked["text"].endswith("NEW TEXT:\nQuestion: What does it eat?\nAnswer: Fish.")
    assert (asked["stage"], asked["synthetic_id"], asked["of_task"]) == (
        "s07a_judge", "s1", "diverse_qa",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("change", "settings"),
    [({"synthetic_id": "s2"}, {}), ({"text": "Other."}, {}), ({"source": "Else."}, {}),
     ({}, {"engine_seed": 3}), ({}, {"engine": {"dtype": "float16"}})],
)  # fmt: skip
def test_a_question_has_another_id_where_its_answer_could_be_another(tokenizer, change, settings):
    ids = {
        question(row, JUDGE, conf, tokenizer, "hash")["request_id"]
        for row, conf in ((ROW, JudgeConfig()), (ROW | change, JudgeConfig(**settings)))
    }
    assert len(ids) == 2


def test_the_judge_makes_no_text_and_is_known_to_whoever_asks():
    assert JUDGE.name not in load_prompts()
    assert all_prompts() == load_prompts() | {JUDGE.name: JUDGE}


def test_the_fake_gives_grades_of_the_whole_scale():
    asked = [
        ChatRequest(f"r{n}", JUDGE.system, render(JUDGE, "x"), JUDGE.prefill, 8, 0.0, 1.0)
        for n in range(60)
    ]
    grades = {
        read_grade(done.text, done.finish_reason)[0] for done in FakeBackend().generate(asked)
    }
    assert grades == {1, 2, 3, 4, 5}
