"""Repeated spans of a text's tokens: anchors that find them, windows that prove them, the cut.

A *token* is a word, that is what white space separates, as it stands: case and marks count. Of
scripts that are written without spaces (Han, kana, Thai, Lao, Khmer, Burmese, Tibetan and their
kin) every letter begins a token of its own and takes along what follows it and is no letter.
A *window* is a run of `min_tokens` tokens; windows and tokens are known by their number in the
text, from 0, and are equal when their hashes are.

An *anchor* of a window is the least hash among its k-grams of tokens, k = `anchor_tokens`. Equal
windows have equal anchors, so that a window whose anchor occurs nowhere else in the corpus occurs
nowhere else itself. Neighbouring windows mostly share their anchor: one row stands for the whole
*run* of them, and a text has about 2 / (min_tokens - k + 2) runs a token.
Source of the anchors: Schleimer, Wilkerson, Aiken 2003, "Winnowing", section 3; Roberts et al.
2004, "Reducing storage requirements for biological sequence comparison", section 2 (minimizers).

The reference (2412.02595, by the suffix arrays of 2107.06499) counts 50 tokens of GPT-2, which are
shorter than words: a span of 50 words is longer than one of 50 such tokens. In turn no word is ever
cut in two, and the result does not hang on a vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from curation.measure.characters import BITS, KINDS, LETTER, SPACE, Codes, codes_of
from curation.measure.compiled import kernel
from curation.measure.hashing import mix
from curation.measure.words import Hashes, Ints, Spans
from curation.schemas import Table, column, optional

EMPTY, SHORT = "substring_empty", "substring_short"
"""Reasons of texts of which the cut leaves nothing, or too little."""

_BASE, _ONE = np.uint64(0x9E3779B97F4A7C15), np.uint64(1)
_FIRST_UNSPACED = 0x0E00
_UNSPACED = (
    (0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x1950, 0x19DF), (0x1A20, 0x1AAF),
    (0x3005, 0x3007), (0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF),
    (0xA9E0, 0xA9FF), (0xAA60, 0xAADF), (0xF900, 0xFAFF), (0xFF66, 0xFF9F), (0x1B000, 0x1B16F),
    (0x20000, 0x3FFFF),
)  # fmt: skip
_ROWS_PER_BATCH = 100_000
_NONE = np.empty(0, np.int64)

_RANK = pa.list_(pa.field("element", pa.float64(), nullable=False))
_DOC_ID = column("doc_id", pa.string(), "Document")

ANCHORS = Table(
    name="anchors",
    doc="One row a run of neighbouring windows with one anchor.",
    columns=pa.schema([
        _DOC_ID,
        column("anchor", pa.int64(), "Least hash of a k-gram in each window of the run"),
        column("first_window", pa.int32(), "Number of the first window"),
        column("n_places", pa.int32(), "Places in the run that have the anchor; 1 where no text "
               "repeats itself at once"),
    ]),
    key=("doc_id", "first_window"),
)  # fmt: skip

WINDOWS = Table(
    name="windows",
    doc="One row a window that may occur elsewhere.",
    columns=pa.schema([
        _DOC_ID,
        column("rank", _RANK, "Rank of the document, as it was given: the least keeps its copy"),
        column("anchor", pa.int64(), "As in ANCHORS"),
        column("hash", pa.int64(), "Hash of the window's tokens"),
        column("start_token", pa.int32(), "Number of the window"),
        column("start_char", pa.int32(), "Its first character, in code points"),
        column("end_char", pa.int32(), "The character behind its last"),
    ]),
    key=("doc_id", "start_token"),
)  # fmt: skip

CUTS = Table(
    name="cuts",
    doc="One row a document that lost spans: the text that is left, judged anew.",
    columns=pa.schema([
        _DOC_ID,
        column("n_words", pa.int32(), "Whitespace-separated words that are left"),
        column("n_tokens", pa.int32(), "Tokens that are left"),
        column("n_bytes", pa.int64(), "UTF-8 bytes that are left"),
        optional("reason", pa.string(), f"{EMPTY} | {SHORT}; null: the document stays"),
        column("text", pa.string(), "The text without the spans"),
    ]),
    key=("doc_id",),
)  # fmt: skip


class Runs(NamedTuple):
    """Runs of windows with one anchor, in order, an array a column, each of shape (n,)."""

    anchor: Hashes
    first_window: Ints
    n_windows: Ints
    n_places: Ints
    """Places of the k-gram that is the anchor; over 1 where text repeats itself at once."""


def anchor_tokens(min_tokens: int) -> int:
    """Length k of the k-grams that anchor windows of `min_tokens` tokens.

    Longer ones give more runs, shorter ones more windows that share an anchor and nothing else. Of
    8 to 35 at 50 tokens, 12 and 16 gave the fewest rows on real texts (docs/log.md).
    """
    return max(1, min_tokens // 3)


def tokens_of(text: str) -> Spans:
    """Tokens of `text` in order, by their characters. About 28 us for 5,000 characters."""
    return tokenise(codes_of(text), KINDS, BITS)


def runs_of(tokens: Spans, *, min_tokens: int) -> Runs:
    """Runs of all windows of a text; none where it has fewer than `min_tokens` tokens."""
    k = anchor_tokens(min_tokens)
    return anchor_runs(gram_hashes(tokens.hash, k), min_tokens - k + 1)


@kernel
def tokenise(codes: Codes, kinds: NDArray[np.uint8], bits: NDArray[np.uint16]) -> Spans:
    """Tokens of a text by its code points and the tables of `characters`."""
    starts, ends = np.empty(codes.size, np.int64), np.empty(codes.size, np.int64)
    hashes = np.empty(codes.size, np.uint64)
    n, was_space, after_unspaced, value = 0, True, False, np.uint64(0)
    for i in range(codes.size):
        flags = bits[kinds[codes[i]]]
        is_letter, is_unspaced = flags & LETTER != 0, False
        if flags & SPACE:
            was_space = True
            continue
        if is_letter:
            is_unspaced = _is_unspaced(codes[i])
        if was_space or is_unspaced or (after_unspaced and is_letter):
            starts[n], value, after_unspaced = i, np.uint64(0), is_unspaced
            n += 1
        value = (value ^ np.uint64(codes[i])) * _BASE
        value ^= value >> np.uint64(29)
        ends[n - 1], hashes[n - 1], was_space = i + 1, value, False
    for i in range(n):
        hashes[i] = mix(hashes[i] + np.uint64(ends[i] - starts[i]))
    return Spans(starts[:n].copy(), ends[:n].copy(), hashes[:n].copy())


@kernel
def _is_unspaced(code: np.uint32) -> bool:
    """Whether a letter is of a script that is written without spaces."""
    if code < _FIRST_UNSPACED:
        return False
    for first, last in _UNSPACED:  # noqa: SIM110 - numba compiles no generator
        if first <= code <= last:
            return True
    return False


@kernel
def gram_hashes(tokens: Hashes, length: int) -> Hashes:
    """Hash of every run of `length` tokens, shape (max(0, tokens.size - length + 1),).

    A polynomial of the tokens' hashes modulo 2^64, mixed. Cost: about 2 ns a token.
    """
    n = max(tokens.size - length + 1, 0)
    hashes = np.empty(n, np.uint64)
    value, leaving = np.uint64(0), _ONE
    for i in range(min(length, tokens.size)):
        value, leaving = value * _BASE + tokens[i], leaving * _BASE
    for i in range(n):
        if i:
            value = value * _BASE + tokens[i + length - 1] - tokens[i - 1] * leaving
        hashes[i] = mix(value)
    return hashes


@kernel
def anchor_runs(grams: Hashes, width: int) -> Runs:
    """Runs of the windows that begin with each `width` neighbours of `grams`.

    The least of every window by a queue of rising values: linear time for any input. Windows next
    to each other are one run as long as the value is the same, be its place another or not: text
    that repeats itself at once, such as one word a million times, is one run.
    """
    n_windows = max(grams.size - width + 1, 0)
    anchor, count = np.empty(n_windows, np.uint64), np.zeros(n_windows, np.int64)
    first, places = np.empty(n_windows, np.int64), np.zeros(n_windows, np.int64)
    queue, head, tail, n, last = np.empty(grams.size, np.int64), 0, 0, 0, -1
    for i in range(grams.size):
        while tail > head and grams[queue[tail - 1]] > grams[i]:
            tail -= 1
        queue[tail], tail, window = i, tail + 1, i - width + 1
        head += queue[head] < window
        if window < 0:
            continue
        if n == 0 or grams[queue[head]] != anchor[n - 1]:
            anchor[n], first[n], last, n = grams[queue[head]], window, -1, n + 1
        count[n - 1] += 1
        places[n - 1] += queue[head] != last
        last = queue[head]
    return Runs(anchor[:n].copy(), first[:n].copy(), count[:n].copy(), places[:n].copy())


def anchors_batch(batch: pa.RecordBatch, *, min_tokens: int) -> pa.RecordBatch:
    """Batch of `doc_id`, `text` to rows of ANCHORS, in order.

    About 46 us and 42 rows for 5,000 characters.
    """
    found = [runs_of(tokens_of(text), min_tokens=min_tokens) for text in _texts(batch)]
    doc = _repeated([runs.anchor.size for runs in found])
    return pa.RecordBatch.from_arrays(
        [
            batch.column("doc_id").take(doc),
            _longs([runs.anchor.view(np.int64) for runs in found]),
            _ints([runs.first_window for runs in found]),
            _ints([runs.n_places for runs in found]),
        ],
        schema=ANCHORS.columns,
    )


def windows_batches(batch: pa.RecordBatch, *, min_tokens: int) -> Iterator[pa.RecordBatch]:
    """Batch of `doc_id`, `rank`, `text`, `runs` to rows of WINDOWS, those of some runs.

    Args:
        batch: `runs` is a list of the first windows of the runs that are asked for, as ANCHORS
            has them, in any order.
        min_tokens: As it was for the anchors.

    About 130 us for 5,000 characters where all runs are asked for, 50 where few are. A batch
    returned has about 100,000 rows, or all windows of one text.
    """
    found: list[_Windows] = []
    begun, n_rows = 0, 0
    for row, text in enumerate(_texts(batch)):
        wanted = batch.column("runs")[row].values.to_numpy(zero_copy_only=False)
        found.append(_windows(tokens_of(text), wanted, min_tokens))
        n_rows += found[-1].hash.size
        if n_rows >= _ROWS_PER_BATCH:
            yield _window_rows(batch.slice(begun, len(found)), found)
            found, begun, n_rows = [], row + 1, 0
    if found:
        yield _window_rows(batch.slice(begun, len(found)), found)


class _Windows(NamedTuple):
    """Windows of one text, an array a column, each of shape (n,)."""

    anchor: Hashes
    hash: Hashes
    start_token: Ints
    start_char: Ints
    end_char: Ints


def _windows(tokens: Spans, wanted: NDArray[Any], min_tokens: int) -> _Windows:
    runs = runs_of(tokens, min_tokens=min_tokens)
    chosen = np.isin(runs.first_window, wanted)
    in_chosen = np.repeat(chosen, runs.n_windows)
    windows = np.flatnonzero(in_chosen)
    return _Windows(
        np.repeat(runs.anchor[chosen], runs.n_windows[chosen]),
        gram_hashes(tokens.hash, min_tokens)[windows],
        windows,
        tokens.start[windows],
        tokens.end[windows + min_tokens - 1],
    )


def _window_rows(batch: pa.RecordBatch, found: Sequence[_Windows]) -> pa.RecordBatch:
    doc = _repeated([one.hash.size for one in found])
    return pa.RecordBatch.from_arrays(
        [
            batch.column("doc_id").take(doc),
            batch.column("rank").cast(_RANK).take(doc),
            _longs([one.anchor.view(np.int64) for one in found]),
            _longs([one.hash.view(np.int64) for one in found]),
            _ints([one.start_token for one in found]),
            _ints([one.start_char for one in found]),
            _ints([one.end_char for one in found]),
        ],
        schema=WINDOWS.columns,
    )


def cut(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """`text` without `spans`, with one of the gaps round each kept.

    Args:
        text: The text.
        spans: First character of each span and the one behind its last, in order and apart; each
            begins where a token begins and ends where one ends.

    What is left round a span is joined by the white space before or behind it, whichever has more
    line feeds, so that paragraphs stay apart and words never meet; where there is none, between
    letters of a script without spaces, by nothing. At the ends of the text no gap is left. The
    reference cuts bytes and joins what is left, in the middle of a word if need be.
    """
    begins = [0, *(end for _, end in spans)]
    ends = [*(start for start, _ in spans), len(text)]
    pieces = [text[begin:end] for begin, end in zip(begins, ends, strict=True)]
    kept = [piece for piece in pieces if not _is_blank(piece)]
    if not kept:
        return ""
    parts = ["" if _is_blank(pieces[0]) else _leading(pieces[0])]
    for number, piece in enumerate(kept):
        parts += [_gap(kept[number - 1], piece) if number else "", piece.strip()]
    return "".join(parts) + ("" if _is_blank(pieces[-1]) else _trailing(pieces[-1]))


def _gap(before: str, after: str) -> str:
    """What joins two pieces between which a span was."""
    gap = max(_trailing(before), _leading(after), key=lambda space: (space.count("\n"), space > ""))
    return gap if gap or _is_unspaced_letter(after[0]) else " "


def _is_unspaced_letter(character: str) -> bool:
    return character.isalpha() and bool(_is_unspaced(np.uint32(ord(character))))


def _is_blank(piece: str) -> bool:
    return not piece or piece.isspace()


def _leading(piece: str) -> str:
    return piece[: len(piece) - len(piece.lstrip())]


def _trailing(piece: str) -> str:
    return piece[len(piece.rstrip()) :]


def judge(n_tokens: int, *, min_tokens_left: int) -> str | None:
    """Why a text that was cut to `n_tokens` tokens is dropped; None: it stays."""
    if n_tokens == 0:
        return EMPTY
    return SHORT if n_tokens < min_tokens_left else None


def cuts_batch(batch: pa.RecordBatch, *, min_tokens_left: int) -> pa.RecordBatch:
    """Batch of `doc_id`, `text`, `starts`, `ends` (lists of characters) to rows of CUTS.

    About 70 us for 5,000 characters.
    """
    bounds = (_lists(batch, "starts"), _lists(batch, "ends"))
    left = [
        cut(text, list(zip(starts, ends, strict=True)))
        for text, starts, ends in zip(_texts(batch), *bounds, strict=True)
    ]
    n_tokens = [tokens_of(text).start.size for text in left]
    columns = {
        "doc_id": batch.column("doc_id"),
        "n_words": pa.array([len(text.split()) for text in left], pa.int32()),
        "n_tokens": pa.array(n_tokens, pa.int32()),
        "n_bytes": pa.array([len(text.encode()) for text in left], pa.int64()),
        "reason": pa.array([judge(n, min_tokens_left=min_tokens_left) for n in n_tokens],
                           pa.string()),
        "text": pa.array(left, pa.string()),
    }  # fmt: skip
    return pa.RecordBatch.from_pydict(columns, schema=CUTS.columns)


def _texts(batch: pa.RecordBatch) -> list[str]:
    return cast(list[str], batch.column("text").to_pylist())


def _lists(batch: pa.RecordBatch, name: str) -> list[list[int]]:
    return cast(list[list[int]], batch.column(name).to_pylist())


def _repeated(n_each: Sequence[int]) -> pa.Array[Any]:
    """Number of a row, as often as it is asked for, for `take`."""
    return pa.array(np.repeat(np.arange(len(n_each)), n_each), pa.int64())


def _longs(columns: Sequence[NDArray[np.int64]]) -> pa.Array[Any]:
    return pa.array(np.concatenate([_NONE, *columns]), pa.int64())


def _ints(columns: Sequence[Ints]) -> pa.Array[Any]:
    return pa.array(np.concatenate([_NONE, *columns]).astype(np.int32), pa.int32())
