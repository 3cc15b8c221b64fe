"""The forms of the OpenAI interface: what is sent for a chat, and how the answer is read. Pure."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError, model_validator

from curation.errors import ConfigError
from curation.synth.backends.protocol import ChatRequest, Completion
from curation.synth.postprocess import FinishReason
from curation.synth.tokenizer import ChatTokenizer

_TOLD_CHARS = 300
_WHOLE: dict[str, FinishReason] = {"stop": "stop", "length": "length"}


class _Message(BaseModel):
    content: str | None


class _Choice(BaseModel):
    finish_reason: str | None
    text: str | None = None
    message: _Message | None = None

    @model_validator(mode="after")
    def _says_something(self) -> _Choice:
        if self.text is None and self.message is None:
            raise ValueError("has neither `text` nor `message`")
        return self


class _Usage(BaseModel):
    prompt_tokens: int
    completion_tokens: int


class Reply(BaseModel):
    """The answer to one chat, of either form."""

    choices: tuple[_Choice]
    usage: _Usage


class _Model(BaseModel):
    id: str


class Models(BaseModel):
    """`/models`: what a server serves."""

    data: list[_Model]


R = TypeVar("R", bound=BaseModel)


class Form(Protocol):
    """How a chat is put to a server."""

    path: str

    def body(self, request: ChatRequest) -> tuple[int, dict[str, Any]]:
        """Tokens of the chat by our own template, and the body that asks for its answer."""
        ...


class CompletionsForm:
    """Token ids of our own chat template, prefill included: what an engine in process is sent."""

    path = "completions"

    def __init__(self, model: str, tokenizer: ChatTokenizer) -> None:
        """The form for `model`, as the server calls it, and its tokenizer."""
        self._model = model
        self._tokenizer = tokenizer

    def body(self, request: ChatRequest) -> tuple[int, dict[str, Any]]:
        prompt = self._tokenizer.encode_chat(request.system, request.user, request.prefill)
        return len(prompt), {"prompt": prompt} | _asked(self._model, request)


class ChatForm:
    """Messages, of which the server's own template makes the chat."""

    path = "chat/completions"

    def __init__(self, model: str, tokenizer: ChatTokenizer) -> None:
        """The form for `model`, as the server calls it, and the tokenizer of our counts."""
        self._model = model
        self._tokenizer = tokenizer

    def body(self, request: ChatRequest) -> tuple[int, dict[str, Any]]:
        """As promised.

        Raises:
            ConfigError: the answer is to begin with a prefill. Some servers go on with a last
                message of the assistant, others answer it, and none says which it does.
        """
        if request.prefill:
            raise ConfigError(
                "synth.http.api: chat cannot begin an answer; set `prefill` false, or the api "
                "completions"
            )
        n_tokens = len(self._tokenizer.encode_chat(request.system, request.user, ""))
        turns = self._tokenizer.turns(request.system, request.user)
        return n_tokens, {"messages": turns} | _asked(self._model, request)


def _asked(model: str, request: ChatRequest) -> dict[str, Any]:
    """What both forms say: the model and the sampling. What is left out is the server's own."""
    return {
        "model": model,
        "max_tokens": request.max_tokens,
        "temperature": request.temperature,
        "top_p": request.top_p,
    }


def read(form: type[R], content: bytes) -> R:
    """The body `content` of an answer.

    Raises:
        ValueError: it is something else; the message says where.
    """
    try:
        return form.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        raise ValueError(f"{place}: {first['msg']}, in `{told(content)}`") from error


def told(content: bytes) -> str:
    """The beginning of an answer, in one line, for an error."""
    return " ".join(content.decode("utf-8", "replace").split())[:_TOLD_CHARS]


def completion_of(request: ChatRequest, reply: Reply) -> Completion:
    """The completion that a server's answer is; an answer ended for another reason is an error."""
    (choice,) = reply.choices
    said = choice.message.content if choice.message else choice.text
    ended = _WHOLE.get(choice.finish_reason or "")
    return Completion(
        request_id=request.request_id,
        text=request.prefill + (said or ""),
        finish_reason=ended or "error",
        n_input_tokens=reply.usage.prompt_tokens,
        n_output_tokens=reply.usage.completion_tokens,
        seconds=0.0,
        error=None if ended else f"the server ended the answer with `{choice.finish_reason}`",
    )
