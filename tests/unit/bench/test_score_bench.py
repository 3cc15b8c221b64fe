import gzip
import json

import numpy as np
import pytest

from bench.score_texts import (
    full_texts,
    in_order,
    quantiles,
    read_jsonl,
    repeated,
    useful_share,
)
from curation.errors import InputError
from models.flops import forward_flops, peak_flops

pytest.importorskip("torch", reason="no torch")

from bench.rounds import timed
from bench.score import main, padding, ratios, shipped_members, table


def test_the_naive_share_counts_each_batch_as_its_longest_text():
    batches = in_order([10, 2, 6, 6, 5], 2)
    assert [list(batch) for batch in batches] == [[10, 2], [6, 6], [5]]
    # 29 tokens, and 20 + 12 + 5 when padded.
    assert useful_share(batches) == 29 / 37


def test_the_bound_is_what_less_padding_gains():
    mask = np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
    found = padding([4, 1, 3], [(mask, mask)])
    # In order of arrival 8 of 12, by us 7 of 8.
    assert found == {"naive_useful": 0.667, "ours_useful": 0.875, "bound": 1.312}


def test_documents_come_by_hash_and_again_in_another_order():
    texts = [f"text {n}" for n in range(20)]
    found = repeated([*texts, " ", "\ud800"], 45)
    assert sorted(found[:20]) == sorted(found[20:40]) == sorted(texts)
    assert found[:20] != found[20:40]
    assert repeated(texts[::-1], 45) == found
    assert repeated(texts, 7) == found[:7]


def test_nothing_to_read_is_an_error():
    with pytest.raises(InputError, match="no text"):
        repeated(["", "\n"], 3)


def test_full_texts_are_all_of_the_wanted_length():
    found = full_texts(["abc", "defg"], 5, 6)
    assert [len(text) for text in found] == [6] * 5
    assert found[0] == "abc de"


def test_quantiles_of_lengths():
    assert quantiles(range(101)) == {"p10": 10, "p50": 50, "p90": 90, "max": 100}


def test_texts_are_read_from_a_field_of_json_lines(tmp_path):
    plain, packed = tmp_path / "a.jsonl", tmp_path / "a.jsonl.gz"
    lines = "".join(json.dumps(row) + "\n" for row in ({"t": "one"}, {"t": None}, {}))
    plain.write_text(lines)
    with gzip.open(packed, "wt") as file:
        file.write(lines)
    assert read_jsonl(plain, "t") == read_jsonl(packed, "t") == ["one", "", ""]
    with pytest.raises(InputError, match=r"absent\.jsonl"):
        read_jsonl(tmp_path / "absent.jsonl", "t")


def test_a_forward_pass_of_bert_base_at_512_tokens_has_the_known_flops():
    # By hand: 12 layers of 4 * 768^2 + 2 * 768 * 3072 weights; 87 + 9.7 GFLOP a text.
    n_weights = 12 * (4 * 768**2 + 2 * 768 * 3072)
    found = forward_flops([512], n_params=n_weights, n_layers=12, width=768)
    assert found == 2 * n_weights * 512 + 12 * 2 * 2 * 512 * 512 * 768
    assert found == pytest.approx(96.6e9, rel=1e-3)


def test_attention_grows_with_the_square_of_a_text_not_of_a_batch():
    sizes = {"n_params": 0, "n_layers": 1, "width": 1}
    assert forward_flops([3, 4], **sizes) == 4 * (9 + 16)


@pytest.mark.parametrize(
    ("name", "peak"),
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA H200 NVL", 836e12),
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362e12),
        ("Tesla T4", 65e12),
        ("NVIDIA A10", None),
        ("NVIDIA H100 80GB HBM3 MIG 1g.10gb", None),
        ("cpu", None),
    ],
)
def test_the_peak_goes_by_the_words_of_the_name(name, peak):
    assert peak_flops(name) == peak


def test_each_round_begins_with_another_contestant():
    seen = []
    runs = {name: lambda name=name: seen.append(name) for name in "abc"}
    seconds = timed(runs, 2)
    assert "".join(seen) == "abcbca"
    assert [len(one) for one in seconds.values()] == [2, 2, 2]


def test_ratios_are_medians_of_the_rounds_own():
    found = ratios({"kernel": [2.0, 1.0, 4.0], "spark": [2.0, 2.0, 2.0], "bare": [1.0, 1.0, 3.0]})
    assert found == {
        "kernel / bare": {"ratio": 0.75, "goal": 0.9},
        "spark / bare": {"ratio": 0.5, "goal": 0.9},
    }


def of_member():
    return {
        "n_documents": 2,
        "tokens": quantiles([3, 9]),
        "tokens_read": quantiles([3, 5]),
        "padding": {"naive_useful": 0.5, "ours_useful": 1.0, "bound": 2.0},
        "documents_per_s": {"spark": 8.0, "bare": 9.0},
        "tokens_per_s": {"spark": 32.0, "bare": 36.0},
        "ratios": {"spark / bare": {"ratio": 0.889, "goal": 0.9}},
    }


def test_the_table_says_which_goal_is_missed_and_where_no_peak_is_known():
    full = {"device": "cpu", "tflop_per_s": {"bare": 0.1}, "share_of_peak": None}
    found = {"members": {"m": of_member()}, "full": full, "peak_mib": 7, "worker_peak_mib": 6}
    said = table(found)
    assert "0.889 (goal 0.9: missed)" in said
    assert "bound 2.0" in said
    assert "the peak of this device is not known" in said
    assert "this process 7 MiB" in said


def test_only_heads_that_are_shipped_are_run():
    members = shipped_members()
    assert {"edu", "toxicity"} <= {*members["minilm"].columns}
    assert members["fasttext"].columns == {"fasttext": "hq"}


@pytest.mark.parametrize(
    ("argument", "said"), [("--rounds=0", "at least 1"), ("--members=none", "none: not shipped")]
)
def test_a_setting_that_cannot_be_is_named(argument, said):
    from curation.errors import ConfigError

    with pytest.raises(ConfigError, match=said):
        main([argument])
