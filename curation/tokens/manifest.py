"""The manifest: what lies in a folder of token shards, for Megatron and torch alike."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from curation.errors import InputError
from curation.tokens.files import replacing, sha256_of

VERSION: Final = 2
"""Version of the manifest's own format."""

Count = Annotated[int, Field(ge=0)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Suffix = Literal["bin", "idx", "parquet"]
Packing = Literal["concatenate", "best_fit"]

SUFFIXES: tuple[Suffix, ...] = ("bin", "idx", "parquet")
"""Files of a shard, by suffix: the same tokens twice, for Megatron and as packed rows."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class ShardEntry(_Frozen):
    """One shard: `NAME.bin` and `NAME.idx`, and the same tokens packed as `NAME.parquet`."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """File name without suffix; no folder."""
    n_documents: Count
    """Documents."""
    n_tokens: Count
    """Tokens, end-of-document tokens included."""
    n_sequences: Count
    """Packed rows."""
    n_cuts: Count
    """Places where a document is cut between two packed rows."""
    sha256_bin: Sha256
    """Hash of NAME.bin."""
    sha256_idx: Sha256
    """Hash of NAME.idx."""
    sha256_parquet: Sha256
    """Hash of NAME.parquet."""

    def sha256(self, suffix: Suffix) -> str:
        """Hash of NAME.`suffix`."""
        return {
            "bin": self.sha256_bin,
            "idx": self.sha256_idx,
            "parquet": self.sha256_parquet,
        }[suffix]


class Manifest(_Frozen):
    """A folder of shards, the tokenizer they were made with, and the blend they were made of."""

    version: Literal[2] = VERSION
    """Version of this format."""
    tokenizer: str
    """Name of the tokenizer."""
    tokenizer_sha256: Sha256
    """Hash of its `tokenizer.json`."""
    vocabulary_size: Annotated[int, Field(ge=1)]
    """Token ids lie below this."""
    eod_id: Count
    """Token at the end of every document."""
    dtype: Literal["uint16", "int32"]
    """Type of a token in the shards."""
    sequence_length: Annotated[int, Field(ge=1)]
    """Tokens of a packed row, at most."""
    packing: Packing
    """How documents are put into packed rows."""
    fim_rate: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    """Share of the documents that are in the order of fill in the middle."""
    fim_tokens: tuple[str, ...] = ()
    """Marks before prefix, middle and suffix; none where no document is in that order."""
    fim_seed: int = 0
    """Seed of what was cut, and where."""
    blend_fingerprint: str
    """Fingerprint of the blend."""
    n_documents: Count
    """Documents of all shards."""
    n_tokens: Count
    """Tokens of all shards, end-of-document tokens included."""
    shards: tuple[ShardEntry, ...]
    """The shards, in the blend's order."""

    @model_validator(mode="after")
    def _adds_up(self) -> Manifest:
        for name in ("n_documents", "n_tokens"):
            total = sum(getattr(shard, name) for shard in self.shards)
            if getattr(self, name) != total:
                raise ValueError(f"{name} is {getattr(self, name)}, its shards have {total}")
        if self.eod_id >= self.vocabulary_size:
            raise ValueError(f"eod_id {self.eod_id} lies outside the vocabulary")
        if len({shard.name for shard in self.shards}) != len(self.shards):
            raise ValueError("two shards have the same name")
        return self


def write_manifest(manifest: Manifest, path: Path) -> None:
    """Write `manifest` as JSON; `path` is replaced at once or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")


def read_manifest(path: Path) -> Manifest:
    """The manifest at `path`.

    Raises:
        InputError: the file is missing, is not a manifest of this version, or contradicts itself.
    """
    try:
        text = path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError) as error:
        raise InputError(f"{path}: no manifest here; run s09_tokenize first") from error
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        faults = "; ".join(_explain(fault) for fault in error.errors())
        raise InputError(f"{path}: damaged manifest: {faults}; run s09_tokenize again") from error


def verify(manifest: Manifest, folder: Path, *, suffixes: Iterable[Suffix] = SUFFIXES) -> None:
    """Check that the shards in `folder` are the ones `manifest` describes; reads every byte.

    Args:
        manifest: What should be there.
        folder: Where the shards lie.
        suffixes: Which files of a shard are looked at.

    Raises:
        InputError: a file is missing, truncated or changed; the message names the first.
    """
    wanted = tuple(suffixes)
    itemsize = {"uint16": 2, "int32": 4}[manifest.dtype]
    for shard in manifest.shards:
        for suffix in wanted:
            path = folder / f"{shard.name}.{suffix}"
            if not path.is_file():
                raise InputError(f"{path}: missing, though the manifest lists it{_REMEDY}")
            if suffix == "bin":
                _check_size(path, shard.n_tokens * itemsize)
            _check_hash(path, shard.sha256(suffix))


_REMEDY = "; restore it or run s09_tokenize again"


def _check_size(path: Path, expected_bytes: int) -> None:
    found_bytes = path.stat().st_size
    if found_bytes < expected_bytes:
        sizes = f"{found_bytes} of {expected_bytes} bytes"
        raise InputError(f"{path}: truncated: {sizes}{_REMEDY}")


def _check_hash(path: Path, expected: str) -> None:
    found = sha256_of(path)
    if found != expected:
        hashes = f"SHA-256 {found[:12]}, the manifest says {expected[:12]}"
        raise InputError(f"{path}: changed or truncated: {hashes}{_REMEDY}")


def _explain(fault: Any) -> str:
    where = ".".join(str(part) for part in fault["loc"]) or "manifest"
    return f"`{where}`: {fault['msg']}"
