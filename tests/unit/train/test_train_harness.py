"""Tasks through lm-evaluation-harness; where it is not installed, its absence is told."""

import gzip
import json
from importlib.util import find_spec

import pytest

torch = pytest.importorskip("torch", reason="no torch")
transformers = pytest.importorskip("transformers", reason="no transformers")

from trained_models import save_model, save_tokenizer  # noqa: E402

from models.train.harness import main  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("single_thread"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

needs_harness = pytest.mark.skipif(find_spec("lm_eval") is None, reason="no lm_eval")

ENDINGS = ["runs.", "sleeps for a very long time.", "eats it up.", "sings."]


@pytest.fixture
def folder(tmp_path):
    save_tokenizer(tmp_path / "m")
    save_model(tmp_path / "m", longest=512)
    return tmp_path / "m"


@pytest.fixture
def data(tmp_path):
    """Items of HellaSwag and MMLU, and problems of GSM8K."""
    hellaswag = [
        {"activity_label": "Play", "ctx_a": f"A boy number {n} plays.", "ctx_b": "he",
         "label": n % 4, "endings": ENDINGS[n % 3 :] + ENDINGS[: n % 3]}
        for n in range(12)
    ]  # fmt: skip
    mmlu = [
        {"subject": "sums", "question": f"{n} + 1?", "choices": list("abcd"), "answer": str(n % 4)}
        for n in range(9)
    ]
    problems = [{"question": f"What is {n}?", "answer": f"It is.\n#### {n}"} for n in range(7)]
    for name, rows in {"hellaswag_1000": hellaswag, "mmlu_test": mmlu, "gsm8k_test": problems[:2],
                       "gsm8k_train_2000": problems}.items():  # fmt: skip
        with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path


def _nats(model, tokenizer, context, answer):
    """Loss of an answer behind its context, the plain way."""
    before, ids = (tokenizer.encode(text).ids for text in (context, context + answer))
    with torch.no_grad():
        logits = model(torch.tensor([ids[:-1]])).logits[0].double()
    losses = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]), reduction="none")
    return losses[len(before) - 1 :].sum().item()


@needs_harness
def test_scores_are_those_worked_out_without_the_harness(folder, data, capsys):
    from tokenizers import Tokenizer

    told = data / "told.json"
    main(["--model", str(folder), "--data", str(data), "--tasks", "hellaswag,mmlu",
          "--json", str(told)])  # fmt: skip
    assert "hellaswag" in capsys.readouterr().out
    hellaswag, mmlu = json.loads(told.read_text())
    assert (hellaswag["metric"], hellaswag["n_items"]) == ("acc_norm", 12)
    assert (mmlu["metric"], mmlu["n_items"]) == ("acc", 9)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder)
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    right = plain = 0
    for n in range(12):
        endings = ENDINGS[n % 3 :] + ENDINGS[: n % 3]
        context = f"Play: A boy number {n} plays. He"
        nats = [_nats(model, tokenizer, context, " " + ending) for ending in endings]
        by_length = [one / len(ending) for one, ending in zip(nats, endings, strict=True)]
        right += by_length.index(min(by_length)) == n % 4
        plain += nats.index(min(nats)) == n % 4
    assert right != plain  # the two can be told apart
    assert hellaswag["value"] == pytest.approx(right / 12)
    assert hellaswag["stderr"] > 0
    right = 0
    for n in range(9):
        context = (
            "The following are multiple choice questions (with answers) about sums.\n\n"
            f"{n} + 1?\nA. a\nB. b\nC. c\nD. d\nAnswer:"
        )
        nats = [_nats(model, tokenizer, context, f" {letter}") for letter in "ABCD"]
        right += nats.index(min(nats)) == n % 4
    assert mmlu["value"] == pytest.approx(right / 9)


@needs_harness
def test_a_limit_is_kept_and_problems_are_generated(folder, data, capsys):
    main(["--model", str(folder), "--data", str(data), "--tasks", "mmlu,gsm8k", "--limit", "1"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    assert [(row[0], row[1], row[4]) for row in rows] == [
        ("mmlu", "acc", "1"), ("gsm8k", "exact_match", "1")
    ]  # fmt: skip


@needs_harness
def test_missing_items_are_one_clear_line(folder, tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["--model", str(folder), "--data", str(tmp_path / "none"), "--tasks", "mmlu"])
    assert "mmlu_test.jsonl.gz: no such file; --data names" in capsys.readouterr().err


def test_an_unknown_task_or_no_harness_is_one_clear_line(folder, data, capsys, monkeypatch):
    monkeypatch.setattr("models.train.harness.find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="2"):
        main(["--model", str(folder), "--data", str(data)])
    assert "tasks need lm-evaluation-harness: pip install" in capsys.readouterr().err
    monkeypatch.setattr("models.train.harness.find_spec", lambda name: name)
    with pytest.raises(SystemExit, match="2"):
        main(["--model", str(folder), "--data", str(data), "--tasks", "boolq"])
    assert "--tasks: boolq is none of" in capsys.readouterr().err
