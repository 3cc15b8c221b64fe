"""What the bench of scores runs in Spark's worker; it imports no more than the stage does."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from curation.config import ScoreConfig
from curation.score.kernel import make_score_kernel
from curation.spark.batches import Kernel

PEAK_FILE = "worker_peak_kib"


def watched_kernel(conf: ScoreConfig, n_threads: int, note: str) -> Kernel:
    """Our kernel, which also writes the peak of its process's memory to the file `note`."""
    kernel = make_score_kernel(conf, "bench", n_threads=n_threads)

    def watched(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        yield from kernel(batch)
        Path(note).write_text(str(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss))

    return watched
