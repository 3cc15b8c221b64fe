import re
import resource
import signal
import subprocess
import sys
import threading
import time

import pytest

from curation.errors import EnvironmentFault
from curation.extract.guard import (
    Failure,
    KnownFault,
    PageTimeout,
    attempt,
    memory,
    memory_limit,
    time_limit,
)


def _loop_that_catches_every_exception():
    """What the extractors do in places: carry on whatever goes wrong."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            sum(range(1000))
        except Exception:  # noqa: BLE001
            continue
    return "never stopped"


def test_work_without_end_is_stopped_and_told():
    found = attempt(_loop_that_catches_every_exception, name="loop", max_s=0.05)
    assert found == Failure("timeout", "loop: not done after 0.05 s of computing")


def test_work_that_swallows_the_first_signal_is_stopped_by_the_next():
    def stubborn():
        try:
            _loop_that_catches_every_exception()
        except PageTimeout:
            return _loop_that_catches_every_exception()

    assert attempt(stubborn, name="stubborn", max_s=0.05).reason == "timeout"


def test_work_that_is_done_in_time_gives_its_result():
    assert attempt(lambda: 42, name="quick", max_s=5) == 42


class PanicException(BaseException):
    """As PyO3 names what a panic in Rust raises."""


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"),
        RecursionError("x"),
        ZeroDivisionError("x"),
        re.error("x"),
        StopIteration("x"),
        PanicException("x"),
    ],
)
def test_a_fault_over_a_page_is_told_by_its_name(error):
    def fail():
        raise error

    found = attempt(fail, name="engine", max_s=5)
    assert found == Failure("extractor_error", f"engine: {type(error).__name__}: x")


def _in_a_fresh_process(code):
    """What `code` prints. A process that has run for long may hold freed memory that a large
    request is served from, without any new address space that a limit could refuse."""
    imports = "import resource; from curation.extract.guard import attempt, memory, memory_limit\n"
    done = subprocess.run([sys.executable, "-c", imports + code], capture_output=True, text=True)
    return done.stdout.strip() or done.stderr


def test_a_lack_of_memory_has_a_reason_of_its_own():
    found = _in_a_fresh_process(
        "with memory_limit(100 << 20):\n"
        "    found = attempt(lambda: bytearray(200 << 20), name='engine', max_s=5)\n"
        "print(found)"
    )
    assert found == str(Failure("out_of_memory", "engine: MemoryError: "))


def test_what_is_known_to_become_of_a_page_is_told_as_it_is():
    failure = Failure("crashed", "engine: killed by SIGSEGV")

    def fail():
        raise KnownFault(failure)

    assert attempt(fail, name="engine", max_s=5) is failure


def test_memory_that_is_held_already_does_not_count_and_the_old_limit_returns():
    before = resource.getrlimit(resource.RLIMIT_AS)
    held = bytearray(300 << 20)
    with memory_limit(100 << 20):
        size, resident = memory()
        assert len(bytearray(50 << 20)) == 50 << 20
    assert resource.getrlimit(resource.RLIMIT_AS) == before
    assert size >= resident >= 0
    assert size > len(held)


def test_a_limit_of_memory_does_not_widen_one_that_is_there():
    found = _in_a_fresh_process(
        "_, hard = resource.getrlimit(resource.RLIMIT_AS)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (memory()[0] + (100 << 20), hard))\n"
        "with memory_limit(1 << 40):\n"
        "    print(attempt(lambda: bytearray(200 << 20), name='engine', max_s=5).reason)"
    )
    assert found == "out_of_memory"


def test_what_is_no_fault_of_a_page_is_raised():
    def fail():
        raise EnvironmentFault("no model")

    with pytest.raises(EnvironmentFault, match="no model"):
        attempt(fail, name="engine", max_s=5)


def test_neither_timer_nor_handler_is_left_behind():
    handler = signal.getsignal(signal.SIGPROF)
    before, _ = signal.setitimer(signal.ITIMER_PROF, 0)
    try:
        attempt(_loop_that_catches_every_exception, name="loop", max_s=0.05)
        assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)
        assert signal.getsignal(signal.SIGPROF) is handler
    finally:
        signal.setitimer(signal.ITIMER_PROF, before)


def test_a_timer_that_was_running_goes_on():
    handler = signal.signal(signal.SIGPROF, lambda *_: None)
    before, interval = signal.setitimer(signal.ITIMER_PROF, 100)
    try:
        attempt(lambda: sum(range(100_000)), name="quick", max_s=5)
        assert 90 < signal.getitimer(signal.ITIMER_PROF)[0] < 100.1
    finally:
        signal.signal(signal.SIGPROF, handler)
        signal.setitimer(signal.ITIMER_PROF, before, interval)


def test_outside_the_main_thread_the_limit_refuses():
    errors = []

    def run():
        try:
            with time_limit(1):
                pass
        except ValueError as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    (error,) = errors
    assert "main thread" in str(error)
