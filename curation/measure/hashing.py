"""Hashes that are the same on every machine: 64-bit mixing, and the content hash of a text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NewType, cast

import numpy as np
from numpy.typing import NDArray

from curation.measure.compiled import kernel

Normalised = NewType("Normalised", str)
"""A text with letters lower-cased and every run of white space one space, none at the ends."""

_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def normalise(text: str) -> Normalised:
    """`text` with letters lower-cased, white space squeezed and stripped.

    Letters are lower-cased by Python's Unicode tables: two Python versions can differ in letters
    that Unicode added between them.
    """
    return normalise_words(text.split())


def normalise_words(words: Sequence[str]) -> Normalised:
    """What `normalise` gives for the text that `words` were split from."""
    return Normalised(" ".join(words).lower())


def content_hash(text: str) -> str:
    """128-bit hash of `text`, normalised: 32 hex digits.

    Texts that differ only in case and white space share it. All texts without a word share one.
    """
    return hash_normalised(normalise(text))


def hash_normalised(text: Normalised) -> str:
    """`content_hash` of a text that is normalised already."""
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def text_hash(text: str) -> str:
    """128-bit hash of `text` as it stands: 32 hex digits. Lone surrogates count as they are."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def mix64(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """A fixed bijection of 64-bit values after which every bit depends on every bit.

    Source: Steele, Lea, Flood 2014 (SplitMix), the finaliser with Stafford's variant 13.
    """
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: NDArray[np.uint64] = values ^ (values >> np.uint64(31))
    return mixed


mix = cast("Callable[[np.uint64], np.uint64]", kernel(mix64))
"""The same of one value, for kernels."""


def random_bits(n: int, seed: int) -> NDArray[np.uint64]:
    """`n` pseudo-random 64-bit values of `seed`, shape (n,); a longer draw extends a shorter one.

    Not a generator of numpy, whose streams may change between versions.
    """
    start = mix64(np.array([seed & _MASK], np.uint64))
    steps = np.arange(1, n + 1, dtype=np.uint64) * np.uint64(_GOLDEN)
    return mix64(start + steps)
