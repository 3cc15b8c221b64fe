import json
from itertools import pairwise

import pytest

torch = pytest.importorskip("torch", reason="no torch")
transformers = pytest.importorskip("transformers", reason="no transformers")

from curation.errors import EnvironmentFault, InputError, TrainingDiverged  # noqa: E402
from models.train.checkpoint import (  # noqa: E402
    last_checkpoint,
    load_checkpoint,
    load_tensors,
)
from models.train.folder import settings_of  # noqa: E402
from models.train.loop import train  # noqa: E402
from models.train.sources import read_sources  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


class Killed(Exception):
    """Stands for whatever ends a process."""


def _kill_after(n_steps):
    def on_step(record):
        if record.step == n_steps:
            raise Killed

    return on_step


def _log(out):
    """The log without the one figure that a clock decides."""
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "tokens_per_s"} for record in records]


def _state(out, conf, manifest_path):
    """The checkpoint in `out`: all but the tensors, and the bytes of these."""
    path = last_checkpoint(out / "checkpoint")
    rest = load_checkpoint(path, settings_of(conf, read_sources(conf, manifest_path)))
    return rest, {name: value.numpy().tobytes() for name, value in load_tensors(path).items()}


@pytest.fixture
def manifest_path(write_shards, toy_corpus):
    return write_shards(toy_corpus[:120], toy_corpus[120:])


def test_the_loss_falls_on_a_corpus_that_counts(toy_conf, manifest_path, tmp_path):
    conf = toy_conf.model_copy(update={"n_steps": 60})
    result = train(conf, manifest_path, tmp_path / "model")
    losses = [record["loss"] for record in _log(tmp_path / "model")]
    assert 3.3 < losses[0] < 3.7  # ln 32 = 3.47
    assert result.loss == losses[-1] < 2.0
    assert result.held_out_loss < 2.0


def test_each_step_is_one_line_of_the_log(toy_conf, manifest_path, tmp_path):
    records = []
    result = train(toy_conf, manifest_path, tmp_path / "model", on_step=records.append)
    log = [json.loads(line) for line in result.log.read_text().splitlines()]
    assert log == [vars(record) for record in records]
    assert [line["step"] for line in log] == list(range(1, 10))
    assert [line["tokens"] for line in log] == [64 * step for step in range(1, 10)]
    assert [line["learning_rate"] for line in log[:2]] == [0.005, 0.01]
    assert log[-1]["learning_rate"] == pytest.approx(0.001)
    assert all(line["tokens_per_s"] > 0 for line in log)
    assert (result.n_steps, result.n_tokens) == (9, 576)


def test_two_runs_are_the_same(toy_conf, manifest_path, tmp_path):
    for name in ("a", "b"):
        train(toy_conf, manifest_path, tmp_path / name)
    assert _log(tmp_path / "a") == _log(tmp_path / "b")
    ours, theirs = (_state(tmp_path / name, toy_conf, manifest_path) for name in ("a", "b"))
    assert ours == theirs


# Steps 1 and 3 lie before the first checkpoint, 4 and 8 on one, 7 between two.
@pytest.mark.parametrize("n_steps", [1, 3, 4, 7, 8])
def test_a_resumed_run_equals_the_undisturbed_one(toy_conf, manifest_path, tmp_path, n_steps):
    whole = train(toy_conf, manifest_path, tmp_path / "whole")
    with pytest.raises(Killed):
        train(toy_conf, manifest_path, tmp_path / "cut", on_step=_kill_after(n_steps))
    assert len(_log(tmp_path / "cut")) == n_steps
    resumed = []
    result = train(toy_conf, manifest_path, tmp_path / "cut", on_step=resumed.append)
    assert resumed[0].step == n_steps // 4 * 4 + 1
    assert _log(tmp_path / "cut") == _log(tmp_path / "whole")
    assert (result.loss, result.held_out_loss) == (whole.loss, whole.held_out_loss)
    ours, theirs = (_state(tmp_path / name, toy_conf, manifest_path) for name in ("cut", "whole"))
    assert ours == theirs
    assert {name.split(".")[0] for name in ours[1]} == {"model", "optimizer"}
    assert len([*(tmp_path / "cut" / "checkpoint").iterdir()]) == 1


def test_a_resumed_run_goes_on_across_epochs(toy_conf, write_shards, tmp_path):
    path = write_shards([[1 + k % 31 for k in range(100)]])  # six samples; a step takes four
    whole = train(toy_conf, path, tmp_path / "whole")
    with pytest.raises(Killed):
        train(toy_conf, path, tmp_path / "cut", on_step=_kill_after(5))
    train(toy_conf, path, tmp_path / "cut")
    assert _log(tmp_path / "cut") == _log(tmp_path / "whole")
    assert whole.held_out_loss is None


