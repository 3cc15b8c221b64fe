"""Samples of tokens from the shards of one source, in an order that depends on a seed only.

The shards are one stream, end-of-document tokens included. Sample i is the sequence_length + 1
tokens from i * sequence_length on, so that every token but the first is a target once an epoch;
the tail that fills no sample is never seen. The last hundredth of the samples is held out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from curation.errors import InputError
from curation.tokens.dtypes import TokenArray
from curation.tokens.manifest import Manifest, ShardEntry
from curation.tokens.megatron import read_indexed

HELD_OUT_FRAC = 0.01
"""Share of the samples that training never sees."""


@dataclass(frozen=True, eq=False)
class TokenStream:
    """The tokens of all shards, one after the other, memory-mapped."""

    shards: tuple[TokenArray, ...]
    starts: npt.NDArray[np.int64]
    """Position of each shard's first token, and the length of the stream at the end."""

    @property
    def n_tokens(self) -> int:
        """Length of the stream."""
        return int(self.starts[-1])

    def read(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Tokens `start` to `stop`, across shards where need be."""
        assert 0 <= start <= stop <= self.n_tokens, (start, stop, self.n_tokens)
        parts: list[TokenArray] = []
        shard = int(np.searchsorted(self.starts, start, side="right")) - 1
        while start < stop:
            offset = start - int(self.starts[shard])
            parts.append(self.shards[shard][offset : offset + stop - start])
            start += len(parts[-1])
            shard += 1
        return np.concatenate([np.empty(0, np.int64), *parts])


class SampleLoader:
    """Samples without end: every epoch takes each training sample once, in an order of its own.

    Where it stands is `n_taken` alone, the samples taken since the first epoch began: after `seek`
    it goes on with the very next one, nothing repeated and nothing skipped.

    Raises:
        InputError: the stream holds not even one sample.
    """

    def __init__(
        self, stream: TokenStream, *, sequence_length: int, seed: int, name: str = ""
    ) -> None:
        self._stream = stream
        self._sequence_length = sequence_length
        self._seed, self._name = seed, name
        self.n_samples, self.n_held_out = split_samples(stream.n_tokens, sequence_length, name)
        self.n_taken = 0
        self._epoch = -1
        self._order = np.empty(0, np.int64)

    @property
    def epochs(self) -> float:
        """Samples taken by samples there are."""
        return self.n_taken / self.n_samples

    def take(self, n: int) -> npt.NDArray[np.int64]:
        """The next `n` samples; int64, shape (n, sequence_length + 1)."""
        return self.read([self.next_index() for _ in range(n)])

    def next_index(self) -> int:
        """Index of the next sample, which counts as taken."""
        epoch, position = divmod(self.n_taken, self.n_samples)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, self._order_of(epoch)
        self.n_taken += 1
        return int(self._order[position])

    def read(self, indices: Iterable[int]) -> npt.NDArray[np.int64]:
        """The samples of `indices`, none of which counts as taken; shape as of `take`."""
        length = self._sequence_length
        rows = [self._stream.read(i * length, (i + 1) * length + 1) for i in indices]
        return np.array(rows, np.int64).reshape(len(rows), length + 1)

    def seek(self, n_taken: int) -> None:
        """Go on as if `n_taken` samples had been taken."""
        assert n_taken >= 0, n_taken
        self.n_taken = n_taken

    def held_out(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Held-out samples `start` to `stop`, fewer at the end; shape as of `take`.

        The stream is in the blend's global order, so these are a random slice of the documents.
        Where the blend repeats a document, a copy may be among the training samples.
        """
        return self.read(range(self.n_samples + start, self.n_samples + min(stop, self.n_held_out)))

    def _order_of(self, epoch: int) -> npt.NDArray[np.int64]:
        return sample_order(self.n_samples, seed=self._seed, epoch=epoch, name=self._name)


def open_stream(manifest: Manifest, folder: Path) -> TokenStream:
    """The shards of `manifest` that lie in `folder`; sizes are checked, contents are not.

    Raises:
        InputError: a shard is missing, truncated, or is not the one that the manifest lists.
    """
    return join([_open_shard(entry, folder, manifest.dtype) for entry in manifest.shards])


def join(shards: Iterable[TokenArray]) -> TokenStream:
    """`shards` as one stream."""
    held = tuple(shards)
    return TokenStream(held, np.cumsum([0, *map(len, held)], dtype=np.int64))


def split_samples(n_tokens: int, sequence_length: int, name: str = "") -> tuple[int, int]:
    """How many samples the `n_tokens` of source `name` hold: for training, and held out.

    Raises:
        InputError: not even one.
    """
    n_samples = (n_tokens - 1) // sequence_length
    where = f"train.sources.{name}: " if name else ""
    if n_samples < 1:
        raise InputError(
            f"{where}the shards hold {n_tokens} tokens, one sample needs {sequence_length + 1}: "
            "lower train.sequence_length or feed more text"
        )
    n_held_out = int(n_samples * HELD_OUT_FRAC)
    return n_samples - n_held_out, n_held_out


def sample_order(n_samples: int, *, seed: int, epoch: int, name: str = "") -> npt.NDArray[np.int64]:
    """Indices 0 to `n_samples` in the order of one epoch of source `name`.

    They are sorted by a hash of seed, epoch, name and index. By name too, or else a text and what
    was made of it, lying at one place of two sources, would be read at the same time.

    The hash maps distinct indices to distinct values, so there are no ties. Cost: 24 bytes and
    one sort step a sample, once an epoch.
    """
    key_text = f"{seed}:{epoch}:{name}" if name else f"{seed}:{epoch}"
    digest = hashlib.blake2b(key_text.encode(), digest_size=8).digest()
    key = np.frombuffer(digest, "<u8")
    return np.argsort(_mix(np.arange(n_samples, dtype=np.uint64) + key)).astype(np.int64)


def _mix(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """A bijection of 64-bit integers that scatters neighbours.

    Source: Steele, Lea, Flood 2014, "Fast splittable pseudorandom number generators", SplitMix64.
    """
    mixed = values * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))


def _open_shard(entry: ShardEntry, folder: Path, dtype: str) -> TokenArray:
    tokens = read_indexed(folder / entry.name).tokens
    found, expected = (tokens.dtype.name, len(tokens)), (dtype, entry.n_tokens)
    if found != expected:
        raise InputError(
            f"{folder / entry.name}.bin: holds {found[1]} tokens of {found[0]}, the manifest says "
            f"{expected[1]} of {expected[0]}; run s09_tokenize again"
        )
    return tokens
