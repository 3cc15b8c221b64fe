"""What answers chats: chats in, as there is room for them; completions out, as they are done."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from curation.synth.postprocess import FinishReason

KILLS_ENGINE = "kills_engine"
"""An error that begins so is final: the request killed an engine twice, and is not asked again."""


@dataclass(frozen=True)
class ChatRequest:
    """One question to the generator, and how to sample its answer."""

    request_id: str
    system: str
    user: str
    prefill: str
    """Start of the answer, put in the generator's mouth; empty: none."""
    max_tokens: int
    temperature: float
    top_p: float


@dataclass(frozen=True)
class Completion:
    """One answer, or what kept it from being given."""

    request_id: str
    text: str
    """The answer, prefill included."""
    finish_reason: FinishReason
    n_input_tokens: int
    n_output_tokens: int
    """Tokens generated, without the prefill."""
    seconds: float
    """Share of the time in which requests were being answered: see `shares.py`."""
    error: str | None


class Backend(Protocol):
    """What answers chats."""

    def generate(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """One completion for each of `requests`, in the order in which they are done.

        Requests are taken one by one as there is room, so `requests` may be without end, and ids
        must differ among those in flight. A request that cannot be answered is a completion with an
        error; a generator that cannot go on raises. Whoever stops taking completions closes the
        iterator: what is in flight is then dropped.
        """
        ...

    def close(self) -> None:
        """Give back memory, connections, processes. The backend is not used after this."""
        ...


CONTROL = ChatRequest("control", "", "Say yes.", "", 1, 0.0, 1.0)
"""A question that any working generator answers: it tells a broken one from a bad request."""


def failed(request: ChatRequest, error: str, n_input_tokens: int = 0) -> Completion:
    """The completion of a request that has no answer."""
    return Completion(
        request_id=request.request_id,
        text="",
        finish_reason="error",
        n_input_tokens=n_input_tokens,
        n_output_tokens=0,
        seconds=0.0,
        error=error,
    )


def too_long(request: ChatRequest, n_tokens: int, max_model_tokens: int) -> Completion:
    """The completion of a chat that fills the whole context, and is not sent."""
    return failed(
        request,
        f"the chat has {n_tokens} tokens, and the engine takes fewer than {max_model_tokens} "
        "(synth.max_model_tokens)",
        n_tokens,
    )
