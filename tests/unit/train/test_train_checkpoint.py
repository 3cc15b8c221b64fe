from dataclasses import replace

import pytest

torch = pytest.importorskip("torch", reason="no torch")

from curation.errors import InputError  # noqa: E402
from models.train.checkpoint import (  # noqa: E402
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from models.train.folder import settings_of  # noqa: E402
from models.train.sources import read_sources  # noqa: E402


def _settings(conf, manifest_path):
    return settings_of(conf, read_sources(conf, manifest_path))


@pytest.fixture
def checkpoint(toy_conf, write_shards):
    return Checkpoint(
        step=3,
        loss=2.5,
        held_out_loss=None,
        settings=_settings(toy_conf, write_shards([[1] * 20])),
        held_out_losses={},
        data={"web": 12},
        spikes={"grad_norms": [0.1], "losses": [2.5], "n_skipped": 2, "n_in_a_row": 1},
        model={"weight": torch.tensor([1.5, -2.0])},
        optimizer={"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"lr": 0.1}]},
    )


def test_a_checkpoint_is_read_back_as_written(tmp_path, checkpoint):
    save_checkpoint(checkpoint, tmp_path / "run" / "checkpoint.pt")
    read = load_checkpoint(tmp_path / "run" / "checkpoint.pt", checkpoint.settings)
    assert (read.step, read.loss, read.held_out_loss) == (3, 2.5, None)
    assert (read.data, read.spikes) == (checkpoint.data, checkpoint.spikes)
    assert read.model["weight"].tolist() == [1.5, -2.0]
    assert read.optimizer["state"][0]["step"] == 3
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.pt"]


def test_a_save_that_fails_leaves_the_old_checkpoint(tmp_path, checkpoint):
    path = tmp_path / "run" / "checkpoint.pt"
    save_checkpoint(checkpoint, path)
    unwritable = replace(checkpoint, model={"weight": (x for x in ())})
    with pytest.raises(TypeError, match="pickle"):
        save_checkpoint(unwritable, path)
    assert load_checkpoint(path, checkpoint.settings).step == 3
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["checkpoint.pt"]


def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(
    tmp_path, checkpoint, toy_conf, write_shards
):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(checkpoint, path)
    other = toy_conf.model_copy(update={"hidden_size": 32})
    wider = _settings(other, write_shards([[1] * 20]))
    with pytest.raises(InputError, match="of another run: hidden_size is 16 there and 32 here"):
        load_checkpoint(path, wider)


def test_a_checkpoint_of_other_tokens_is_refused(tmp_path, checkpoint, toy_conf, write_shards):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(checkpoint, path)
    other = _settings(toy_conf, write_shards([[2] * 20]))
    with pytest.raises(InputError, match="of another run: tokens is"):
        load_checkpoint(path, other)


def test_how_often_checkpoints_are_written_is_free_to_change(toy_conf, write_shards):
    path = write_shards([[1] * 20])
    rarer = toy_conf.model_copy(update={"checkpoint_every": 5})
    assert _settings(rarer, path) == _settings(toy_conf, path)


@pytest.mark.parametrize("n_bytes", [0, 1, 100, -1])
def test_a_truncated_checkpoint_is_refused(tmp_path, checkpoint, n_bytes):
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(checkpoint, path)
    path.write_bytes(path.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=r"checkpoint\.pt: damaged"):
        load_checkpoint(path, checkpoint.settings)


def test_a_file_of_another_kind_is_refused(tmp_path, checkpoint):
    path = tmp_path / "checkpoint.pt"
    path.write_text("not a checkpoint\n")
    with pytest.raises(InputError, match=r"checkpoint\.pt: damaged"):
        load_checkpoint(path, checkpoint.settings)
    torch.save({"weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"not a checkpoint of models\.train.*weight"):
        load_checkpoint(path, checkpoint.settings)
