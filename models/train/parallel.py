"""Data parallel training: the same model on every rank, each with its part of the batch.

Started by torchrun, each process is a rank; without it there is one. Every rank takes the samples
of the whole step from the same loader and keeps its own, so that what a step learns from does not
depend on the number of ranks; only the order of sums does, and with it rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

_PATIENCE = timedelta(hours=12)
"""For how long ranks wait for the first one, which alone checks the shards and writes."""
_BUCKET_BYTES = 64 * 2**20
"""Gradients summed in one message: larger ones gain nothing, and all at once would double them."""


@dataclass(frozen=True)
class Ranks:
    """This process among those that train together."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes what all have in common: checkpoint, log, messages."""
        return self.rank == 0

    def part(self, samples: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """This rank's samples of a step's, which are its `size`-th part, in order."""
        each = len(samples) // self.size
        return samples[self.rank * each : (self.rank + 1) * each]

    def total(self, value: float) -> float:
        """The sum of every rank's `value`."""
        if self.size == 1:
            return value
        told = torch.tensor([value], dtype=torch.float64, device=_device())
        dist.all_reduce(told)
        return float(told)

    def sum_gradients(self, model: nn.Module) -> None:
        """Replace every gradient by its sum over the ranks; none is missing on one rank alone.

        Those of sharded weights were summed on the way back.
        """
        if self.size == 1:
            return
        gradients = [p.grad for p in model.parameters() if p.grad is not None]
        whole = [gradient for gradient in gradients if not isinstance(gradient, DTensor)]
        for bucket in _buckets(whole):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            dist.all_reduce(flat)
            parts = torch.split(flat, [gradient.numel() for gradient in bucket])
            for gradient, part in zip(bucket, parts, strict=True):
                gradient.copy_(part.view_as(gradient))

    def wait(self) -> None:
        """Until every rank is here."""
        if self.size > 1:
            dist.barrier()


def gathered(tensor: Tensor) -> Tensor:
    """`tensor` with the parts of all ranks, which must all ask; itself where it is whole."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


@contextmanager
def open_ranks(device: str) -> Iterator[Ranks]:
    """The ranks that torchrun has started, joined for as long as this lasts; one without it."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield Ranks()
        return
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device == "cuda" else "gloo", timeout=_PATIENCE)
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def _device() -> str:
    return "cuda" if dist.get_backend() == "nccl" else "cpu"


def _buckets(gradients: list[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """`gradients` in order, so many together as a message holds; at least one."""
    bucket: list[torch.Tensor] = []
    n_bytes = 0
    for gradient in gradients:
        size = gradient.numel() * gradient.element_size()
        if bucket and n_bytes + size > _BUCKET_BYTES:
            yield bucket
            bucket, n_bytes = [], 0
        bucket.append(gradient)
        n_bytes += size
    if bucket:
        yield bucket
