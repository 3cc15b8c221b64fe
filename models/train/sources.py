"""The folders of shards that a run reads, checked before anything is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from curation.config import TrainConfig
from curation.errors import InputError
from curation.tokens.manifest import Manifest, read_manifest
from models.train.data import split_samples
from models.train.phases import phases_of

OWN = "tokens"
"""Name of the run's own shards, where `train.sources` names none."""


@dataclass(frozen=True)
class Source:
    """A folder of shards."""

    manifest: Manifest
    folder: Path


def read_sources(conf: TrainConfig, own: Path) -> dict[str, Source]:
    """What `conf` trains on, by name: its sources, or else the shards of the manifest `own`.

    Raises:
        InputError: a manifest is missing or damaged, a source is too small for one sample, or two
            are not of the same tokens.
        ConfigError: a phase has no step, or the learning rate never falls to that of the switch.
    """
    named = {name: Path(path).expanduser() for name, path in sorted(conf.sources.items())}
    paths = {name: folder / "manifest.json" for name, folder in named.items()} or {OWN: own}
    sources = {name: Source(read_manifest(path), path.parent) for name, path in paths.items()}
    _check_alike(sources)
    phases_of(conf, {name: _n_samples(name, source, conf) for name, source in sources.items()})
    return sources


def _n_samples(name: str, source: Source, conf: TrainConfig) -> int:
    n_tokens, where = source.manifest.n_tokens, name if conf.sources else ""
    return split_samples(n_tokens, conf.sequence_length, where)[0]


def _check_alike(sources: Mapping[str, Source]) -> None:
    """Refuse sources whose tokens mean different things.

    Raises:
        InputError: tokenizer, vocabulary, end-of-document token or type differ.
    """
    (first, reference), *others = ((name, source.manifest) for name, source in sources.items())
    for name, manifest in others:
        for trait in ("tokenizer_sha256", "vocabulary_size", "eod_id", "dtype"):
            ours, theirs = getattr(reference, trait), getattr(manifest, trait)
            if ours != theirs:
                raise InputError(
                    f"train.sources: {trait} of {first} ({reference.tokenizer}) is {ours}, of "
                    f"{name} ({manifest.tokenizer}) {theirs}; run s09 with one tokenizer for both"
                )