def test_a_line_cut_short_by_a_kill_is_dropped(toy_conf, manifest_path, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "cut"
    train(toy_conf, manifest_path, whole)
    with pytest.raises(Killed):
        train(toy_conf, manifest_path, out, on_step=_kill_after(5))
    with (out / "log.jsonl").open("a") as log:
        log.write('{"step": 6, "lo')
    train(toy_conf, manifest_path, out)
    assert _log(out) == _log(whole)


def test_a_log_shorter_than_its_checkpoint_is_refused(toy_conf, manifest_path, tmp_path):
    out = tmp_path / "model"
    with pytest.raises(Killed):
        train(toy_conf, manifest_path, out, on_step=_kill_after(5))
    log = out / "log.jsonl"
    lines = log.read_bytes().splitlines(keepends=True)
    log.write_bytes(b"".join(lines[:4])[:-1])  # the fourth line has lost its end
    with pytest.raises(InputError, match=r"log\.jsonl: has 3 lines, .* step 4"):
        train(toy_conf, manifest_path, out)
    log.unlink()
    with pytest.raises(InputError, match=r"log\.jsonl: has 0 lines, .* step 4"):
        train(toy_conf, manifest_path, out)


def test_a_finished_run_does_nothing(toy_conf, manifest_path, tmp_path):
    out = tmp_path / "model"
    first = train(toy_conf, manifest_path, out)
    files = _files(out)
    steps = []
    # Not even the shards are needed.
    (manifest_path.parent / "shard-00000.bin").unlink()
    assert train(toy_conf, manifest_path, out, on_step=steps.append) == first
    assert steps == []
    assert _files(out) == files


def _files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_finished_model_lies_as_transformers_takes_it(toy_conf, manifest_path, tmp_path):
    out = tmp_path / "model"
    train(toy_conf, manifest_path, out)
    saved = load_tensors(last_checkpoint(out / "checkpoint"))
    model = transformers.AutoModelForCausalLM.from_pretrained(out / "hf")
    named = [*model.named_parameters()]
    assert all(torch.equal(weight, saved[f"model.{name}"]) for name, weight in named)


def test_a_folder_of_another_configuration_is_refused(toy_conf, manifest_path, tmp_path):
    train(toy_conf, manifest_path, tmp_path / "model")
    other = toy_conf.model_copy(update={"n_layers": 2})
    with pytest.raises(InputError, match="n_layers is 1 there and 2 here"):
        train(other, manifest_path, tmp_path / "model")


def test_a_gradient_that_is_not_finite_keeps_the_last_checkpoint(
    toy_conf, manifest_path, tmp_path, monkeypatch
):
    out = tmp_path / "model"
    with pytest.raises(Killed):
        train(toy_conf, manifest_path, out, on_step=_kill_after(4))
    before = _state(out, toy_conf, manifest_path)
    # A rate of 1e38 throws the weights out of range within a few steps.
    monkeypatch.setattr("models.train.loop.learning_rate", lambda step, conf: 1e38)
    with pytest.raises(TrainingDiverged):
        train(toy_conf, manifest_path, out)
    assert _state(out, toy_conf, manifest_path) == before


def test_a_truncated_or_changed_shard_is_refused(toy_conf, manifest_path, tmp_path):
    shard = manifest_path.parent / "shard-00001.bin"
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-2])
    with pytest.raises(InputError, match=r"shard-00001\.bin: truncated"):
        train(toy_conf, manifest_path, tmp_path / "model")
    shard.write_bytes(whole[:-2] + b"\x01\x00")
    with pytest.raises(InputError, match=r"shard-00001\.bin: changed"):
        train(toy_conf, manifest_path, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_corpus_below_one_sample_is_refused_with_the_numbers(toy_conf, write_shards, tmp_path):
    path = write_shards([list(range(1, 16))])
    with pytest.raises(InputError, match="hold 16 tokens, one sample needs 17"):
        train(toy_conf, path, tmp_path / "model")


def test_a_gpu_that_is_not_there_is_an_environment_fault(
    toy_conf, manifest_path, tmp_path, monkeypatch
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(EnvironmentFault, match="cuda"):
        train(toy_conf.model_copy(update={"device": "cuda"}), manifest_path, tmp_path / "model")


def test_the_warm_up_is_seen_in_the_log(toy_conf, manifest_path, tmp_path):
    conf = toy_conf.model_copy(update={"warmup_steps": 4})
    train(conf, manifest_path, tmp_path / "model")
    rates = [record["learning_rate"] for record in _log(tmp_path / "model")]
    assert all(a < b for a, b in pairwise(rates[:4]))
    assert all(a > b for a, b in pairwise(rates[3:]))
