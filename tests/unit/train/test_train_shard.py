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

from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.checkpoint import (  # noqa: E402
    checkpoint_steps,
    last_checkpoint,
    load_tensors,
)
from models.train.loop import train  # noqa: E402
from models.train.model import build_model  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


class Killed(Exception):
    """Stands for whatever ends a process."""


def kill_after_five(record):
    if record.step == 5:
        raise Killed


def on_two_ranks(folder, confs):
    """What each rank does: every configuration to the end, cut and gone on with, and cut alone."""
    from curation.config import TrainConfig
    from models.train import loop
    from models.train.parallel import open_ranks

    prepare = loop._prepare
    torch.set_num_threads(1)
    manifest = folder / "tokens" / "manifest.json"
    with open_ranks("cpu") as ranks:
        assert ranks.size == 2
        if not ranks.is_first:
            loop.first_weights = loop.build_model = None  # which nobody else may call
        loop._prepare = lambda *arguments: looked_at(prepare(*arguments), arguments, manifest)
        for name, settings in confs.items():
            conf = TrainConfig(**settings)
            loop.train(conf, manifest, folder / f"{name}-two", ranks=ranks)
            for cut in ("cut", "fewer", "four"):
                out = folder / f"{name}-{cut}"
                with pytest.raises(Killed):
                    loop.train(conf, manifest, out, on_step=kill_after_five, ranks=ranks)
            for begun in ("cut", "more"):
                loop.train(conf, manifest, folder / f"{name}-{begun}", ranks=ranks)


def looked_at(run, arguments, manifest):
    """`run` once it is seen that it is in parts, and that it begins with the very weights of one
    process."""
    from torch.distributed.tensor import DTensor

    from curation.tokens.manifest import read_manifest
    from models.train.model import build_model
    from models.train.shard import gather_weights

    assert all(isinstance(p, DTensor) for p in run.model.parameters())
    assert all(p.to_local().numel() < p.numel() for p in run.model.parameters())
    is_new = arguments[-1] is None
    whole = gather_weights(run.model, run.ranks)
    assert run.ranks.is_first or not whole
    if is_new and run.ranks.is_first:
        first = build_model(run.conf, read_manifest(manifest))
        named = dict(first.named_parameters())
        assert named.keys() == whole.keys()
        assert all(torch.equal(weight, whole[name]) for name, weight in named.items())
        buffers = zip(run.model.named_buffers(), first.named_buffers(), strict=True)
        assert all(a[0] == b[0] and torch.equal(a[1], b[1]) for a, b in buffers)
    if run.dtype == torch.bfloat16:
        projection = run.model.base_model.layers[0].self_attn.q_proj
        projection.register_forward_pre_hook(check_types)
    return run


def check_types(module, inputs):
    assert module.weight.dtype == torch.bfloat16
    assert inputs[0].dtype == torch.float32


def on_four_ranks(folder, confs):
    """Go on with what two began."""
    from curation.config import TrainConfig
    from models.train.loop import train
    from models.train.parallel import open_ranks

    torch.set_num_threads(1)
    with open_ranks("cpu") as ranks:
        for name, settings in confs.items():
            conf = TrainConfig(**settings | {"micro_batch_size": 1})
            train(conf, folder / "tokens" / "manifest.json", folder / f"{name}-four", ranks=ranks)


def _launch(folder, confs, n_ranks):
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_ranks}"]
    command = [sys.executable, *launcher, __file__, str(folder), json.dumps(confs), str(n_ranks)]
    env = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo",
                        "PYTHONPATH": os.pathsep.join(sys.path)}  # fmt: skip
    done = subprocess.run(command, env=env, text=True, capture_output=True, timeout=560)
    assert done.returncode == 0, done.stderr[-4000:]


def _saved(out):
    return load_tensors(last_checkpoint(out / "checkpoint"))


def _near(ours, theirs, tolerance, *, is_rough=False):
    assert ours.keys() == theirs.keys()
    if is_rough:  # AdamW makes a whole step of the sign of a gradient that is nothing but rounding
        gaps = [(ours[name] - value).abs().flatten() for name, value in theirs.items()]
        assert float(torch.cat(gaps).mean()) < tolerance / 10
        return
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, rtol=0, atol=tolerance)


def _logged(out, name):
    return [json.loads(line)[name] for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.timeout(600)
def test_two_shards_learn_what_one_process_does_and_any_number_goes_on(
    toy_conf, write_shards, toy_corpus, tmp_path
):
    manifest = write_shards(toy_corpus)
    build_model(toy_conf, read_manifest(manifest)).save_pretrained(tmp_path / "first")
    confs = {
        name: toy_conf.model_copy(update={"parallel": "shard", "n_layers": 2, **more})
        for name, more in {
            "adamw": {"recompute": True},
            "muon": {"optimizer": "muon"},
            # Three experts do not divide evenly by two ranks.
            "experts": {"architecture": "mixtral", "n_experts": 3, "document_masks": True},
            "rough": {"precision": "bfloat16"},
            "further": {"init_from": str(tmp_path / "first"), "n_layers": 1},
        }.items()
    }
    for name, conf in confs.items():
        train(conf, manifest, tmp_path / f"{name}-one")
        with pytest.raises(Killed):
            train(conf, manifest, tmp_path / f"{name}-more", on_step=kill_after_five)
    asked = {name: conf.model_dump() for name, conf in confs.items()}
    _launch(tmp_path, asked, 2)
    parts = [*(tmp_path / "adamw-four" / "checkpoint" / "4").glob("*.distcp")]
    assert len(parts) == 2
    assert max(part.stat().st_size for part in parts) < 0.6 * sum(p.stat().st_size for p in parts)
    _launch(tmp_path, {"adamw": asked["adamw"]}, 4)
    _near(_saved(tmp_path / "adamw-four"), _saved(tmp_path / "adamw-one"), 1e-5)
    for name, conf in confs.items():
        kinds = ("one", "two", "cut", "fewer", "more")
        out = {kind: tmp_path / f"{name}-{kind}" for kind in kinds}
        assert checkpoint_steps(out["fewer"] / "checkpoint") == [4]
        train(conf, manifest, out["fewer"])  # what two began
        one, two, cut, fewer, more = (_saved(folder) for folder in out.values())
        # Muon's iteration runs in bfloat16: the last bit of a gradient can change one of an update.
        tolerance = {"muon": 1e-3, "rough": 2e-2}.get(name, 1e-5)
        assert _logged(out["two"], "loss") == pytest.approx(
            _logged(out["one"], "loss"), abs=tolerance
        )
        # A mean over the ranks in place of a sum would halve it.
        assert _logged(out["two"], "grad_norm") == pytest.approx(
            _logged(out["one"], "grad_norm"), abs=10 * tolerance
        )
        assert _logged(out["cut"], "loss") == _logged(out["two"], "loss")
        for other in (two, fewer, more):
            _near(other, one, tolerance, is_rough=name == "rough")
        _near(cut, two, 0.0)
        exported = AutoModelForCausalLM.from_pretrained(out["two"] / "hf")
        named = [*exported.named_parameters()]
        assert all(torch.equal(weight, two[f"model.{key}"]) for key, weight in named)


if __name__ == "__main__":
    {"2": on_two_ranks, "4": on_four_ranks}[sys.argv[3]](Path(sys.argv[1]), json.loads(sys.argv[2]))
