"""One writer a run: a lock on the run's folder, held while a driver works in it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from collections.abc import Iterator
from pathlib import Path

from curation.errors import InputError

LOCK = ".lock"


@contextlib.contextmanager
def locked(out: str) -> Iterator[None]:
    """Make the folder `out` and hold its lock; the system frees it when the process ends, however.

    Two drivers on one folder would ask a model the same questions twice and commit over each
    other's rows. Readers (report, query, notebooks) take no lock.

    Raises:
        InputError: another process holds it, or `out` cannot be a folder.
    """
    path = Path(out, LOCK)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("a+", encoding="utf-8")
    except OSError as error:
        raise InputError(f"out: {out} cannot be a folder: {error.strerror}") from error
    with file:
        _take(file.fileno(), out, path)
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()}")
        file.flush()
        yield


def _take(descriptor: int, out: str, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = path.read_text(encoding="utf-8") or "another process"
        raise InputError(
            f"out: {out} is being written by {holder}; wait for it, or use another --out"
        ) from error
