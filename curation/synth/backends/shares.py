"""Whose time it was: the time of a generator that answers many requests at once, shared out."""

from __future__ import annotations


class TimeShares:
    """Divides every moment equally among the requests that are being answered in it.

    Of the requests begun, the oldest `n_at_once` are being answered; the others wait, and waiting
    costs nothing. The shares of all requests add up to the time passed with any of them begun.
    """

    def __init__(self, n_at_once: int) -> None:
        """Shares for a generator that answers `n_at_once` requests at the same time."""
        self._n_at_once = n_at_once
        self._each = 0.0
        """Seconds of one that had been answered from the start till now."""
        self._since: dict[str, float] = {}
        """By request that is being answered: `_each` when it began."""
        self._waiting: dict[str, None] = {}

    def begin(self, request_id: str) -> None:
        """A request is there to be answered."""
        self._waiting[request_id] = None
        self._promote()

    def pass_by(self, seconds: float) -> None:
        """So much time has passed since the last call."""
        if self._since:
            self._each += seconds / len(self._since)

    def end(self, request_id: str) -> float:
        """Seconds of a request that is answered or given up."""
        began = self._since.pop(request_id, self._each)
        self._waiting.pop(request_id, None)
        self._promote()
        return self._each - began

    def _promote(self) -> None:
        while self._waiting and len(self._since) < self._n_at_once:
            oldest = next(iter(self._waiting))
            del self._waiting[oldest]
            self._since[oldest] = self._each
