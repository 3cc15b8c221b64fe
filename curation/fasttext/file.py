"""The file of a supervised fastText model (`.bin`, `.ftz`, versions 11 and 12), as arrays.

Source: the file format of fastText 0.9.2. The file is mapped, not read: the vectors of a dense
model, which are nearly all of it, stay there, and all processes of a machine share them. Those of a
quantised one are made anew in each process, at four bytes a number.
"""

from __future__ import annotations

import mmap
import struct
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from curation.errors import InputError
from curation.fasttext.kernels import Bytes, Floats, Ints, Shape, Tables, fill_slots

_MAGIC, _HEADER = 793712314, struct.Struct("<14id")
_VERSIONS = (11, 12)
_KINDS = {1: "cbow", 2: "skipgram", 3: "supervised"}
_LOSSES = {1: "hs", 2: "ns", 3: "softmax", 4: "ova"}
_CENTROIDS = 256
_END, _END_HASH = b"</s>", -677604519
"""The mark that ends a text, and its hash among words."""

_Array = TypeVar("_Array", bound=NDArray[Any])
_Number = TypeVar("_Number", bound=np.generic)


class Header(NamedTuple):
    """What of a model's settings its answers depend on."""

    version: int
    dim: int
    word_ngrams: int
    loss: str
    n_buckets: int
    min_chars: int
    max_chars: int


def read_tables(content: Bytes, name: str) -> tuple[Tables, list[str]]:
    """Arrays and labels of the model whose file is `content`; `name` is for messages.

    Raises:
        InputError: it is not a fastText model, one of a kind that is not run here, or damaged.
    """
    header = _read_header(content, name)
    try:
        return _read(_Reader(content, _HEADER.size), header)
    except (struct.error, ValueError, IndexError, ArithmeticError) as error:
        raise InputError(f"{name}: not a fastText model: damaged: {error}") from error


def map_file(path: Path) -> Bytes:
    """The bytes of the file at `path`, which lie in memory only as far as they are used.

    To replace the file, another one must take its name: what is written into it is in the model.
    """
    with path.open("rb") as file:
        if not path.stat().st_size:
            return np.zeros(0, np.uint8)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), np.uint8)


def _read_header(content: Bytes, name: str) -> Header:
    """The settings of a model.

    Raises:
        InputError: it is not a fastText model, or one of a kind that is not run here.
    """
    start = content[: _HEADER.size].tobytes()
    if len(start) < _HEADER.size or int.from_bytes(start[:4], "little") != _MAGIC:
        raise InputError(f"{name}: not a fastText model")
    numbers = _HEADER.unpack(start)
    version, dim, word_ngrams, loss, kind = (numbers[place] for place in (1, 2, 7, 8, 9))
    if version not in _VERSIONS or loss not in _LOSSES or kind not in _KINDS or dim < 1:
        raise InputError(
            f"{name}: not a fastText model that is known here: version {version}, model {kind}, "
            f"loss {loss}, {dim} dimensions"
        )
    if _KINDS[kind] != "supervised":
        raise InputError(f"{name}: a fastText model of the kind {_KINDS[kind]}, not supervised")
    # Supervised models of version 11 have no n-grams of characters, whatever they say.
    max_chars = 0 if version == _VERSIONS[0] else max(numbers[12], 0)
    return Header(version, dim, word_ngrams, _LOSSES[loss], numbers[10], numbers[11], max_chars)


def _read(reader: _Reader, header: Header) -> tuple[Tables, list[str]]:
    size, n_words, n_labels, _, n_kept = reader.values("<iiiqq")
    _expect(min(size, n_words) >= 0 < n_labels and size == n_words + n_labels, "its dictionary")
    slots, starts = _read_dictionary(reader, size)
    entries = [reader.entry(place) for place in starts[n_words:size].tolist()]
    is_kept, rows = _read_kept(reader, header, n_words, n_kept)
    is_quantised = reader.flag()
    _expect(is_quantised or n_kept < 0, "pruned, but not quantised")
    vectors = reader.matrix(header.dim, is_quantised=is_quantised)
    outputs = reader.matrix(header.dim, is_quantised=reader.flag() and is_quantised)
    n_buckets = header.n_buckets if n_kept < 0 else 0
    n_rows = max(n_words + n_buckets, int(rows.max(initial=-1)) + 1)
    _expect(vectors.shape[0] >= n_rows, "too few vectors")
    _expect(outputs.shape[0] >= n_labels, "too few vectors of labels")
    counts = [count for _, count in entries] if header.loss == "hs" else []
    shape = _shape(header, n_words, n_kept, _end_row(reader, starts[:n_words]))
    outputs = outputs[:n_labels]
    tables = Tables(vectors, slots, is_kept, rows, outputs, *_tree(counts), shape)
    return tables, [name.decode() for name, _ in entries]


