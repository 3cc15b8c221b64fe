r"""Hashed unigrams and bigrams of a text: the features of DSIR.

A token is a run of letters, digits and underscores, or a run of other marks (`\w+|[^\w\s]+`), of
the lower-cased text. A bigram is two tokens with a space between them. The bucket of an n-gram is
its SHA-256, a number of 256 bits, modulo the number of buckets.

Source: Xie et al. 2023 (DSIR, 2302.03169), section 4; hash and tokens as in its authors' code.

All kernels that call each other stand in this file: numba looks for changes only in the file of
the one that is called from Python (`curation.measure.compiled`).
"""

from __future__ import annotations

import functools
import sys

import numpy as np
from numpy.typing import NDArray

from curation.errors import ConfigError
from curation.measure.characters import BITS, KINDS, SPACE, Codes, codes_of
from curation.measure.compiled import kernel

Buckets = NDArray[np.int64]
Spans = NDArray[np.int64]
Bytes = NDArray[np.uint8]
Words32 = NDArray[np.uint32]

MAX_BUCKETS = 2**31
"""A remainder shifted by 32 bits still fits in 64."""

_BLOCK = 64
_N_ROUNDS = 64


def ngram_buckets(text: str, n_buckets: int) -> tuple[Buckets, int]:
    """Buckets of all unigrams, then of all bigrams of `text`, and its number of tokens n.

    Shape (2 n - 1,), or (0,) for a text without a token. The time is linear in the text: about
    0.3 us an n-gram, nearly all of it SHA-256.

    Raises:
        ConfigError: `n_buckets` is not in 1..2^31.
    """
    check_n_buckets(n_buckets)
    lowered = text.lower()
    encoded = np.frombuffer(lowered.encode("utf-8", "surrogatepass"), np.uint8)
    spans = _token_spans(codes_of(lowered), _classes())
    buckets = _hashed(encoded, spans, n_buckets, _round_constants(), _start_state())
    return buckets, spans.shape[0]


def check_n_buckets(n_buckets: int) -> None:
    """Refuse a number of buckets out of range.

    Raises:
        ConfigError: `n_buckets` is not in 1..2^31.
    """
    if not 1 <= n_buckets <= MAX_BUCKETS:
        raise ConfigError(f"n-gram buckets: must be 1 to {MAX_BUCKETS}, found {n_buckets}")


@functools.cache
def _classes() -> NDArray[np.uint8]:
    """0 for white space, 1 for a letter, digit or underscore, 2 for others; shape (0x110000,)."""
    codes = range(sys.maxunicode + 1)
    is_word = np.fromiter((chr(code).isalnum() for code in codes), bool, len(codes))
    is_word[ord("_")] = True
    classes = np.where(is_word, 1, 2).astype(np.uint8)
    classes[BITS[KINDS] & SPACE != 0] = 0
    return classes


@functools.cache
def _round_constants() -> Words32:
    """First 32 bits behind the point of the cube roots of the first 64 primes (FIPS 180-4)."""
    return np.array([_root_bits(prime, 3) for prime in _primes(_N_ROUNDS)], np.uint32)


@functools.cache
def _start_state() -> Words32:
    """The same of the square roots of the first 8 primes."""
    return np.array([_root_bits(prime, 2) for prime in _primes(8)], np.uint32)


def _primes(n: int) -> list[int]:
    primes: list[int] = []
    candidate = 2
    while len(primes) < n:
        if all(candidate % prime for prime in primes):
            primes.append(candidate)
        candidate += 1
    return primes


def _root_bits(value: int, degree: int) -> int:
    """32 bits behind the point of the root of `value`, in whole numbers: none are lost."""
    scaled = value << (32 * degree)
    low, high = 0, 1 << 40
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**degree <= scaled else (low, middle)
    return low & 0xFFFFFFFF


@kernel
def _token_spans(codes: Codes, classes: NDArray[np.uint8]) -> Spans:
    """First byte of each token, and the byte behind its last, in UTF-8; shape (n, 2)."""
    spans = np.empty((codes.size, 2), np.int64)
    n, place, before = 0, 0, 0
    for code in codes:
        now = classes[code]
        if now != before:
            if before:
                spans[n - 1, 1] = place
            if now:
                spans[n, 0] = place
                n += 1
        before = now
        place += 1 + (code >= 0x80) + (code >= 0x800) + (code >= 0x10000)
    if before:
        spans[n - 1, 1] = place
    return spans[:n].copy()


