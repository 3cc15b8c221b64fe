"""Texts that the bench of scores gives to everyone, how long they are, and what padding costs."""

from __future__ import annotations

import glob
import gzip
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from curation.config import ExtractConfig
from curation.errors import InputError
from curation.extract.kernel import extract_files
from curation.score.batches import is_valid_unicode

NAIVE_BATCH = 32
"""Texts of a batch of the naive pipeline, in order of arrival."""


def read_jsonl(path: Path, field: str) -> list[str]:
    """Texts in the field of a file of JSON lines, plain or gz.

    Raises:
        InputError: there is no such file, or it is not JSON lines.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as file:
            return [json.loads(line).get(field) or "" for line in file if line.strip()]
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path}: {type(error).__name__}: {error}") from error


def read_warcs(patterns: Sequence[str]) -> list[str]:
    """Main texts of the pages in WARC files, as the pipeline extracts them.

    Raises:
        InputError: no file matches.
    """
    # `Path.glob` takes no pattern that begins at the root.
    paths = sorted({path for one in patterns for path in glob.glob(one)})  # noqa: PTH207
    if not paths:
        raise InputError(f"--warc {' '.join(patterns)}: no such file")
    about = {"crawl": ["bench"] * len(paths), "chunk": ["0"] * len(paths)}
    files = pa.RecordBatch.from_pydict({"warc_file": paths} | about)
    rows = extract_files(files, conf=ExtractConfig())
    return [text for batch in rows for text in batch["text"].to_pylist() if text]


def repeated(texts: Sequence[str], n_documents: int) -> list[str]:
    """`n_documents` of the texts in the order of a hash, from the first again after the last.

    Each time round the order is another, so that no batch comes twice.

    Raises:
        InputError: no text holds anything.
    """
    kept = [text for text in texts if text.strip() and is_valid_unicode(text)]
    if not kept:
        raise InputError("no text in what was read")
    n_rounds = -(-n_documents // len(kept))
    found = [text for n in range(n_rounds) for text in sorted(kept, key=lambda t: _hash(n, t))]
    return found[:n_documents]


def _hash(n_round: int, text: str) -> bytes:
    return hashlib.sha256(f"{n_round}\0{text}".encode()).digest()


def full_texts(texts: Sequence[str], n_documents: int, n_chars: int) -> list[str]:
    """`n_documents` texts of `n_chars` characters, cut from the texts one behind the other."""
    joined = " ".join(texts)
    joined *= -(-n_documents * n_chars // len(joined))
    return [joined[n * n_chars : (n + 1) * n_chars] for n in range(n_documents)]


def quantiles(values: Sequence[int]) -> dict[str, int]:
    """The 10th, 50th and 90th percentile and the largest of `values`."""
    low, middle, high = np.percentile(values, [10, 50, 90])
    return {"p10": round(low), "p50": round(middle), "p90": round(high), "max": max(values)}


def in_order(lengths: Sequence[int], n_texts: int = NAIVE_BATCH) -> list[Sequence[int]]:
    """`lengths` in batches of `n_texts`, in order of arrival."""
    return [lengths[start : start + n_texts] for start in range(0, len(lengths), n_texts)]


def useful_share(batches: Iterable[Sequence[int]]) -> float:
    """Tokens of the texts as a share of the tokens of padded batches, given as lengths of texts."""
    sizes = [(sum(lengths), max(lengths) * len(lengths)) for lengths in batches]
    return sum(real for real, _ in sizes) / sum(padded for _, padded in sizes)
