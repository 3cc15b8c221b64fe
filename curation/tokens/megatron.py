"""Megatron's indexed dataset: `.bin` holds the tokens, `.idx` says where each document lies.

Layout, all little-endian, with S sequences and D document indices (one sequence a document, so
D = S + 1):

    .idx   9 bytes    "MMIDIDX", two zero bytes
           uint64     version, 1
           uint8      code of the token type
           uint64     S
           uint64     D
           S int32    length of each sequence, in tokens
           S int64    its offset in .bin, in bytes
           D int64    first sequence of each document, and S at the end
    .bin   the tokens, one document after the other, no header, no padding

The format has no end-of-document token of its own: a trainer that splits documents needs one at
the end of each (`pack.append_eod`). `.idx` is written last, so where it exists, `.bin` is whole.

Source: megatron-core 0.16, `core/datasets/indexed_dataset.py`.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import numpy.typing as npt

from curation.errors import InputError
from curation.tokens.dtypes import TokenArray, as_tokens
from curation.tokens.files import replacing

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
CODES = {"uint8": 1, "int8": 2, "int16": 3, "int32": 4, "int64": 5, "uint16": 8}
"""Code of each integer type. Megatron's 6 and 7 are floats, which no token is."""

_HEADER = struct.Struct("<9sQBQQ")
_MAX_LENGTH_TOKENS = 2**31 - 1


@dataclass(frozen=True)
class IndexedFacts:
    """What one indexed dataset holds, and the hashes of its two files."""

    n_documents: int
    n_tokens: int
    sha256_bin: str
    sha256_idx: str


@dataclass(frozen=True, eq=False)
class IndexedDataset:
    """An indexed dataset, memory-mapped: documents in file order, read-only."""

    tokens: TokenArray
    """All tokens of the shard, one dimension."""
    lengths: npt.NDArray[np.int32]
    """Tokens of each document."""
    starts: npt.NDArray[np.int64]
    """Where each document starts in `tokens`."""

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: int) -> TokenArray:
        start = int(self.starts[index])
        return self.tokens[start : start + int(self.lengths[index])]

    def __iter__(self) -> Iterator[TokenArray]:
        return (self[index] for index in range(len(self)))


class _Header(NamedTuple):
    dtype: np.dtype[Any]
    n_sequences: int
    n_document_indices: int

    @property
    def n_index_bytes(self) -> int:
        """Size of the whole .idx."""
        return _HEADER.size + 12 * self.n_sequences + 8 * self.n_document_indices


def optimal_dtype(vocabulary_size: int) -> np.dtype[Any]:
    """uint16 for a vocabulary below 65,500 tokens, else int32; Megatron's own rule."""
    return np.dtype("<u2") if vocabulary_size < 65_500 else np.dtype("<i4")


def bin_path(prefix: Path) -> Path:
    """`PREFIX.bin`; a dot in the name is kept."""
    return prefix.with_name(f"{prefix.name}.bin")


def idx_path(prefix: Path) -> Path:
    """`PREFIX.idx`; a dot in the name is kept."""
    return prefix.with_name(f"{prefix.name}.idx")


def write_indexed(
    prefix: Path, documents: Iterable[npt.NDArray[Any]], dtype: npt.DTypeLike
) -> IndexedFacts:
    """Write `documents` to `PREFIX.bin` and `PREFIX.idx`, one at a time; what was written.

    Memory grows by the length of each document only, not by its tokens. An error while the
    documents are read leaves an older shard of that name as it was.

    Raises:
        InputError: a document does not hold integers in one dimension, holds an id that `dtype`
            cannot, or is longer than the 2^31 - 1 tokens of the format.
    """
    bin_file, idx_file = bin_path(prefix), idx_path(prefix)
    code = _code_of(dtype)
    with replacing(bin_file) as temporary:
        with temporary.open("wb") as file:
            lengths, sha256_bin = _write_tokens(file, documents, dtype)
        # An old index beside new tokens would claim a whole shard, should we die in between.
        idx_file.unlink(missing_ok=True)
    index = _index_bytes(lengths, code, np.dtype(dtype).itemsize)
    with replacing(idx_file) as temporary:
        temporary.write_bytes(index)
    sha256_idx = hashlib.sha256(index).hexdigest()
    return IndexedFacts(len(lengths), int(lengths.sum()), sha256_bin, sha256_idx)


