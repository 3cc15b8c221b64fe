"""lid.176 read from its file and run by numba: the answers of fastText in a third of its time.

Source: Joulin et al. 2016 (1607.01759; 1612.03651 for the quantised form); the file format and the
order of sums are those of fastText 0.9.2; `__label__x` and `</s>` are words here like others. A
text is the mean of the vectors of its words and of their n-grams of 2 to 4 characters; a Huffman
tree over the labels gives their probabilities. Only models of that kind are read: supervised,
quantised, hierarchical softmax, one-word n-grams.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from curation.errors import EnvironmentFault
from curation.measure.compiled import kernel

Bytes = NDArray[np.uint8]
Floats = NDArray[np.float32]

_MAGIC, _VERSION, _HEADER = 793712314, 12, struct.Struct("<14id")
_DIM, _MAX_CHARS, _MIN_CHARS = 16, 4, 2
_SUPERVISED, _HIERARCHICAL = 3, 1
_N_BUCKETS = 2_000_000
_FNV32, _PRIME32 = np.uint32(2166136261), np.uint32(16777619)
_FNV64, _PRIME64 = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)
_ONE, _BUCKETS, _SIGN = np.uint64(1), np.uint32(_N_BUCKETS), np.uint32(0xFFFFFF00)


class Tables(NamedTuple):
    """The model as arrays."""

    vectors: Floats
    """Of words, then of the n-grams that were kept, shape (n_rows, 16)."""
    is_kept: Bytes
    """A bit for each bucket of n-grams with a vector: it stays in the cache, `rows` does not."""
    rows: NDArray[np.int32]
    """Row of each bucket, or -1."""
    word_hashes: NDArray[np.uint64]
    word_rows: NDArray[np.int32]
    """Open table from the hash of a word to its row, -1 where it is free."""
    nodes: Floats
    """Vector of each inner node of the tree, shape (n_labels - 1, 16)."""
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    """Children of each node; leaves, which are the labels, come first."""
    end_row: int
    """Row of the mark that ends every text."""


class LidModel:
    """Answers as a fastText model does, for lists of texts."""

    def __init__(self, tables: Tables, labels: list[str]) -> None:
        self._tables = tables
        self._labels = np.array(labels)

    def predict(self, text: list[str], k: int = 1) -> tuple[list[list[str]], list[Floats]]:
        """Best `k` labels of each text and their probabilities; lone surrogates count as `?`.

        About 5 us a text and 25 for each 1,000 characters.
        """
        encoded = [one.encode("utf-8", "replace") for one in text]
        ends = np.cumsum([0, *map(len, encoded)])
        joined = np.frombuffer(b"".join(encoded), np.uint8)
        places, scores = _best(joined, ends, *self._tables, k)
        return [list(names) for names in self._labels[places].tolist()], list(scores)


def read_model(path: Path) -> LidModel:
    """The model in the file at `path`.

    Raises:
        EnvironmentFault: it is not a fastText model of the kind that is read here.
    """
    content = path.read_bytes()
    if len(content) < _HEADER.size or int.from_bytes(content[:4], "little") != _MAGIC:
        raise EnvironmentFault(f"language model {path}: not a fastText model")
    reader = _Reader(content)
    _, version, dim, *_ = head = reader.values(_HEADER.format)
    kind = (version, dim, *head[8:13])
    if kind != (_VERSION, _DIM, _HIERARCHICAL, _SUPERVISED, _N_BUCKETS, 2, _MAX_CHARS):
        raise EnvironmentFault(f"language model {path}: not lid.176 but a model of the kind {kind}")
    try:
        return _model(reader)
    except (struct.error, ValueError) as error:
        raise EnvironmentFault(f"language model {path}: cut short: {error}") from error


def _model(reader: _Reader) -> LidModel:
    size, n_words, n_labels, _, n_kept = reader.values("<iiiqq")
    entries = [reader.entry() for _ in range(size)]
    kept = reader.array(np.int32, 2 * n_kept).reshape(-1, 2)
    vectors = _vectors(reader)
    reader.values("<?")
    n_nodes, _ = reader.values("<qq")
    nodes = reader.floats(n_nodes * _DIM).reshape(n_nodes, _DIM)[: n_labels - 1]
    words = [name for name, _ in entries[:n_words]]
    rows = np.full(_N_BUCKETS, -1, np.int32)
    rows[kept[:, 0]] = kept[:, 1] + n_words
    labels = [name.decode() for name, _ in entries[n_words:]]
    left, right = _tree([count for _, count in entries[n_words:]])
    is_kept = np.packbits(rows >= 0, bitorder="little")
    return LidModel(
        Tables(vectors, is_kept, rows, *_word_table(words), nodes, left, right,
               words.index(b"</s>")), labels,
    )  # fmt: skip


class _Reader:
    """Reads a file from its beginning."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    def values(self, form: str) -> tuple[int, ...]:
        found = struct.unpack_from(form, self._content, self._place)
        self._place += struct.calcsize(form)
        return found

    def entry(self) -> tuple[bytes, int]:
        """A word or label and how often it was seen."""
        end = self._content.index(b"\0", self._place)
        name, self._place = self._content[self._place : end], end + 1
        count, _ = self.values("<qb")
        return name, count

    def array(self, type_: type, n: int) -> NDArray[np.generic]:
        found = np.frombuffer(self._content, np.dtype(type_).newbyteorder("<"), n, self._place)
        self._place += found.nbytes
        return found

    def floats(self, n: int) -> Floats:
        return self.array(np.float32, n).astype(np.float32)


