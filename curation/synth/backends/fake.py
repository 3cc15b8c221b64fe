"""A generator that is not one: plausible answers, and every way to go wrong; for tests."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Literal

from curation.synth.backends.fake_answers import fake_answer
from curation.synth.backends.protocol import ChatRequest, Completion, failed
from curation.synth.prompts import PLACEHOLDER, Prompt, all_prompts

Fault = Literal["refusal", "truncation", "garbage", "error", "hang"]


class FakeBackend:
    """Plausible answers made from the request alone, in no time; for tests.

    It knows a shipped prompt by the user's turn around the segment. Its tokens are words.
    """

    def __init__(
        self,
        *,
        faults: Mapping[Fault, float] | None = None,
        hang_seconds: float = 3_600.0,
        n_before_crash: int | None = None,
        n_in_flight: int = 4,
    ) -> None:
        """A fake that spoils the share `faults` of its answers, and dies after so many of them.

        Which requests are spoilt is a hash of their ids. One that hangs is answered after
        `hang_seconds`. Of `n_in_flight` requests the last is answered first.
        """
        self._faults = dict(faults or {})
        self._hang_seconds = hang_seconds
        self._n_before_crash = n_before_crash
        self._n_in_flight = n_in_flight
        self._n_answered = 0

    def generate(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """One completion for each of `requests`, never in their order where there are several.

        Raises:
            RuntimeError: the number of answers before the crash is reached.
        """
        source = iter(requests)
        while flight := list(islice(source, self._n_in_flight)):
            while flight:
                if self._n_answered == self._n_before_crash:
                    raise RuntimeError("the fake generator crashes, as it was told to")
                self._n_answered += 1
                yield self._complete(flight.pop())
                flight += islice(source, 1)

    def close(self) -> None:
        """It holds nothing."""

    def _complete(self, request: ChatRequest) -> Completion:
        fault = self._fault_of(request)
        if fault == "error":
            return failed(request, "the fake generator fails, as it was told to")
        if fault == "hang":
            time.sleep(self._hang_seconds)
        said = _without_prefill(self._answer(request, fault), request.prefill).split(" ")
        is_cut = fault == "truncation" or len(said) > request.max_tokens
        if is_cut:
            said = said[: min(request.max_tokens, len(said) // 2)]
        return Completion(
            request_id=request.request_id,
            text=request.prefill + " ".join(said),
            finish_reason="length" if is_cut else "stop",
            n_input_tokens=len(f"{request.system} {request.user} {request.prefill}".split()),
            n_output_tokens=len(said),
            seconds=0.0,
            error=None,
        )

    def _answer(self, request: ChatRequest, fault: Fault | None) -> str:
        if fault == "refusal":
            return "I'm sorry, but I can't help with that request."
        if fault == "garbage":
            return "zq " * 60
        prompt, text = _recognised(request.user)
        return fake_answer(prompt, text, request.request_id)

    def _fault_of(self, request: ChatRequest) -> Fault | None:
        for fault, share in self._faults.items():
            digest = hashlib.sha256(f"{fault}/{request.request_id}".encode()).digest()
            if int.from_bytes(digest[:4], "big") < share * 2**32:
                return fault
        return None


def _without_prefill(answer: str, prefill: str) -> str:
    """What is still to be said after `prefill`; all of it where the answer begins otherwise."""
    return answer.removeprefix(prefill) if answer.startswith(prefill) else f" {answer}"


def _recognised(user: str) -> tuple[Prompt, str]:
    """The shipped prompt that `user` is made from, and the segment in it.

    Raises:
        ValueError: there is none.
    """
    for prompt in all_prompts().values():
        before, _, after = prompt.user.partition(PLACEHOLDER)
        is_long_enough = len(user) >= len(before) + len(after)
        if is_long_enough and user.startswith(before) and user.endswith(after):
            return prompt, user[len(before) : len(user) - len(after)]
    raise ValueError(f"the fake generator knows no prompt that begins `{user[:80]}`")
