"""The prompts, one file each in `prompts/`: a YAML head, then the user's turn.

The head says what a prompt is for, its limits in tokens of the generator, how it is sampled, and
how its answers are read. The user's turn holds `{text}` once, where the segment goes.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Annotated, Any, ClassVar, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from curation.errors import ConfigError

PLACEHOLDER = "{text}"
"""Where the segment goes in the user's turn."""

Parser = Literal["marked", "passages", "items", "pairs", "dialogue", "grade"]
"""How an answer is read: see `postprocess.py`; a `grade`, `judgement.py`."""

Label = Literal["high", "medium-high", "medium", "medium-low", "low"]
_Named = Annotated[str, Field(min_length=1)]
_Tokens = Annotated[int, Field(ge=1)]
_Least = Annotated[int, Field(ge=0)]


@dataclass(frozen=True)
class Prompt:
    """One prompt: what is asked, of which documents, within which limits."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True)

    name: _Named
    stage: Literal["s06_rephrase", "s07_dialogue", "s07a_judge"]
    kind2: _Named
    """Name of the kind in the published layout."""
    source: _Named
    """Paper and section that the prompt follows; its wording is ours."""
    source_labels: tuple[Label, ...]
    """Quality labels of the documents that it is asked of; none: any."""
    system: str
    user: str
    """The user's turn, with the placeholder."""
    marker: str
    """Text that an answer must begin with; empty: none."""
    prefill: str
    """Start of the answer that is put in the generator's mouth, if the run says so."""
    max_input_tokens: _Tokens
    """Cap on the whole chat that is sent, template and system turn included."""
    max_output_tokens: _Tokens
    min_document_tokens: _Least
    min_segment_tokens: _Least
    min_output_tokens: _Least
    """Least tokens of the text that an answer becomes."""
    parser: Parser
    temperature: Annotated[float, Field(ge=0.0)]
    top_p: Annotated[float, Field(gt=0.0, le=1.0)]
    version: _Named
    """First 12 hex digits of the SHA-256 of the file."""
    joins_segments: bool = False
    """Whether the texts of a document's segments become one text. A head may leave it out."""


_HEAD = re.compile(r"---\n(.*?\n)---\n(.*)", re.DOTALL)
_PROMPT = TypeAdapter(Prompt)


@cache
def _shipped(folder_name: str) -> tuple[Prompt, ...]:
    folder = files("curation.synth") / folder_name
    found = sorted((file for file in folder.iterdir() if file.name.endswith(".md")), key=_name)
    return tuple(parse_prompt(file.name, file.read_bytes()) for file in found)


def _name(file: Any) -> str:
    return str(file.name)


def load_prompts() -> dict[str, Prompt]:
    """The shipped prompts that make texts, by name, sorted by name.

    Raises:
        ConfigError: a file is not a prompt; see `parse_prompt`.
    """
    return {prompt.name: prompt for prompt in _shipped("prompts")}


def load_judge() -> Prompt:
    """The shipped prompt by which a model judges what another one made.

    Raises:
        ConfigError: the file is not a prompt; see `parse_prompt`.
    """
    (prompt,) = _shipped("judge")
    return prompt


def all_prompts() -> dict[str, Prompt]:
    """Whatever may be asked, by name."""
    judge = load_judge()
    return {**load_prompts(), judge.name: judge}


def parse_prompt(file_name: str, content: bytes) -> Prompt:
    """The prompt in a file called `file_name` that holds `content`.

    Raises:
        ConfigError: the file has no YAML head, a key of the head is missing, unknown or of a wrong
            type, the user's turn does not hold the placeholder exactly once, the prefill ends in
            a space (which no tokenizer joins to the next word) or begins otherwise than the marker,
            the marker is not told to the generator or is missing where `parser` needs it, or the
            name is not the file's.
    """
    head, user = _parts(file_name, content)
    version = hashlib.sha256(content).hexdigest()[:12]
    fields = {**head, "user": user, "version": version}
    try:
        # By way of JSON, whose strict reading still takes a list for a tuple.
        prompt = _PROMPT.validate_json(json.dumps(fields, default=str))
    except ValidationError as error:
        raise ConfigError(f"prompts/{file_name}: {_explain(error)}") from error
    _check(prompt, file_name)
    return prompt


def render(prompt: Prompt, text: str) -> str:
    """The user's turn of `prompt` with `text` in it; braces in `text` mean nothing."""
    return prompt.user.replace(PLACEHOLDER, text)


def _parts(file_name: str, content: bytes) -> tuple[dict[str, Any], str]:
    match = _HEAD.fullmatch(content.decode("utf-8"))
    if match is None:
        raise ConfigError(f"prompts/{file_name}: begins with a YAML head between two `---` lines")
    try:
        head = yaml.safe_load(match[1])
    except yaml.YAMLError as error:
        summary = " ".join(str(error).split())
        raise ConfigError(f"prompts/{file_name}: not readable as YAML: {summary}") from error
    if not isinstance(head, dict) or {"user", "version"} & head.keys():
        raise ConfigError(
            f"prompts/{file_name}: the head holds `key: value` lines, without `user` and `version`"
        )
    return head, match[2].strip()


def _check(prompt: Prompt, file_name: str) -> None:
    n_placeholders = prompt.user.count(PLACEHOLDER)
    if n_placeholders != 1:
        raise ConfigError(
            f"prompts/{file_name}: {PLACEHOLDER} stands in it {n_placeholders} times, not once"
        )
    for is_wrong, fault in _faults(prompt):
        if is_wrong:
            raise ConfigError(f"prompts/{file_name}: {fault}")
    if file_name != f"{prompt.name}.md":
        raise ConfigError(f"prompts/{file_name}: its name is `{prompt.name}`; call it so")


def _faults(prompt: Prompt) -> tuple[tuple[bool, str], ...]:
    """What could be wrong with marker and prefill, and whether it is."""
    return (
        (prompt.prefill.endswith(" "), "the prefill ends in a space"),
        (
            bool(prompt.prefill) and not prompt.prefill.startswith(prompt.marker),
            "the prefill begins otherwise than the marker",
        ),
        (prompt.marker not in prompt.user, "the user's turn does not tell the marker"),
        (prompt.parser == "marked" and not prompt.marker, "parser `marked` needs a marker"),
    )


def _explain(error: ValidationError) -> str:
    return "; ".join(
        f"`{'.'.join(str(part) for part in fault['loc'])}`: {fault['msg'].lower()}"
        for fault in error.errors()
    )
