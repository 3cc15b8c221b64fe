"""What is found wrong before a model is set aside or a stage is run."""

import json

import pytest

torch = pytest.importorskip("torch", reason="no torch")
transformers = pytest.importorskip("transformers", reason="no transformers")

from curation.config import RunConfig, TrainConfig  # noqa: E402
from curation.errors import ConfigError, EnvironmentFault, InputError  # noqa: E402
from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.folder import check_train, settings_of  # noqa: E402
from models.train.loop import train  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.sources import read_sources  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


def run_of(tmp_path, **settings):
    return RunConfig(out=str(tmp_path / "run"), train=settings)


def test_first_weights_that_are_not_there_or_would_be_set_aside_are_refused(tmp_path):
    with pytest.raises(InputError, match=r"init_from: .*typo has no config\.json"):
        check_train(run_of(tmp_path, init_from=str(tmp_path / "typo")))
    own = tmp_path / "run" / "model" / "hf"
    with pytest.raises(ConfigError, match="is the model that this run trains"):
        check_train(run_of(tmp_path, init_from=str(own)))
    assert not (tmp_path / "run").exists()


def test_a_batch_that_the_ranks_cannot_share_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="8 is no multiple of 2 ranks times micro_batch_size 8"):
        check_train(run_of(tmp_path))
    check_train(run_of(tmp_path, micro_batch_size=4))


def test_more_ranks_than_gpus_are_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    check_train(run_of(tmp_path, device="cuda"))
    monkeypatch.setenv("LOCAL_RANK", "1")
    with pytest.raises(EnvironmentFault, match="sees 1 GPUs for rank 1"):
        check_train(run_of(tmp_path, device="cuda"))


def test_spikes_that_could_never_be_seen_are_refused():
    with pytest.raises(ValueError, match="spike_window: 40 steps are never taken before the last"):
        TrainConfig(n_steps=40, spike_factor=3, spike_window=40)
    TrainConfig(n_steps=40, spike_factor=3, spike_window=39)


def test_what_only_moves_or_rounds_is_the_same_run(toy_conf, write_shards, toy_corpus):
    path = write_shards(toy_corpus)

    def settings(**more):
        conf = toy_conf.model_copy(update=more)
        return settings_of(conf, read_sources(conf, path))

    for more in ({"micro_batch_size": 4}, {"device": "cuda"}, {"max_skipped": 9}):
        assert settings(**more) == settings()
    mixture = {"architecture": "mixtral"}
    assert settings(**mixture, micro_batch_size=4) != settings(**mixture)


def test_a_finished_model_knows_its_tokenizer(toy_conf, write_shards, toy_corpus, tmp_path):
    """Its folder has no tokenizer, but shards of another one are refused all the same."""
    path = write_shards(toy_corpus)
    train(toy_conf, path, tmp_path / "model")
    hf = tmp_path / "model" / "hf"
    assert not (tmp_path / "model" / "hf.unfinished").exists()
    assert json.loads((hf / "config.json").read_text())["tokenizer_sha256"] == "0" * 64
    further, manifest = toy_conf.model_copy(update={"init_from": str(hf)}), read_manifest(path)
    build_model(further, manifest)
    with pytest.raises(InputError, match="its tokenizer is not toy"):
        build_model(further, manifest.model_copy(update={"tokenizer_sha256": "1" * 64}))


def test_a_class_whose_loss_we_do_not_compute_is_refused(toy_conf, write_shards, tmp_path):
    shape = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=16, vocab_size=32, n_positions=16)
    transformers.GPT2LMHeadModel(shape).save_pretrained(tmp_path / "gpt2")
    conf = toy_conf.model_copy(update={"init_from": str(tmp_path / "gpt2")})
    with pytest.raises(InputError, match="a gpt2; taken are llama, mistral"):
        build_model(conf, read_manifest(write_shards([[1, 2, 3]])))
