import json

import pytest

from curation.config import SynthConfig
from curation.errors import ConfigError, EnvironmentFault
from curation.synth.backends import loading
from curation.synth.backends.fake import FakeBackend
from curation.synth.backends.loading import KINDS, load_backend, release
from curation.synth.backends.vllm import check_context, cpu_quota, usable_cpus


def test_the_generator_is_loaded_once():
    conf = SynthConfig(backend="fake")
    first = load_backend(conf, seed=1)
    assert isinstance(first, FakeBackend)
    # Settings of the stage are not the generator's.
    assert load_backend(SynthConfig(backend="fake", requests_per_commit=7), seed=1) is first
    assert load_backend(conf, seed=2) is not first


def test_a_generator_is_closed_before_another_starts(monkeypatch):
    told = []

    class Told(FakeBackend):
        def __init__(self):
            super().__init__()
            told.append("started")

        def close(self):
            told.append("closed")

    monkeypatch.setattr(loading, "FakeBackend", Told)
    release()
    load_backend(SynthConfig(backend="fake"), seed=1)
    load_backend(SynthConfig(backend="fake"), seed=2)
    assert told == ["started", "closed", "started"]
    release()
    release()
    assert told == ["started", "closed", "started", "closed"]


def test_a_model_that_is_not_there_is_told(tmp_path):
    conf = SynthConfig(backend="transformers", model=str(tmp_path / "none"))
    with pytest.raises(EnvironmentFault, match="nothing at"):
        load_backend(conf, seed=1)


def test_every_backend_has_its_name():
    assert KINDS == ("vllm", "http", "transformers", "fake")


@pytest.mark.parametrize(
    ("content", "n_cpus"),
    [("max 100000\n", None), ("200000 100000\n", 2), ("150000 100000", 2), ("5000 100000", 1)],
)
def test_the_quota_of_a_container_is_rounded_up(tmp_path, content, n_cpus):
    (tmp_path / "cpu.max").write_text(content)
    assert cpu_quota(tmp_path / "cpu.max") == n_cpus


def test_without_a_container_there_is_no_quota_and_some_cpu_is_usable(tmp_path):
    assert cpu_quota(tmp_path / "cpu.max") is None
    assert len(usable_cpus()) >= 1


def test_more_context_than_the_model_has_is_refused(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 2048}))
    check_context(tmp_path, 2048)
    with pytest.raises(ConfigError, match=r"max_model_tokens: found 2049; .* takes 2048"):
        check_context(tmp_path, 2049)


URL = {"url": "http://host:8000/v1"}


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"backend": "http"}, "needs `http.url`"),
        ({"backend": "http", "http": {"url": "host:8000"}}, "http.url"),
        ({"backend": "http", "http": URL | {"api": "chat"}}, "`prefill` false"),
        ({"backend": "http", "http": URL, "engine": {"quantization": "fp8"}}, "on the server"),
        ({"backend": "transformers", "engine": {"speculative": {}}}, r"\['speculative'\]"),
        ({"engine": {"speculative": {"method": "eagle"}}}, "eagle needs a `model`"),
        ({"engine": {"speculative": {"model": "/m"}}}, "ngram takes no `model`"),
        ({"engine": {"tensor_parallel_size": 0}}, "greater than or equal to 1"),
        ({"engine": {"gpu_memory_utilisation": 0.5}}, "gpu_memory_utilisation"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(settings, told):
    with pytest.raises(ValueError, match=told):
        SynthConfig(**settings)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({}, ()),
        ({"engine": {"tensor_parallel_size": 8, "max_num_seqs": 512}}, ()),
        ({"engine": {"speculative": {}, "enable_prefix_caching": False}}, ()),
        (
            {"engine": {"quantization": "fp8", "dtype": "bfloat16"}},
            ("dtype=bfloat16", "quantization=fp8"),
        ),
        (
            {"backend": "http", "http": URL | {"max_in_flight": 3}},
            ("api=completions", "server_model="),
        ),
    ],
)
def test_only_what_changes_answers_is_part_of_a_request_s_id(settings, told):
    assert SynthConfig(**settings).answer_settings() == told