def _vectors(reader: _Reader) -> Floats:
    """Vectors by product quantisation: each two numbers from a book of 256, times a norm."""
    reader.values("<?")
    _, n_rows, _, n_codes = reader.values("<?qqi")
    codes = reader.array(np.uint8, n_codes).reshape(n_rows, -1)
    reader.values("<4i")
    book = reader.floats(256 * _DIM).reshape(codes.shape[1], 256, -1)
    norm_codes = reader.array(np.uint8, n_rows)
    reader.values("<4i")
    norms = reader.floats(256)
    parts = [book[part][codes[:, part]] for part in range(codes.shape[1])]
    vectors: Floats = np.concatenate(parts, axis=1) * norms[norm_codes][:, None]
    return vectors


def _word_table(words: list[bytes]) -> tuple[NDArray[np.uint64], NDArray[np.int32]]:
    hashes, rows = np.zeros(1 << 15, np.uint64), np.full(1 << 15, -1, np.int32)
    for row, word in enumerate(words):
        value = int(_FNV64)
        for byte in word:
            value = ((value ^ byte) * int(_PRIME64)) & (2**64 - 1)
        slot = value % hashes.size
        while rows[slot] >= 0:
            slot = (slot + 1) % hashes.size
        hashes[slot], rows[slot] = value, row
    return hashes, rows


