import itertools
import time

import pytest

from curation.synth.backends.fake import FakeBackend
from curation.synth.backends.protocol import ChatRequest
from curation.synth.postprocess import parse
from curation.synth.prompts import load_prompts, render

SEGMENT = (
    "A heron stands still at the edge of the water and waits for fish. Its long legs keep the "
    "feathers dry, and its neck is folded until the moment comes.\nThen it strikes."
)


def words(texts):
    return [len(text.split()) for text in texts]


def ask(name, request_id="r0", *, prefilled=True, max_tokens=600):
    prompt = load_prompts()[name]
    return ChatRequest(
        request_id=request_id,
        system=prompt.system,
        user=render(prompt, SEGMENT),
        prefill=prompt.prefill if prefilled else "",
        max_tokens=max_tokens,
        temperature=prompt.temperature,
        top_p=prompt.top_p,
    )


def verdict_of(name, completion):
    return parse(
        load_prompts()[name],
        completion.text,
        request_id=completion.request_id,
        segment_text=SEGMENT,
        finish_reason=completion.finish_reason,
        n_output_tokens=completion.n_output_tokens,
        count=words,
    ).verdict


def generate(requests, **settings):
    return list(FakeBackend(**settings).generate(requests))


@pytest.mark.parametrize("name", list(load_prompts()))
@pytest.mark.parametrize("prefilled", [True, False])
def test_fake_answers_of_every_prompt_are_accepted(name, prefilled):
    requests = {f"r{n}": ask(name, f"r{n}", prefilled=prefilled) for n in range(20)}
    completions = generate(requests.values())
    assert {verdict_of(name, completion) for completion in completions} == {"accepted"}
    assert all(done.text.startswith(requests[done.request_id].prefill) for done in completions)


def test_fake_answers_come_out_of_order_and_depend_on_the_request_alone():
    requests = [ask(name, f"{name}-{n}") for name in load_prompts() for n in range(3)]
    whole = generate(requests)
    ids = [request.request_id for request in requests]
    assert [done.request_id for done in whole] != ids
    assert sorted(done.request_id for done in whole) == sorted(ids)
    alone = {request.request_id: generate([request])[0] for request in requests}
    assert {done.request_id: done for done in whole} == alone
    assert len({done.text for done in whole}) == len(requests)


def test_requests_are_taken_as_there_is_room():
    taken = []
    endless = (taken.append(n) or ask("distill", f"r{n}") for n in itertools.count())
    completions = FakeBackend(n_in_flight=3).generate(endless)
    for n_done in range(1, 8):
        next(completions)
        assert len(taken) <= 3 + n_done - 1


def test_a_fake_answer_is_cut_at_the_cap():
    (done,) = generate([ask("distill", max_tokens=20)])
    assert done.finish_reason == "length"
    assert done.n_output_tokens == 20
    assert verdict_of("distill", done) == "truncated"


@pytest.mark.parametrize(
    ("fault", "verdicts"),
    [
        ("refusal", {"refusal"}),
        ("truncation", {"truncated"}),
        ("error", {"engine_error"}),
        ("garbage", {"repetitive", "no_answer", "no_dialogue"}),
    ],
)
def test_faults_spoil_every_answer_if_told_so(fault, verdicts):
    found = {
        name: verdict_of(name, generate([ask(name)], faults={fault: 1.0})[0])
        for name in load_prompts()
    }
    assert set(found.values()) <= verdicts
    assert "accepted" not in found.values()


def test_faults_spoil_their_share_chosen_by_request():
    requests = [ask("distill", f"r{n}") for n in range(400)]
    backend = FakeBackend(faults={"refusal": 0.25, "error": 0.25})
    found = [verdict_of("distill", done) for done in backend.generate(requests)]
    assert 60 < found.count("refusal") < 140
    # A quarter of the three quarters that are left.
    assert 40 < found.count("engine_error") < 110
    assert [verdict_of("distill", done) for done in backend.generate(requests)] == found


def test_a_request_that_hangs_is_answered_late():
    started = time.perf_counter()
    (done,) = generate([ask("distill")], faults={"hang": 1.0}, hang_seconds=0.2)
    assert time.perf_counter() - started >= 0.2
    assert verdict_of("distill", done) == "accepted"


def test_a_fake_crash_comes_after_its_number_of_answers():
    backend = FakeBackend(n_before_crash=3)
    assert len(list(backend.generate([ask("distill", "a"), ask("wikipedia", "b")]))) == 2
    found = []
    with pytest.raises(RuntimeError, match="crashes"):
        found.extend(backend.generate([ask("distill", "c"), ask("wikipedia", "d")]))
    assert len(found) == 1


def test_an_unknown_chat_is_not_answered_by_the_fake():
    with pytest.raises(ValueError, match="knows no prompt"):
        generate([ChatRequest("r", "", "Good day", "", 10, 1.0, 1.0)])
