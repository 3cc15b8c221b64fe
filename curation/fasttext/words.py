"""Words of a UTF-8 text, found by a kernel, with their hashes.

White space is ASCII's and NUL, as for fastText; in `Reading.LINES` it is also what Python knows at
the edges of lines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from curation.fasttext.reading import Reading
from curation.measure.compiled import kernel

Bytes = NDArray[np.uint8]
Place = int | np.int64

AS_WORDS, AS_LINE, AS_LINES = (int(one) for one in Reading)
FNV32, FNV64 = np.uint32(2166136261), np.uint64(0xCBF29CE484222325)

_PRIME32, _PRIME64 = np.uint32(16777619), np.uint64(0x100000001B3)
_ONE = np.uint64(1)
_REST = np.frombuffer(b"/s>", np.uint8)
"""What stands behind `<` in fastText's end of a text."""
_OPEN = 60
"""`<`"""
_SPACE, _ODD = 1, 2

KINDS = np.zeros(256, np.uint8)
"""Of each byte, what it may be other than a part of a word."""
KINDS[[0, 9, 10, 11, 12, 13, 32]] = _SPACE
KINDS_OF_LINES = KINDS.copy()
"""The same for `AS_LINES`: there white space that only Python knows may begin so, or `</s>`."""
KINDS_OF_LINES[[28, 29, 30, 31, _OPEN, 0xC2, 0xE1, 0xE2, 0xE3]] = _ODD


@kernel
def next_word(
    text: Bytes, i: np.uint64, kinds: Bytes, literal_end: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint32, np.uint64]:
    """Start and stop of the first word from `i` on, its two hashes, and the next `literal_end`.

    The word is empty where there is none. Places are unsigned: numba would ask of every other one
    whether it counts from the end.

    Args:
        text: In UTF-8.
        i: Where the word before it stopped.
        kinds: `KINDS` or `KINDS_OF_LINES`.
        literal_end: White space of Python's before this place is known to be part of words.
    """
    stop, start, key, short = np.uint64(text.size), i, FNV64, FNV32
    while i < stop:
        byte = text[i]
        kind = kinds[byte]
        if kind == _SPACE:
            if i > start:
                break
            i += _ONE
            start = i
            continue
        is_last = False
        if kind:
            if byte == _OPEN:
                # What spells the end of a text is taken apart behind its first character.
                is_last = has(text, np.int64(i) + 1, text.size, _REST)
            elif i >= literal_end:
                end, is_apart = _run_of_space(text, np.int64(i))
                if is_apart and i > start:
                    break
                if is_apart:
                    i = np.uint64(end)
                    start = i
                    continue
                literal_end = np.uint64(end)
        key = (key ^ np.uint64(byte)) * _PRIME64
        short = hashed(short, byte)
        i += _ONE
        if is_last:
            break
    return start, i, key, short, literal_end


@kernel
def hashed(value: np.uint32, byte: int) -> np.uint32:
    """FNV-1a with fastText's flaw: bytes from 128 on are negative numbers."""
    return np.uint32(np.uint32(value ^ np.uint32(np.int32(np.int8(byte)))) * _PRIME32)


@kernel
def has(text: Bytes, i: Place, stop: Place, wanted: Bytes) -> bool:
    """Whether `wanted` stands at `i`, before `stop`."""
    if i + wanted.size > stop:
        return False
    for k in range(wanted.size):  # noqa: SIM110 - numba compiles no generator
        if text[i + k] != wanted[k]:
            return False
    return True


@kernel
def _run_of_space(text: Bytes, i: Place) -> tuple[Place, bool]:
    """Where the run of Python's white space around `i` ends, and whether it lies between lines.

    It does if a line break is in it, or an end of the text at it: what `str.strip` takes away.
    (i, False) if no white space begins there.
    """
    start, end, is_apart = i, i, False
    if not _space_size(text, i):
        return end, is_apart
    while start > 0:
        n = _last_space_size(text, start)
        if not n:
            break
        start -= n
        is_apart = is_apart or _is_break(text, start)
    while end < text.size:
        n = _space_size(text, end)
        if not n:
            break
        is_apart = is_apart or _is_break(text, end)
        end += n
    return end, is_apart or start == 0 or end == text.size


@kernel
def _is_break(text: Bytes, i: Place) -> bool:
    """Whether the white space at `i` is a line break to `str.splitlines`."""
    byte = text[i]
    if byte == 0xC2:
        return _is(text, i + 1, 0x85, 0x85)
    if byte == 0xE2:
        return _is(text, i + 1, 0x80, 0x80) and _is(text, i + 2, 0xA8, 0xA9)
    return bool(10 <= byte <= 13 or 28 <= byte <= 30)


@kernel
def _space_size(text: Bytes, i: Place) -> int:
    """Bytes of the character at `i` if it is white space to `str.isspace`; 0: it is not."""
    byte, size = text[i], 0
    if byte <= 32:
        size = int(byte >= 28 or 9 <= byte <= 13)
    elif byte == 0xC2:
        size = 2 * int(_is(text, i + 1, 0x85, 0x85) or _is(text, i + 1, 0xA0, 0xA0))
    elif byte == 0xE1:
        size = 3 * int(_is(text, i + 1, 0x9A, 0x9A) and _is(text, i + 2, 0x80, 0x80))
    elif byte == 0xE2 and _is(text, i + 1, 0x80, 0x80):
        thin = _is(text, i + 2, 0x80, 0x8A) or _is(text, i + 2, 0xAF, 0xAF)
        size = 3 * int(thin or _is(text, i + 2, 0xA8, 0xA9))
    elif byte == 0xE2 and _is(text, i + 1, 0x81, 0x81):
        size = 3 * int(_is(text, i + 2, 0x9F, 0x9F))
    elif byte == 0xE3:
        size = 3 * int(_is(text, i + 1, 0x80, 0x80) and _is(text, i + 2, 0x80, 0x80))
    return size


@kernel
def _last_space_size(text: Bytes, stop: Place) -> int:
    """Bytes of the white space character that ends before `stop`; 0: there is none."""
    for size in range(1, min(stop, 3) + 1):
        if _space_size(text, stop - size) == size:
            return size
    return 0


@kernel
def _is(text: Bytes, i: Place, low: int, high: int) -> bool:
    """Whether the byte at `i` is within `low` and `high`."""
    return bool(i < text.size and low <= text[i] <= high)
