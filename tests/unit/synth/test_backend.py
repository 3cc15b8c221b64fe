import json

import pytest

from curation.errors import ConfigError
from curation.synth.backend import (
    ChatRequest,
    FakeBackend,
    _check_context,
    cpu_quota,
    load_backend,
    usable_cpus,
)
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


@pytest.mark.parametrize("name", list(load_prompts()))
@pytest.mark.parametrize("prefilled", [True, False])
def test_fake_answers_of_every_prompt_are_accepted(name, prefilled):
    requests = [ask(name, f"r{n}", prefilled=prefilled) for n in range(20)]
    completions = FakeBackend().generate(requests)
    assert {verdict_of(name, completion) for completion in completions} == {"accepted"}
    assert all(
        done.text.startswith(req.prefill) for done, req in zip(completions, requests, strict=True)
    )


def test_fake_answers_come_in_order_and_depend_on_the_request_alone():
    requests = [ask(name, f"{name}-{n}") for name in load_prompts() for n in range(3)]
    whole = FakeBackend().generate(requests)
    backend = FakeBackend()
    assert whole == [backend.generate([request])[0] for request in requests]
    assert [done.request_id for done in whole] == [request.request_id for request in requests]
    assert len({done.text for done in whole}) == len(requests)


def test_a_fake_answer_is_cut_at_the_cap():
    (done,) = FakeBackend().generate([ask("distill", max_tokens=20)])
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
    backend = FakeBackend(faults={fault: 1.0})
    found = {name: verdict_of(name, backend.generate([ask(name)])[0]) for name in load_prompts()}
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


def test_a_fake_crash_comes_after_its_number_of_answers_and_gives_none_of_the_batch():
    backend = FakeBackend(n_before_crash=3)
    assert len(backend.generate([ask("distill"), ask("wikipedia")])) == 2
    with pytest.raises(RuntimeError, match="crashes"):
        backend.generate([ask("distill"), ask("wikipedia")])


def test_an_unknown_chat_is_not_answered_by_the_fake():
    with pytest.raises(ValueError, match="knows no prompt"):
        FakeBackend().generate([ChatRequest("r", "", "Good day", "", 10, 1.0, 1.0)])


def test_the_generator_is_loaded_once():
    first = load_backend("fake", "any", seed=1, max_model_tokens=4096)
    assert isinstance(first, FakeBackend)
    assert load_backend("fake", "any", seed=1, max_model_tokens=4096) is first
    assert load_backend("fake", "any", seed=2, max_model_tokens=4096) is not first


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
    _check_context(tmp_path, 2048)
    with pytest.raises(ConfigError, match=r"max_model_tokens: found 2049; .* takes 2048"):
        _check_context(tmp_path, 2049)
