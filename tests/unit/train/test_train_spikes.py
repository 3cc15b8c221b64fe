import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from curation.errors import TrainingDiverged  # noqa: E402
from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train import step  # noqa: E402
from models.train.checkpoint import (  # noqa: E402
    checkpoint_steps,
    last_checkpoint,
    load_tensors,
)
from models.train.loop import train  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.parallel import Ranks  # noqa: E402
from models.train.spikes import SpikeGuard  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


def _guard(conf, steps):
    guard = SpikeGuard(conf)
    for loss, grad_norm in steps:
        guard.note(loss, grad_norm, skipped=False)
    return guard


@pytest.fixture
def conf(toy_conf):
    return toy_conf.model_copy(update={"spike_factor": 2.0, "spike_window": 3, "max_skipped": 2})


def test_a_spike_exceeds_a_multiple_of_the_median_of_the_last_steps_taken(conf):
    guard = _guard(conf, [(9.0, 90.0), (3.0, 1.0), (2.0, 1.5), (4.0, 0.5)])
    # The last three: losses 3, 2, 4 and norms 1, 1.5, 0.5.
    assert guard.accepts(6.0, 2.0)
    assert not guard.accepts(6.0, 2.01)
    assert not guard.accepts(6.01, 2.0)


def test_before_the_window_is_full_and_without_a_factor_there_are_no_spikes(conf):
    assert _guard(conf, [(1.0, 1.0)] * 2).accepts(99.0, 99.0)
    off = conf.model_copy(update={"spike_factor": 0.0})
    assert _guard(off, [(1.0, 1.0)] * 3).accepts(99.0, 99.0)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_what_is_not_finite_is_never_taken(conf, value):
    assert not SpikeGuard(conf).accepts(value, 1.0)
    assert not SpikeGuard(conf).accepts(1.0, value)


def test_skipped_steps_do_not_move_the_median(conf):
    guard = _guard(conf, [(1.0, 1.0)] * 3)
    for _ in range(5):
        guard.note(50.0, 50.0, skipped=True)
    assert (guard.n_skipped, guard.n_in_a_row) == (5, 5)
    assert not guard.accepts(50.0, 50.0)
    guard.note(1.0, 1.0, skipped=False)
    assert (guard.n_skipped, guard.n_in_a_row) == (5, 0)


def test_a_guard_is_taken_up_again_as_it_was(conf):
    guard = _guard(conf, [(3.0, 1.0), (2.0, 1.5), (4.0, 0.5)])
    guard.note(50.0, 50.0, skipped=True)
    again = SpikeGuard(conf)
    again.load_state_dict(json.loads(json.dumps(guard.state_dict())))
    assert again.state_dict() == guard.state_dict()
    assert (again.accepts(6.0, 2.0), again.accepts(6.0, 2.01)) == (True, False)


class _AnotherRefuses(Ranks):
    """This rank beside one that refuses: the fourth sum of a step is that of the refusals."""

    n_sums = 0

    def total(self, value):
        type(self).n_sums += 1
        return value + 1.0 if self.n_sums == 4 else value


def test_a_step_that_another_rank_refuses_is_skipped_here_too(conf, manifest_path):
    model = build_model(conf, read_manifest(manifest_path))
    before = [p.detach().clone() for p in model.parameters()]
    batch = step.split_batch(np.arange(34).reshape(2, 17) % 30, 2, device="cpu")
    outcome = step.train_step(
        model, torch.optim.SGD(model.parameters(), 1.0), batch, max_grad_norm=1.0,
        ranks=_AnotherRefuses(),
    )  # fmt: skip
    assert _AnotherRefuses.n_sums == 4
    assert outcome.skipped
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


class Killed(Exception):
    """Stands for whatever ends a process."""


def _log(out):
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "tokens_per_s"} for record in records]


