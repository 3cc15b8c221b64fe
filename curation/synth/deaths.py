"""Which request ends the process that answers it: found by asking fewer and fewer at a time. Pure.

An engine that raises is started again in its process (`backends/feeding.py`); one that ends the
process, by a fault in its native code or for lack of memory, takes all answers of the commit with
it. Requests are asked in a fixed order, so the one to blame is among the first that were asked.
"""

from __future__ import annotations

from curation.errors import EnvironmentFault

MAX_KILLERS = 3
"""Requests in a row that end a process alone, nothing being answered in between, before it is the
machine that is to blame."""

MARKS = ("Python worker exited unexpectedly", "ExecutorLostFailure", "EOFException")
"""In what Spark says where a worker's process, or the executor's, is gone."""


def is_death(said: str) -> bool:
    """Whether Spark's message tells of a process that ended, rather than of an error raised."""
    return any(mark in said for mark in MARKS)


class Hunt:
    """Halves what is asked at a time until a request that ends its process is alone."""

    def __init__(self) -> None:
        self._n_suspects = 0
        """So many of the requests to come next were in a process that ended; 0: nobody hunted."""
        self._n_alone = 0
        """Times that the first of them ended one alone."""
        self._n_killers = 0
        """Found in a row."""

    def at_most(self, n: int) -> int:
        """How many of `n` requests to ask next."""
        return min(n, max(1, self._n_suspects // 2)) if self._n_suspects else n

    def survived(self, n: int) -> None:
        """The first `n` are answered."""
        self._n_suspects = max(0, self._n_suspects - n)
        self._n_alone = self._n_killers = 0

    def died(self, n: int, reason: str) -> bool:
        """The process ended with the first `n`; whether the first is to blame.

        It is where it ended two processes, the last one alone.

        Raises:
            EnvironmentFault: it is the third in a row.
        """
        was_suspect = self._n_suspects > 0
        self._n_suspects = n
        self._n_alone += n == 1
        if n > 1 or not (was_suspect or self._n_alone > 1):
            return False
        self._n_killers += 1
        if self._n_killers == MAX_KILLERS:
            raise EnvironmentFault(
                f"{MAX_KILLERS} requests in a row ended the engine's process, the last time: "
                f"{reason}; what is answered is kept: mend the machine, its memory or "
                "synth.engine, and run again"
            )
        self._n_suspects = self._n_alone = 0
        return True