@kernel
def _hashed(
    text: Bytes, spans: Spans, n_buckets: int, constants: Words32, start: Words32
) -> Buckets:
    n = spans.shape[0]
    buckets = np.empty(max(0, 2 * n - 1), np.int64)
    longest = 0
    for i in range(n):
        longest = max(longest, spans[i, 1] - spans[i, 0])
    # Twice the longest token, the space, the mark of the end, and the length in 8 bytes.
    block, words = np.empty(2 * longest + 2 + 8 + _BLOCK, np.uint8), np.empty(_N_ROUNDS, np.uint32)
    state = np.empty(8, np.uint32)
    for i in range(n):
        size = _copied(text, spans[i], block, 0)
        buckets[i] = _bucket(block, size, n_buckets, constants, start, state, words)
        if i + 1 < n:
            block[size] = 32
            size = _copied(text, spans[i + 1], block, size + 1)
            buckets[n + i] = _bucket(block, size, n_buckets, constants, start, state, words)
    return buckets


@kernel
def _copied(text: Bytes, span: Spans, target: Bytes, at: int) -> int:
    """Copy a token to `target` from place `at` on; the place behind it."""
    for place in range(span[0], span[1]):
        target[at] = text[place]
        at += 1
    return at


@kernel
def _bucket(
    message: Bytes, size: int, n_buckets: int, constants: Words32, start: Words32, state: Words32,
    words: Words32,
) -> np.int64:  # fmt: skip
    """SHA-256 of the first `size` bytes, modulo `n_buckets`. Leaves those bytes as they are."""
    padded = ((size + 8) // _BLOCK + 1) * _BLOCK
    message[size:padded] = 0
    message[size] = 0x80
    for i in range(8):
        message[padded - 1 - i] = (8 * size >> 8 * i) & 0xFF
    state[:] = start
    for at in range(0, padded, _BLOCK):
        _compress(message, at, constants, state, words)
    rest = np.uint64(0)
    for word in state:
        rest = (rest << np.uint64(32) | np.uint64(word)) % np.uint64(n_buckets)
    return np.int64(rest)


@kernel
def _compress(message: Bytes, at: int, constants: Words32, state: Words32, words: Words32) -> None:
    """One block of SHA-256 (FIPS 180-4, section 6.2.2); the letters are the standard's."""
    for i in range(16):
        words[i] = _word(message, at + 4 * i)
    for i in range(16, _N_ROUNDS):
        x, y = words[i - 15], words[i - 2]
        s0 = _turned(x, 7) ^ _turned(x, 18) ^ np.uint32(x >> np.uint32(3))
        s1 = _turned(y, 17) ^ _turned(y, 19) ^ np.uint32(y >> np.uint32(10))
        words[i] = np.uint32(words[i - 16] + s0 + words[i - 7] + s1)
    a, b, c, d = state[0], state[1], state[2], state[3]
    e, f, g, h = state[4], state[5], state[6], state[7]
    for i in range(_N_ROUNDS):
        s1 = _turned(e, 6) ^ _turned(e, 11) ^ _turned(e, 25)
        first = np.uint32(h + s1 + ((e & f) ^ (~e & g)) + constants[i] + words[i])
        s0 = _turned(a, 2) ^ _turned(a, 13) ^ _turned(a, 22)
        second = np.uint32(s0 + ((a & b) ^ (a & c) ^ (b & c)))
        h, g, f, e = g, f, e, np.uint32(d + first)
        d, c, b, a = c, b, a, np.uint32(first + second)
    for i, value in enumerate((a, b, c, d, e, f, g, h)):
        state[i] = np.uint32(state[i] + value)


@kernel
def _word(message: Bytes, at: int) -> np.uint32:
    """Four bytes as a number, the first the highest."""
    value = np.uint32(0)
    for i in range(4):
        value = np.uint32(value << np.uint32(8) | np.uint32(message[at + i]))
    return value


@kernel
def _turned(value: np.uint32, n: int) -> np.uint32:
    """`value` rotated to the right by `n` bits."""
    return np.uint32(value >> np.uint32(n) | value << np.uint32(32 - n))
