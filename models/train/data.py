"""Samples of tokens from the shards of a manifest, in an order that depends on a seed only.

The shards are one stream, end-of-document tokens included. Sample i is the sequence_length + 1
tokens from i * sequence_length on, so that every token but the first is a target once an epoch;
the tail that fills no sample is never seen. The last hundredth of the samples is held out.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

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


class LoaderState(TypedDict):
    """Where a loader stands: `position` samples of epoch `epoch` were taken."""

    epoch: int
    position: int


class SampleLoader:
    """Samples without end: every epoch takes each training sample once, in an order of its own.

    A resumed loader goes on with the very next sample: nothing is repeated, nothing skipped.
    """

    def __init__(self, stream: TokenStream, *, sequence_length: int, seed: int) -> None:
        self._stream = stream
        self._sequence_length = sequence_length
        self._seed = seed
        self.n_samples, self.n_held_out = split_samples(stream.n_tokens, sequence_length)
        self._epoch = self._position = 0
        self._order = sample_order(self.n_samples, seed=seed, epoch=0)

    def take(self, n: int) -> npt.NDArray[np.int64]:
        """The next `n` samples; int64, shape (n, sequence_length + 1)."""
        return self._read([self._next_index() for _ in range(n)])

    def held_out(self, start: int, stop: int) -> npt.NDArray[np.int64]:
        """Held-out samples `start` to `stop`, fewer at the end; shape as of `take`.

        The stream is in the blend's global order, so these are a random slice of the documents.
        Where the blend repeats a document, a copy may be among the training samples.
        """
        stop = min(stop, self.n_held_out)
        return self._read([self.n_samples + index for index in range(start, stop)])

    def state_dict(self) -> LoaderState:
        return {"epoch": self._epoch, "position": self._position}

    def load_state_dict(self, state: LoaderState) -> None:
        """Go on where `state` was taken.

        Raises:
            InputError: the state is of a stream with more samples.
        """
        if not 0 <= state["position"] <= self.n_samples:
            raise InputError(
                f"data position {state['position']} lies outside the {self.n_samples} samples of "
                "an epoch; the checkpoint is of other shards"
            )
        self._epoch, self._position = state["epoch"], state["position"]
        self._order = sample_order(self.n_samples, seed=self._seed, epoch=self._epoch)

    def _next_index(self) -> int:
        if self._position == self.n_samples:
            self._epoch, self._position = self._epoch + 1, 0
            self._order = sample_order(self.n_samples, seed=self._seed, epoch=self._epoch)
        self._position += 1
        return int(self._order[self._position - 1])

    def _read(self, indices: list[int]) -> npt.NDArray[np.int64]:
        length = self._sequence_length
        rows = [self._stream.read(i * length, (i + 1) * length + 1) for i in indices]
        return np.array(rows, np.int64).reshape(len(rows), length + 1)


def open_stream(manifest: Manifest, folder: Path) -> TokenStream:
    """The shards of `manifest` that lie in `folder`; sizes are checked, contents are not.

    Raises:
        InputError: a shard is missing, truncated, or is not the one that the manifest lists.
    """
    shards = tuple(_open_shard(entry, folder, manifest.dtype) for entry in manifest.shards)
    starts = np.cumsum([0, *(len(tokens) for tokens in shards)], dtype=np.int64)
    return TokenStream(shards, starts)


def split_samples(n_tokens: int, sequence_length: int) -> tuple[int, int]:
    """How many samples `n_tokens` hold: for training, and held out.

    Raises:
        InputError: not even one.
    """
    n_samples = (n_tokens - 1) // sequence_length
    if n_samples < 1:
        raise InputError(
            f"the shards hold {n_tokens} tokens, one sample needs {sequence_length + 1}: lower "
            "train.sequence_length or feed more text"
        )
    n_held_out = int(n_samples * HELD_OUT_FRAC)
    return n_samples - n_held_out, n_held_out


def sample_order(n_samples: int, *, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """Indices 0 to `n_samples` in the order of one epoch: sorted by a hash of (seed, epoch, index).

    The hash maps distinct indices to distinct values, so there are no ties. Cost: 24 bytes and
    one sort step a sample, once an epoch.
    """
    digest = hashlib.blake2b(f"{seed}:{epoch}".encode(), digest_size=8).digest()
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
