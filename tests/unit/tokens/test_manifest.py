import json
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from curation.errors import InputError
from curation.tokens.manifest import Manifest, ShardEntry, read_manifest, verify, write_manifest
from curation.tokens.shard import write_shard

DOCUMENTS = [np.array([5, 6, 0]), np.array([7, 0])]


def _shard(folder: Path, name: str) -> ShardEntry:
    return write_shard(folder, name, DOCUMENTS, np.uint16, sequence_length=4, packing="concatenate")


def _manifest(*shards: ShardEntry, **changes) -> Manifest:
    values = {
        "tokenizer": "toy",
        "tokenizer_sha256": "0" * 64,
        "vocabulary_size": 10,
        "eod_id": 0,
        "dtype": "uint16",
        "sequence_length": 4,
        "packing": "concatenate",
        "blend_fingerprint": "abc",
        "n_documents": 2 * len(shards),
        "n_tokens": 5 * len(shards),
        "shards": shards,
    }
    return Manifest(**(values | changes))


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Two shards in `tmp_path`, and their manifest."""
    return _manifest(_shard(tmp_path, "shard-00000"), _shard(tmp_path, "shard-00001"))


def test_a_manifest_is_read_back_as_written(tmp_path, manifest):
    write_manifest(manifest, tmp_path / "manifest.json")
    assert read_manifest(tmp_path / "manifest.json") == manifest
    assert json.loads((tmp_path / "manifest.json").read_text())["version"] == 2


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(InputError, match=r"manifest\.json: no manifest here"):
        read_manifest(tmp_path / "manifest.json")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "damaged"),
        ('{"version": 2', "damaged"),
        ("[]", "damaged"),
        ("\udcff", "damaged"),
    ],
)
def test_a_damaged_manifest_is_refused(tmp_path, text, message):
    path = tmp_path / "manifest.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(InputError, match=message):
        read_manifest(path)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("version", 1, "version"),
        ("n_tokens", 11, "n_tokens is 11, its shards have 10"),
        ("n_documents", 3, "n_documents is 3, its shards have 4"),
        ("eod_id", 10, "eod_id 10"),
        ("dtype", "float32", "dtype"),
        ("surprise", 1, "surprise"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(tmp_path, manifest, key, value, message):
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(json.loads(manifest.model_dump_json()) | {key: value}))
    with pytest.raises(InputError, match=message):
        read_manifest(path)


def test_a_shard_name_is_no_path(tmp_path):
    shard = _shard(tmp_path, "a").model_dump()
    with pytest.raises(ValidationError, match="name"):
        ShardEntry(**(shard | {"name": "../a"}))


def test_two_shards_of_one_name_are_refused(tmp_path):
    shard = _shard(tmp_path, "a")
    with pytest.raises(ValidationError, match="same name"):
        _manifest(shard, shard)


def test_untouched_shards_are_verified(tmp_path, manifest):
    verify(manifest, tmp_path)


@pytest.mark.parametrize("suffix", ["bin", "idx", "parquet"])
def test_a_missing_truncated_or_changed_file_is_named(tmp_path, manifest, suffix):
    path = tmp_path / f"shard-00001.{suffix}"
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    with pytest.raises(InputError, match=rf"shard-00001\.{suffix}: .*truncated"):
        verify(manifest, tmp_path)
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match=rf"shard-00001\.{suffix}: changed"):
        verify(manifest, tmp_path)
    path.unlink()
    with pytest.raises(InputError, match=rf"shard-00001\.{suffix}: missing"):
        verify(manifest, tmp_path)


def test_only_the_suffixes_asked_for_are_looked_at(tmp_path, manifest):
    (tmp_path / "shard-00000.parquet").unlink()
    verify(manifest, tmp_path, suffixes=("bin", "idx"))
