"""The share of a host's requests that failed in the last minute, and when it is too high.

A host that fails so often is overloaded or is turning us away: to go on asking it, even gently,
makes that worse, and every file would use up its tries for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

from curation.errors import TooManyFailures

WINDOW_S = 60
"""Length of the sliding window in which requests are counted."""
MAX_FAILED_FRAC = 0.05
"""Largest share of the window's requests that may fail."""
MIN_REQUESTS = 40
"""Requests in the window from which on the share means something: below, three are an accident."""


@dataclass(frozen=True)
class Window:
    """Requests of the last `WINDOW_S` seconds, counted by the second so that it stays small."""

    seconds: tuple[tuple[int, int, int], ...] = ()
    """Second of the epoch, requests that ended in it, those of them that failed; in order."""

    @classmethod
    def parse(cls, text: str) -> Window:
        """The window that `str` wrote; an empty one of an empty text."""
        rows = (line.split() for line in text.splitlines())
        return cls(tuple((int(row[0]), int(row[1]), int(row[2])) for row in rows))

    def __str__(self) -> str:
        return "".join(f"{at} {n} {n_failed}\n" for at, n, n_failed in self.seconds)

    def at(self, now: float) -> Window:
        """What of it is still in the window; seconds to come are those of a clock set back."""
        return Window(tuple(row for row in self.seconds if now - WINDOW_S < row[0] <= now))

    def counted(self, now: float, *, n_failed: int) -> Window:
        """One request more, of which `n_failed`, 0 or 1, failed."""
        rows = self.at(now).seconds
        last = rows[-1] if rows and rows[-1][0] == int(now) else (int(now), 0, 0)
        kept = tuple(row for row in rows if row[0] != last[0])
        return Window((*kept, (last[0], last[1] + 1, last[2] + n_failed)))

    @property
    def n_requests(self) -> int:
        """Requests in the window."""
        return sum(n for _, n, _ in self.seconds)

    @property
    def n_failed(self) -> int:
        """Those of them that failed."""
        return sum(n_failed for _, _, n_failed in self.seconds)

    @property
    def is_failing(self) -> bool:
        """Whether so many of enough requests failed that the fetch must stop."""
        return self.n_requests >= MIN_REQUESTS and self.n_failed > MAX_FAILED_FRAC * self.n_requests

    def left_s(self, now: float) -> float:
        """Seconds until the last failure has left the window; 0.0 where there is none."""
        failed = [at for at, _, n_failed in self.seconds if n_failed]
        return max(0.0, failed[-1] + WINDOW_S - now) if failed else 0.0


def too_many_failures(host: str, window: Window, now: float) -> TooManyFailures:
    """The error for `host`, whose `window` is failing."""
    share = window.n_failed / window.n_requests
    return TooManyFailures(
        f"{host}: {window.n_failed} of {window.n_requests} requests of the last {WINDOW_S} s "
        f"failed, {share:.1%} and more than {MAX_FAILED_FRAC:.0%}; the fetch stops. See whether "
        f"the host is up and the network sound, lower fetch.requests_per_s and "
        f"fetch.max_connections, and run again in {window.left_s(now):.0f} s or later: what has "
        "come is kept"
    )
