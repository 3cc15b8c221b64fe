"""Ways to find near duplicates, each run on the same documents: ours, datatrove's, exact.

A method says which pairs are *candidates*, that is, share a band. Its own similarity is that over
its own shingles: datatrove takes words after it has removed punctuation and diacritics and made
numbers 0. datatrove runs as its users run it, all four stages over files; its candidates are read
from the signatures that its first stage wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xxhash
from datatrove.data import Document  # type: ignore[import-untyped]
from datatrove.pipeline.dedup.minhash import (  # type: ignore[import-untyped]
    MinhashConfig,
    MinhashDedupBuckets,
    MinhashDedupCluster,
    MinhashDedupFilter,
    MinhashDedupSignature,
)
from datatrove.utils.logging import logger  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bench.duplicates import char_shingles, word_shingles
from curation.measure.compiled import kernel
from curation.measure.hashing import mix64, random_bits
from curation.measure.minhash import Hashes, MinHasher

SEED = 42
VERIFIED = 0.8
"""Exact similarity that verification asks for."""

Matrix = NDArray[np.float32]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Run:
    """What a method says of n documents with one seed of its hashes."""

    signatures: Hashes
    """Shape (n, n_bands * n_rows)."""
    candidates: Bools
    """Whether a pair shares a band, shape (n, n), no document with itself."""


@dataclass(frozen=True)
class Method:
    """A method, and what it says of n documents with several seeds."""

    name: str
    shingles: list[Hashes]
    """Distinct hashes of each document, sorted."""
    exact: Matrix
    """Jaccard similarity of all pairs over these shingles, shape (n, n)."""
    runs: list[Run]
    n_bands: int
    n_rows: int
    survivors: Ints | None = None
    """Survivor of each document by the method's own clusters, where it makes any; of run 0."""

    def theory(self, similarity: Floats) -> Floats:
        """Probability that a pair of such `similarity` shares a band."""
        return 1 - (1 - similarity**self.n_rows) ** self.n_bands


def exact_similarities(shingles: Sequence[Hashes]) -> Matrix:
    """Jaccard similarity of all pairs by an inverted index, shape (n, n); the diagonal is 0.

    Cost: sum of squares of the documents of each shingle, and about 30 bytes a pair.
    """
    sizes = np.array([one.size for one in shingles], np.int64)
    owners = np.repeat(np.arange(len(shingles)), sizes)
    hashes = np.concatenate([*shingles])
    order = np.argsort(hashes, kind="stable")
    starts = np.unique(hashes[order], return_index=True)[1]
    shared = _count_shared(owners[order], np.append(starts, hashes.size), len(shingles))
    distinct = (sizes[:, None] + sizes[None, :] - shared).astype(np.float32)
    similarities: Matrix = shared.astype(np.float32) / np.maximum(distinct, np.float32(1))
    return similarities


@kernel
def _count_shared(owners: Ints, starts: Ints, n: int) -> NDArray[np.int32]:
    """Shingles that two documents share, from the owners of each shingle, which lie together."""
    shared = np.zeros((n, n), np.int32)
    for group in range(starts.size - 1):
        for i in range(starts[group], starts[group + 1]):
            for j in range(starts[group], i):
                shared[owners[i], owners[j]] += 1
                shared[owners[j], owners[i]] += 1
    return shared


def sharing(bands: Ints) -> Bools:
    """Which documents have a band in common, of hashes of shape (n, n_bands)."""
    shared = np.zeros((len(bands), len(bands)), np.bool_)
    for band in bands.T:
        shared |= band[:, None] == band[None, :]
    np.fill_diagonal(shared, False)
    return shared


def ours(texts: Sequence[str], n_runs: int) -> list[Method]:
    """Our two settings: NeMo Curator's shingles and bands, and FineWeb's."""
    chars = [MinHasher(24, 20, 13, SEED + i) for i in range(n_runs)]
    words = [MinHasher(24, 14, 8, SEED + i, ngram_words=5) for i in range(n_runs)]
    return [
        _ours("ours, 24 chars, 20 x 13", texts, chars, [char_shingles(text) for text in texts]),
        _ours("ours, 5 words, 14 x 8", texts, words, [word_shingles(text) for text in texts]),
    ]


