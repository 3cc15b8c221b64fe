"""What is ours around vLLM's engine, with the engine replaced; the real one is in tests/llm."""

import json
import sys
from types import SimpleNamespace

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

import curation.synth.backends.vllm as vllm_module
from curation.config import EngineConfig, SynthConfig
from curation.errors import ConfigError, EnvironmentFault
from curation.synth.backends.loading import _started, _Wanted
from curation.synth.backends.protocol import KILLS_ENGINE, ChatRequest
from curation.synth.backends.vllm import _environment, engine_settings


class Core:
    """vLLM's engine: answers each prompt with as many tokens as the prompt has, two a step."""

    def __init__(self, settings):
        self.settings = settings
        scheduler = SimpleNamespace(max_num_seqs=settings.get("max_num_seqs", 2))
        self.vllm_config = SimpleNamespace(scheduler_config=scheduler)
        self.engine_core = self
        self.held, self.sent, self.aborted = {}, [], []
        self.is_down = False
        self.dies_of = set()

    def add_request(self, request_id, prompt, params):
        assert prompt["type"] == "token"
        if len(prompt["prompt_token_ids"]) == 1:
            raise ValueError("too short for me")
        self.held[request_id] = prompt["prompt_token_ids"]
        self.sent.append((request_id, prompt["prompt_token_ids"], params))

    def step(self):
        # vLLM raises whatever went wrong, such as an index out of range in a kernel.
        if self.dies_of & {len(ids) for ids in self.held.values()}:
            raise IndexError("position out of range")
        done = [*self.held][:2]
        running = [SimpleNamespace(request_id="other", finished=False)]
        return running + [self._output(name, self.held.pop(name)) for name in done]

    def _output(self, name, ids):
        reason = {3: "stop", 6: "length"}.get(len(ids), "abort")
        answer = SimpleNamespace(text=" yes", token_ids=ids, finish_reason=reason)
        return SimpleNamespace(
            request_id=name, finished=True, prompt_token_ids=ids, outputs=[answer]
        )

    def abort_request(self, request_ids):
        self.aborted += request_ids
        for request_id in request_ids:
            del self.held[request_id]

    def shutdown(self):
        self.is_down = True


@pytest.fixture
def cores(monkeypatch):
    """Every engine that was started, in order."""
    started = []

    def llm(**settings):
        if settings["gpu_memory_utilization"] == 0.01:
            raise ValueError("no room for keys and values")
        started.append(Core(settings))
        config = SimpleNamespace(
            get_diff_sampling_param=lambda: {"frequency_penalty": 0.3, "temperature": 0.1}
        )
        return SimpleNamespace(llm_engine=started[-1], model_config=config)

    vllm = SimpleNamespace(
        LLM=llm,
        SamplingParams=lambda **given: SimpleNamespace(**given),
        sampling_params=SimpleNamespace(RequestOutputKind=SimpleNamespace(FINAL_ONLY="final")),
    )
    on_gpu = SimpleNamespace(current_platform=SimpleNamespace(is_cpu=lambda: False))
    cleaning = SimpleNamespace(cleanup_dist_env_and_memory=lambda: None)
    monkeypatch.setattr(vllm_module, "import_vllm", lambda cpus: vllm)
    monkeypatch.setitem(sys.modules, "vllm.platforms", on_gpu)
    monkeypatch.setitem(sys.modules, "vllm.distributed.parallel_state", cleaning)
    return started


@pytest.fixture
def folder(tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"?": 0, "a": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 64}))
    (tmp_path / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ message.content }} {% endfor %}"
    )
    return tmp_path


@pytest.fixture
def backend(folder, cores):
    return loaded(folder)


def loaded(folder, **engine):
    conf = SynthConfig(engine=EngineConfig(**engine))
    return _started(_Wanted("vllm", str(folder), 5, 10, conf.engine, conf.http))


def ask(request_id, n_words, prefill=""):
    return ChatRequest(request_id, "", "a " * n_words, prefill, 7, 0.5, 0.9)


def by_id(completions):
    return {done.request_id: done for done in completions}


def test_each_has_its_completion_and_a_chat_that_fills_the_context_is_not_sent(backend, cores):
    lengths = {"r0": 10, "r1": 3, "r2": 12, "r3": 6, "r4": 9, "r5": 1}
    found = by_id(backend.generate(ask(name, n) for name, n in lengths.items()))
    assert {name: done.finish_reason for name, done in found.items()} == {
        "r0": "error", "r1": "stop", "r2": "error", "r3": "length", "r4": "error", "r5": "error",
    }  # fmt: skip
    assert {name: done.n_input_tokens for name, done in found.items()} == lengths
    assert [found[name].n_output_tokens for name in sorted(found)] == [0, 3, 0, 6, 9, 0]
    assert "12 tokens" in found["r2"].error
    assert "fewer than 10" in found["r2"].error
    assert found["r1"].error is None
    assert "abort" in found["r4"].error
    assert "too short for me" in found["r5"].error
    assert [len(ids) for _, ids, _ in cores[0].sent] == [3, 6, 9]


