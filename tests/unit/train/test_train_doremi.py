"""Shares by DoReMi, from two tiny models on three kinds of text."""

import json

import numpy as np
import pytest

pytest.importorskip("torch", reason="no torch")

from curation.config import BlendConfig, TrainConfig
from curation.errors import ConfigError, InputError
from models.recipes.doremi import find_shares, main
from models.train.sources import read_sources

CONF = {
    "hidden_size": 32, "n_layers": 1, "n_heads": 2, "sequence_length": 16, "batch_size": 9,
    "micro_batch_size": 9, "n_steps": 30, "warmup_steps": 2, "learning_rate": 1e-2,
    "checkpoint_every": 7,
}  # fmt: skip

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.fixture
def conf(write_shards):
    """Noise that nobody can learn, one token that all know at once, and sums modulo 31."""
    random = np.random.default_rng(1)
    noise = [random.integers(1, 32, 40).tolist() for _ in range(90)]
    same = [[7] * 40 for _ in range(90)]
    counting = [[1 + (7 * i + 3 * k) % 31 for k in range(40)] for i in range(90)]
    paths = {
        name: str(write_shards(documents, name=name).parent)
        for name, documents in (("noise", noise), ("same", same), ("counting", counting))
    }
    return TrainConfig(**CONF, sources=paths)


def found(conf, out, tmp_path, **more):
    own = tmp_path / "none" / "manifest.json"
    return find_shares(conf, read_sources(conf, own), own, out, **more)


def test_what_can_still_be_learnt_gains_and_noise_does_not(conf, tmp_path):
    """Both models know noise equally badly: its loss is high, its excess is not."""
    shares = found(conf, tmp_path / "out", tmp_path)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert shares["counting"] > 0.4
    assert shares["counting"] > 1.3 * shares["noise"]
    told = json.loads((tmp_path / "out" / "doremi.json").read_text())
    assert told["weights"] == shares
    assert len(told["path"]) == CONF["n_steps"]
    assert 1 < told["n_effective"] < 3


def test_a_search_that_was_killed_goes_on_to_the_same_shares(conf, tmp_path):
    class Killed(Exception):
        pass

    def die(step):
        if step == 17:
            raise Killed

    whole = found(conf, tmp_path / "whole", tmp_path)
    with pytest.raises(Killed):
        found(conf, tmp_path / "cut", tmp_path, on_step=die)
    steps = []
    assert found(conf, tmp_path / "cut", tmp_path, on_step=steps.append) == whole
    assert steps[0] == 15  # after the checkpoint of step 14
    steps.clear()
    assert found(conf, tmp_path / "cut", tmp_path, on_step=steps.append) == whole
    assert steps == []


def test_another_search_in_the_same_folder_is_refused(conf, tmp_path):
    out = tmp_path / "out"
    short = conf.model_copy(update={"n_steps": 3, "warmup_steps": 0})
    found(short, out, tmp_path)
    with pytest.raises(InputError, match="another"):
        found(short.model_copy(update={"seed": 3}), out, tmp_path)


def test_one_source_is_nothing_to_weigh(conf, tmp_path):
    alone = conf.model_copy(update={"sources": {"noise": conf.sources["noise"]}})
    with pytest.raises(ConfigError, match="two sources or more"):
        found(alone, tmp_path / "out", tmp_path)
    assert not (tmp_path / "out").exists()


def test_the_command_prints_what_the_blend_takes(conf, tmp_path, capsys):
    short = conf.model_copy(update={"n_steps": 2, "warmup_steps": 0})
    file = tmp_path / "run.yaml"
    file.write_text(
        json.dumps({"out": str(tmp_path / "run"), "train": short.model_dump(mode="json")})
    )
    main(["--conf", str(file), "--out", str(tmp_path / "out")])
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "weights:"
    weights = {name.strip(): float(share) for name, share in (line.split(":") for line in said[1:])}
    assert [*weights] == ["counting", "noise", "same"]
    assert BlendConfig(weights=weights).weights == weights  # they sum to 1 as it wants them to