class _Reader:
    """Reads a file from a place on."""

    def __init__(self, content: Bytes, place: int) -> None:
        self.content, self.place = content, place

    def values(self, form: str) -> tuple[int, ...]:
        found = struct.unpack(form, self.array(np.uint8, struct.calcsize(form)).tobytes())
        return found

    def flag(self) -> bool:
        return bool(self.values("<B")[0])

    def array(self, type_: type[_Number], n: int) -> NDArray[_Number]:
        """The next `n` numbers, as they lie in the file."""
        end = self.place + n * np.dtype(type_).itemsize
        _expect(self.place <= end <= self.content.size, "cut short")
        part, self.place = self.content[self.place : end], end
        return part.view(type_)

    def entry(self, place: int) -> tuple[bytes, int]:
        """The word or label at `place` and how often it was seen."""
        end = place
        while self.content[end]:
            end += 1
        count = int.from_bytes(self.content[end + 1 : end + 9].tobytes(), "little")
        return self.content[place:end].tobytes(), count

    def matrix(self, dim: int, *, is_quantised: bool) -> Floats:
        """Vectors, shape (n_rows, dim)."""
        if is_quantised:
            return _quantised(self, dim)
        n_rows, width = self.values("<qq")
        _expect(width == dim and n_rows >= 0, f"{width} dimensions, expected {dim}")
        # As likely as not at an odd address: x86 and ARM read it there, and a copy would be all.
        return self.array(np.float32, n_rows * dim).reshape(-1, dim)


def _quantised(reader: _Reader, dim: int) -> Floats:
    """Vectors by product quantisation: each few numbers from a book of 256, times a norm."""
    has_norms = reader.flag()
    n_rows, width, n_codes = reader.values("<qqi")
    _expect(width == dim and n_rows >= 0, f"{width} dimensions, expected {dim}")
    codes = reader.array(np.uint8, n_codes).reshape(n_rows, -1)
    width, n_parts, size, _ = reader.values("<4i")
    _expect(width == dim and n_parts == codes.shape[1] == -(-dim // size), "its codes")
    book = reader.array(np.float32, _CENTROIDS * dim)
    vectors = np.empty((n_rows, dim), np.float32)
    for part in range(n_parts):
        # The last part may be narrower than the others.
        columns = slice(part * size, min((part + 1) * size, dim))
        words = book[_CENTROIDS * columns.start : _CENTROIDS * columns.stop]
        vectors[:, columns] = words.reshape(_CENTROIDS, -1)[codes[:, part]]
    if has_norms:
        norm_codes = reader.array(np.uint8, n_rows)
        reader.values("<4i")
        vectors *= reader.array(np.float32, _CENTROIDS)[norm_codes][:, None]
    return _fixed(vectors)


def _read_dictionary(reader: _Reader, size: int) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Table of all words and labels, and where in the file each begins."""
    _expect(size < reader.content.size, "cut short")
    slots = np.zeros(1 << (2 * size + 1).bit_length(), np.uint64)
    starts = fill_slots(reader.content, reader.place, slots, size)
    _expect(starts[size] >= 0, "cut short")
    reader.place = int(starts[size])
    return _fixed(slots), starts


def _read_kept(reader: _Reader, header: Header, n_words: int, n_kept: int) -> tuple[Bytes, Ints]:
    """Buckets of n-grams that were kept, as bits, and the row of each; empty if none was pruned."""
    if n_kept <= 0:
        return _fixed(np.zeros(0, np.uint8)), _fixed(np.zeros(0, np.int32))
    kept = reader.array(np.int32, 2 * n_kept).reshape(-1, 2)
    _expect(kept.min() >= 0 and kept[:, 0].max() < header.n_buckets, "its n-grams")
    rows = np.full(header.n_buckets, -1, np.int32)
    rows[kept[:, 0]] = kept[:, 1] + np.int32(n_words)
    return _fixed(np.packbits(rows >= 0, bitorder="little")), _fixed(rows)


def _shape(header: Header, n_words: int, n_kept: int, end_row: int) -> Shape:
    has_ngrams = n_kept != 0 and header.n_buckets > 0
    return Shape(
        n_words=n_words,
        end_row=end_row,
        end_hash=_END_HASH,
        n_buckets=header.n_buckets if has_ngrams else 1,
        inverse=np.uint64(((2**64 - 1) // max(header.n_buckets, 1) + 1) % 2**64),
        min_chars=header.min_chars,
        max_chars=header.max_chars if has_ngrams else 0,
        word_ngrams=header.word_ngrams if has_ngrams else 1,
        is_softmax=header.loss == "softmax",
    )


def _end_row(reader: _Reader, starts: NDArray[np.int64]) -> int:
    """Row of the mark that ends a text; -1 where the model has none."""
    found = np.ones(starts.size, bool)
    for place, byte in enumerate(_END + b"\0"):
        found &= reader.content[starts + place] == byte
    return int(found.argmax()) if found.any() else -1


def _tree(counts: list[int]) -> tuple[Ints, Ints]:
    """Huffman tree over labels in descending order of count, built as fastText builds it.

    Children of each node; leaves, which are the labels, come first. None of no labels.
    """
    n = len(counts)
    weights = [*counts, *[10**15] * (n - 1)]
    children = np.zeros((2, max(2 * n - 1, 0)), np.int32)
    leaf, node = n - 1, n
    for parent in range(n, 2 * n - 1):
        for side in (0, 1):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[side, parent], leaf = leaf, leaf - 1
            else:
                children[side, parent], node = node, node + 1
        weights[parent] = sum(weights[child] for child in children[:, parent].tolist())
    return _fixed(children[0]), _fixed(children[1])


def _fixed(array: _Array) -> _Array:
    """`array`, made read-only: kernels are compiled once for what is made and what is mapped."""
    array.flags.writeable = False
    return array


def _expect(is_so: object, what: str) -> None:
    """Raises: ValueError: it is not so."""
    if not is_so:
        raise ValueError(what)
