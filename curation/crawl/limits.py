"""How gently a host is asked: one rate, few connections, waits, a stop after a ban or failures.

What the processes of one machine must agree on lies in small files of one folder, under file locks
that the system frees when a process dies. The arithmetic is pure; `HostLimits` does the files.
"""

from __future__ import annotations

import contextlib
import email.utils
import fcntl
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from curation.config import FetchConfig
from curation.crawl.failures import Window, too_many_failures
from curation.errors import FetchBanned

_POLL_S = 0.02
"""Time between two looks for a free connection: short beside a request, long beside a look."""


def reserved(
    free_at: float, now: float, *, requests_per_s: float, burst: int
) -> tuple[float, float]:
    """One request taken from a token bucket: (the new `free_at`, seconds to wait before it).

    The bucket is one number: the time at which its debt is paid. It holds at most `burst` tokens,
    so `free_at` is never further back than `burst - 1` requests. This is the generic cell rate
    algorithm, which is a token bucket without a refill loop (ITU-T I.371, annex A).
    """
    interval_s = 1.0 / requests_per_s
    start = max(free_at, now - (burst - 1) * interval_s)
    return start + interval_s, max(0.0, start - now)


def backoff_s(n_tries: int, *, base_s: float, cap_s: float, key: str) -> float:
    """Seconds to wait after `n_tries` (1, 2, ...) failed tries: a share of a doubling ceiling.

    Full jitter: the share is spread evenly over 0..1, so that clients which failed together do not
    come back together. It is a hash of `key` and the try, not a random number.
    """
    ceiling = min(cap_s, base_s * 2.0 ** min(n_tries - 1, 60))
    return ceiling * hashed_frac(f"{key}\n{n_tries}")


def hashed_frac(key: str) -> float:
    """A number in 0..1 (1 excluded) from the SHA-256 of `key`, evenly spread over keys."""
    digest = hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
    # 53 bits are what a float holds: with 64, a hash near the top would be rounded up to 1.
    return (int.from_bytes(digest[:8], "big") >> 11) / 2.0**53


def retry_after_s(value: str | None, now: datetime) -> float | None:
    """Seconds that a Retry-After header asks for; None where it is absent or says nothing.

    It is a number of seconds or an HTTP date (RFC 9110, 10.2.3); a date gone by is 0.
    """
    if value is None:
        return None
    if re.fullmatch(r"\s*[0-9]{1,9}\s*", value):
        return float(value)
    try:
        date = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):  # the latter for a zone years away
        return None
    return max(0.0, (date.replace(tzinfo=date.tzinfo or UTC) - now).total_seconds())


class Throughput:
    """Bytes of one transfer by window of time, to see that it goes on."""

    def __init__(self, conf: FetchConfig, now: float) -> None:
        self._conf = conf
        self._begun, self._n_bytes = now, 0

    def is_stalled(self, n_bytes: int, now: float) -> bool:
        """Count `n_bytes` more; whether the window that ends with them was too slow.

        A transfer shorter than one window is never called slow.
        """
        self._n_bytes += n_bytes
        elapsed_s = now - self._begun
        if elapsed_s < self._conf.stall_window_s:
            return False
        slow = self._n_bytes < self._conf.min_bytes_per_s * elapsed_s
        self._begun, self._n_bytes = now, 0
        return slow


