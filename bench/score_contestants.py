"""Who runs in the bench of scores: our kernel, our stage, the bare model, a naive pipeline.

Shapes: B texts of one batch, T tokens of its longest text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import fasttext  # type: ignore[import-untyped, unused-ignore]
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from pyspark.sql import SparkSession
from transformers import pipeline

from bench.rounds import Run
from bench.score_models import load_for_pipeline, load_network, path_of
from bench.score_texts import NAIVE_BATCH
from bench.score_worker import PEAK_FILE, watched_kernel
from curation.config import ScoreConfig, SparkConfig
from curation.schemas import SCORES
from curation.score.batches import BatchRunner
from curation.score.fasttext import join_lines
from curation.score.kernel import make_score_kernel
from curation.score.loading import load_tokenizer
from curation.score.members import Member, members_of
from curation.spark.batches import map_batches
from curation.spark.session import open_session

KERNEL, SPARK, BARE, NAIVE = "kernel", "spark", "bare", "naive"

Padded = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Token ids and mask of one batch, both (B, T)."""


@dataclass(frozen=True)
class Load:
    """What a contestant has to do: the same texts in the forms that they take."""

    texts: list[str]
    batches: list[pa.RecordBatch]
    """Rows as Spark hands them to the kernel."""
    path: Path
    """The same rows as a Parquet file."""


def make_load(texts: Sequence[str], path: Path, *, rows_per_batch: int) -> Load:
    """Writes `texts` to `path`, in one row group, so that one task reads them in their order."""
    rows = pa.table({
        "doc_id": [f"{n:08}" for n in range(len(texts))],
        "crawl": ["bench"] * len(texts),
        "chunk": ["0"] * len(texts),
        "text_hash": [0] * len(texts),
        "text": list(texts),
    })  # fmt: skip
    pq.write_table(rows, path, row_group_size=len(texts))
    batches = rows.combine_chunks().to_batches(max_chunksize=rows_per_batch)
    return Load(list(texts), batches, path)


def open_spark(n_threads: int, rows_per_batch: int, log: Path) -> SparkSession:
    """A session in which one task runs at a time and has `n_threads` cores."""
    conf = SparkConfig(
        master=f"local[{n_threads}]",
        shuffle_partitions=1,
        rows_per_batch=rows_per_batch,
        conf={"spark.task.cpus": str(n_threads)},
    )
    return open_session(conf, "bench-score", log=log)


@dataclass(frozen=True)
class Subject:
    """One member, and all that its contestants run with."""

    conf: ScoreConfig
    """With that member alone."""
    n_threads: int
    session: SparkSession

    @property
    def member(self) -> Member:
        """The member."""
        return members_of(self.conf)[0]

    @property
    def network(self) -> torch.nn.Module:
        """Its bare network, loaded once."""
        member = self.member
        path = str(path_of(member))
        return load_network(path, member.conf.kind, member.device, self.n_threads)


def contestants(subject: Subject, load: Load, padded: Sequence[Padded]) -> dict[str, Run]:
    """Everyone by name, each ready to do `load`; what only reads `padded` is given that."""
    runs = {KERNEL: _in_process(subject, load), SPARK: _through_spark(subject, load)}
    if subject.member.conf.kind == "fasttext":
        return runs | {BARE: _bare_fasttext(subject, load)}
    return runs | {BARE: _bare_network(subject, padded), NAIVE: _naive(subject, load)}


def _in_process(subject: Subject, load: Load) -> Run:
    """Our kernel in this process."""
    kernel = make_score_kernel(subject.conf, "bench", n_threads=subject.n_threads)
    return lambda: [rows for batch in load.batches for rows in kernel(batch)]


def _through_spark(subject: Subject, load: Load) -> Run:
    """Our kernel in a Spark task that reads the texts from a file; its rows go nowhere."""
    rows = subject.session.read.parquet(str(load.path))
    note = str(load.path.parent / PEAK_FILE)
    make = partial(watched_kernel, subject.conf, subject.n_threads, note)
    scored = map_batches(rows, make, SCORES)
    return lambda: scored.write.format("noop").mode("overwrite").save()


def _bare_fasttext(subject: Subject, load: Load) -> Run:
    """The call of fastText itself, on lines that were joined before."""
    model = fasttext.load_model(str(path_of(subject.member)))
    lines = [line for text in load.texts if (line := join_lines(text))]
    return lambda: [model.predict(line) for line in lines]


def _bare_network(subject: Subject, padded: Sequence[Padded]) -> Run:
    """The forward pass alone, on batches that lie padded where the network does."""
    network, device = subject.network, subject.member.device
    ready = [[torch.from_numpy(one).to(device) for one in batch] for batch in padded]

    def run() -> None:
        with torch.inference_mode():
            for ids, mask in ready:
                network(input_ids=ids, attention_mask=mask)
        if device == "cuda":
            torch.cuda.synchronize()

    return run


def _naive(subject: Subject, load: Load) -> Run:
    """What one writes first: transformers' pipeline, batches of 32 in order of arrival."""
    member = subject.member
    folder, encodes = str(path_of(member)), member.conf.kind == "encoder"
    model = load_for_pipeline(folder, member.conf.kind, member.device, subject.n_threads)
    make: Any = pipeline  # its overloads know literal names of tasks alone
    pipe = make(
        "feature-extraction" if encodes else "text-classification",
        model=model,
        tokenizer=load_tokenizer(folder),
        device=member.device,
        batch_size=NAIVE_BATCH,
    )
    how: dict[str, Any] = {"padding": True, "truncation": True, "max_length": member.max_tokens}
    if encodes:
        return lambda: [
            hidden[0].mean(dim=0)
            for hidden in pipe(load.texts, return_tensors=True, tokenize_kwargs=how)
        ]
    return lambda: pipe(load.texts, **how)


class _Recorder:
    """A network that keeps what it is given."""

    def __init__(self) -> None:
        self.batches: list[Padded] = []

    def __call__(
        self, ids_BT: NDArray[np.int64], mask_BT: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        self.batches.append((ids_BT, mask_BT))
        return np.zeros((len(ids_BT), 1), np.float32)


def padded_batches(member: Member, load: Load) -> list[Padded]:
    """Exactly the batches that our kernel gives to the member's network; none for fastText."""
    if member.conf.kind == "fasttext":
        return []
    recorder = _Recorder()
    runner = BatchRunner(
        load_tokenizer(str(path_of(member))), recorder, width=1, max_tokens=member.max_tokens,
        tokens_per_batch=member.tokens_per_batch,
    )  # fmt: skip
    for batch in load.batches:
        runner.run([str(text) for text in batch["text"].to_pylist()])
    return recorder.batches


def tokens_of(member: Member, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, in their order, uncut; of fastText, its words."""
    if member.conf.kind == "fasttext":
        return [len(text.split()) for text in texts]
    tokenizer = load_tokenizer(str(path_of(member)))
    counts: Mapping[str, int] = {
        text: len(tokenizer(text, verbose=False)["input_ids"]) for text in {*texts}
    }
    return [counts[text] for text in texts]
