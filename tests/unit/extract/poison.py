"""Work and engines that do on demand what real ones do to a process by accident."""

import ctypes
import itertools
import os
import signal
import sys
import time
from collections import deque
from types import SimpleNamespace

from curation.errors import EnvironmentFault
from curation.extract.engines import Extracted
from curation.extract.pages import page_work

_leak = []


class PanicException(BaseException):
    """As PyO3 names what a panic in Rust raises."""


def _raise(error):
    raise error


def _bloat():
    kept = []
    while True:
        kept.append(bytearray(1 << 24))


DEEDS = {
    "segfault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "exit": lambda: os._exit(3),
    "bloat": _bloat,
    "sleep": lambda: time.sleep(1000),
    # An endless loop in C, which looks for no signals.
    "spin": lambda: deque(itertools.repeat(0), maxlen=0),
    "leak": lambda: _leak.append(b"x" * (20 << 20)),
    "panic": lambda: _raise(PanicException("index out of bounds")),
    "value_error": lambda: _raise(ValueError("bad page")),
    "os_error": lambda: _raise(OSError("disk")),
    "missing": lambda: _raise(EnvironmentFault("no such package; install it")),
    "print": lambda: sys.stdout.write("noise\n"),
}


def work(argument):
    """Steps are pairs of a name and a deed; the first that is survived gives the result."""

    def run(steps, faults, announce):
        for name, deed in steps:
            if name in faults:
                continue
            if name:
                announce(name)
            if deed in DEEDS:
                DEEDS[deed]()
            return {"by": name, "deed": deed, "faults": dict(faults), "pid": os.getpid()}
        return {"by": None, "faults": dict(faults)}

    return run


def dies_at_once(argument):
    os._exit(7)


def lacks_a_package(argument):
    raise EnvironmentFault("no such package; install it")


def _engine(name, signs):
    """An engine that does what a page has a sign for, and otherwise finds its own name."""

    def read(html, *, url):
        for deed, do in DEEDS.items():
            if f"{signs}:{deed}" in html:
                do()
        return Extracted("Title", f"{name} read {len(html)} characters")

    class Engine(SimpleNamespace):
        def __call__(self, html, *, url):
            return read(html, url=url)

    return Engine(name=name)


def first():
    return _engine("first", "first")


def second():
    return _engine("second", "second")


def echo(argument):
    return lambda content, faults, announce: content


def dies_of_the_second(argument):
    done = []

    def run(name, faults, announce):
        announce("step")
        done.append(name)
        if len(done) == 2:
            DEEDS["segfault"]()
        return name, dict(faults)

    return run


def dies_outside_the_engines(conf):
    read = page_work(conf)

    def run(place, faults, announce):
        if b"outside:segfault" in place.item.payload:
            DEEDS["segfault"]()
        return read(place, faults, announce)

    return run
