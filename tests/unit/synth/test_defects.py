"""The defects of NeMo Curator's synthesis that ours is to be without, one test each.

Numbers are those of the list in docs/synthesis.md, which also names the tests of the defects that
are not about synthesis.
"""

import re
from dataclasses import fields, replace
from inspect import signature
from pathlib import Path

import pyarrow as pa
import pytest
from test_chat_tokenizer import TEMPLATE, byte_tokenizer

from curation.config import SynthConfig
from curation.errors import ConfigError
from curation.measure.signals import boilerplate_frac
from curation.synth.asking import _question
from curation.synth.backends.fake import FakeBackend
from curation.synth.backends.protocol import ChatRequest
from curation.synth.markdown import plain_text
from curation.synth.postprocess import parse
from curation.synth.prompts import load_prompts, parse_prompt, render
from curation.synth.readers import unquoted
from curation.synth.requests import _parts, _planned
from curation.synth.segment import dropped, segments
from curation.synth.tokenizer import ChatTokenizer

DOCS = Path(__file__).parents[3] / "docs" / "synthesis.md"
CHAT = ChatTokenizer(byte_tokenizer(), TEMPLATE, {})
SEGMENT = "The heron stands still. It waits for fish. " * 20


def words(texts):
    return [len(text.split()) for text in texts]


def chars(texts):
    return [len(text) for text in texts]


def read(name, raw, *, request_id="r", finish="stop", n_output=9):
    prompt = replace(load_prompts()[name], min_output_tokens=0)
    return parse(
        prompt, raw, request_id=request_id, segment_text=SEGMENT, finish_reason=finish,
        n_output_tokens=n_output, count=words,
    )  # fmt: skip


def cut(text, count=chars, most=100, least=0):
    found = segments(text, count=count, max_tokens=most, min_tokens=least, long_line=dropped)
    return [segment.text for segment in found]


def test_02_the_engine_is_sent_the_cap_of_each_task():
    prompts = load_prompts()
    row = {"request_id": "r", "text": "A heron."}
    for name, cap in (("knowledge_list", 600), ("extract_knowledge", 1400), ("distill", 1600)):
        conf = SynthConfig()
        asked = _question(prompts[name], row | {"max_output_tokens": cap}, conf)
        assert asked.max_tokens == prompts[name].max_output_tokens == cap


def test_03_no_stop_string_is_the_text_of_a_list_and_no_setting_is_idle():
    # The model's own end of turn ends an answer. A head's `stop`, or `top_k`, would have no effect:
    # both are refused.
    assert {field.name for field in fields(ChatRequest)}.isdisjoint({"stop", "top_k"})
    content = b"---\nname: x\nstop: \"['</s>']\"\ntop_k: 5\n---\n{text}"
    with pytest.raises(ConfigError, match=r"`stop`: unexpected.*`top_k`: unexpected"):
        parse_prompt("x.md", content)
    with pytest.raises(ValueError, match="top_k"):
        SynthConfig(top_k=5)


def test_04_the_engine_says_what_is_truncated_and_no_count_of_tokens_does():
    cap = load_prompts()["distill"].max_output_tokens
    assert read("distill", "Condensed version:\nA heron.", n_output=cap).verdict == "accepted"
    short = read("distill", "Condensed version:\nA heron.", finish="length", n_output=3)
    assert short.verdict == "truncated"


def test_05_instructions_and_template_are_part_of_the_cap():
    # With the instructions 90 bytes are left; a cap of the text alone would take the whole line.
    shipped = replace(load_prompts()["distill"], min_document_tokens=0, min_segment_tokens=0)
    prompt = replace(shipped, max_input_tokens=CHAT.overhead(shipped) + 92)
    assert CHAT.overhead(shipped) > CHAT.count([prompt.system + prompt.user])[0]
    found = _parts("x" * 90 + "\n" + "y" * 91, prompt, SynthConfig(), CHAT)
    assert [part.text for part in found] == ["x" * 90]
    chat = CHAT.encode_chat(prompt.system, render(prompt, found[0].text), prompt.prefill)
    assert len(chat) <= prompt.max_input_tokens


def test_06_a_separator_costs_its_tokens_and_not_its_characters():
    # Ten lines of ten words; with a token for each line end only nine would fit.
    text = "\n".join(["a b c d e f g h i j"] * 10)
    assert cut(text, count=words) == [text]


def test_07_nothing_is_joined_across_a_line_that_is_dropped():
    # The worked example: pieces 2 and 4 around the over-length piece 3 stay apart.
    sizes = (40, 60, 5, 300, 20, 80, 90, 10)
    lines = [letter * size for letter, size in zip("abcdefgh", sizes, strict=True)]
    found = cut("\n".join(lines))
    assert [len(part) for part in found] == [40, 66, 20, 80, 90, 10]


