import hashlib
from dataclasses import replace

import pytest

from curation.config import SynthConfig
from curation.errors import ConfigError
from curation.synth.prompts import PLACEHOLDER, load_prompts, parse_prompt, render

KINDS = ("diverse_qa", "distill", "extract_knowledge", "knowledge_list", "wikipedia")
STYLES = (
    "debate", "interview", "layman_knowall", "problem_solving", "teacher_student",
    "two_professors", "two_students",
)  # fmt: skip

FILE = b"""---
name: retell
stage: s06_rephrase
kind2: retold
source: "none"
source_labels: [high, low]
system: "You retell."
marker: "Retold:"
prefill: "Retold:\\n"
max_input_tokens: 100
max_output_tokens: 50
min_document_tokens: 3
min_segment_tokens: 2
min_output_tokens: 1
parser: marked
temperature: 0.5
top_p: 1
---
Retell this {"as": "JSON"}, behind "Retold:".

{text}
"""


BASELINE = "rephrase"


def test_all_kinds_styles_and_their_baseline_are_shipped_sorted_by_name():
    prompts = load_prompts()
    assert list(prompts) == sorted((*KINDS, *STYLES, BASELINE))
    assert {name for name, prompt in prompts.items() if prompt.stage == "s06_rephrase"} == set(
        KINDS
    )
    assert all(prompt.name == name for name, prompt in prompts.items())


def test_caps_and_sampling_are_the_published_ones():
    # Nemotron-CC: T in, max out, least final tokens; temperature 0.5, top-p 0.9.
    prompts = load_prompts()
    found = {
        name: (p.max_input_tokens, p.max_output_tokens, p.min_output_tokens)
        for name, p in prompts.items()
        if name in KINDS
    }
    assert found == {
        "wikipedia": (512, 512, 50),
        "diverse_qa": (1000, 600, 100),
        "distill": (2000, 1600, 50),
        "extract_knowledge": (1400, 1400, 50),
        "knowledge_list": (1000, 600, 50),
    }
    assert {(prompts[name].temperature, prompts[name].top_p) for name in KINDS} == {(0.5, 0.9)}
    # MIND: temperature 1, top-p 0.9, at least 50 tokens, input and output within 4096.
    assert {(prompts[name].temperature, prompts[name].top_p) for name in STYLES} == {(1.0, 0.9)}
    assert {prompts[name].min_output_tokens for name in STYLES} == {50}
    assert all(
        prompts[name].max_input_tokens + prompts[name].max_output_tokens <= 4096 for name in STYLES
    )


def test_the_baseline_differs_from_the_styles_in_nothing_but_the_conversation():
    # MIND's plain rephrase: same generator, chunks and sampling. It is no style, and not asked for
    # unless a run says so: it teaches no more than the raw text (MIND, table of styles).
    prompts = load_prompts()
    baseline, style = prompts[BASELINE], prompts["two_students"]
    for name in ("stage", "source_labels", "system", "max_input_tokens", "max_output_tokens",
                 "min_document_tokens", "min_segment_tokens", "min_output_tokens", "temperature",
                 "top_p"):  # fmt: skip
        assert getattr(baseline, name) == getattr(style, name)
    assert baseline.parser == "marked"
    assert "conversation" not in baseline.user
    assert "no new information" in baseline.user
    assert BASELINE not in SynthConfig().styles
    assert set(SynthConfig().styles) == set(STYLES)
    assert set(SynthConfig().tasks) == set(KINDS)


def test_every_head_names_its_paper_and_its_wording_tells_the_form_that_its_parser_reads():
    told = {
        "pairs": '"- Question:"',
        "items": "one item a line",
        "passages": "one or more passages",
    }
    for prompt in load_prompts().values():
        number = "2410.12881" if prompt.stage == "s07_dialogue" else "2412.02595"
        assert number in prompt.source
        assert told.get(prompt.parser, prompt.marker) in prompt.user


def test_only_rewrites_join_the_segments_of_a_document():
    joined = [name for name, prompt in load_prompts().items() if prompt.joins_segments]
    assert joined == ["wikipedia"]


