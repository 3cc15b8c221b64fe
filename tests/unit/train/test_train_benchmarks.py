import gzip
import json

import pytest

from curation.errors import ConfigError, InputError
from models.train.benchmarks import LAYOUTS, read_items
from models.train.harness import OF_PAPER, TASKS, task_config

ARC = {
    "set": "ARC-Easy",
    "question": "Please choose the correct answer to the question: Which is\n\ncold?\n\n"
    "Answer1: fire Answer2: ice Answer3: the sun\n\nAnswer format: answer1/answer2/answer3",
    "answer": "answer2",
}


@pytest.fixture
def read(tmp_path):
    """Writes rows to a file and reads them back as items of a task."""

    def through(layout, *rows):
        with gzip.open(tmp_path / "rows.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
        return read_items(tmp_path / "rows.jsonl.gz", layout)

    return through


def test_a_question_of_arc_is_taken_out_of_its_prompt(read):
    hard = ARC | {"set": "ARC-Challenge", "answer": "answer3"}
    item = {"question": "Which is\n\ncold?", "choices": ["fire", "ice", "the sun"], "answer": 1}
    assert read("arc_easy", ARC, hard) == [item]
    assert read("arc_challenge", ARC, hard) == [item | {"answer": 2}]


def test_what_wikihow_marked_up_is_gone_from_hellaswag(read):
    row = {"activity_label": "Baking", "ctx_a": "A man [x] bakes.", "ctx_b": "he then",
           "label": "1", "endings": [" eats [title] it", "sleeps.  "]}  # fmt: skip
    assert read("hellaswag", row) == [
        {
            "question": "Baking: A man bakes. He then",
            "choices": ["eats. it", "sleeps."],
            "answer": 1,
        }
    ]


def test_heads_of_tables_are_no_questions_of_mmlu(read):
    head = {
        "subject": "a_b",
        "question": "question",
        "choices": ["choice0"] * 4,
        "answer": "answer",
    }
    row = {"subject": "a_b", "question": " 1 + 1? ", "choices": ["1", "2", "3", "4"], "answer": "1"}
    assert read("mmlu", head, row) == [
        {"subject": "a b", "question": "1 + 1?", "choices": ["1", "2", "3", "4"], "answer": 1}
    ]


@pytest.mark.parametrize(
    ("layout", "row", "said"),
    [
        ("arc_easy", ARC | {"question": "Which?"}, "1: not an item of arc_easy: the question"),
        ("arc_easy", ARC | {"answer": "answer4"}, "answer4 of 3 choices"),
        ("mmlu", {"subject": "a"}, "not an item of mmlu: 'answer'"),
        ("gsm8k", {"question": "?", "answer": "4"}, "the answer has no ####"),
    ],
)
def test_a_row_of_another_layout_is_named(read, layout, row, said):
    with pytest.raises(InputError, match=said):
        read(layout, row)


def test_a_missing_or_cut_file_is_refused(tmp_path, read):
    with pytest.raises(InputError, match="no such file; --data names the folder"):
        read_items(tmp_path / "none.jsonl.gz", "mmlu")
    read("arc_easy", *[ARC] * 9)
    file = tmp_path / "rows.jsonl.gz"
    file.write_bytes(file.read_bytes()[:-9])
    with pytest.raises(InputError, match="damaged"):
        read_items(file, "arc_easy")


@pytest.mark.shared
def test_the_items_are_as_many_as_the_benchmarks_have(shared_data):
    files = {"arc_easy": ("arc_test", 2376), "arc_challenge": ("arc_test", 1172),
             "hellaswag": ("hellaswag_1000", 1000), "mmlu": ("mmlu_test", 14042),
             "gsm8k": ("gsm8k_test", 1319)}  # fmt: skip
    for layout, (name, n_items) in files.items():
        items = read_items(shared_data / "text" / f"{name}.jsonl.gz", layout)
        assert len(items) == n_items
        assert all(item["answer"] in range(len(item.get("choices", []))) for item in items
                   if "choices" in item)  # fmt: skip


def test_every_task_has_a_file_and_reports_what_the_paper_does(tmp_path):
    assert {path.stem for path in TASKS.glob("*.yaml")} == set(LAYOUTS)
    confs = {name: task_config(name, tmp_path) for name in LAYOUTS}
    assert all(conf["task"] == name for name, conf in confs.items())
    assert {name: confs[name]["metadata"]["reported"] for name in OF_PAPER} == {
        "arc_easy": "acc_norm", "arc_challenge": "acc_norm", "hellaswag": "acc_norm", "mmlu": "acc"
    }  # fmt: skip
    with pytest.raises(ConfigError, match="boolq is none of arc_challenge, arc_easy, gsm8k"):
        task_config("boolq", tmp_path)