def _ours(
    name: str, texts: Sequence[str], hashers: Sequence[MinHasher], shingles: list[Hashes]
) -> Method:
    runs = [
        Run(
            np.stack([hasher.signature(text) for text in texts]),
            sharing(np.stack([hasher.bands(text) for text in texts])),
        )
        for hasher in hashers
    ]
    n_bands, n_rows = hashers[0].n_bands, hashers[0].rows_per_band
    return Method(name, shingles, exact_similarities(shingles), runs, n_bands, n_rows)


def datatrove(texts: Sequence[str], n_runs: int, folder: Path) -> Method:
    """Datatrove's MinHash with its defaults, all stages for its own seed, files in `folder`."""
    logger.disable("datatrove")
    first = MinhashConfig()
    steps = [_signing(folder, MinhashConfig(seed=first.seed + i)) for i in range(n_runs)]
    raw = [steps[0].get_shingles(text) for text in texts]
    shingles = [np.unique(one) for one in raw]
    # Its tokenizer takes 10 ms a text: once is enough.
    steps[0].get_shingles = dict(zip(texts, raw, strict=True)).__getitem__
    return Method(
        "datatrove, 5 words, 14 x 8", shingles, exact_similarities(shingles),
        [_datatrove_run([step.get_signature(one) for one in raw]) for step in steps],
        first.num_buckets, first.hashes_per_bucket,
        survivors=_four_stages(texts, steps[0], folder),
    )  # fmt: skip


def _signing(folder: Path, conf: MinhashConfig) -> MinhashDedupSignature:
    step = MinhashDedupSignature(str(folder / "signatures"), config=conf)
    # datatrove 0.10 hands text to a function that takes bytes alone since xxhash 4.
    step._hash_func = lambda shingle: xxhash.xxh64_intdigest(shingle.encode())
    return step


def _datatrove_run(signatures: list[list[list[int]]]) -> Run:
    rows = np.array(signatures, np.uint64)
    bands = [np.unique(rows[:, i], axis=0, return_inverse=True)[1] for i in range(rows.shape[1])]
    return Run(rows.reshape(len(rows), -1), sharing(np.stack(bands, axis=1)))


def _four_stages(texts: Sequence[str], signing: MinhashDedupSignature, folder: Path) -> Ints:
    """Survivor of each document: what its filter keeps of the clusters that it finds."""
    pages = [Document(text=text, id=str(i)) for i, text in enumerate(texts)]
    signed, paired, found = (str(folder / name) for name in ("signatures", "pairs", "found"))
    conf = signing.config
    signing.run(iter(pages))
    for bucket in range(conf.num_buckets):
        MinhashDedupBuckets(signed, paired, config=conf).run(None, bucket, conf.num_buckets)
    MinhashDedupCluster(paired, found, config=conf, save_cluster_id=True).run(None)
    kept = MinhashDedupFilter(found, load_cluster_ids=True).run(iter(pages))
    return _datatrove_survivors([page.metadata for page in pages], {int(page.id) for page in kept})


def _datatrove_survivors(found: Sequence[Mapping[str, Any]], kept: set[int]) -> Ints:
    """Survivor of each document: the kept one of its cluster."""
    clusters = [one["minhash_cluster_id"] for one in found]
    kept_of = {clusters[i]: i for i in kept if clusters[i] != -1}
    return np.array([kept_of.get(cluster, i) for i, cluster in enumerate(clusters)])


def classic_signatures(shingles: Sequence[Hashes], n_values: int, seed: int) -> Hashes:
    """Broder's MinHash: the least of as many mixed hashes of every shingle, shape (n, n_values)."""
    salts = random_bits(n_values, seed)[None, :]
    return np.stack([mix64(one[:, None] ^ salts).min(axis=0) for one in shingles])
