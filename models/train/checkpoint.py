"""The state of a run in one file, written at once or not at all."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch

from curation.config import fingerprint
from curation.errors import InputError
from curation.tokens.files import replacing
from models.train.blended import LoaderState
from models.train.folder import Settings
from models.train.spikes import SpikeState


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Everything that the rest of a run depends on. Nothing else is random or remembered."""

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
    model: dict[str, Any]
    """The model's state_dict."""
    optimizer: dict[str, Any]
    """The optimizer's state_dict."""


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Replace the checkpoint at `path`."""
    state = {field.name: getattr(checkpoint, field.name) for field in fields(checkpoint)}
    with replacing(path) as temporary:
        torch.save(state | {"fingerprint": fingerprint(checkpoint.settings)}, temporary)


def load_checkpoint(path: Path, settings: Settings) -> Checkpoint:
    """The checkpoint at `path`, its tensors on the CPU.

    Raises:
        InputError: it is damaged, or of a run with other settings or other tokens.
    """
    state = _read(path)
    if state.pop("fingerprint") != fingerprint(settings):
        raise InputError(
            f"{path}: of another run: {_difference(state['settings'], settings)}; train into "
            "another folder, or delete this one"
        )
    return Checkpoint(**state)


def read_state(path: Path) -> Any:
    """What `torch.save` has put into `path`, on the CPU.

    Raises:
        InputError: it is damaged.
    """
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    # What torch raises for a zip cut short, for another pickle, and for an empty file.
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        summary = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: damaged: {summary}; delete it to train anew") from error


def _read(path: Path) -> dict[str, Any]:
    state = read_state(path)
    expected = {"fingerprint", *(field.name for field in fields(Checkpoint))}
    if not isinstance(state, dict) or set(state) != expected:
        found = sorted(map(str, state)) if isinstance(state, dict) else type(state).__name__
        raise InputError(f"{path}: not a checkpoint of models.train: it holds {found}")
    return state


def _difference(theirs: Settings, ours: Settings) -> str:
    """Every setting whose value differs, with both values."""
    keys = [key for key in sorted(theirs | ours) if theirs.get(key) != ours.get(key)]
    return ", ".join(f"{key} is {theirs.get(key)} there and {ours.get(key)} here" for key in keys)
