"""FSDP2 on two processes on the CPU, joined by gloo on loopback."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from transformers import AutoModelForCausalLM  # noqa: E402

from models.train.loop import train  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


class Killed(Exception):
    """Stands for whatever ends a process."""


def kill_after_five(record):
    if record.step == 5:
        raise Killed


def on_two_ranks(folder, confs):
    """What each rank does: every configuration to the end, cut and gone on with, and cut alone."""
    from torch.distributed.tensor import DTensor

    from curation.config import TrainConfig
    from models.train import loop
    from models.train.parallel import open_ranks

    prepare = loop._prepare

    def prepared(*arguments):
        run = prepare(*arguments)
        assert all(isinstance(p, DTensor) for p in run.model.parameters())
        assert all(p.to_local().numel() < p.numel() for p in run.model.parameters())
        return run

    loop._prepare = prepared
    torch.set_num_threads(1)
    manifest = folder / "tokens" / "manifest.json"
    with open_ranks("cpu") as ranks:
        assert ranks.size == 2
        for name, settings in confs.items():
            conf = TrainConfig(**settings)
            loop.train(conf, manifest, folder / f"{name}-two", ranks=ranks)
            for cut in ("cut", "fewer"):
                out = folder / f"{name}-{cut}"
                with pytest.raises(Killed):
                    loop.train(conf, manifest, out, on_step=kill_after_five, ranks=ranks)
            loop.train(conf, manifest, folder / f"{name}-cut", ranks=ranks)


def _launch(folder, confs):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    command = [sys.executable, *launcher, __file__, str(folder), json.dumps(confs)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
                        "PYTHONPATH": os.pathsep.join(sys.path)}  # fmt: skip
    done = subprocess.run(command, env=env, text=True, capture_output=True, timeout=560)
    assert done.returncode == 0, done.stderr[-4000:]


def _saved(out):
    return torch.load(out / "checkpoint.pt", weights_only=True)


def _near(ours, theirs, tolerance):
    assert ours["model"].keys() == theirs["model"].keys()
    for name, weight in theirs["model"].items():
        torch.testing.assert_close(ours["model"][name], weight, rtol=0, atol=tolerance)
    assert ours["optimizer"]["param_groups"] == theirs["optimizer"]["param_groups"]
    assert ours["optimizer"]["state"].keys() == theirs["optimizer"]["state"].keys()
    for index, state in theirs["optimizer"]["state"].items():
        for key, value in state.items():
            found = ours["optimizer"]["state"][index][key]
            torch.testing.assert_close(found, value, rtol=0, atol=tolerance)


def _logged(out, name):
    return [json.loads(line)[name] for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.timeout(600)
def test_two_shards_learn_what_one_process_does_and_any_number_goes_on(
    toy_conf, write_shards, toy_corpus, tmp_path
):
    manifest = write_shards(toy_corpus)
    confs = {
        name: toy_conf.model_copy(update={"parallel": "shard", "n_layers": 2, **more})
        for name, more in {
            "adamw": {"recompute": True},
            "muon": {"optimizer": "muon"},
            # Three experts do not divide evenly by two ranks.
            "experts": {"architecture": "mixtral", "n_experts": 3, "document_masks": True},
        }.items()
    }
    _launch(tmp_path, {name: conf.model_dump() for name, conf in confs.items()})
    for name, conf in confs.items():
        out = {kind: tmp_path / f"{name}-{kind}" for kind in ("one", "two", "cut", "fewer")}
        assert _saved(out["fewer"])["step"] == 4
        train(conf, manifest, out["one"])
        train(conf, manifest, out["fewer"])  # what two began
        one, two, cut, fewer = (_saved(folder) for folder in out.values())
        # Muon's iteration runs in bfloat16: the last bit of a gradient can change one of an update.
        tolerance = 1e-3 if name == "muon" else 1e-5
        assert _logged(out["two"], "loss") == pytest.approx(
            _logged(out["one"], "loss"), abs=tolerance
        )
        # A mean over the ranks in place of a sum would halve it.
        assert _logged(out["two"], "grad_norm") == pytest.approx(
            _logged(out["one"], "grad_norm"), abs=10 * tolerance
        )
        assert two["held_out_loss"] == pytest.approx(one["held_out_loss"], abs=tolerance)
        _near(two, one, tolerance)
        _near(fewer, one, tolerance)
        _near(cut, two, 0.0)
        exported = AutoModelForCausalLM.from_pretrained(out["two"] / "hf").state_dict()
        assert all(torch.equal(exported[key], weight) for key, weight in two["model"].items())


if __name__ == "__main__":
    on_two_ranks(Path(sys.argv[1]), json.loads(sys.argv[2]))
