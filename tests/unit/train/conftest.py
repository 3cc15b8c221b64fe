from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from curation.config import BlendConfig, TrainConfig, fingerprint
from curation.tokens.manifest import Manifest, ShardEntry, write_manifest
from curation.tokens.pack import append_eod
from curation.tokens.shard import write_shard

VOCABULARY_SIZE = 32
EOD = 0

Documents = list[list[int]]


@pytest.fixture
def write_shards(tmp_path: Path) -> Callable[..., Path]:
    """Writes lists of documents as shards into a folder of `tmp_path`; their manifest's path."""

    def write(
        *shards: Documents, vocabulary_size: int = VOCABULARY_SIZE, name: str = "tokens"
    ) -> Path:
        folder = tmp_path / name
        entries = tuple(
            _write_shard(folder, f"shard-{i:05d}", documents) for i, documents in enumerate(shards)
        )
        manifest = Manifest(
            tokenizer="toy",
            tokenizer_sha256="0" * 64,
            vocabulary_size=vocabulary_size,
            eod_id=EOD,
            dtype="uint16",
            sequence_length=16,
            packing="concatenate",
            blend_fingerprint=fingerprint(BlendConfig()),
            n_documents=sum(entry.n_documents for entry in entries),
            n_tokens=sum(entry.n_tokens for entry in entries),
            shards=entries,
        )
        write_manifest(manifest, folder / "manifest.json")
        return folder / "manifest.json"

    return write


@pytest.fixture
def toy_corpus() -> Documents:
    """Two hundred documents that count upwards, each from another start: easy to learn."""
    return [[1 + (7 * i + k) % 31 for k in range(10 + i % 9)] for i in range(200)]


@pytest.fixture
def toy_conf() -> TrainConfig:
    """Nine steps of a model with three thousand weights, a checkpoint every fourth."""
    return TrainConfig(
        hidden_size=16,
        n_layers=1,
        n_heads=2,
        sequence_length=16,
        batch_size=4,
        micro_batch_size=2,
        n_steps=9,
        warmup_steps=2,
        learning_rate=1e-2,
        checkpoint_every=4,
    )


@pytest.fixture
def single_thread():
    """Torch on one thread: quicker for tiny models, and kinder to whoever runs beside."""
    torch = pytest.importorskip("torch", reason="no torch")
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def _write_shard(folder: Path, name: str, documents: Documents) -> ShardEntry:
    arrays = append_eod([np.array(document, np.uint16) for document in documents], EOD)
    return write_shard(folder, name, arrays, np.uint16, sequence_length=16, packing="concatenate")
