"""The folder that a model is trained in: one model at a time, others kept beside it."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from curation.config import RunConfig, TrainConfig, fingerprint
from curation.errors import EnvironmentFault, InputError
from curation.tokens.files import sha256_of
from curation.tokens.manifest import Manifest, read_manifest

IDENTITY = "identity"
"""File that says which settings and shards the model is of."""
TRAINED = "finished"
"""File that says that the training has come to the end."""
CHECKPOINT = "checkpoint.pt"

_NOT_DECIDING = {"checkpoint_every", "recompute", "compile", "parallel"}
Settings = dict[str, str | int | float]
"""Settings of a training run as JSON, with the fingerprint of its tokens."""


def check_packages() -> None:
    """Find torch and transformers.

    Raises:
        EnvironmentFault: one is not installed.
    """
    missing = [name for name in ("torch", "transformers") if find_spec(name) is None]
    if missing:
        raise EnvironmentFault(
            f"training needs {' and '.join(missing)}: pip install 'curation[score]'"
        )


def manifest_path(conf: RunConfig) -> Path:
    """The manifest of the run's shards."""
    return Path(conf.out, "tokens", "manifest.json")


def model_folder(conf: RunConfig) -> Path:
    """Where the run's model is trained."""
    return Path(conf.out, "model")


def settings_of(conf: TrainConfig, manifest: Manifest) -> Settings:
    """All that decides the weights: settings, and a fingerprint of the tokens.

    How often checkpoints are written is no part of it, nor what changes results by rounding only.
    """
    settings: Settings = conf.model_dump(mode="json", exclude=_NOT_DECIDING)
    if conf.init_from:
        settings["init_weights"] = fingerprint(_weights(Path(conf.init_from).expanduser()))
    return settings | {"tokens": fingerprint(manifest)}


def _weights(folder: Path) -> dict[str, str]:
    """Hashes of a model's files by name: which weights training begins with."""
    files = (*folder.glob("*.safetensors"), *folder.glob("*.bin"), folder / "config.json")
    return {file.name: sha256_of(file) for file in sorted(files) if file.is_file()}


def check_shards(conf: RunConfig, manifest: Manifest) -> None:
    """See that the shards were made under the settings of this run.

    Raises:
        InputError: tokenizer, sequence length or blend differ.
    """
    asked = (conf.tokens.tokenizer, conf.tokens.sequence_length, fingerprint(conf.blend))
    made = (manifest.tokenizer, manifest.sequence_length, manifest.blend_fingerprint)
    if asked != made:
        raise InputError(
            f"{manifest_path(conf)}: made with tokenizer, sequence length and blend {made}, the "
            f"settings say {asked}; run s08 and s09 too, or give the settings that they had"
        )


def open_folder(conf: RunConfig) -> Path:
    """OUT/model, for a model of these settings and shards.

    A model of others that lies there is set aside as OUT/model-ID; one of these that was set aside
    earlier is taken back, with its checkpoint.

    Raises:
        InputError: there is no manifest, it is damaged, or of other settings.
    """
    manifest = read_manifest(manifest_path(conf))
    check_shards(conf, manifest)
    identity = fingerprint(settings_of(conf.train, manifest))
    folder = model_folder(conf)
    mark, aside = folder / IDENTITY, folder.with_name(f"model-{identity}")
    if mark.is_file() and mark.read_text() != identity:
        folder.rename(folder.with_name(f"model-{mark.read_text()}"))
    if not folder.exists() and aside.is_dir():
        aside.rename(folder)
    folder.mkdir(parents=True, exist_ok=True)
    mark.write_text(identity)
    return folder


def is_trained(folder: Path) -> bool:
    """Whether the model in `folder` needs no more steps. Torch is not imported for it."""
    return (folder / TRAINED).is_file()


def mark_trained(folder: Path) -> None:
    """Note that the model in `folder` is trained to the end."""
    (folder / TRAINED).touch()
