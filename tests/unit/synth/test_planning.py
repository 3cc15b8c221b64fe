"""Parts of a document that are asked about: within the caps, for each prompt."""

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_chat_tokenizer import TEMPLATE, byte_tokenizer

from curation.config import RunConfig, SynthConfig
from curation.errors import ConfigError
from curation.schemas import REQUESTS
from curation.synth.prompts import load_prompts, render
from curation.synth.requests import CHUNK_TOKENS, _parts, _planned, identity, output_cap
from curation.synth.tokenizer import ChatTokenizer

CHAT = ChatTokenizer(byte_tokenizer(), TEMPLATE, {})
"""A token is a byte, `ab` but one; `<end>` is a control token."""


def prompt_of(name, room, *, least=1):
    """A shipped prompt whose cap leaves `room` bytes to a segment, and two to spare."""
    shipped = replace(load_prompts()[name], min_segment_tokens=least, min_document_tokens=1)
    return replace(shipped, max_input_tokens=CHAT.overhead(shipped) + 2 + room)


def texts(text, prompt, conf=None):
    return [part.text for part in _parts(text, prompt, conf or SynthConfig(), CHAT)]


def test_the_cap_is_on_the_whole_chat_template_and_system_turn_included():
    # Defect 5. The chat without the segment is counted as it is sent: 40 bytes are left.
    prompt = prompt_of("distill", 40)
    assert texts("x" * 40, prompt) == ["x" * 40]
    assert texts("x" * 41, prompt) == []
    chat = CHAT.encode_chat(prompt.system, render(prompt, "x" * 40), prompt.prefill)
    assert len(chat) == prompt.max_input_tokens - 2


@given(st.lists(st.sampled_from(["ab", "x", "<end>", "<turn>", " ", "\n", "\u00e9", ". "])))
def test_no_chat_is_over_its_cap_whatever_the_page_spells_out(pieces):
    # A control token of a page is sent with a space in it, which is a token more.
    prompt = prompt_of("wikipedia", 30)
    for is_cut in (False, True):
        for text in texts("".join(pieces), prompt, SynthConfig(split_long_lines=is_cut)):
            chat = CHAT.encode_chat(prompt.system, render(prompt, text), prompt.prefill)
            assert len(chat) <= prompt.max_input_tokens


def test_a_long_line_is_dropped_or_cut_at_sentences_as_the_settings_say():
    text = "One heron wades.\nThis line is long. It has two sentences.\nAnother heron."
    prompt = prompt_of("knowledge_list", 24)
    assert texts(text, prompt) == ["One heron wades.", "Another heron."]
    assert texts(text, prompt, SynthConfig(split_long_lines=True)) == [
        "One heron wades.", "This line is long.", "It has two sentences.", "Another heron.",
    ]  # fmt: skip


def test_a_cap_that_leaves_no_room_is_a_fault_and_not_a_page_without_requests():
    with pytest.raises(ConfigError, match=r"distill\.md: max_input_tokens \d+ leaves 4 .* needs 9"):
        texts("A heron wades.", prompt_of("distill", 4, least=9))
    # All styles have the same chunks, or the longest of a chunk could not be told.
    with pytest.raises(ConfigError, match=rf"debate\.md: .* needs {CHUNK_TOKENS}"):
        texts("A heron wades.", prompt_of("debate", CHUNK_TOKENS - 1))


def test_a_template_without_room_is_found_before_anything_is_written(tmp_path):
    """As `curation run` asks for the identity of a stage: with no document at hand."""
    settings = {"model": str(tmp_path), "tasks": ["distill"], "styles": ["debate"]}
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text(byte_tokenizer().to_str())
    (tmp_path / "chat_template.jinja").write_text(TEMPLATE + "be good " * 400)
    with pytest.raises(ConfigError, match=r"distill\.md: max_input_tokens \d+ leaves -\d+"):
        identity(RunConfig(synth=settings))


