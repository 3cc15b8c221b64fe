"""Keeps pages that are meant to differ from being near duplicates of each other."""

import zlib
from collections import Counter, defaultdict

SHINGLE_BYTES = 24
_ONE_IN = 16


def shingles(text: str) -> frozenset[int]:
    """Hashes of one in sixteen of the 24-byte windows of `text`, the same ones in every text."""
    data = text.encode()
    hashes = (
        zlib.crc32(data[i : i + SHINGLE_BYTES])
        for i in range(max(1, len(data) - SHINGLE_BYTES + 1))
    )
    return frozenset(value for value in hashes if value % _ONE_IN == 0)


class Gallery:
    """The texts accepted so far, as an index from shingle to texts."""

    def __init__(self) -> None:
        self._owners: defaultdict[int, list[int]] = defaultdict(list)
        self._sizes: list[int] = []

    def likeness(self, text: str) -> float:
        """Largest estimated Jaccard similarity of `text` with an accepted text, 0.0 to 1.0."""
        mine = shingles(text)
        shared = Counter(owner for value in mine for owner in self._owners.get(value, ()))
        return max(
            (n / (len(mine) + self._sizes[owner] - n) for owner, n in shared.items()), default=0.0
        )

    def add(self, text: str) -> None:
        """Accept `text`."""
        mine = shingles(text)
        for value in mine:
            self._owners[value].append(len(self._sizes))
        self._sizes.append(len(mine))
