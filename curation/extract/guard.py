"""Limits around what runs over a single page: time, memory, and faults of the parsers."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from lxml.etree import LxmlError  # type: ignore[import-untyped]

_T = TypeVar("_T")

_AGAIN_S = 1.0
_MAX_DETAIL_CHARS = 200

PAGE_FAULTS: tuple[type[Exception], ...] = (
    LxmlError,  # a page that libxml2 cannot parse: jusText, where only comments are left
    ValueError,  # characters that XML does not know: jusText; too deep a nesting: resiliparse
    RecursionError,
    MemoryError,
    TypeError,
    AttributeError,
    KeyError,
    IndexError,
    AssertionError,
)
"""What extractors raise over a page that they cannot handle; anything else fails the task.

The first two are what 2,489 real and 250 mutilated pages gave. The others, not seen there, are what
heuristics that walk a hostile tree and look up what is missing in it can raise.
"""


class PageTimeout(BaseException):
    """A page took longer than it may.

    Not an `Exception`, because the extractors catch every one of those in some places and would go
    on with the next heuristic.
    """


@dataclass(frozen=True)
class Failure:
    """Why nothing came of a page: a reason of `records.REASONS`, and the reason in words."""

    reason: str
    detail: str


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raises `PageTimeout` once the process has computed for `seconds`, and again every second.

    Time of the processor, not of the clock: what becomes of a page shall not depend on what else
    the machine is doing. Only in the main thread of a process, where Spark's Python workers run
    their tasks. A call into C or Rust is interrupted when it returns. A timer that was running
    goes on afterwards.

    Raises:
        PageTimeout: the body took too long.
        ValueError: called outside the main thread.
    """
    begun = time.process_time()
    handler = signal.signal(signal.SIGPROF, _raise_timeout)
    remaining, interval = signal.setitimer(signal.ITIMER_PROF, seconds, _AGAIN_S)
    try:
        yield
    finally:
        # Twice, because the signal may come between the two words `finally` and `setitimer`.
        try:
            signal.setitimer(signal.ITIMER_PROF, 0)
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, handler)
            _resume_timer(remaining, interval, time.process_time() - begun)


def attempt(work: Callable[[], _T], *, name: str, max_s: float) -> _T | Failure:
    """What `work` returns, or why it returned nothing: reason `timeout` or `extractor_error`."""
    try:
        with time_limit(max_s):
            return work()
    except PageTimeout:
        return Failure("timeout", f"{name}: not done after {max_s:g} s of computing")
    except PAGE_FAULTS as error:
        detail = f"{name}: {type(error).__name__}: {error}"
        return Failure("extractor_error", detail[:_MAX_DETAIL_CHARS])


def _raise_timeout(signal_number: int, frame: FrameType | None) -> Any:
    raise PageTimeout


def _resume_timer(remaining: float, interval: float, elapsed: float) -> None:
    if remaining > 0:
        signal.setitimer(signal.ITIMER_PROF, max(remaining - elapsed, 0.001), interval)