def test_kinds_go_to_their_labels_and_have_their_published_names():
    prompts = load_prompts()
    assert prompts["wikipedia"].source_labels == ("low", "high")
    assert {prompts[name].source_labels for name in KINDS if name != "wikipedia"} == {("high",)}
    assert {prompts[name].source_labels for name in STYLES} == {()}
    assert [prompts[name].kind2 for name in KINDS] == [
        "diverse_qa_pairs", "distill", "extract_knowledge", "knowledge_list", "wrap_medium",
    ]  # fmt: skip


def test_styles_differ_and_all_say_to_stay_with_the_text_in_many_turns():
    prompts = [load_prompts()[name] for name in STYLES]
    assert len({prompt.user for prompt in prompts}) == 7
    steps = {prompt.name for prompt in prompts if "step by step" in prompt.user}
    assert steps == {"teacher_student", "debate", "layman_knowall"}
    for prompt in prompts:
        assert "faithful" in prompt.user
        assert "no new information" in prompt.user
        assert "no other source" in prompt.user
        assert "many turns" in prompt.user


def test_prefill_begins_with_the_marker_and_the_user_is_told_of_both():
    for prompt in load_prompts().values():
        assert prompt.prefill.startswith(prompt.marker)
        assert prompt.marker in prompt.user
        if prompt.parser == "dialogue":
            assert f'"{prompt.prefill}"' in prompt.user


def test_a_file_is_read_and_its_hash_is_the_version():
    prompt = parse_prompt("retell.md", FILE)
    assert prompt.source_labels == ("high", "low")
    assert prompt.prefill == "Retold:\n"
    assert prompt.top_p == 1.0
    assert prompt.user == 'Retell this {"as": "JSON"}, behind "Retold:".\n\n{text}'
    assert prompt.version == hashlib.sha256(FILE).hexdigest()[:12]
    assert parse_prompt("retell.md", FILE + b"\n").version != prompt.version


def test_braces_in_the_text_mean_nothing():
    prompt = parse_prompt("retell.md", FILE)
    text = "{text} {0} {} {{x}} \\1 \\g<0>"
    assert render(prompt, text) == f'Retell this {{"as": "JSON"}}, behind "Retold:".\n\n{text}'


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"kind2: retold\n", b"", r"`kind2`: field required"),
        (b"top_p: 1\n", b"top_p: 1\ntop_q: 2\n", r"`top_q`: unexpected"),
        (b"top_p: 1\n", b"top_p: 1.5\n", r"`top_p`"),
        (b"max_output_tokens: 50", b"max_output_tokens: '50'", r"`max_output_tokens`"),
        (b"[high, low]", b"[high, best]", r"`source_labels\.1`"),
        (b"parser: marked", b"parser: magic", r"`parser`"),
        (b"{text}", b"the text", r"\{text\} stands in it 0 times"),
        (b"{text}", b"{text} {text}", r"\{text\} stands in it 2 times"),
        (b"Retold:\\n", b"Retold: ", r"prefill ends in a space"),
        (b"Retold:\\n", b"So:\\n", r"prefill begins otherwise"),
        (b'behind "Retold:"', b"now", r"does not tell the marker"),
        (b'marker: "Retold:"', b'marker: ""', r"`marked` needs a marker"),
        (b"min_segment_tokens: 2", b"min_segment_tokens: -2", r"`min_segment_tokens`"),
        (b"top_p: 1\n", b"top_p: 1\nstop: \"['</s>']\"\n", r"`stop`: unexpected"),
        (b"name: retell", b"name: other", r"its name is `other`"),
        (b"top_p: 1\n", b"top_p: 1\nversion: abc\n", r"head holds"),
        (b"---\nname", b"name", r"begins with a YAML head"),
        (b'source: "none"', b"source: [", r"not readable as YAML"),
    ],
)
def test_a_file_that_is_no_prompt_is_refused_by_name(old, new, message):
    assert old in FILE
    with pytest.raises(ConfigError, match=rf"prompts/retell\.md: .*{message}"):
        parse_prompt("retell.md", FILE.replace(old, new))


def test_prompts_are_frozen_and_compare_by_value():
    prompt = parse_prompt("retell.md", FILE)
    assert replace(prompt) == parse_prompt("retell.md", FILE)
    assert PLACEHOLDER in prompt.user
