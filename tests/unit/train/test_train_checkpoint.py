import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="no torch")

from curation.errors import InputError  # noqa: E402
from models.train.checkpoint import (  # noqa: E402
    Checkpoint,
    checkpoint_steps,
    discard_older,
    last_checkpoint,
    load_checkpoint,
    load_tensors,
    read_state,
    save_checkpoint,
)
from models.train.folder import settings_of  # noqa: E402
from models.train.sources import read_sources  # noqa: E402

TENSORS = {"model.weight": torch.tensor([1.5, -2.0]), "optimizer.0.step": torch.tensor(3.0)}


def _settings(conf, manifest_path):
    return settings_of(conf, read_sources(conf, manifest_path))


@pytest.fixture
def make(toy_conf, write_shards):
    settings = _settings(toy_conf, write_shards([[1] * 20]))
    return lambda step: Checkpoint(
        step=step,
        loss=2.5,
        held_out_loss=None,
        settings=settings,
        held_out_losses={},
        data={"web": 12},
        spikes={"grad_norms": [0.1], "losses": [2.5], "n_skipped": 2, "n_in_a_row": 1},
    )


@pytest.fixture
def checkpoint(make):
    return make(3)


def test_a_checkpoint_is_read_back_as_written(tmp_path, checkpoint):
    path = save_checkpoint(checkpoint, TENSORS, tmp_path / "run")
    assert last_checkpoint(tmp_path / "run") == path
    assert load_checkpoint(path, checkpoint.settings) == checkpoint
    read = load_tensors(path)
    assert {name: value.tolist() for name, value in read.items()} == {
        "model.weight": [1.5, -2.0],
        "optimizer.0.step": 3.0,
    }
    assert [one.name for one in (tmp_path / "run").iterdir()] == ["3"]


# A process may be killed while tensors are written, before the rest, and before the new name.
@pytest.mark.parametrize("point", ["save_parts", "_write_run", "Path.rename"])
def test_a_save_that_is_cut_leaves_the_old_checkpoint(
    tmp_path, make, checkpoint, point, monkeypatch
):
    rename = Path.rename

    def cut(*arguments, **named):
        if point == "Path.rename" and not arguments[0].is_dir():
            return rename(*arguments)  # torch names its metadata so, too
        raise KeyboardInterrupt

    out = tmp_path / "run"
    save_checkpoint(checkpoint, TENSORS, out)
    with monkeypatch.context() as patch:
        patch.setattr(f"models.train.checkpoint.{point}", cut)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(make(7), TENSORS, out)
    assert load_checkpoint(last_checkpoint(out), checkpoint.settings) == checkpoint
    save_checkpoint(make(7), TENSORS, out)
    assert sorted(checkpoint_steps(out)) == [3, 7]
    discard_older(out)
    assert load_checkpoint(last_checkpoint(out), checkpoint.settings) == make(7)
    assert [one.name for one in out.iterdir()] == ["7"]


def test_a_checkpoint_of_other_settings_is_refused_with_the_difference(
    tmp_path, checkpoint, toy_conf, write_shards
):
    path = save_checkpoint(checkpoint, TENSORS, tmp_path)
    other = toy_conf.model_copy(update={"hidden_size": 32})
    wider = _settings(other, write_shards([[1] * 20]))
    with pytest.raises(InputError, match="of another run: hidden_size is 16 there and 32 here"):
        load_checkpoint(path, wider)


def test_a_checkpoint_of_other_tokens_is_refused(tmp_path, checkpoint, toy_conf, write_shards):
    path = save_checkpoint(checkpoint, TENSORS, tmp_path)
    other = _settings(toy_conf, write_shards([[2] * 20]))
    with pytest.raises(InputError, match="of another run: tokens is"):
        load_checkpoint(path, other)


def test_how_often_checkpoints_are_written_is_free_to_change(toy_conf, write_shards):
    path = write_shards([[1] * 20])
    rarer = toy_conf.model_copy(update={"checkpoint_every": 5})
    assert _settings(rarer, path) == _settings(toy_conf, path)


@pytest.mark.parametrize("n_bytes", [0, 1, 100, -1])
@pytest.mark.parametrize("name", ["run.json", ".metadata", "__0_0.distcp"])
def test_a_truncated_checkpoint_is_refused(tmp_path, checkpoint, name, n_bytes):
    path = save_checkpoint(checkpoint, TENSORS, tmp_path)
    file = path / name
    file.write_bytes(file.read_bytes()[:n_bytes])
    with pytest.raises(InputError, match=rf"/3: damaged: {name} "):
        load_checkpoint(path, checkpoint.settings)


def test_a_checkpoint_with_other_bytes_is_refused(tmp_path, checkpoint):
    path = save_checkpoint(checkpoint, TENSORS, tmp_path)
    for name, load in {
        "__0_0.distcp": load_tensors,
        ".metadata": lambda path: load_checkpoint(path, checkpoint.settings),
    }.items():
        whole = (path / name).read_bytes()
        (path / name).write_bytes(bytes(255 - byte for byte in whole))
        with pytest.raises(InputError, match=r"/3: damaged: .*delete it to train anew"):
            load(path)
        (path / name).write_bytes(whole)
    (path / "__0_0.distcp").unlink()
    with pytest.raises(InputError, match=r"/3: damaged: __0_0\.distcp is missing"):
        load_checkpoint(path, checkpoint.settings)


def test_a_folder_of_another_kind_is_refused(tmp_path, checkpoint):
    path = tmp_path / "4"
    path.mkdir()
    with pytest.raises(InputError, match=r"/4: not a checkpoint of models\.train: no run\.json"):
        load_checkpoint(path, checkpoint.settings)
    (path / "run.json").write_text(json.dumps({"weight": 1}))
    with pytest.raises(InputError, match=r"not a checkpoint of models\.train: run\.json .*weight"):
        load_checkpoint(path, checkpoint.settings)


def test_a_state_that_is_none_is_refused(tmp_path):
    path: Path = tmp_path / "state.pt"
    path.write_text("not a state\n")
    with pytest.raises(InputError, match=r"state\.pt: damaged"):
        read_state(path)
