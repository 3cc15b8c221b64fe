"""Hashes that are the same on every machine: 64-bit mixing, and the content hash of a text."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NewType, cast

import numpy as np
from numpy.typing import NDArray

from curation.measure.characters import BITS, KINDS, LOWER, SPACE, Codes, codes_of
from curation.measure.compiled import kernel

Normalised = NewType("Normalised", str)
"""A text with letters lower-cased and every run of white space one space, none at the ends."""

_BLANK, _SURROGATES, _FIRST_SURROGATE = (np.uint32(code) for code in (ord(" "), 0xFFFFF800, 0xD800))
_N_ASCII, _N_PLANE = 1 << 7, 1 << 16
_GOLDEN = 0x9E3779B97F4A7C15
_MASK = (1 << 64) - 1


def normalise(text: str) -> Normalised:
    """`text` with letters lower-cased, white space squeezed and stripped.

    Letters are lower-cased by Python's Unicode tables: two Python versions can differ in letters
    that Unicode added between them.
    """
    return normalise_codes(codes_of(text))


def normalise_codes(codes: Codes) -> Normalised:
    """What `normalise` gives for a text of these code points. About 15 us for 5,000."""
    squeezed, every_bit, is_plain = _squeezed(codes, KINDS, BITS, LOWER)
    if not is_plain:
        text = codes.tobytes().decode("utf-32-le", "surrogatepass")
        return Normalised(" ".join(text.split()).lower())
    if every_bit < _N_ASCII:
        return Normalised(squeezed.astype(np.uint8).tobytes().decode("ascii"))
    if every_bit < _N_PLANE:
        return Normalised(squeezed.astype("<u2").tobytes().decode("utf-16-le"))
    return Normalised(squeezed.tobytes().decode("utf-32-le"))


@kernel
def _squeezed(
    codes: Codes, kinds: NDArray[np.uint8], bits: NDArray[np.uint16], lower: Codes
) -> tuple[Codes, np.uint32, bool]:
    """Normalised code points, all their bits together, and whether a table could tell them."""
    is_space = bits & SPACE != 0
    squeezed, n, was_space = np.empty(codes.size, np.uint32), 0, True
    every_bit, is_plain = np.uint32(0), True
    for code in codes:
        space = is_space[kinds[code]]
        # Written at every character, and kept but behind white space.
        squeezed[n] = _BLANK if space else lower[code]
        every_bit |= squeezed[n]
        is_plain &= (squeezed[n] != 0 or code == 0) and code & _SURROGATES != _FIRST_SURROGATE
        n += ~(space & was_space)
        was_space = space
    n -= n > 0 and was_space
    return squeezed[:n], every_bit, is_plain


def content_hash(text: str) -> str:
    """128-bit hash of `text`, normalised: 32 hex digits.

    Texts that differ only in case and white space share it. All texts without a word share one.
    """
    return hash_normalised(normalise(text))


def hash_normalised(text: Normalised) -> str:
    """`content_hash` of a text that is normalised already."""
    return bytes_hash(text.encode("utf-8", "surrogatepass"))


def text_hash(text: str) -> str:
    """128-bit hash of `text` as it stands: 32 hex digits. Lone surrogates count as they are."""
    return bytes_hash(text.encode("utf-8", "surrogatepass"))


def bytes_hash(encoded: bytes) -> str:
    """128-bit hash of bytes: 32 hex digits."""
    return hashlib.blake2b(encoded, digest_size=16).hexdigest()


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