def _tree(counts: list[int]) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Huffman tree over labels in descending order of count, built as fastText builds it."""
    n = len(counts)
    weights = [*counts, *[10**15] * (n - 1)]
    children = np.zeros((2, 2 * n - 1), np.int32)
    leaf, node = n - 1, n
    for parent in range(n, 2 * n - 1):
        for side in (0, 1):
            if leaf >= 0 and weights[leaf] < weights[node]:
                children[side, parent], leaf = leaf, leaf - 1
            else:
                children[side, parent], node = node, node + 1
        weights[parent] = sum(weights[child] for child in children[:, parent].tolist())
    return children[0], children[1]


@kernel
def _best(
    joined: Bytes,
    ends: NDArray[np.int64],
    vectors: Floats,
    is_kept: Bytes,
    rows: NDArray[np.int32],
    word_hashes: NDArray[np.uint64],
    word_rows: NDArray[np.int32],
    nodes: Floats,
    left: NDArray[np.int32],
    right: NDArray[np.int32],
    end_row: int,
    k: int,
) -> tuple[NDArray[np.int64], Floats]:
    """Places of the best `k` labels of each text and their probabilities, shapes (n_texts, k)."""
    n_texts = ends.size - 1
    places, scores = np.empty((n_texts, k), np.int64), np.empty((n_texts, k), np.float32)
    for i in range(n_texts):
        mean = _mean(
            joined[ends[i] : ends[i + 1]], vectors, is_kept, rows, word_hashes, word_rows, end_row
        )
        places[i], logs = _likeliest(mean, nodes, left, right, k)
        scores[i] = np.exp(logs)
    return places, scores


@kernel
def _is_space(byte: int) -> bool:
    return byte == 32 or 9 <= byte <= 13 or byte == 0


@kernel
def _mean(
    text: Bytes,
    vectors: Floats,
    is_kept: Bytes,
    rows: NDArray[np.int32],
    word_hashes: NDArray[np.uint64],
    word_rows: NDArray[np.int32],
    end_row: int,
) -> Floats:
    """Mean of the vectors of the words and n-grams of `text`, shape (16,)."""
    total, n, i = vectors[end_row].copy(), 1, 0
    word, mask = np.empty(text.size + 2, np.uint8), np.uint64(word_rows.size - 1)
    while i < text.size:
        if _is_space(text[i]):
            i += 1
            continue
        value, size, word[0] = _FNV64, 1, 60  # `<` and `>` are its ends
        while i < text.size and not _is_space(text[i]):
            value = (value ^ np.uint64(text[i])) * _PRIME64
            word[size] = text[i]
            size, i = size + 1, i + 1
        word[size] = 62
        slot = value & mask
        while word_rows[slot] >= 0 and word_hashes[slot] != value:
            slot = (slot + _ONE) & mask
        if word_rows[slot] >= 0:
            _add(total, vectors, word_rows[slot])
            n += 1
        n += _add_ngrams(total, word[: size + 1], vectors, is_kept, rows)
    mean: Floats = total / np.float32(n)
    return mean


@kernel
def _add(total: Floats, vectors: Floats, row: int) -> None:
    for k in range(_DIM):
        total[k] += vectors[row, k]


@kernel
def _add_ngrams(
    total: Floats, word: Bytes, vectors: Floats, is_kept: Bytes, rows: NDArray[np.int32]
) -> int:
    """Add the vectors of the n-grams of `word` to `total`; how many have one."""
    n = 0
    for first in range(word.size):
        if word[first] & 0xC0 == 0x80:
            continue
        value, n_chars, i = _FNV32, 0, first
        while i < word.size and n_chars < _MAX_CHARS:
            value = _hashed(value, word[i])
            i += 1
            while i < word.size and word[i] & 0xC0 == 0x80:
                value = _hashed(value, word[i])
                i += 1
            n_chars += 1
            bucket = np.uint32(value % _BUCKETS)
            if n_chars >= _MIN_CHARS and is_kept[bucket >> 3] >> (bucket & 7) & 1:
                _add(total, vectors, rows[bucket])
                n += 1
    return n


@kernel
def _hashed(value: np.uint32, byte: int) -> np.uint32:
    """FNV-1a with fastText's flaw: bytes from 128 on are negative numbers."""
    signed = np.uint32(byte) if byte < 128 else np.uint32(np.uint32(byte) | _SIGN)
    return np.uint32(np.uint32(value ^ signed) * _PRIME32)


@kernel
def _likeliest(
    mean: Floats, nodes: Floats, left: NDArray[np.int32], right: NDArray[np.int32], k: int
) -> tuple[NDArray[np.int64], Floats]:
    """The best `k` labels and the logarithms of their probabilities, shape (k,) each.

    Down the tree, the likelier child first; what is less likely than the last of `k` found is left.
    """
    n_labels, depth = nodes.shape[0] + 1, 1
    labels, best = np.zeros(k, np.int64), np.full(k, -np.inf, np.float32)
    waiting, logs = np.empty(n_labels + 1, np.int64), np.empty(n_labels + 1, np.float32)
    waiting[0], logs[0] = left.size - 1, 0
    while depth:
        depth -= 1
        node, log = waiting[depth], logs[depth]
        if log < best[k - 1]:
            continue
        if node < n_labels:
            _insert(labels, best, node, log)
            continue
        product = np.float32(0)
        for i in range(_DIM):
            product += mean[i] * nodes[node - n_labels, i]
        to_right = np.float32(1) / (np.float32(1) + np.exp(-product))
        # What fastText adds lest a logarithm be infinite.
        log_left = log + np.log(np.float32(1) - to_right + np.float32(1e-5))
        log_right = log + np.log(to_right + np.float32(1e-5))
        last = depth + np.int64(log_right >= log_left)
        waiting[last], logs[last] = right[node], log_right
        waiting[2 * depth + 1 - last], logs[2 * depth + 1 - last] = left[node], log_left
        depth += 2
    return labels, best


@kernel
def _insert(labels: NDArray[np.int64], best: Floats, label: int, log: np.float32) -> None:
    """Put a label among the best in order, in the place of the last one."""
    place = best.size - 1
    while place > 0 and best[place - 1] < log:
        labels[place], best[place] = labels[place - 1], best[place - 1]
        place -= 1
    labels[place], best[place] = label, log