def test_documents_under_the_least_length_are_left_alone_and_those_at_it_are_not():
    prompt = replace(prompt_of("distill", 90), min_document_tokens=10)
    assert texts("x" * 9, prompt) == []
    assert texts("x" * 10, prompt) == ["x" * 10]


def test_chunks_of_a_dialogue_are_the_document_and_the_same_for_every_style():
    text = "A heron wades where $a_1 * b_1 = 2$. " * 60
    found = {}
    for name in SynthConfig().styles:
        parts = _parts(text, prompt_of(name, CHUNK_TOKENS), SynthConfig(), CHAT)
        assert [part.number for part in parts] == [0, 1, 2, 3, 4]
        assert "".join(part.text for part in parts) == text
        assert max(CHAT.count([part.text for part in parts])) <= CHUNK_TOKENS
        found[name] = parts
    assert len(found) == 7
    assert all(parts == found["debate"] for parts in found.values())


def test_a_tail_too_short_to_talk_about_is_not_asked_about():
    text = "x" * CHUNK_TOKENS + "y" * 9
    assert texts(text, prompt_of("debate", CHUNK_TOKENS, least=9))[1] == "y" * 9
    assert len(texts(text, prompt_of("debate", CHUNK_TOKENS, least=10))) == 1


def planned(documents, size, prompts, conf=None):
    names = ("doc_id", "crawl", "label", "text")
    rows = [dict(zip(names, row, strict=True)) for row in documents]
    batches = [
        pa.RecordBatch.from_pylist(rows[start : start + size])
        for start in range(0, len(rows), size)
    ]
    found = [
        made
        for batch in batches
        for made in _planned(batch, prompts, conf or SynthConfig(), CHAT, "generator")
    ]
    for batch in found:
        REQUESTS.conform(batch)
    rows = [row for batch in found for row in batch.to_pylist()]
    return sorted(rows, key=lambda row: row["request_id"])


def test_ids_are_those_of_the_whole_crawl_whatever_the_batches():
    # Defect 8. The texts are the same, and so are the numbers of their segments.
    text = "x" * 30 + "\n" + "y" * 30
    documents = [(f"d{number}", "c", "high", text) for number in range(7)]
    prompts = [prompt_of("distill", 40), prompt_of("wikipedia", 40)]
    whole = planned(documents, 7, prompts)
    assert len({row["request_id"] for row in whole}) == len(whole) == 7 * 2 * 2
    for size in (1, 2, 3):
        assert planned(documents, size, prompts) == whole


def test_prompts_ask_of_their_labels_alone_and_dialogues_of_any():
    text = "x" * 40
    documents = [(label, "c", label, text) for label in ("high", "medium", "low")]
    prompts = [prompt_of(name, CHUNK_TOKENS) for name in ("distill", "wikipedia", "debate")]
    found = {(row["task"], row["doc_id"]) for row in planned(documents, 9, prompts)}
    assert found == {
        ("distill", "high"), ("wikipedia", "high"), ("wikipedia", "low"),
        ("debate", "high"), ("debate", "medium"), ("debate", "low"),
    }  # fmt: skip


def test_every_task_has_its_own_cap_and_the_settings_can_only_lower_it():
    # Defect 2: 600, 1,400 and 1,600 tokens by task, not one number for all.
    prompts = load_prompts()
    caps = {name: output_cap(prompts[name], SynthConfig()) for name in SynthConfig().tasks}
    assert caps == {
        "wikipedia": 512, "diverse_qa": 600, "distill": 1600, "extract_knowledge": 1400,
        "knowledge_list": 600,
    }  # fmt: skip
    lower = SynthConfig(max_output_tokens=550)
    assert output_cap(prompts["distill"], lower) == 550
    assert output_cap(prompts["wikipedia"], lower) == 512
    (row,) = planned([("d", "c", "high", "x" * 40)], 1, [prompt_of("knowledge_list", 40)])
    assert row["max_output_tokens"] == 600
