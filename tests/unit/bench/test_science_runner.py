"""The runner of the experiments on small models, with a few steps of a small one."""

import math

import pytest

pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

import torch

from bench.science import __main__ as command
from bench.science import runner
from bench.science.design import Arm, Contrast, Experiment, Material, Phase, Quiz, fixed
from bench.science.runner import load_results, measured, prepare
from models.train.evaluate import evaluate
from models.train.model import build_model
from models.train.step import IGNORED

TEXTS = [f"The {word} number {i} stands in the town of stone." for i in range(40) for word in "ab"]
ARMS = (
    Arm("one", (Phase({"a": 1.0}),)),
    Arm("two", (Phase({"a": 0.5, "b": 0.5}),), {"learning_rate": 1e-4}),
)


def material(data, seed):
    quiz = Quiz((("The town of", " stone."), ("The number", " 7")))
    return Material(
        {"a": TEXTS, "b": [text.upper() for text in TEXTS]},
        {"other": ["A town of stone stands here, and it has a number."] * 30},
        {"cloze": quiz, "free": Quiz((("The a", "3"),), marker="number")},
    )


EXPERIMENT = Experiment(
    "tiny", "Tiny", material, fixed(*ARMS),
    (Contrast("two minus one", "other", {"two": 1.0, "one": -1.0}, "open"),), ("other",),
    base=Arm("base", (Phase({"b": 1.0}),)), traced="other",
)  # fmt: skip


@pytest.fixture(autouse=True)
def small(monkeypatch):
    shape = {"hidden_size": 32, "n_layers": 1, "sequence_length": 32, "batch_size": 4}
    conf = runner.SHAPE.model_copy(update=shape | {"micro_batch_size": 4, "warmup_steps": 1})
    monkeypatch.setattr(runner, "SHAPE", conf)
    monkeypatch.setattr(runner, "MAX_ANSWER", 4)


def results_of(out):
    return command.results_of(EXPERIMENT, n_seeds=2, n_steps=6, data=out, out=out)


def test_a_run_is_made_once_and_is_the_same_when_made_again(tmp_path, monkeypatch):
    first = results_of(tmp_path / "out")
    assert [(one.arm, one.seed) for one in first] == [
        ("one", 0), ("two", 0), ("one", 1), ("two", 1),
    ]  # fmt: skip
    again = results_of(tmp_path / "other")
    assert [one.metrics for one in again] == [one.metrics for one in first]
    monkeypatch.setattr(command, "run", None)
    assert results_of(tmp_path / "out") == load_results(tmp_path / "out")


def test_arms_read_equal_tokens_and_begin_with_one_base(tmp_path):
    one, two = results_of(tmp_path)[:2]
    assert one.n_tokens == two.n_tokens == 6 * 4 * 32
    assert one.epochs["a"] == pytest.approx(2 * two.epochs["a"])
    assert one.trace[0] == two.trace[0]
    assert one.trace[-1][1] != two.trace[-1][1]
    assert one.metrics["other bump"] == max(loss for _, loss in one.trace) - one.trace[0][1]
    assert len(list(tmp_path.glob("base-*"))) == 2  # one a seed


def test_what_decides_a_run_decides_its_identity(tmp_path):
    prepared = prepare(EXPERIMENT, 0, n_steps=6, data=tmp_path, out=tmp_path)
    longer = prepare(EXPERIMENT, 0, n_steps=7, data=tmp_path, out=tmp_path)
    other_seed = prepare(EXPERIMENT, 1, n_steps=6, data=tmp_path, out=tmp_path)
    identities = [one.identity(arm) for one in (prepared, longer, other_seed) for arm in ARMS]
    assert len(set(identities)) == 6
    assert (
        prepare(EXPERIMENT, 0, n_steps=6, data=tmp_path, out=tmp_path).identity(ARMS[0])
        == (identities[0])
    )


def test_only_answers_count_in_a_quiz(tmp_path):
    prepared = prepare(EXPERIMENT, 0, n_steps=6, data=tmp_path, out=tmp_path)
    model, quiz = build_model(prepared.conf, prepared.manifest), material(None, 0).quizzes["cloze"]
    [batch] = runner._answer_batches(quiz, prepared.encoder)
    for row, (prompt, answer) in enumerate(quiz.items):
        counted = batch.targets_BT[row][batch.targets_BT[row] != IGNORED]
        assert prepared.encoder.tokenizer.decode(counted.tolist()) == answer
        seen = batch.inputs_BT[row][: len(runner._ids(prepared.encoder, prompt))]
        assert prepared.encoder.tokenizer.decode(seen.tolist()) == prompt
    # An untrained model knows nothing.
    unknown = math.log(prepared.encoder.vocabulary_size)
    assert measured(model, prepared)["cloze nats"] == pytest.approx(unknown, abs=0.3)
    assert evaluate(model, [batch]).n_tokens == int((batch.targets_BT != IGNORED).sum())


def test_answers_are_counted_over_prompts_of_all_lengths(tmp_path, monkeypatch):
    prepared = prepare(EXPERIMENT, 0, n_steps=6, data=tmp_path, out=tmp_path)
    encoder, seen = prepared.encoder, []

    def continued(model, prompts, encoder, n_new):
        seen.extend(len(prompt) for prompt in prompts)
        return [f" so\nAnswer: {len(prompt)}" for prompt in prompts]

    monkeypatch.setattr(runner, "_continued", continued)
    prompts = ["a", "b", "a town of stone", "The number of a"]
    n_tokens = [len(encoder.encode([prompt])[0]) for prompt in prompts]
    answers = [str(n) for n in n_tokens[:3]] + ["wrong"]
    quiz = Quiz(tuple(zip(prompts, answers, strict=True)), marker="Answer:")
    assert runner.right_frac(None, quiz, encoder) == 0.75
    assert sorted(seen) == sorted(n_tokens)


def test_the_continuation_is_the_most_likely_one_up_to_the_end(tmp_path):
    prepared = prepare(EXPERIMENT, 0, n_steps=6, data=tmp_path, out=tmp_path)
    model = build_model(prepared.conf, prepared.manifest)
    ids = runner._ids(prepared.encoder, "The number")
    [told] = runner._continued(model, [ids], prepared.encoder, 3)
    for _ in range(3):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert told == prepared.encoder.tokenizer.decode(ids[-3:])
