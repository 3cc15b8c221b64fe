"""Limits around what runs over a single page: time, memory, and faults of the parsers.

They act inside the process, between two instructions of Python. What they cannot stop, a call into
C that never returns or that ends the process, is the affair of `containment`.
"""

from __future__ import annotations

import math
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, TypeVar

from curation.errors import CurationError

_T = TypeVar("_T")

_AGAIN_S = 1.0
_MAX_DETAIL_CHARS = 200

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_PANIC = "PanicException"
"""Name of what PyO3 raises when an engine in Rust panics: a `BaseException` without a module that
it could be imported from."""


@dataclass(frozen=True)
class Failure:
    """Why nothing came of a page: a reason of `records.REASONS`, and the reason in words."""

    reason: str
    detail: str


class KnownFault(Exception):
    """An engine is not run over a page, because it is known what becomes of it."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.detail)
        self.failure = failure


class PageTimeout(BaseException):
    """A page took longer than it may.

    Not an `Exception`, because the extractors catch every one of those in some places and would go
    on with the next heuristic.
    """


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
    if seconds == math.inf:
        yield
        return
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


@contextmanager
def memory_limit(n_bytes: int) -> Iterator[None]:
    """Lets the body reserve `n_bytes` of address space; more is a `MemoryError`, or fails in C.

    Counted from where the process stands, so that what it holds already does not matter. The limit
    that was there returns afterwards, and a lower one stays in force. Linux only. About 30 us.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    limits = [limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY]
    resource.setrlimit(resource.RLIMIT_AS, (min([memory()[0] + n_bytes, *limits]), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def memory() -> tuple[int, int]:
    """Address space and resident memory of this process, in bytes. Linux only."""
    fd = os.open("/proc/self/statm", os.O_RDONLY)  # not through Path, which takes 4 times as long
    try:
        size, resident, _ = os.read(fd, 256).split(b" ", 2)
    finally:
        os.close(fd)
    return int(size) * _PAGE_BYTES, int(resident) * _PAGE_BYTES


def attempt(work: Callable[[], _T], *, name: str, max_s: float) -> _T | Failure:
    """What `work` returns, or why it returned nothing.

    The reason is `timeout`, `out_of_memory` or `extractor_error`, or that of a `KnownFault`. Here
    alone every `Exception` is caught: the issue is a row for every page, and extractors are code of
    others, one's own engine included.

    Raises:
        CurationError: `work` raised one.
    """
    try:
        with time_limit(max_s):
            return work()
    except PageTimeout:
        return Failure("timeout", f"{name}: not done after {max_s:g} s of computing")
    except KnownFault as known:
        return known.failure
    except CurationError:
        raise  # a promise broken on our side, or a machine that lacks something
    except Exception as error:  # noqa: BLE001 - what foreign code raises over a page has no end
        return _failure(name, error)
    except BaseException as error:
        if not is_panic(error):
            raise
        return _failure(name, error)


def is_panic(error: BaseException) -> bool:
    """Whether `error` is a panic of an engine in Rust: no `Exception`, its class not importable."""
    return type(error).__name__ == _PANIC


def _failure(name: str, error: BaseException) -> Failure:
    reason = "out_of_memory" if isinstance(error, MemoryError) else "extractor_error"
    detail = f"{name}: {type(error).__name__}: {error}"
    return Failure(reason, detail[:_MAX_DETAIL_CHARS])


def _raise_timeout(signal_number: int, frame: FrameType | None) -> Any:
    raise PageTimeout


def _resume_timer(remaining: float, interval: float, elapsed: float) -> None:
    if remaining > 0:
        signal.setitimer(signal.ITIMER_PROF, max(remaining - elapsed, 0.001), interval)
