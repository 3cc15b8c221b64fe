"""Best-fit packing: rows in which as few documents as possible are cut. Pure.

A document longer than a row is cut into whole rows and a rest; rests and shorter documents are put,
longest first, into the row with the least room that still takes them. Concatenation cuts a document
at nearly every row's end; here only what is longer than a row is cut, at the cost of rows that are
not quite full.

Source: Ding et al. 2024, Fewer Truncations Improve Language Modeling (2404.10830), section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from curation.tokens.megatron import IndexedDataset
from curation.tokens.pack import Packed

Piece = tuple[int, int, int]
"""A document, and where in it the piece begins and ends."""


def pack_best_fit(stored: IndexedDataset, *, sequence_length: int) -> Iterator[Packed]:
    """The documents of `stored` in rows of at most `sequence_length` tokens.

    Every token is in one row; rows come in the order of their first document, pieces within a row
    in that of the documents. `document_starts` are the starts of all pieces: what stands before one
    in its row is another document, or nothing. Memory: some hundred bytes a document.
    """
    pieces = cut_to_length(stored.lengths.tolist(), sequence_length)
    rows = best_fit([end - begin for _, begin, end in pieces], sequence_length)
    for row in rows:
        chosen = [pieces[number] for number in row]
        parts = [stored[document][begin:end] for document, begin, end in chosen]
        starts = np.cumsum([0, *map(len, parts[:-1])])
        n_continued = sum(begin > 0 for _, begin, _ in chosen)
        yield Packed(np.concatenate(parts), starts.astype(np.int32), n_continued)


def cut_to_length(lengths: Sequence[int], most: int) -> list[Piece]:
    """Each document in pieces of `most` tokens and a rest, in order; none of an empty one."""
    return [
        (document, begin, min(begin + most, length))
        for document, length in enumerate(lengths)
        for begin in range(0, length, most)
    ]


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Numbers of the pieces in each row, by best fit in the order of falling length.

    Equal lengths keep their order, so the rows follow from `lengths` alone. Time: n log n for the
    order, and for each piece a search over `capacity` bits; a million pieces take some seconds.

    Args:
        lengths: Tokens of each piece, 1..capacity.
        capacity: Tokens of a row.
    """
    rows: list[list[int]] = []
    with_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r: some row has room for exactly r more tokens
    for number in sorted(range(len(lengths)), key=lambda number: -lengths[number]):
        length = lengths[number]
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = with_room[room].pop()
            rooms ^= (not with_room[room]) << room
        else:
            room, row = capacity, len(rows)
            rows.append([])
        rows[row].append(number)
        if left := room - length:
            with_room[left].append(row)
            rooms |= 1 << left
    return sorted(sorted(row) for row in rows)
