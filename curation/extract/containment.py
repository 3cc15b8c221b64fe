"""Work in a child process, so that what kills, hangs or bloats it costs one page and not the task.

A call into C can end the process, never return, or take all memory; no limit inside the process
helps. So a worker hands pages, one at a time, to a child that it keeps. When the child dies over
a step of a page, a new child goes on with the page's other steps. The child's side is `child`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from curation import errors
from curation.errors import CurationError, EnvironmentFault
from curation.extract.child import (
    OUT_OF_MEMORY_EXIT,
    OUTSIDE,
    Channel,
    Done,
    Message,
    Raised,
    Setup,
    Step,
    Task,
)
from curation.extract.guard import Failure
from curation.extract.oom_kills import n_oom_kills

_TICK_MS = 200
"""How often a child that does not answer is looked at."""
_GRACE_S = 2.0
"""Time after its own limit that a step has to end in Python, before the child is killed."""
_START_S = 300.0
"""Longest time on the clock that a child may take to import its work; disks are slow at times."""
_OUTSIDE_NAME = "outside the engines"
_PIPE_BYTES = 1 << 20
"""Room in a pipe: most pages go into it at once. The most that Linux gives to ordinary users."""
ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A worker has one core: threads of numpy, waiting for each other, halve an engine's speed."""
_CHILD = "from curation.extract.child import main; main()"


@dataclass(frozen=True)
class Limits:
    """What a task in a child may take, and when a child is renewed."""

    max_step_s: float = 20.0
    """Seconds of the processor for one step, which the work itself sees to; the child is killed
    2 s later."""
    max_clock_s: float = 300.0
    """Seconds on the clock for one step: ends what waits instead of computing."""
    max_task_bytes: int = 1 << 31
    """Address space that one task may add."""
    max_growth_bytes: int = 1 << 28
    """Growth of resident memory, from the child's first task on, after which it is renewed."""
    tasks_per_child: int = 20_000
    """Tasks after which a child is renewed."""


class WorkError(Exception):
    """The work in the child raised what is no fault of its task; the message has its trace."""


@dataclass(frozen=True)
class _Death:
    """How a child died over a step."""

    step: str
    reason: str
    words: str
    is_sure: bool
    """Whether the task alone is to blame; else the tasks before it may be."""