def test_08_ids_do_not_depend_on_the_batch_and_are_unique_across_batches():
    prompt = replace(load_prompts()["distill"], min_document_tokens=0, min_segment_tokens=0)
    rows = [{"doc_id": f"d{n}", "crawl": "c", "label": "high", "text": "x"} for n in range(4)]

    def ids(size):
        batches = [
            pa.RecordBatch.from_pylist(rows[begin : begin + size]) for begin in range(0, 4, size)
        ]
        made = [b for batch in batches for b in _planned(batch, [prompt], SynthConfig(), CHAT, "g")]
        return [row["request_id"] for batch in made for row in batch.to_pylist()]

    assert len(set(ids(4))) == 4
    assert ids(1) == ids(2) == ids(3) == ids(4)


def test_09_no_segment_begins_with_a_newline():
    assert cut("a" * 100 + "\n\n" + "b" * 100) == ["a" * 100, "b" * 100]


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("1. A\n2. B", "A\nB"),
        ("* A\n* B", "A\nB"),
        ("\u2022 A\n\u2022 B", "A\nB"),
        ("-A\n-B", "A\nB"),
        ("Here is a list:\n- A\n  - B\nSome extra text", "A\nB\nSome extra text"),
    ],
)
def test_10_the_first_item_of_a_list_stays_whatever_its_mark(raw, text):
    assert read("knowledge_list", raw).text == text


@pytest.mark.parametrize("text", ["my_var_name", "2 * 3 * 4", "__init__", "$a_1 * b_1 * c_1$"])
def test_11_removing_markdown_damages_no_content(text):
    assert plain_text(text) == text
    assert plain_text(f"**{text}**") == text
    assert plain_text("[the words](https://example.org)") == "the words"


def test_12_quotes_stay_balanced():
    assert unquoted('"a" and "b"') == '"a" and "b"'
    assert unquoted('"Hello, World!"') == "Hello, World!"


def test_13_passage_labels_go_with_any_number_and_before_text():
    raw = "Passage 1:\nA\n\nPassage 4:\nB\n\nPassage 2: C\n\nPassage 17:\nD"
    assert read("extract_knowledge", raw).text == "A\n\nB\n\nC\n\nD"


def test_14_pairs_are_drawn_alike_at_every_time():
    pairs = "\n".join(f"- Question: Is it {n}?\n- Answer: {n}." for n in range(8))
    found = [read("diverse_qa", pairs, request_id=str(n)).text for n in range(20)]
    assert found == [read("diverse_qa", pairs, request_id=str(n)).text for n in range(20)]
    # Not the generator's order, nor one order for all.
    assert len(set(found)) > 10


def test_15_a_request_that_fails_fails_alone_and_is_parsed_to_its_verdict():
    row = {"text": "A heron waits.", "max_output_tokens": 1600}
    asked = [
        _question(load_prompts()["distill"], row | {"request_id": f"r{n}"}, SynthConfig())
        for n in range(40)
    ]
    answers = list(FakeBackend(faults={"error": 0.3}).generate(asked))
    verdicts = [
        read("distill", done.text, finish=done.finish_reason, n_output=done.n_output_tokens).verdict
        for done in answers
    ]
    assert len(answers) == 40
    assert set(verdicts) == {"accepted", "engine_error"}


def test_18_no_option_of_the_boilerplate_share_is_without_effect():
    assert list(signature(boilerplate_frac).parameters) == ["words"]


def test_22_the_docs_say_of_every_prompt_what_its_head_says():
    found = re.findall(r"^\| `(\w+)` \|(.*)\|$", DOCS.read_text(encoding="utf-8"), re.MULTILINE)
    told = {name: [cell.strip() for cell in cells.split("|")] for name, cells in found}
    for name, prompt in load_prompts().items():
        assert told[name] == [
            f"`{prompt.kind2}`",
            ", ".join(prompt.source_labels) or "any",
            f"{prompt.max_input_tokens:,}",
            f"{prompt.max_output_tokens:,}",
            str(prompt.min_output_tokens),
            f"`{prompt.parser}`",
            "yes" if prompt.system else "no",
        ]


def test_every_test_that_the_docs_name_exists():
    text = DOCS.read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", text)
    assert len(set(re.findall(r"^\| (\d+) \|", text, re.MULTILINE))) == 23
    for file, name in named:
        assert f"def {name}(" in (DOCS.parents[1] / "tests" / file).read_text(encoding="utf-8")
