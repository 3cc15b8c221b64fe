"""Asking a server, with one of our own on loopback that behaves badly on purpose."""

import asyncio
import json
import re
import threading
import time

import pytest
from servers import BadServer, dripped, file, short, slow, status
from tokenizers import Tokenizer, models, pre_tokenizers

from curation.config import HttpConfig
from curation.errors import ConfigError, EnvironmentFault
from curation.synth.backends.http import HttpBackend
from curation.synth.backends.protocol import ChatRequest
from curation.synth.tokenizer import ChatTokenizer

PATH = "/v1/completions"
CHAT_PATH = "/v1/chat/completions"


def reply(text=" yes", reason="stop"):
    choice = {"index": 0, "finish_reason": reason, "text": text}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
    return json.dumps({"object": "text_completion", "choices": [choice], "usage": usage}).encode()


def chat_reply(content):
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": content}}
    return json.dumps(
        {"choices": [choice], "usage": {"prompt_tokens": 3, "completion_tokens": 2}}
    ).encode()


def served(*names):
    return [file(json.dumps({"object": "list", "data": [{"id": name} for name in names]}).encode())]


def by_length(answers, otherwise):
    """An answer for prompts of some lengths, another for all others: a list of one for the plan."""

    def answer(handler):
        n_tokens = len(json.loads(handler.body)["prompt"])
        answers.get(n_tokens, otherwise)(handler)

    return [answer]


@pytest.fixture
def server():
    with BadServer() as server:
        server.plan["/v1/models"] = served("tiny")
        server.plan[PATH] = [file(reply())]
        yield server


@pytest.fixture
def opened(server):
    """Opens backends, and closes them at the end."""
    backends = []

    def open_(**settings):
        quick = {"max_wait_seconds": 0.05, "timeout_seconds": 5.0, "max_tries": 4}
        conf = HttpConfig(**{"url": server.url("/v1")} | quick | settings)
        backends.append(HttpBackend(conf, tokenizer(), max_model_tokens=100))
        return backends[-1]

    yield open_
    for backend in backends:
        backend.close()