def test_an_answer_holds_its_own_prefill_and_the_engine_is_shown_it(backend):
    found = by_id(backend.generate([ask("r0", 3), ask("r1", 2, prefill="a")]))
    assert found["r0"].text == " yes"
    assert found["r1"].text == "a yes"
    assert found["r1"].n_input_tokens == 3


def test_the_time_of_a_step_is_shared_by_those_that_run_in_it(backend):
    # Two run at a time, so the third waits for a step, and has the next one for itself.
    found = by_id(backend.generate([ask("r0", 3), ask("r1", 6), ask("r2", 3)]))
    assert found["r0"].seconds == pytest.approx(found["r1"].seconds)
    assert all(done.seconds > 0.0 for done in found.values())


def test_requests_go_before_the_model_s_own_settings_and_carry_no_seed(backend, cores):
    list(backend.generate([ask("r0", 3)]))
    ((_, _, sampling),) = cores[0].sent
    assert vars(sampling) == {
        "frequency_penalty": 0.3, "temperature": 0.5, "top_p": 0.9, "max_tokens": 7,
        "output_kind": "final",
    }  # fmt: skip
    assert cores[0].settings["seed"] == 5
    assert cores[0].settings["max_model_len"] == 10


def test_the_engine_holds_twice_what_it_runs_and_is_kept(folder, cores):
    backend = loaded(folder, max_num_seqs=3)
    taken = []
    completions = backend.generate(taken.append(n) or ask(f"r{n}", 3) for n in range(50))
    next(completions)
    assert len(taken) == 6
    completions.close()
    # Two are done: one taken, one of the same step not.
    assert sorted(cores[0].aborted) == ["r2", "r3", "r4", "r5"]
    list(backend.generate([ask("r9", 3)]))
    assert len(cores) == 1


def test_a_prompt_of_which_vllm_dies_is_found_and_the_dead_engines_are_shut_down(
    folder, cores, monkeypatch
):
    started = Core.__init__

    def frail(self, settings):
        started(self, settings)
        self.dies_of = {7}

    monkeypatch.setattr(Core, "__init__", frail)
    lengths = {"r0": 3, "r1": 6, "r2": 7, "r3": 3}
    found = by_id(loaded(folder).generate(ask(name, n) for name, n in lengths.items()))
    assert found["r2"].error == f"{KILLS_ENGINE}: IndexError: position out of range"
    assert [found[name].error for name in ("r0", "r1", "r3")] == [None] * 3
    assert [core.is_down for core in cores] == [True] * (len(cores) - 1) + [False]


def test_what_vllm_refuses_at_its_start_is_a_fault_of_the_settings(folder, cores):
    with pytest.raises(ConfigError, match=r"no room for keys.*synth\.engine"):
        loaded(folder, gpu_memory_utilization=0.01)


def test_settings_reach_the_engine_by_its_names():
    conf = EngineConfig(
        tensor_parallel_size=2, quantization="fp8", max_num_seqs=9, enable_prefix_caching=False,
        speculative={"n_tokens": 3},
    )  # fmt: skip
    assert engine_settings(conf, on_cpu=False) == {
        "tensor_parallel_size": 2, "quantization": "fp8", "dtype": "auto", "enforce_eager": False,
        "gpu_memory_utilization": 0.92, "enable_prefix_caching": False, "max_num_seqs": 9,
        "speculative_config": {
            "method": "ngram", "num_speculative_tokens": 3, "prompt_lookup_max": 4,
        },
    }  # fmt: skip
    on_cpu = engine_settings(EngineConfig(), on_cpu=True)
    assert (on_cpu["dtype"], on_cpu["enforce_eager"]) == ("float32", True)
    assert {"max_num_seqs", "speculative_config"}.isdisjoint(on_cpu)
    drafted = EngineConfig(speculative={"method": "draft_model", "model": "/m"})
    assert engine_settings(drafted, on_cpu=False)["speculative_config"] == {
        "method": "draft_model", "num_speculative_tokens": 4, "model": "/m",
    }  # fmt: skip


def test_the_environment_binds_every_usable_cpu_and_stays_offline():
    environment = _environment([0, 2, 5])
    assert environment["VLLM_CPU_OMP_THREADS_BIND"] == "0,2,5"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["VLLM_NO_USAGE_STATS"] == "1"


def test_without_vllm_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr(vllm_module, "find_spec", lambda package: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'curation\[llm\]'"):
        vllm_module.import_vllm([0])
