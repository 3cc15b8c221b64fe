"""Feeding an engine of this process: never starved, never flooded, started again when it dies.

An engine dies of a bug, of memory, or of a prompt. What was in it is known, and asked again apart
from all else: first together, since most deaths are nobody's fault; where it dies again, by halves,
until one request is alone with the engine that it kills. Finding one killer among n so takes about
log2(n) starts of the engine and no more than n answers. A request is only called a killer while
the engine answers another question: an engine that dies of anything is a broken world.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from curation.errors import EnvironmentFault
from curation.synth.backends.protocol import (
    CONTROL,
    KILLS_ENGINE,
    ChatRequest,
    Completion,
    failed,
    too_long,
)

_log = logging.getLogger(__name__)


class EngineDied(Exception):
    """An engine cannot go on; the message says of what. What it was asked is not answered."""


class Engine(Protocol):
    """What answers the requests that it holds, a step at a time."""

    room: int
    """Requests that it is to hold at a time; more than it can answer at once, so that one that is
    done never leaves a gap."""

    def add(self, request: ChatRequest, prompt: list[int]) -> None:
        """Take a request, as the token ids `prompt`.

        Raises:
            ValueError: the request is one that the engine does not take; the engine goes on.
        """
        ...

    def step(self) -> list[Completion]:
        """Work for a while; the completions of those requests that are done, often none.

        Raises:
            EngineDied: the engine cannot go on.
        """
        ...

    def drop(self, request_ids: list[str]) -> None:
        """Forget requests: nobody waits for their answers any more."""
        ...

    def close(self) -> None:
        """Give memory back. The engine is not used after this, and may be dead before."""
        ...


@dataclass(frozen=True)
class _Death:
    """Of what an engine died, and the requests that were in it."""

    reason: str
    suspects: list[ChatRequest]


class FedBackend:
    """A backend that feeds an engine of this process, and keeps it from one call to the next."""

    def __init__(
        self,
        start: Callable[[], Engine],
        encode: Callable[[ChatRequest], list[int]],
        max_model_tokens: int,
    ) -> None:
        """Start an engine, which takes chats of fewer than `max_model_tokens` tokens."""
        self._start = start
        self._encode = encode
        self._max_model_tokens = max_model_tokens
        self._engine: Engine | None = start()

    def generate(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """One completion for each of `requests`, in the order in which they are done.

        Raises:
            EnvironmentFault: the engine dies of every question.
        """
        source = iter(requests)
        while (death := (yield from self._ask(source))) is not None:
            yield from self._settle(death)

    def close(self) -> None:
        """End the engine."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()

    def _ask(self, source: Iterator[ChatRequest]) -> Generator[Completion, None, _Death | None]:
        """Completions until `source` is at its end or the engine dies; its death, if so."""
        engine, flight = self._living(), dict[str, ChatRequest]()
        try:
            while True:
                yield from self._fill(engine, source, flight)
                if not flight:
                    return None
                done = engine.step()
                for completion in done:
                    del flight[completion.request_id]
                yield from done
        except EngineDied as died:
            # Its traceback holds on to the engine's memory: only what it says is kept.
            reason = str(died)
            self._engine = None
            _log.warning("an engine died, and is started again", exc_info=True)
        finally:
            if self._engine is engine:
                engine.drop(list(flight))
        engine.close()
        return _Death(reason, list(flight.values()))

    def _fill(
        self, engine: Engine, source: Iterator[ChatRequest], flight: dict[str, ChatRequest]
    ) -> Iterator[Completion]:
        """Give the engine requests while it has room; completions of those it does not take."""
        while len(flight) < engine.room and (request := next(source, None)) is not None:
            prompt = self._encode(request)
            if len(prompt) >= self._max_model_tokens:
                yield too_long(request, len(prompt), self._max_model_tokens)
                continue
            try:
                engine.add(request, prompt)
            except ValueError as error:
                yield failed(request, f"the engine does not take the request: {error}", len(prompt))
            else:
                flight[request.request_id] = request

    def _settle(self, death: _Death) -> Iterator[Completion]:
        """Completions of what was in an engine that died."""
        groups = [death.suspects]
        while groups:
            group = groups.pop()
            again = yield from self._ask(iter(group))
            if again is None:
                continue
            if len(group) == 1:
                yield self._quarantined(group[0], again.reason)
                continue
            middle = len(again.suspects) // 2
            halves = (again.suspects[middle:], again.suspects[:middle])
            groups += [half for half in halves if half]

    def _quarantined(self, request: ChatRequest, reason: str) -> Completion:
        """The completion of a request that killed two engines, the second one alone.

        Raises:
            EnvironmentFault: the engine dies of the control question, too.
        """
        control = list(self._answered_control())
        if not control:
            raise EnvironmentFault(
                f"the engine dies of every question, the last time of `{reason}`; what is answered "
                "is kept: mend the machine or synth.engine, and run again"
            )
        return failed(request, f"{KILLS_ENGINE}: {reason}", len(self._encode(request)))

    def _answered_control(self) -> Iterator[Completion]:
        yield from self._ask(iter([CONTROL]))

    def _living(self) -> Engine:
        if self._engine is None:
            self._engine = self._start()
        return self._engine