@dataclass(frozen=True)
class HostLimits:
    """Rate, connections, ban and failures of one host, shared by the processes of a machine."""

    conf: FetchConfig
    host: str

    @contextlib.contextmanager
    def connection(self) -> Iterator[None]:
        """Hold one of the host's connections, begun no sooner than its rate allows.

        Raises:
            FetchBanned: the host has banned this machine.
            TooManyFailures: too many of its requests failed in the last minute.
        """
        with self._slot():
            self._wait_for_turn()
            yield

    def pause(self, seconds: float) -> None:
        """Let no process ask the host for `seconds`."""
        with self._bucket() as (file, free_at):
            _rewrite(file, repr(max(free_at, time.time() + seconds)))

    def count(self, *, n_failed: int) -> None:
        """Count one more request for all processes, of which `n_failed`, 0 or 1, failed.

        Raises:
            TooManyFailures: too many have failed now.
        """
        with self._window() as (file, window):
            _rewrite(file, str(window.counted(time.time(), n_failed=n_failed)))
        self.check_failures()

    def check_failures(self) -> None:
        """See that the host has not failed too many requests of the last minute.

        Raises:
            TooManyFailures: it has.
        """
        with self._window() as (_, window):
            now = time.time()
            if window.at(now).is_failing:
                raise too_many_failures(self.host, window.at(now), now)

    def ban(self, url: str) -> FetchBanned:
        """Note the ban for all processes; the error to raise."""
        self._path("banned").write_text(f"{time.time()}\n{url}\n", encoding="utf-8")
        return self._banned(url, self.conf.ban_s)

    def check_ban(self) -> None:
        """See that the host has not banned this machine within `fetch.ban_s`.

        Raises:
            FetchBanned: it has.
        """
        with contextlib.suppress(FileNotFoundError):
            at, _, url = self._path("banned").read_text(encoding="utf-8").partition("\n")
            left_s = float(at or 0.0) + self.conf.ban_s - time.time()
            if left_s > 0:
                raise self._banned(url.strip(), left_s)

    def _banned(self, url: str, left_s: float) -> FetchBanned:
        return FetchBanned(
            f"{self.host} answered 403 to {url}: it has banned this machine, or the file is not "
            f"for us; the fetch stops. Ask its keeper, lower fetch.requests_per_s, and go on in "
            f"{left_s / 60:.0f} min (or remove {self._path('banned')})"
        )

    def _wait_for_turn(self) -> None:
        with self._bucket() as (file, free_at):
            free_at, wait_s = reserved(
                free_at, time.time(), requests_per_s=self.conf.requests_per_s, burst=self.conf.burst
            )
            _rewrite(file, repr(free_at))
        time.sleep(wait_s)
        # Others may have met the ban, or failures, while this one waited.
        self.check_ban()
        self.check_failures()

    @contextlib.contextmanager
    def _bucket(self) -> Iterator[tuple[IO[str], float]]:
        """The host's bucket, locked, and the time in it."""
        with self._agreed("rate") as (file, text):
            # A clock that was set back must not stop the host for longer than these can.
            queue_s = self.conf.max_connections / self.conf.requests_per_s
            latest = time.time() + self.conf.max_retry_after_s + queue_s
            yield file, min(float(text or 0.0), latest)

    @contextlib.contextmanager
    def _window(self) -> Iterator[tuple[IO[str], Window]]:
        """The host's requests of the last minute, locked."""
        with self._agreed("requests") as (file, text):
            yield file, Window.parse(text)

    @contextlib.contextmanager
    def _agreed(self, what: str) -> Iterator[tuple[IO[str], str]]:
        """A file of the host, locked, and the text in it."""
        with self._path(what).open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            yield file, file.read()

    @contextlib.contextmanager
    def _slot(self) -> Iterator[None]:
        """One of `max_connections` files, locked; waits until one is free."""
        while True:
            self.check_ban()
            for number in range(self.conf.max_connections):
                with self._path(f"connection{number}").open("a") as file:
                    if _locked(file):
                        yield
                        return
            time.sleep(_POLL_S)

    def _path(self, what: str) -> Path:
        name = re.sub(r"[^a-z0-9.-]", "_", self.host)
        return limits_folder(self.conf) / f"{name}.{what}"


def limits_folder(conf: FetchConfig) -> Path:
    """Folder of this machine's agreements, made if it is not there; of this user alone."""
    default = Path(tempfile.gettempdir(), f"curation-fetch-{os.getuid()}")
    folder = Path(conf.limits_folder) if conf.limits_folder else default
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _rewrite(file: IO[str], text: str) -> None:
    file.seek(0)
    file.truncate()
    file.write(text)