def tokenizer():
    """A token a word; <end> is a control token."""
    words = Tokenizer(models.WordLevel({"?": 0, "a": 1, "go": 2, "<end>": 3}, unk_token="?"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    words.add_special_tokens(["<end>"])
    template = "{% for message in messages %}{{ message.content }} {% endfor %}"
    return ChatTokenizer(words, template, {})


def ask(request_id, n_words=3, prefill="", system=""):
    return ChatRequest(request_id, system, "a " * n_words, prefill, 7, 0.5, 0.9)


def answers(backend, *requests):
    return {done.request_id: done for done in backend.generate(requests)}


def test_the_server_is_sent_token_ids_of_our_chat_and_the_answer_keeps_its_prefill(opened, server):
    (done,) = opened().generate([ask("r0", 2, prefill="go")])
    assert json.loads(server.bodies[0]) == {
        "model": "tiny", "prompt": [1, 1, 2], "max_tokens": 7, "temperature": 0.5, "top_p": 0.9,
    }  # fmt: skip
    assert (done.text, done.finish_reason, done.error) == ("go yes", "stop", None)
    assert (done.n_input_tokens, done.n_output_tokens) == (3, 2)
    assert done.seconds > 0.0


def test_completions_come_as_they_are_done(opened, server):
    server.plan[PATH] = by_length({9: slow(reply(), after_s=0.5)}, file(reply()))
    found = [done.request_id for done in opened().generate([ask("slow", 9), ask("quick", 2)])]
    assert found == ["quick", "slow"]


def test_so_many_requests_are_at_the_server_and_no_more_over_as_many_connections(opened, server):
    server.plan[PATH] = [slow(reply(), after_s=0.02)]
    taken = []
    requests = (taken.append(n) or ask(f"r{n}") for n in range(30))
    for n_done, _ in enumerate(opened(max_in_flight=3).generate(requests), 1):
        assert len(taken) <= 3 + n_done - 1
    assert len(taken) == 30
    assert server.most_at_once == 3
    assert len(server.peers) <= 3


def test_a_429_is_asked_again_after_the_time_that_the_server_wishes(opened, server):
    server.plan[PATH] = [status(429, retry_after="1"), file(reply())]
    (done,) = opened(max_wait_seconds=60.0).generate([ask("r0")])
    assert done.error is None
    *_, first, second = server.times
    assert second - first >= 0.9


def test_a_longer_wish_than_the_limit_is_cut(opened, server):
    server.plan[PATH] = [status(429, retry_after="3600"), file(reply())]
    (done,) = opened(max_wait_seconds=0.05).generate([ask("r0")])
    assert done.error is None


@pytest.mark.parametrize(
    "bad",
    [
        [status(500), status(503)],
        [status(408)],
        [short(reply(), 40)],
        [file(b"<html>not at all"), file(b'{"choices": []}'), file(b'{"choices": [{}]}')],
        [file(json.dumps({"error": "later"}).encode())],
    ],
    ids=["5xx", "408", "cut", "garbage", "json"],
)
def test_what_may_pass_is_asked_again_until_it_has(opened, server, bad):
    server.plan[PATH] = [*bad, file(reply())]
    (done,) = opened().generate([ask("r0")])
    assert (done.error, done.text) == (None, " yes")
    assert len(server.bodies) == len(bad) + 1
    assert len(set(server.bodies)) == 1


@pytest.mark.parametrize("bad", [slow(reply(), after_s=2.0), dripped(reply(), every_s=0.05)])
def test_an_answer_that_takes_too_long_is_asked_for_again(opened, server, bad):
    server.plan[PATH] = [bad, file(reply())]
    started = time.monotonic()
    (done,) = opened(timeout_seconds=0.3).generate([ask("r0")])
    assert done.error is None
    assert time.monotonic() - started < 1.5


@pytest.mark.parametrize("code", [400, 413, 422])
def test_a_request_that_the_server_refuses_is_an_error_and_is_asked_once(opened, server, code):
    server.plan[PATH] = by_length({5: status(code)}, file(reply()))
    found = answers(opened(), ask("bad", 5), ask("good"))
    assert f"the server says {code}" in found["bad"].error
    assert found["bad"].finish_reason == "error"
    assert found["good"].error is None
    assert len(server.bodies) == 2


@pytest.mark.parametrize("bad", [status(500), file(b"zq zq")])
def test_a_request_that_always_fails_is_an_error_while_the_server_answers_others(
    opened, server, bad
):
    server.plan[PATH] = by_length({5: bad}, file(reply()))
    found = answers(opened(max_tries=3), ask("bad", 5), *(ask(f"r{n}") for n in range(5)))
    assert "in 3 tries" in found["bad"].error
    assert sum(done.error is None for done in found.values()) == 5


def test_a_server_that_is_gone_is_a_broken_world_not_a_crowd_of_errors(opened, server):
    backend = opened(max_tries=2)
    server.plan[PATH] = [status(500)]
    found = []
    with pytest.raises(EnvironmentFault, match=r"does not answer in 2 tries: .* says 500"):
        found.extend(backend.generate(ask(f"r{n}") for n in range(500)))
    assert found == []


def test_a_server_that_refuses_connections_is_told_by_its_address(server):
    url = server.url("/v1").replace(re.search(r":(\d+)", server.url(""))[1], "1")
    conf = HttpConfig(url=url, max_tries=2, max_wait_seconds=0.01)
    with pytest.raises(EnvironmentFault, match=rf"{url} does not answer in 2 tries: ConnectError"):
        HttpBackend(conf, tokenizer(), max_model_tokens=100)


def test_a_server_that_takes_no_more_is_a_broken_world(opened, server):
    server.plan[PATH] = [status(429)]
    with pytest.raises(EnvironmentFault, match="max_in_flight"):
        list(opened(max_tries=2).generate([ask("r0")]))


@pytest.mark.parametrize("code", [401, 403, 404, 301])
def test_a_wrong_key_address_or_model_stops_everything_at_once(opened, server, code):
    backend = opened()
    server.plan[PATH] = [status(code)]
    with pytest.raises(ConfigError, match=rf"{code}.*api_key_variable"):
        list(backend.generate([ask("r0")]))
    assert len(server.bodies) == 1


def test_a_chat_that_fills_the_context_is_not_sent(opened, server):
    found = answers(opened(), ask("long", 100), ask("fits", 99))
    assert "100 tokens" in found["long"].error
    assert found["fits"].error is None
    assert len(server.bodies) == 1


def test_an_answer_that_the_server_broke_off_is_an_error(opened, server):
    server.plan[PATH] = [file(reply(reason="abort"))]
    (done,) = opened().generate([ask("r0")])
    assert (done.finish_reason, done.error) == (
        "error",
        "the server ended the answer with `abort`",
    )


def test_an_answer_at_its_cap_is_cut(opened, server):
    server.plan[PATH] = [file(reply(reason="length"))]
    (done,) = opened().generate([ask("r0")])
    assert (done.finish_reason, done.error) == ("length", None)


def test_who_stops_listening_ends_what_is_in_flight(opened, server):
    server.plan[PATH] = by_length({9: slow(reply(), after_s=1.0)}, file(reply()))
    backend = opened()
    completions = backend.generate([ask("quick"), ask("slow", 9)])
    next(completions)
    completions.close()
    time.sleep(0.2)
    assert asyncio.all_tasks(backend._loop) == set()
    server.plan[PATH] = [file(reply())]
    assert len(answers(backend, ask("a"), ask("b"))) == 2
    assert sum(thread.name == "synth.http" for thread in threading.enumerate()) == 1


def test_the_key_is_sent_from_the_environment_and_its_absence_is_told(opened, server, monkeypatch):
    monkeypatch.setenv("OUR_KEY", "open sesame")
    list(opened(api_key_variable="OUR_KEY").generate([ask("r0")]))
    assert {headers.get("authorization") for *_, headers in server.asked} == {"Bearer open sesame"}
    monkeypatch.delenv("OUR_KEY")
    with pytest.raises(EnvironmentFault, match="OUR_KEY is not set"):
        opened(api_key_variable="OUR_KEY")


def test_of_several_models_one_must_be_named(opened, server):
    server.plan["/v1/models"] = served("small", "large")
    with pytest.raises(ConfigError, match="small, large"):
        opened()
    list(opened(model="large").generate([ask("r0")]))
    assert json.loads(server.bodies[0])["model"] == "large"


def test_the_chat_form_sends_messages_without_control_tokens(opened, server):
    server.plan[CHAT_PATH] = [file(chat_reply("well")), file(chat_reply(None))]
    backend = opened(api="chat")
    request = ChatRequest("r0", "be brief", "now <end> it", "", 7, 0.5, 0.9)
    (done,) = backend.generate([request])
    assert (done.text, done.error, done.n_output_tokens) == ("well", None, 2)
    assert json.loads(server.bodies[0])["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "now < end> it"},
    ]
    (empty,) = backend.generate([request])
    assert empty.text == ""


def test_the_chat_form_begins_no_answers(opened):
    with pytest.raises(ConfigError, match="`prefill` false"):
        list(opened(api="chat").generate([ask("r0", prefill="go")]))
