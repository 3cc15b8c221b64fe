"""A server with the OpenAI interface, such as `vllm serve`, asked over HTTP.

One event loop, in a thread of its own, holds the connections; whoever takes completions only waits.
So the server has its requests, and time-outs are counted, however slowly completions are taken.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Coroutine, Iterable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

import httpx

from curation.config import HttpConfig
from curation.crawl.limits import backoff_s, retry_after_s
from curation.errors import ConfigError, EnvironmentFault
from curation.synth.backends.http_forms import (
    ChatForm,
    CompletionsForm,
    Form,
    Models,
    R,
    Reply,
    completion_of,
    read,
    told,
)
from curation.synth.backends.protocol import CONTROL, ChatRequest, Completion, failed, too_long
from curation.synth.backends.shares import TimeShares
from curation.synth.tokenizer import ChatTokenizer

CONNECT_SECONDS = 10.0
FIRST_WAIT_SECONDS = 1.0

_AGAIN = {HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
"""With 5xx: the request may do better later."""
_OF_THE_ADDRESS = {
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
}
"""With 3xx: every request meets the same, since the key, the address or the model is wrong."""

T = TypeVar("T")
_Flight = dict[Future[Completion], str]


class _Again(Exception):
    """A try failed in a way that another may not; the message says how."""

    def __init__(self, reason: str, *, wait: float | None = None, is_busy: bool = False) -> None:
        """`wait` in seconds is the server's wish; `is_busy` is its refusal to take more."""
        super().__init__(reason)
        self.wait = wait
        self.is_busy = is_busy


class _Refused(Exception):
    """The server does not take this very request."""