@pytest.fixture
def blown_up(monkeypatch):
    """Loss of the given steps times a number; every forward pass of two halves counts once."""

    def blow_up(factors):
        passes = iter(range(10**6))
        true_losses = step._losses

        def losses(model, batch, dtype):
            found = true_losses(model, batch, dtype)
            factor = factors.get(next(passes) // 2 + 1, 1.0)
            return found._replace(cross_entropy=found.cross_entropy * factor)

        monkeypatch.setattr("models.train.step._losses", losses)

    return blow_up


@pytest.fixture
def manifest_path(write_shards, toy_corpus):
    return write_shards(toy_corpus)


def test_spikes_and_nan_are_skipped_and_their_samples_used_up(
    conf, manifest_path, tmp_path, blown_up
):
    blown_up({5: 100.0, 7: math.nan})
    result = train(conf, manifest_path, tmp_path / "model")
    log = _log(tmp_path / "model")
    assert [line["step"] for line in log if line["skipped"]] == [5, 7]
    assert log[6]["loss"] is None
    assert log[6]["grad_norm"] is None
    assert log[4]["loss"] > 50
    assert result.n_skipped == 2
    assert result.n_samples == {"tokens": 36}
    assert " 2 steps skipped" in str(result)


def test_a_skipped_step_leaves_the_weights_as_they_were(conf, manifest_path, tmp_path, blown_up):
    def weights(name, n_steps):
        short = conf.model_copy(update={"n_steps": n_steps, "warmup_steps": 99})
        train(short, manifest_path, tmp_path / name)
        saved = load_tensors(last_checkpoint(tmp_path / name / "checkpoint"))
        return {key: value for key, value in saved.items() if key.startswith("model.")}

    before = weights("before", 4)
    blown_up({5: 100.0})
    after = weights("after", 5)
    assert before
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("n_steps", [4, 5, 6])
def test_a_run_with_spikes_goes_on_as_if_it_had_not_been_cut(
    conf, manifest_path, tmp_path, monkeypatch, n_steps
):
    # Judged without a patched loss, which would not know the step after a resume: a tight factor.
    tight = conf.model_copy(update={"spike_factor": 1.0, "max_skipped": 9, "checkpoint_every": 2})
    whole = train(tight, manifest_path, tmp_path / "whole")

    def kill(record):
        if record.step == n_steps:
            raise Killed

    with pytest.raises(Killed):
        train(tight, manifest_path, tmp_path / "cut", on_step=kill)
    cut = train(tight, manifest_path, tmp_path / "cut")
    assert whole.n_skipped == cut.n_skipped > 0
    assert _log(tmp_path / "cut") == _log(tmp_path / "whole")


def test_too_many_in_a_row_end_the_run_and_name_the_steps_and_the_checkpoint(
    conf, manifest_path, tmp_path, blown_up
):
    out = tmp_path / "model"
    blown_up(dict.fromkeys([6, 7, 8], math.inf))
    with pytest.raises(
        TrainingDiverged, match=r"steps 6 to 8 .* more than train\.max_skipped, 2;.* of step 4"
    ):
        train(conf, manifest_path, out)
    assert [line["skipped"] for line in _log(out)] == [False] * 5 + [True] * 3
    assert checkpoint_steps(out / "checkpoint") == [4]


def test_a_checkpoint_is_removed_only_when_the_next_one_has_stood_its_test(
    conf, manifest_path, tmp_path, blown_up
):
    out = tmp_path / "model"
    blown_up(dict.fromkeys([9, 10, 11], math.inf))
    longer = conf.model_copy(update={"n_steps": 12})
    with pytest.raises(TrainingDiverged, match=r"of step 8, whose own update .* that of step 4"):
        train(longer, manifest_path, out)
    assert sorted(checkpoint_steps(out / "checkpoint")) == [4, 8]
    blown_up({})
    train(longer, manifest_path, out)
    assert checkpoint_steps(out / "checkpoint") == [12]


def test_a_run_that_ends_in_a_spike_says_of_which_step_its_weights_are(
    conf, manifest_path, tmp_path, blown_up
):
    blown_up(dict.fromkeys([8, 9], 100.0))
    result = train(conf, manifest_path, tmp_path / "model")
    assert (result.n_skipped, result.n_skipped_last) == (2, 2)
    assert "9 steps, 576 tokens, 2 steps skipped (weights of step 7), loss" in str(result)


def test_a_run_does_not_finish_with_weights_that_its_last_update_broke(
    conf, manifest_path, tmp_path, monkeypatch
):
    def rate(step, conf):
        return float("inf") if step == conf.n_steps else 0.01

    monkeypatch.setattr("models.train.loop.learning_rate", rate)
    with pytest.raises(
        TrainingDiverged, match=r"after step 9, the last, .*held-out loss (nan|inf) on"
    ):
        train(conf, manifest_path, tmp_path / "model")
    assert checkpoint_steps(tmp_path / "model" / "checkpoint") == [8]
    assert not (tmp_path / "model" / "hf").exists()


def test_no_checkpoint_is_written_while_steps_are_skipped(conf, manifest_path, tmp_path, blown_up):
    steps = []

    def look(record):
        if record.step in (4, 8):
            steps.append(checkpoint_steps(tmp_path / "model" / "checkpoint"))

    blown_up({4: math.nan})
    train(conf, manifest_path, tmp_path / "model", on_step=look)
    assert steps == [[], [8]]


def test_a_run_does_not_finish_with_a_loss_that_is_not_finite(
    conf, manifest_path, tmp_path, blown_up
):
    blown_up({9: math.nan})
    with pytest.raises(
        TrainingDiverged, match=r"steps 9 to 9 .*\(loss nan.*ends in them.* of step 8"
    ):
        train(conf, manifest_path, tmp_path / "model")
    assert not (tmp_path / "model" / "hf").exists()