class Contained:
    """Work that is done in a child process, renewed when it dies or has grown.

    Results do not depend on the tasks before: a task over which a used child dies is given to a new
    one, and what happens there counts. Costs 0.1 to 0.2 ms of the processor a
    task, and 1 s a child.
    """

    def __init__(self, factory: str, argument: Any, limits: Limits) -> None:
        """`factory` is `module:function` of what makes the `child.Work`, with `argument`."""
        self._setup = Setup(factory, argument, limits.max_task_bytes)
        self._limits = limits
        self._lock = threading.Lock()
        self._child: _Child | None = None

    def __call__(self, content: Any) -> Any | Failure:
        """What the work makes of `content`; a Failure where no child survives it.

        Raises:
            CurationError: as the work raised it.
            WorkError: the work raised something else.
            EnvironmentFault: a child dies before it is ready.
        """
        with self._lock:
            return self._survive(content)

    @property
    def pid(self) -> int | None:
        """Process id of the child; None where there is none at the moment."""
        return self._child.pid if self._child else None

    @property
    def rss_bytes(self) -> int:
        """Resident memory of the child after its last task; 0 where there is no child."""
        return self._child.rss_bytes if self._child else 0

    def close(self) -> None:
        """Ends the child; the next task starts another."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def _survive(self, content: Any) -> Any | Failure:
        faults: dict[str, Failure] = {}
        while True:
            child = self._ready_child()
            was_new = child.n_tasks == 0
            outcome = self._asked(child, Task(content, faults))
            if not isinstance(outcome, _Death):
                return outcome
            if not (was_new or outcome.is_sure):
                continue
            name = outcome.step or _OUTSIDE_NAME
            failure = Failure(outcome.reason, f"{name}: {outcome.words}")
            if outcome.step == OUTSIDE or outcome.step in faults:
                return failure
            faults[outcome.step] = failure

    def _asked(self, child: _Child, task: Task) -> Any | _Death:
        try:
            outcome = child.work(task)
        except BaseException:  # an answer to this task shall not be taken for the next one's
            self.close()
            raise
        if isinstance(outcome, _Death):
            self.close()
        return outcome

    def _ready_child(self) -> _Child:
        if self._child is not None and self._child.is_spent():
            self.close()
        if self._child is None:
            self._child = _Child(self._setup, self._limits)
        return self._child


def shared(factory: str, argument: Any, limits: Limits) -> Contained:
    """The process's own `Contained` for these arguments, kept from one batch and task to the next.

    One at a time: asked for with others, the old one ends when nobody holds it any more.
    """
    return _kept(pickle.dumps((factory, argument, limits)), os.getpid())


@lru_cache(maxsize=1)
def _kept(arguments: bytes, pid: int) -> Contained:
    return Contained(*pickle.loads(arguments))


class _Child:
    """A running child process and the pipes to it."""

    def __init__(self, setup: Setup, limits: Limits) -> None:
        self._limits = limits
        self.n_tasks = 0
        self.rss_bytes = 0
        self._first_rss_bytes: int | None = None
        self._first_oom_kills = n_oom_kills()
        self._process, read_fd, write_fd = _spawn()
        self.pid = self._process.pid
        self.end = weakref.finalize(self, _end, self._process, read_fd, write_fd, os.getpid())
        self._poll = select.poll()
        self._poll.register(read_fd, select.POLLIN)
        self._channel = Channel(read_fd, write_fd)
        self._start(setup)

    def work(self, task: Task) -> Any | _Death:
        """What comes of `task`, or how the child dies over it."""
        self._begin(OUTSIDE, self._limits.max_clock_s)
        try:
            self._channel.send(task)
            while isinstance(message := self._channel.receive(self._wait), Step):
                self._begin(message.name, self._limits.max_clock_s)
        except _Overdue as overdue:
            return _Death(self._step, "timeout", str(overdue), is_sure=True)
        except (EOFError, BrokenPipeError):
            return self._death()
        return self._result(message)

    def is_spent(self) -> bool:
        """Whether the child has done enough tasks, or grown enough, to be renewed."""
        grown = self.rss_bytes - (self._first_rss_bytes or self.rss_bytes)
        limits = self._limits
        return self.n_tasks >= limits.tasks_per_child or grown > limits.max_growth_bytes

    def _start(self, setup: Setup) -> None:
        self._begin(OUTSIDE, _START_S, max_cpu_s=_START_S)
        try:
            self._channel.send(setup)
            message = self._channel.receive(self._wait)
        except (_Overdue, EOFError, BrokenPipeError) as error:
            self.end()
            raise EnvironmentFault(
                f"{setup.factory}: the child process for it dies or hangs before it is ready "
                f"(exit code {self._process.returncode}, {error}); set extract.containment to "
                "none to see why"
            ) from error
        if isinstance(message, Raised):
            self.end()
            raise _raised(message)
        assert isinstance(message, Done)
        self.rss_bytes = message.rss_bytes

    def _result(self, message: Message) -> Any:
        if isinstance(message, Raised):
            raise _raised(message)
        assert isinstance(message, Done)
        self.n_tasks += 1
        self.rss_bytes = message.rss_bytes
        if self._first_rss_bytes is None:  # after a task: imports and tables may come with it
            self._first_rss_bytes = message.rss_bytes
        return message.result

    def _begin(self, step: str, max_clock_s: float, max_cpu_s: float | None = None) -> None:
        self._step = step
        self._max_clock_s, self._begun = max_clock_s, time.monotonic()
        self._max_cpu_s = self._limits.max_step_s + _GRACE_S if max_cpu_s is None else max_cpu_s
        self._begun_cpu: float | None = None

    def _wait(self) -> None:
        """Returns when there is something to read, the end included.

        Raises:
            _Overdue: the step takes too long.
        """
        while not self._poll.poll(_TICK_MS):
            self._look()

    def _look(self) -> None:
        clock_s = time.monotonic() - self._begun
        if clock_s > self._max_clock_s:
            raise _Overdue(f"not done after {self._max_clock_s:g} s on the clock")
        try:
            cpu_s = time.clock_gettime(_cpu_clock(self.pid))
        except OSError:
            return  # dead, which the next read tells
        if self._begun_cpu is None:
            # Counted from the first look: a process's clock is not read for every quick page.
            self._begun_cpu = cpu_s - min(clock_s, cpu_s)
        if cpu_s - self._begun_cpu > self._max_cpu_s:
            limit = self._limits.max_step_s
            raise _Overdue(f"not done after {limit:g} s of computing, and not to be interrupted")

    def _death(self) -> _Death:
        code = self._process.wait()
        if code == OUT_OF_MEMORY_EXIT:
            words = f"more than {self._limits.max_task_bytes} bytes of memory asked for"
            return _Death(self._step, "out_of_memory", words, is_sure=False)
        if code == -signal.SIGKILL and self._is_for_memory():
            words = "killed by SIGKILL while the kernel killed for lack of memory"
            return _Death(self._step, "out_of_memory", words, is_sure=False)
        words = f"ended with exit code {code}" if code >= 0 else f"killed by {_signal_name(-code)}"
        return _Death(self._step, "crashed", words, is_sure=False)

    def _is_for_memory(self) -> bool:
        """Whether the kernel has killed for lack of memory since the child began."""
        now = n_oom_kills()
        return now is not None and self._first_oom_kills is not None and now > self._first_oom_kills


class _Overdue(Exception):
    """A step takes longer than it may."""


def _spawn() -> tuple[subprocess.Popen[bytes], int, int]:
    """A new child, and the ends of the pipes from and to it. Its output goes to standard error."""
    child_reads, we_write = os.pipe()
    we_read, child_writes = os.pipe()
    for fd in (we_write, child_writes):
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    numbers = [str(number) for number in (child_reads, child_writes, os.getpid())]
    path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", _CHILD, *numbers],
            stdin=subprocess.DEVNULL,
            stdout=2,
            pass_fds=(child_reads, child_writes),
            env=os.environ | ONE_THREAD | {"PYTHONPATH": path},
        )
    finally:
        os.close(child_reads)
        os.close(child_writes)
    return process, we_read, we_write


def _end(process: subprocess.Popen[bytes], read_fd: int, write_fd: int, owner: int) -> None:
    """Kills and reaps the child; a fork of the owner closes its copies of the pipes only."""
    for fd in (read_fd, write_fd):
        with contextlib.suppress(OSError):
            os.close(fd)
    if os.getpid() == owner:
        process.kill()
        process.wait()


def _raised(message: Raised) -> Exception:
    name = message.type_name.removeprefix(f"{errors.__name__}.")
    kind: Any = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, CurationError):
        return kind(message.message)
    return WorkError(f"{message.type_name}: {message.message}\n\n{message.trace}")


def _cpu_clock(pid: int) -> int:
    """Linux's clock of the processor time of a process, threads included."""
    return (~pid << 3) | 2


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal has no name
        return f"signal {number}"
