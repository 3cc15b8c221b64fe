"""What is ours around the engine, with the engine replaced; the real one is in tests/llm."""

import json
import sys
from types import SimpleNamespace

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

import curation.synth.backend as backend_module
from curation.errors import EnvironmentFault
from curation.synth.backend import ChatRequest, VllmBackend, _environment


class Engine:
    """Answers each prompt with as many tokens as the prompt has."""

    started: dict

    def __init__(self, **settings):
        Engine.started = settings
        self.batches = []
        self.model_config = SimpleNamespace(
            get_diff_sampling_param=lambda: {"frequency_penalty": 0.3, "temperature": 0.1}
        )

    def generate(self, prompts, sampling, use_tqdm):
        assert use_tqdm is False
        self.batches.append((prompts, sampling))
        return [self._output(prompt["prompt_token_ids"]) for prompt in prompts]

    def _output(self, ids):
        reason = {3: "stop", 6: "length"}.get(len(ids), "abort")
        answer = SimpleNamespace(text=" yes", token_ids=ids, finish_reason=reason)
        return SimpleNamespace(prompt_token_ids=ids, outputs=[answer])


@pytest.fixture
def backend(tmp_path, monkeypatch):
    tokenizer = Tokenizer(models.WordLevel({"?": 0, "a": 1}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    (tmp_path / "config.json").write_text(json.dumps({"max_position_embeddings": 64}))
    (tmp_path / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ message.content }} {% endfor %}"
    )
    vllm = SimpleNamespace(LLM=Engine, SamplingParams=lambda **given: SimpleNamespace(**given))
    on_gpu = SimpleNamespace(current_platform=SimpleNamespace(is_cpu=lambda: False))
    monkeypatch.setattr(backend_module, "_import_vllm", lambda cpus: vllm)
    monkeypatch.setitem(sys.modules, "vllm.platforms", on_gpu)
    return VllmBackend(tmp_path, seed=5, max_model_tokens=10)


def ask(request_id, n_words, prefill=""):
    return ChatRequest(request_id, "", "a " * n_words, prefill, 7, 0.5, 0.9)


def test_completions_come_in_order_and_a_chat_that_fills_the_context_is_not_sent(backend):
    requests = [ask("r0", 10), ask("r1", 3), ask("r2", 12), ask("r3", 6), ask("r4", 9)]
    found = backend.generate(requests)
    assert [done.request_id for done in found] == ["r0", "r1", "r2", "r3", "r4"]
    assert [done.finish_reason for done in found] == ["error", "stop", "error", "length", "error"]
    assert [done.n_input_tokens for done in found] == [10, 3, 12, 6, 9]
    assert [done.n_output_tokens for done in found] == [0, 3, 0, 6, 9]
    assert "12 tokens" in found[2].error
    assert "fewer than 10" in found[2].error
    assert found[1].error is None
    assert "abort" in found[4].error
    ((sent, _),) = backend._engine.batches
    assert [len(prompt["prompt_token_ids"]) for prompt in sent] == [3, 6, 9]


def test_an_answer_holds_its_own_prefill_and_the_engine_is_shown_it(backend):
    plain, begun = backend.generate([ask("r0", 3), ask("r1", 2, prefill="a")])
    assert plain.text == " yes"
    assert begun.text == "a yes"
    assert begun.n_input_tokens == 3


def test_the_time_of_a_batch_is_shared_by_the_tokens_generated(backend):
    three, six = backend.generate([ask("r0", 3), ask("r1", 6)])
    assert three.seconds > 0.0
    assert six.seconds == pytest.approx(2 * three.seconds)


def test_requests_go_before_the_model_s_own_settings_and_carry_no_seed(backend):
    backend.generate([ask("r0", 3)])
    ((_, (sampling,)),) = backend._engine.batches
    assert vars(sampling) == {
        "frequency_penalty": 0.3, "temperature": 0.5, "top_p": 0.9, "max_tokens": 7,
    }  # fmt: skip
    assert Engine.started["seed"] == 5
    assert Engine.started["max_model_len"] == 10
    assert Engine.started["dtype"] == "auto"


def test_nothing_is_sent_where_nothing_fits(backend):
    assert [done.finish_reason for done in backend.generate([ask("r0", 10)])] == ["error"]
    assert backend.generate([]) == []
    assert backend._engine.batches == []


def test_the_environment_binds_every_usable_cpu_and_stays_offline():
    environment = _environment([0, 2, 5])
    assert environment["VLLM_CPU_OMP_THREADS_BIND"] == "0,2,5"
    assert environment["HF_HUB_OFFLINE"] == "1"
    assert environment["VLLM_NO_USAGE_STATS"] == "1"


def test_without_vllm_the_remedy_is_told(monkeypatch):
    monkeypatch.setattr(backend_module, "find_spec", lambda package: None)
    with pytest.raises(EnvironmentFault, match=r"pip install 'curation\[llm\]'"):
        backend_module._import_vllm([0])
