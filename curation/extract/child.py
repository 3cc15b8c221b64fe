"""The child process that pages are read in: its loop, and the messages to and from its parent.

The parent's side is `containment`. The child says which step of its work it begins before it begins
it, so that the parent knows what to blame when the child dies.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import signal
import struct
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any

from curation.extract.guard import Failure, memory, memory_limit

Announce = Callable[[str], None]
"""Called with the name of a step before the step begins."""
Work = Callable[[Any, Mapping[str, Failure], Announce], Any]
"""From a task, and what became of its earlier steps by their names, to the result."""

OUT_OF_MEMORY_EXIT = 86
"""Exit code of a child that ran out of memory where nothing caught it."""
OUTSIDE = ""
"""Step that a task is in before it announces one."""

_SIZES = struct.Struct("<QQ")
"""Bytes of a message's pickle, and of the buffer that it refers to (0: none)."""
_READ_BYTES = 1 << 20
_PR_SET_PDEATHSIG = 1
_OOM_SCORE = "500"


@dataclass(frozen=True)
class Setup:
    """First message to a child: where its work is made, and of what."""

    factory: str
    """`module:function`; called with `argument`, it returns the `Work`."""
    argument: Any
    max_task_bytes: int
    """Address space that one task may add."""


@dataclass(frozen=True)
class Task:
    """A message to the child: one thing to work on, and what its failed steps came to."""

    content: Any
    faults: Mapping[str, Failure]


@dataclass(frozen=True)
class Step:
    """The child begins a step."""

    name: str


@dataclass(frozen=True)
class Done:
    """What came of a task, or that the child is ready (null); its resident memory in bytes."""

    result: Any
    rss_bytes: int


@dataclass(frozen=True)
class Raised:
    """The work raised what is no fault of the task; the child has ended."""

    type_name: str
    """Module and name of the exception's type."""
    message: str
    trace: str


Message = Setup | Task | Step | Done | Raised


class Channel:
    """Messages of any size over two pipes, each a pickle behind its length.

    A `PickleBuffer` in a message is sent without being copied, and arrives as `bytes`; a message
    has at most one.
    """

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd

    def send(self, message: Message) -> None:
        """Writes `message`; waits until the other side has room for it.

        Raises:
            BrokenPipeError: there is no other side any more.
        """
        buffers: list[pickle.PickleBuffer] = []
        body = pickle.dumps(message, protocol=5, buffer_callback=buffers.append)
        attached = memoryview(buffers[0]) if buffers else memoryview(b"")
        assert len(buffers) <= 1
        parts = [memoryview(_SIZES.pack(len(body), len(attached))), memoryview(body), attached]
        n_sent = os.writev(self._write_fd, parts)  # of most messages, all
        for part in parts:
            rest = part[n_sent:]
            n_sent = max(0, n_sent - len(part))
            while rest:
                rest = rest[os.write(self._write_fd, rest) :]

    def receive(self, wait: Callable[[], None] = lambda: None) -> Message:
        """The next message; `wait` is called before each read, and may raise to end the waiting.

        Raises:
            EOFError: the other side has ended.
        """
        n_body, n_attached = _SIZES.unpack(self._read(_SIZES.size, wait))
        body = self._read(n_body, wait)
        buffers = [self._read(n_attached, wait)] if n_attached else [b""]
        message: Message = pickle.loads(body, buffers=buffers)
        return message

    def _read(self, n_bytes: int, wait: Callable[[], None]) -> bytes:
        parts: list[bytes] = []
        while n_bytes:
            wait()
            part = os.read(self._read_fd, min(n_bytes, _READ_BYTES))
            if not part:
                raise EOFError("the other side has ended")
            parts.append(part)
            n_bytes -= len(part)
        return b"".join(parts)  # a single part as it is


def main() -> None:
    """Runs a child: `read_fd`, `write_fd` and the parent's process id are the arguments."""
    read_fd, write_fd, parent = map(int, sys.argv[1:4])
    _prepare(parent)
    channel = Channel(read_fd, write_fd)
    sys.excepthook = partial(_tell, channel)
    try:
        serve(channel)
    except EOFError:
        pass  # the parent wants nothing more, or is gone
    except MemoryError:
        os._exit(OUT_OF_MEMORY_EXIT)  # at once: there may be no memory to end in order


def serve(channel: Channel) -> None:
    """Answers tasks until there are no more.

    Raises:
        EOFError: there are no more.
        MemoryError: a task needs more than it may.
    """
    setup = channel.receive()
    assert isinstance(setup, Setup)
    work = _factory(setup.factory)(setup.argument)
    channel.send(Done(None, memory()[1]))
    while True:
        _answer(channel, work, setup.max_task_bytes)


def _answer(channel: Channel, work: Work, max_bytes: int) -> None:
    task = channel.receive()
    assert isinstance(task, Task)

    def announce(name: str) -> None:
        channel.send(Step(name))

    with memory_limit(max_bytes):
        result = work(task.content, task.faults, announce)
    channel.send(Done(result, memory()[1]))


def _factory(place: str) -> Callable[[Any], Work]:
    module, _, name = place.partition(":")
    found: Callable[[Any], Work] = getattr(import_module(module), name)
    return found


def _tell(
    channel: Channel,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """Tells the parent, not the terminal, what ends this process."""
    lines = "".join(traceback.format_exception(kind, error, trace))
    channel.send(Raised(f"{kind.__module__}.{kind.__qualname__}", str(error), lines))


def _prepare(parent: int) -> None:
    """Ends with the parent, leaves interrupts to it, dumps no core, and is the first to go when
    the machine has no memory left.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before the kernel was told to watch it
        os._exit(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    Path("/proc/self/oom_score_adj").write_text(_OOM_SCORE)
