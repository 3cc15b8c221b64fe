"""The generator's own tokenizer and chat template: what a text and a whole chat cost in tokens.

Counts decide what is sent, so they are made with the same template and vocabulary as the prompt
itself; the backends send the very token ids that are counted here.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer

from curation.errors import ConfigError, EnvironmentFault
from curation.synth.prompts import Prompt, render

_TODAY = datetime(2025, 1, 1)
"""The date that a template sees: a prompt must not change from one day to the next."""

_GENERATION_TAG = re.compile(r"\{%-?\s*(?:end)?generation\s*-?%\}")
_TOKEN_KEYS = ("bos_token", "eos_token", "pad_token", "unk_token")


class ChatTokenizer:
    """Counts, cuts and renders for one generator."""

    def __init__(self, tokenizer: Tokenizer, template: str, special_tokens: dict[str, str]) -> None:
        """A tokenizer with its chat template and the special tokens that the template names."""
        self._chat = tokenizer
        # A control token spelled out in a web page is text, and must never end a turn.
        self._plain = Tokenizer.from_str(tokenizer.to_str())
        self._plain.encode_special_tokens = True
        self._control = _control_pattern(tokenizer)
        self._template = _compile(template)
        self._special_tokens = special_tokens

    def count(self, texts: list[str]) -> list[int]:
        """Tokens of each of `texts` on its own, without template or special tokens."""
        return [len(encoding.ids) for encoding in self._encode(texts)]

    def split(self, text: str, max_tokens: int) -> list[str]:
        """`text` in pieces of at most `max_tokens` tokens each; together they are `text`.

        Every piece but the last is as long as the limit allows. A single character is never
        divided, so a piece of one character may be over the limit.
        """
        starts = [start for start, _ in self._encode([text])[0].offsets] + [len(text)]
        cuts, first = [0], 0
        while first < len(starts) - 1:
            first = self._piece_end(text, starts, first, max_tokens=max_tokens)
            cuts.append(starts[first])
        return [text[begin:end] for begin, end in pairwise([*cuts[:-1], len(text)])]

    def overhead(self, prompt: Prompt) -> int:
        """Tokens of the chat around the segment: system turn, instructions, template, prefill."""
        return len(self.encode_chat(prompt.system, render(prompt, ""), prompt.prefill))

    def encode_chat(self, system: str, user: str, prefill: str) -> list[int]:
        """Token ids of a chat that waits for the assistant to go on after `prefill`.

        Raises:
            ConfigError: the model's template refuses such a chat.
        """
        rendered = self.render_chat(system, user, prefill)
        return list(self._chat.encode(rendered, add_special_tokens=False).ids)

    def render_chat(self, system: str, user: str, prefill: str) -> str:
        """The same chat as one text."""
        try:
            chat = self._template.render(
                messages=self.turns(system, user),
                add_generation_prompt=True,
                **self._special_tokens,
            )
        except jinja2.TemplateError as error:
            raise ConfigError(f"the model's chat template refuses the prompt: {error}") from error
        return f"{chat}{prefill}"

    def turns(self, system: str, user: str) -> list[dict[str, str]]:
        """The chat's messages before the template, without control tokens in what they say."""
        roles = (("system", system), ("user", user))
        return [
            {"role": role, "content": self._escape(content)} for role, content in roles if content
        ]

    def _encode(self, texts: list[str]) -> list[Any]:
        return list(self._plain.encode_batch(texts, add_special_tokens=False))

    def _piece_end(self, text: str, starts: list[int], first: int, *, max_tokens: int) -> int:
        """Token after the last one of the piece that begins with token `first`.

        A piece is tokenised anew without its neighbours, and may then cost a token more: the end
        moves back until it does not. Tokens inside one character share its start, and stay
        together.
        """
        begin, last = starts[first] if first else 0, len(starts) - 1
        end = min(first + max_tokens, last)
        while starts[end] > begin and self.count([text[begin : starts[end]]])[0] > max_tokens:
            end -= 1
        while starts[end] <= begin and end < last:
            end += 1
        return end

    def _escape(self, text: str) -> str:
        """`text` with a space inside every control token that it spells out."""
        return self._control.sub(lambda match: f"{match[0][0]} {match[0][1:]}", text)


@lru_cache(maxsize=8)
def load_chat_tokenizer(folder: Path) -> ChatTokenizer:
    """The chat tokenizer of the model in `folder`; loaded once a process.

    Raises:
        EnvironmentFault: `folder` has no `tokenizer.json`, or no chat template.
    """
    file = folder / "tokenizer.json"
    if not file.is_file():
        raise EnvironmentFault(f"{file}: no such file; the generator needs a fast tokenizer")
    settings = _tokenizer_settings(folder)
    special_tokens = {key: _content(settings.get(key)) for key in _TOKEN_KEYS}
    return ChatTokenizer(
        Tokenizer.from_file(str(file)), _chat_template(folder, settings), special_tokens
    )


def _tokenizer_settings(folder: Path) -> dict[str, Any]:
    file = folder / "tokenizer_config.json"
    if not file.is_file():
        return {}
    settings = json.loads(file.read_text(encoding="utf-8"))
    return settings if isinstance(settings, dict) else {}


def _chat_template(folder: Path, settings: dict[str, Any]) -> str:
    file = folder / "chat_template.jinja"
    if file.is_file():
        return file.read_text(encoding="utf-8")
    template = settings.get("chat_template")
    if isinstance(template, list):
        named = {entry["name"]: entry["template"] for entry in template}
        template = named.get("default")
    if not isinstance(template, str):
        raise EnvironmentFault(
            f"{folder}: no chat template in chat_template.jinja or tokenizer_config.json; "
            "give an instruction-tuned model"
        )
    return template


def _content(token: Any) -> str:
    """The text of a special token, which is stored as itself or in a mapping."""
    if isinstance(token, dict):
        return str(token["content"])
    return token or ""


def _control_pattern(tokenizer: Tokenizer) -> re.Pattern[str]:
    tokens = tokenizer.get_added_tokens_decoder().values()
    spelled = sorted((re.escape(token.content) for token in tokens if token.special), reverse=True)
    return re.compile("|".join(spelled) or r"(?!)")


def _compile(template: str) -> jinja2.Template:
    """The template in the dialect of transformers: its whitespace rules, filters and functions."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
    )
    environment.filters["tojson"] = _to_json
    environment.globals["raise_exception"] = _refuse
    environment.globals["strftime_now"] = _TODAY.strftime
    return environment.from_string(_GENERATION_TAG.sub("", template))


def _to_json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _refuse(message: str) -> str:
    raise jinja2.TemplateError(message)