class HttpBackend:
    """Chats sent to a server, so many at a time, each of them until it is answered."""

    def __init__(
        self, conf: HttpConfig, tokenizer: ChatTokenizer, *, max_model_tokens: int
    ) -> None:
        """Connect, and look up the name of the model where `conf` does not say it.

        Raises:
            EnvironmentFault: the server does not answer, or the key's variable is not set.
            ConfigError: the server serves several models, or refuses the address or the key.
        """
        self._conf = conf
        self._max_model_tokens = max_model_tokens
        self._client = _client(conf)
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="synth.http", daemon=True)
        self._thread.start()
        with ExitStack() as undone:
            undone.callback(self.close)
            model = conf.model or self._begin(self._only_model()).result()
            undone.pop_all()
        form = ChatForm if conf.api == "chat" else CompletionsForm
        self._form: Form = form(model, tokenizer)

    def generate(self, requests: Iterable[ChatRequest]) -> Iterator[Completion]:
        """One completion for each of `requests`, in the order in which they are done.

        `seconds` shares out the time in which requests were at the server, waits included.

        Raises:
            EnvironmentFault: the server is gone, or refuses to take more, after all tries.
            ConfigError: it refuses the address, the key or the model; or `http.api` is chat, and a
                request has a prefill.
        """
        source, done, flight = iter(requests), SimpleQueue[Future[Completion]](), _Flight()
        shares, since = TimeShares(self._conf.max_in_flight), time.perf_counter()
        try:
            while True:
                yield from self._fill(source, flight, done, shares)
                if not flight:
                    return
                future = done.get()
                now = time.perf_counter()
                shares.pass_by(now - since)
                since = now
                seconds = shares.end(flight.pop(future))
                yield replace(future.result(), seconds=seconds)
        finally:
            for future in flight:
                future.cancel()

    def close(self) -> None:
        """End connections and thread."""
        self._begin(self._client.aclose()).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _fill(
        self,
        source: Iterator[ChatRequest],
        flight: _Flight,
        done: SimpleQueue[Future[Completion]],
        shares: TimeShares,
    ) -> Iterator[Completion]:
        """Send requests while there is room; completions of those that are not sent."""
        while len(flight) < self._conf.max_in_flight:
            if (request := next(source, None)) is None:
                return
            n_tokens, body = self._form.body(request)
            if n_tokens >= self._max_model_tokens:
                yield too_long(request, n_tokens, self._max_model_tokens)
                continue
            future = self._begin(self._answer(request, body))
            flight[future] = request.request_id
            shares.begin(request.request_id)
            future.add_done_callback(done.put)

    def _begin(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    async def _answer(self, request: ChatRequest, body: Mapping[str, Any]) -> Completion:
        """The server's answer to a request, after as many tries as it takes or may take.

        What still fails then is an error of the request, but only while the server answers another
        question: a crowd of errors is never written down because a server is gone.
        """
        try:
            reply = await self._tried(Reply, request.request_id, self._form.path, body)
        except _Refused as refusal:
            return failed(request, str(refusal))
        except _Again as last:
            if last.is_busy or not await self._is_answering():
                raise self._gone(last) from last
            return failed(request, f"{last}, in {self._conf.max_tries} tries")
        return completion_of(request, reply)

    async def _tried(self, form: type[R], key: str, path: str, body: Mapping[str, Any] | None) -> R:
        """The server's answer; the last try's `_Again` where none succeeds."""
        for number in range(1, self._conf.max_tries):
            try:
                return await self._sent(form, path, body)
            except _Again as fault:
                await asyncio.sleep(self._wait(key, number, fault))
        return await self._sent(form, path, body)

    async def _sent(self, form: type[R], path: str, body: Mapping[str, Any] | None) -> R:
        """The server's answer to one try."""
        method = "GET" if body is None else "POST"
        try:
            async with asyncio.timeout(self._conf.timeout_seconds):
                answer = await self._client.request(method, path, json=body)
        except TimeoutError as error:
            raise _Again(f"no answer in {self._conf.timeout_seconds:g} s") from error
        except httpx.RequestError as error:
            raise _Again(f"{type(error).__name__}: {error}") from error
        self._check_status(answer)
        try:
            return read(form, answer.content)
        except ValueError as error:
            raise _Again(f"the server's answer cannot be read: {error}") from error

    def _check_status(self, answer: httpx.Response) -> None:
        code = answer.status_code
        if code == HTTPStatus.OK:
            return
        reason = f"the server says {code}: {told(answer.content)}"
        if code in _AGAIN or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
            wait = retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC))
            raise _Again(reason, wait=wait, is_busy=code == HTTPStatus.TOO_MANY_REQUESTS)
        if code in _OF_THE_ADDRESS or code < HTTPStatus.BAD_REQUEST:
            raise ConfigError(
                f"{answer.request.method} {answer.url}: {reason}; see synth.http: url, model, "
                "api_key_variable"
            )
        raise _Refused(reason)

    def _wait(self, key: str, number: int, fault: _Again) -> float:
        """Seconds before the next try: the server's wish or a doubling one, within the limit."""
        cap = self._conf.max_wait_seconds
        if fault.wait is not None:
            return min(cap, fault.wait)
        return backoff_s(number, base_s=FIRST_WAIT_SECONDS, cap_s=cap, key=key)

    async def _is_answering(self) -> bool:
        """Whether the server answers another question, asked once."""
        try:
            await self._sent(Reply, self._form.path, self._form.body(CONTROL)[1])
        except _Again:
            return False
        except _Refused:
            return True
        return True

    async def _only_model(self) -> str:
        try:
            served = await self._tried(Models, "models", "models", None)
        except _Again as last:
            raise self._gone(last) from last
        names = [model.id for model in served.data]
        if len(names) != 1:
            raise ConfigError(
                f"synth.http.model: say which; {self._conf.url} serves {', '.join(names) or 'none'}"
            )
        return names[0]

    def _gone(self, last: _Again) -> EnvironmentFault:
        remedy = "lower synth.http.max_in_flight" if last.is_busy else "see to the server"
        return EnvironmentFault(
            f"synth.http.url: {self._conf.url} does not answer in {self._conf.max_tries} tries: "
            f"{last}; {remedy}, and run again: answers that are committed are kept"
        )


def _client(conf: HttpConfig) -> httpx.AsyncClient:
    """Connections to the server, kept open; as many as requests in flight."""
    headers = {}
    if conf.api_key_variable:
        key = os.environ.get(conf.api_key_variable)
        if not key:
            raise EnvironmentFault(
                f"synth.http.api_key_variable: {conf.api_key_variable} is not set on this machine"
            )
        headers["Authorization"] = f"Bearer {key}"
    return httpx.AsyncClient(
        base_url=conf.url,
        headers=headers,
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(
            max_connections=conf.max_in_flight, max_keepalive_connections=conf.max_in_flight
        ),
        # A proxy of the environment would see every document.
        trust_env=False,
    )
