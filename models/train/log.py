"""`log.jsonl`: one line a step."""

from __future__ import annotations

import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TextIO

from curation.errors import InputError
from curation.tokens.files import replacing


@dataclass(frozen=True)
class StepRecord:
    """One step as it stands in the log."""

    step: int
    """Number of the step, from 1."""
    loss: float
    """Loss before the update, in nats a token."""
    learning_rate: float
    """Learning rate of the update."""
    grad_norm: float
    """Norm of the gradient before clipping."""
    tokens: int
    """Tokens seen since the first step, this one included."""
    tokens_per_s: float
    """Tokens of this step by the seconds it took, over all ranks; not reproducible."""
    epochs: dict[str, float]
    """Passes over each source so far."""
    skipped: bool
    """Whether there was no update, for a spike or a gradient that is not finite."""
    mfu: float | None = None
    """Share of the devices' peak in half precision that the step used; not reproducible. Null where
    the peak is not known."""
    aux_loss: float | None = None
    """Load-balancing loss times its coefficient; null for a dense model."""


def append_record(log: TextIO, record: StepRecord) -> None:
    """Write `record` as a line that other processes see at once; null is what is not finite."""
    line = {
        key: None if isinstance(value, float) and not math.isfinite(value) else value
        for key, value in asdict(record).items()
    }
    log.write(json.dumps(line) + "\n")
    log.flush()


def sync_log(log: TextIO) -> None:
    """Wait until the disk has the lines, so that no checkpoint is newer than its log."""
    os.fsync(log.fileno())


def cut_log(path: Path, n_steps: int) -> None:
    """Keep the first `n_steps` lines: those that the checkpoint of that step has behind it.

    Raises:
        InputError: the log has fewer.
    """
    text = path.read_bytes() if path.is_file() else b""
    # A line cut short by a kill has no newline, and lies behind the checkpoint.
    lines = [line for line in text.splitlines(keepends=True) if line.endswith(b"\n")]
    if len(lines) < n_steps:
        raise InputError(
            f"{path}: has {len(lines)} lines, the checkpoint beside it is of step {n_steps}; "
            "restore the log, or delete the folder to train anew"
        )
    with replacing(path) as temporary:
        temporary.write_bytes(b"".join(lines[:n_steps]))
