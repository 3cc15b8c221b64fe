"""The folder that a model is trained in: one model at a time, others kept beside it."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from curation.config import RunConfig, TrainConfig, fingerprint
from curation.errors import ConfigError, EnvironmentFault, InputError
from curation.tokens.files import sha256_of
from curation.tokens.manifest import Manifest
from models.train.phases import plan_of, tokens_per_step
from models.train.sources import Source, read_sources

_LOGGER = logging.getLogger(__name__)

IDENTITY = "identity"
"""File that says which settings and shards the model is of."""
TRAINED = "finished"
"""File that says that the training has come to the end."""
CHECKPOINTS = "checkpoint"
"""Folder of the checkpoints, each a folder named by its step."""

MIXTURES = ("mixtral", "qwen3_moe")
"""Architectures of experts, of which a token goes through a few."""
_NOT_DECIDING = {
    "checkpoint_every", "recompute", "compile", "parallel", "sources", "device", "init_from",
    "max_skipped",
}  # fmt: skip
Settings = dict[str, object]
"""Settings of a training run as JSON, with the fingerprint of its tokens by source."""


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


def check_train(conf: RunConfig) -> None:
    """Find what would stop the training before a model is set aside for it, or a stage is run.

    Raises:
        EnvironmentFault: a package is missing, or the GPU that is asked for.
        InputError: `init_from` is no model's folder.
        ConfigError: the ranks cannot share a batch, `init_from` is the folder that is trained in,
            or a phase has no step.
    """
    check_packages()
    train = conf.train
    check_batch(train.batch_size, train.micro_batch_size, int(os.environ.get("WORLD_SIZE", "1")))
    if train.schedule == "continued":
        plan_of(train).switch_step(tokens_per_step(train))
    if train.init_from:
        _check_first_weights(Path(train.init_from).expanduser(), model_folder(conf))
    if train.device == "cuda":
        _check_gpu()


def check_batch(batch_size: int, micro_batch_size: int, n_ranks: int) -> None:
    """Refuse a batch that the ranks cannot share evenly.

    Raises:
        ConfigError: it is not a multiple of ranks times micro-batch.
    """
    if batch_size % (n_ranks * micro_batch_size):
        raise ConfigError(
            f"train.batch_size: {batch_size} is no multiple of {n_ranks} ranks times "
            f"micro_batch_size {micro_batch_size}"
        )


def _check_first_weights(folder: Path, own: Path) -> None:
    if folder.absolute().is_relative_to(own.absolute()):
        raise ConfigError(
            f"train.init_from: {folder} is the model that this run trains, and would be set aside; "
            "name another --out, with train.sources for its shards"
        )
    if not (folder / "config.json").is_file():
        raise InputError(f"train.init_from: {folder} has no config.json; name a model's folder")


def _check_gpu() -> None:
    from torch import cuda

    rank = int(os.environ.get("LOCAL_RANK", "0"))
    if cuda.device_count() <= rank:
        raise EnvironmentFault(
            f"train.device is cuda, but torch sees {cuda.device_count()} GPUs for rank {rank}; "
            "set it to cpu, or start fewer ranks"
        )


def manifest_path(conf: RunConfig) -> Path:
    """The manifest of the run's shards."""
    return Path(conf.out, "tokens", "manifest.json")


def model_folder(conf: RunConfig) -> Path:
    """Where the run's model is trained."""
    return Path(conf.out, "model")


def settings_of(conf: TrainConfig, sources: Mapping[str, Source]) -> Settings:
    """All that decides the weights: settings, and a fingerprint of each source's tokens.

    How often checkpoints are written is no part of it, nor where shards and first weights lie, nor
    what changes results by rounding only; in a mixture, micro-batches change more.
    """
    idle = _NOT_DECIDING | (set() if conf.architecture in MIXTURES else {"micro_batch_size"})
    settings: Settings = conf.model_dump(mode="json", exclude=idle)
    if conf.init_from:
        settings["init_weights"] = fingerprint(_weights(Path(conf.init_from).expanduser()))
    tokens = {name: fingerprint(source.manifest) for name, source in sources.items()}
    return settings | {"tokens": tokens}


def _weights(folder: Path) -> dict[str, str]:
    """Hashes of a model's files by name: which weights training begins with."""
    files = (*folder.glob("*.safetensors"), *folder.glob("*.bin"), folder / "config.json")
    return {file.name: sha256_of(file) for file in sorted(files) if file.is_file()}


def sources_of(conf: RunConfig) -> dict[str, Source]:
    """What the run trains on; the shards of its own, where it names no others, are of its settings.

    Raises:
        InputError: a source is missing, damaged, too small, or not of these settings.
        ConfigError: the phases of the run cannot be.
    """
    sources = read_sources(conf.train, manifest_path(conf))
    if not conf.train.sources:
        for source in sources.values():
            check_shards(conf, source.manifest)
    return sources


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
        ConfigError: the phases of the run cannot be.
    """
    identity = fingerprint(settings_of(conf.train, sources_of(conf)))
    folder = model_folder(conf)
    mark, aside = folder / IDENTITY, folder.with_name(f"model-{identity}")
    if mark.is_file() and mark.read_text() != identity:
        kept = folder.with_name(f"model-{mark.read_text()}")
        _LOGGER.warning("%s: of other settings or other tokens; kept as %s", folder, kept.name)
        folder.rename(kept)
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