def read_indexed(prefix: Path) -> IndexedDataset:
    """The dataset at `PREFIX.bin` and `PREFIX.idx`, memory-mapped.

    Raises:
        InputError: a file is missing, truncated or longer than the index says, or `.idx` has a
            foreign magic, version or token type.
    """
    index = _read_bytes(idx_path(prefix))
    header = _parse_header(index, idx_path(prefix))
    lengths, pointers = _parse_arrays(index, header, idx_path(prefix))
    n_tokens = int(lengths.sum(dtype=np.int64))
    tokens = _map_tokens(bin_path(prefix), header.dtype, n_tokens)
    return IndexedDataset(tokens, lengths, pointers // header.dtype.itemsize)


def _code_of(dtype: npt.DTypeLike) -> int:
    name = np.dtype(dtype).name
    if name not in CODES:
        raise InputError(f"token type {name} has no place in an index; known: {', '.join(CODES)}")
    return CODES[name]


def _write_tokens(
    file: BinaryIO, documents: Iterable[npt.NDArray[Any]], dtype: npt.DTypeLike
) -> tuple[npt.NDArray[np.int64], str]:
    """Lengths in tokens of the documents written, and the hash of their bytes."""
    digest = hashlib.sha256()
    lengths: list[int] = []
    for document in documents:
        data = as_tokens(document, dtype).tobytes()
        file.write(data)
        digest.update(data)
        lengths.append(len(document))
        if len(document) > _MAX_LENGTH_TOKENS:
            raise InputError(f"document {len(lengths) - 1} has {len(document)} tokens; split it")
    return np.array(lengths, np.int64), digest.hexdigest()


def _index_bytes(lengths: npt.NDArray[np.int64], code: int, itemsize: int) -> bytes:
    n_documents = len(lengths)
    pointers = (np.cumsum(lengths) - lengths) * itemsize
    parts = (
        _HEADER.pack(MAGIC, VERSION, code, n_documents, n_documents + 1),
        lengths.astype("<i4").tobytes(),
        pointers.astype("<i8").tobytes(),
        np.arange(n_documents + 1, dtype="<i8").tobytes(),
    )
    return b"".join(parts)


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"{path}: no such file; the shard was not finished or moved") from error


def _parse_header(index: bytes, path: Path) -> _Header:
    if index[: len(MAGIC)] != MAGIC:
        raise InputError(f"{path}: not a Megatron index: starts with {index[: len(MAGIC)]!r}")
    if len(index) < _HEADER.size:
        raise InputError(f"{path}: truncated: {len(index)} bytes, the header has {_HEADER.size}")
    _, version, code, n_sequences, n_document_indices = _HEADER.unpack_from(index)
    if version != VERSION:
        raise InputError(f"{path}: found index version {version}; this reads version {VERSION}")
    names = {number: name for name, number in CODES.items()}
    if code not in names:
        raise InputError(f"{path}: found token type code {code}; known are {names}")
    return _Header(np.dtype(names[code]).newbyteorder("<"), n_sequences, n_document_indices)


def _parse_arrays(
    index: bytes, header: _Header, path: Path
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Lengths in tokens and offsets in bytes of the sequences."""
    _check_size(path, len(index), header.n_index_bytes)
    n = header.n_sequences
    lengths = np.frombuffer(index, "<i4", n, _HEADER.size)
    pointers = np.frombuffer(index, "<i8", n, _HEADER.size + 4 * n)
    ends = np.cumsum(lengths, dtype=np.int64) * header.dtype.itemsize
    gapless = np.array_equal(pointers[1:], ends[:-1]) and not pointers[:1].any()
    if not gapless or (lengths < 0).any():
        raise InputError(f"{path}: damaged: the documents do not follow one another; write it anew")
    return lengths, pointers


def _map_tokens(path: Path, dtype: np.dtype[Any], n_tokens: int) -> TokenArray:
    if not path.is_file():
        raise InputError(f"{path}: no such file, but its index exists; the shard was moved in part")
    _check_size(path, path.stat().st_size, n_tokens * dtype.itemsize)
    if n_tokens == 0:
        return np.empty(0, dtype)  # an empty file cannot be mapped
    return np.memmap(path, dtype, mode="r")


def _check_size(path: Path, found_bytes: int, expected_bytes: int) -> None:
    if found_bytes != expected_bytes:
        fault = "truncated" if found_bytes < expected_bytes else "too long"
        raise InputError(
            f"{path}: {fault}: {found_bytes} bytes, the index says {expected_bytes}; "
            "run s09_tokenize again"
        )
