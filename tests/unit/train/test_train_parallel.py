"""Several ranks: two processes on the CPU, joined by gloo on loopback."""

import json
import os
import subprocess
import sys
import time

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch")
psutil = pytest.importorskip("psutil", reason="no psutil")
pytest.importorskip("transformers", reason="no transformers")

from curation.errors import ConfigError  # noqa: E402
from models.train.checkpoint import last_checkpoint  # noqa: E402
from models.train.folder import check_batch  # noqa: E402
from models.train.parallel import Ranks, _buckets  # noqa: E402

CONF = """
tokens: {tokenizer: toy, sequence_length: 16}
train: {hidden_size: 16, n_layers: 1, n_heads: 2, sequence_length: 16, batch_size: 4,
        micro_batch_size: 2, n_steps: 60, warmup_steps: 2, learning_rate: 0.01, checkpoint_every: 4}
"""


def start(out, n_ranks, *more):
    """`models.train` on that many processes; torchrun's own port is any free one."""
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_ranks}"]
    command = [sys.executable, *(launcher if n_ranks > 1 else ()), "-m", "models.train",
               "--conf", str(out / "conf.yaml"), "--out", str(out), *more]  # fmt: skip
    env = os.environ | {"OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.Popen(command, env=env, text=True, stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE)  # fmt: skip


def end(process):
    """Kill a launcher and its ranks, which it gives sessions of their own."""
    family = psutil.Process(process.pid).children(recursive=True)
    for one in (process, *family):
        one.kill()
    process.communicate()
    psutil.wait_procs(family)


def losses(out):
    lines = (out / "model" / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


@pytest.fixture
def run_of(tmp_path, write_shards, toy_corpus):
    """A folder with shards and settings."""

    def made():
        write_shards(toy_corpus)
        (tmp_path / "conf.yaml").write_text(CONF)
        return tmp_path

    return made


@pytest.mark.timeout(300)
def test_two_ranks_learn_what_one_does_and_go_on_where_they_were_killed(run_of, tmp_path):
    out = run_of()
    both, log = start(out, 2), out / "model" / "log.jsonl"
    while both.poll() is None and not last_checkpoint(out / "model" / "checkpoint"):
        time.sleep(0.01)
    end(both)
    assert 4 <= len(log.read_text().splitlines()) < 60
    said, errors = start(out, 2).communicate(timeout=200)
    assert said.count("60 steps, 3840 tokens") == 1, errors
    two = losses(out)
    (out / "model").rename(out / "two")
    said, errors = start(out, 1).communicate(timeout=200)
    assert said.startswith("60 steps, 3840 tokens"), errors
    one = losses(out)
    assert two[:20] == pytest.approx(one[:20], abs=1e-5)
    assert two == pytest.approx(one, abs=1e-2)


def test_ranks_share_a_step_without_gap_or_overlap():
    samples = np.arange(12).reshape(6, 2)
    parts = [Ranks(rank, 3).part(samples) for rank in range(3)]
    assert np.array_equal(np.concatenate(parts), samples)


def test_a_batch_that_cannot_be_shared_is_refused():
    check_batch(8, 2, 4)
    with pytest.raises(ConfigError, match="8 is no multiple of 3 ranks times micro_batch_size 2"):
        check_batch(8, 2, 3)


def test_gradients_go_together_up_to_a_size(monkeypatch):
    monkeypatch.setattr("models.train.parallel._BUCKET_BYTES", 40)
    gradients = [torch.zeros(n) for n in (4, 6, 1, 100, 2)]
    assert [[g.numel() for g in bucket] for bucket in _buckets(gradients)] == [
        [4, 6],
        [1],
        [100],
        [2],
    ]
