"""The state of a run in a folder: every rank writes its part, and all of it counts or nothing.

`OUT/model/checkpoint/STEP` holds the tensors as torch.distributed.checkpoint writes them, from any
number of ranks for any other, and `run.json`: the rest of the state, and what files belong to it.
"""

from __future__ import annotations

import json
import os
import pickle
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.filesystem import FileSystemReader, FileSystemWriter
from torch.distributed.checkpoint.state_dict_loader import load as load_parts
from torch.distributed.checkpoint.state_dict_saver import save as save_parts

from curation.config import fingerprint
from curation.errors import EnvironmentFault, InputError
from curation.tokens.files import replacing, sha256_of
from models.train.blended import LoaderState
from models.train.folder import Settings
from models.train.parallel import Ranks
from models.train.spikes import SpikeState
from models.train.step import ALONE

RUN = "run.json"
_UNFINISHED = ".unfinished"
_METADATA = ".metadata"
"""Where torch.distributed.checkpoint says which tensor lies where."""

Place = Callable[[str, torch.Size, torch.dtype], Tensor]
"""Gives the tensor that one of this name, shape and type is to be read into."""


@dataclass(frozen=True)
class Checkpoint:
    """All but the tensors that the rest of a run depends on. Nothing else is remembered."""

    step: int
    """Steps done."""
    loss: float
    """Loss of the last one."""
    held_out_losses: dict[str, float]
    """Loss on the held-out samples of each source that has any; empty before the last step."""
    held_out_loss: float | None
    """Loss on all of them; null before the last step, or where none are held out."""
    settings: Settings
    """What the run was started with, see `settings_of`."""
    data: LoaderState
    """Position in the samples."""
    spikes: SpikeState
    """What the next steps are judged by."""


def last_checkpoint(folder: Path) -> Path | None:
    """The newest finished checkpoint in `folder`, where there is any."""
    steps = checkpoint_steps(folder)
    return folder / str(max(steps)) if steps else None


def checkpoint_steps(folder: Path) -> list[int]:
    """The steps of the finished checkpoints in `folder`, in no order."""
    return [int(path.name) for path in folder.glob("*") if path.name.isdigit()]


def save_checkpoint(
    checkpoint: Checkpoint, tensors: Mapping[str, Tensor], folder: Path, *, ranks: Ranks = ALONE
) -> Path:
    """Write a new checkpoint into `folder`, where older ones stay; its path.

    All ranks must ask, and see the same `folder`. Of a sharded tensor each writes its part, of a
    whole one a single rank. A process that is killed leaves a folder that no one reads.

    Raises:
        EnvironmentFault: the disk is full, or does not take it for another reason.
    """
    path = folder / str(checkpoint.step)
    unfinished = path.with_name(path.name + _UNFINISHED)
    if ranks.is_first:
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
    ranks.wait()
    try:
        with _quiet():
            writer = FileSystemWriter(unfinished)
            save_parts({**tensors}, storage_writer=writer, no_dist=ranks.size == 1)
    except CheckpointException as error:
        raise EnvironmentFault(f"{unfinished}: not written: {_causes(error)}") from error
    if ranks.is_first:
        _write_run(checkpoint, unfinished)
        unfinished.rename(path)
        _sync_folder(folder)
    return path


def discard_older(folder: Path) -> None:
    """Remove from `folder` all but the newest checkpoint, unfinished ones too."""
    newest = last_checkpoint(folder)
    for path in folder.glob("*"):
        if path != newest and path.name.removesuffix(_UNFINISHED).isdigit():
            shutil.rmtree(path)


def load_checkpoint(path: Path, settings: Settings) -> Checkpoint:
    """The checkpoint at `path` but for its tensors.

    Raises:
        InputError: it is damaged, or of a run with other settings or other tokens.
    """
    run = _read_run(path)
    if run.pop("fingerprint") != fingerprint(settings):
        raise InputError(
            f"{path}: of another run: {_difference(run['settings'], settings)}; train into "
            "another folder, or delete this one"
        )
    _check_files(path, run.pop("files"), run.pop("metadata_sha256"))
    return Checkpoint(**run)


def _whole(name: str, shape: torch.Size, dtype: torch.dtype) -> Tensor:
    return torch.empty(shape, dtype=dtype)


def load_tensors(path: Path, place: Place = _whole) -> dict[str, Tensor]:
    """The tensors of the checkpoint at `path`, each read into what `place` gives.

    A rank reads what its parts need, whatever the others do. By default: whole, on the CPU.

    Raises:
        InputError: a file is damaged.
    """
    reader = FileSystemReader(path)
    try:
        found: Mapping[str, Any] = reader.read_metadata().state_dict_metadata
        tensors = {name: place(name, one.size, one.properties.dtype) for name, one in found.items()}
        with _quiet():
            load_parts(tensors, storage_reader=reader, no_dist=True)
    except CheckpointException as error:
        raise _damaged(path, _causes(error)) from error
    return tensors


def read_state(path: Path) -> Any:
    """What `torch.save` has put into `path`, on the CPU.

    Raises:
        InputError: it is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # What torch raises for a zip cut short, for another pickle, and for an empty file.
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise _damaged(path, str(error)) from error


def _causes(error: CheckpointException) -> str:
    return "; ".join(str(cause) for cause, _ in error.failures.values())


def _damaged(path: Path, why: str) -> InputError:
    return InputError(f"{path}: damaged: {' '.join(why.split())[:200]}; delete it to train anew")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without torch's remark that a process is alone, which here is meant."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="torch.distributed is disabled")
        yield


def _write_run(checkpoint: Checkpoint, folder: Path) -> None:
    files = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    run = asdict(checkpoint) | {
        "fingerprint": fingerprint(checkpoint.settings),
        "files": files,
        "metadata_sha256": sha256_of(folder / _METADATA),
    }
    with replacing(folder / RUN) as temporary:
        temporary.write_text(json.dumps(run, indent=1))


def _sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in `folder`: older checkpoints may go after it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_run(path: Path) -> dict[str, Any]:
    try:
        run = json.loads((path / RUN).read_bytes())
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{path}: not a checkpoint of models.train: no {RUN} in it") from error
    except ValueError as error:  # JSON or UTF-8
        raise _damaged(path, f"{RUN} is no JSON: {error}") from error
    expected = {"fingerprint", "files", "metadata_sha256"}
    expected |= {field.name for field in fields(Checkpoint)}
    if not isinstance(run, dict) or set(run) != expected:
        found = sorted(run) if isinstance(run, dict) else type(run).__name__
        raise InputError(f"{path}: not a checkpoint of models.train: {RUN} holds {found}")
    return run


def _check_files(path: Path, files: Mapping[str, int], metadata_sha256: str) -> None:
    """See that the files are those that were written; a pickle is read only after this."""
    for name, n_bytes in files.items():
        found = (path / name).stat().st_size if (path / name).is_file() else None
        if found != n_bytes:
            there = "is missing" if found is None else f"has {found} bytes, not {n_bytes}"
            raise _damaged(path, f"{name} {there}")
    if sha256_of(path / _METADATA) != metadata_sha256:
        raise _damaged(path, f"{_METADATA} has changed")


def _difference(theirs: Settings, ours: Settings) -> str:
    """Every setting whose value differs, with both values."""
    keys = [key for key in sorted(theirs | ours) if theirs.get(key) != ours.get(key)]
    return ", ".join(f"{key} is {theirs.get(key)} there and {ours.get(key)} here" for key in keys)
