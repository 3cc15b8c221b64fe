"""Measures of documents, ours beside datatrove's and NeMo Curator's: documents a second per core.

`python -m bench.measure --jsonl FILE [--field main_text] [--chars 5000] [--nemo PYTHON]` cuts real
texts into documents of so many characters and gives them to everyone in turn. Rounds are
interleaved and time is that of the process, so that noise of the machine hits all alike; printed
are medians, and our speed as a ratio to each peer's. NeMo Curator runs in an environment of its
own, whose Python `--nemo` names (`python -m venv E; E/bin/pip install nemo-curator`).
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import xxhash
from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature
from datatrove.pipeline.filters import (
    C4QualityFilter,
    FineWebQualityFilter,
    GopherQualityFilter,
    GopherRepetitionFilter,
)

from curation.config import MeasureConfig
from curation.errors import InputError, reported
from curation.measure.kernel import INPUT, instruments, measure_batch
from curation.measure.language import identify, load_language_model
from curation.measure.minhash import MinHasher
from curation.measure.pii import pii_counts
from curation.measure.signals import signals
from curation.measure.words import Words
from curation.model_store import language_model_path

NEMO_SCRIPT = Path(__file__).parent / "nemo_filters.py"
PEERS = {
    "statistics": ("datatrove filters", "nemo filters"),
    "minhash 112 words": ("datatrove minhash",),
    "minhash 260 chars": ("datatrove minhash",),
}
"""What of ours is set against what of theirs: datatrove has 112 hashes over shingles of 5 words."""
_BATCH = 64

Texts = Sequence[str]


@dataclass(frozen=True)
class Contestant:
    """Something that measures texts, and the statement that it has done so."""

    name: str
    run: Callable[[Texts], object]


def read_texts(path: Path, field: str, *, n_chars: int, limit: int) -> list[str]:
    """Documents of `n_chars` characters, cut from the texts in a file of JSON lines.

    Raises:
        InputError: no text in it is so long.
    """
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        texts = [json.loads(line).get(field) or "" for line in file]
    pieces = [
        text[start : start + n_chars]
        for text in texts
        for start in range(0, len(text) - n_chars + 1, n_chars)
    ]
    if not pieces:
        raise InputError(f"{path}: no `{field}` of {n_chars} characters")
    return pieces[:limit]


def ours() -> list[Contestant]:
    """What we measure, alone and all together."""
    conf, model = MeasureConfig(), load_language_model(str(language_model_path()))
    chars = MinHasher(conf.ngram_chars, conf.n_bands, conf.rows_per_band, conf.minhash_seed)
    words = MinHasher(conf.ngram_chars, 14, 8, conf.minhash_seed, ngram_words=5)
    tools = instruments(conf, model)
    return [
        Contestant("tokens", lambda texts: [Words(text).tokens for text in texts]),
        Contestant("statistics", lambda texts: [signals(Words(text)) for text in texts]),
        Contestant("minhash 112 words", lambda texts: [words.bands(text) for text in texts]),
        Contestant("minhash 260 chars", lambda texts: [chars.bands(text) for text in texts]),
        Contestant("language", lambda texts: identify(texts, model, max_chars=2000)),
        Contestant("pii", lambda texts: [pii_counts(text) for text in texts]),
        Contestant(
            "all measures", lambda texts: [measure_batch(one, tools) for one in _batches(texts)]
        ),
    ]


def _batches(texts: Texts) -> list[pa.RecordBatch]:
    groups = [texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH)]
    url = "https://www.example.org/articles/2024/a-page-of-some-kind?id=17"
    about = {"url": url, "url_normalized": url, "host": "www.example.org", "domain": "example.org"}
    return [
        pa.RecordBatch.from_pydict({
            name: pa.array(group if name == "text" else [about.get(name, "x")] * len(group))
            for name in INPUT.columns.names
        })
        for group in groups
    ]  # fmt: skip


def datatrove() -> list[Contestant]:
    """Heuristic filters of datatrove, one behind the other, and its MinHash signature."""
    kinds = (GopherRepetitionFilter, GopherQualityFilter, C4QualityFilter, FineWebQualityFilter)
    filters = [kind() for kind in kinds]
    minhash = MinhashDedupSignature("/nowhere", config=MinhashConfig())
    # datatrove 0.10 hands text to a function that takes bytes alone since xxhash 4.
    minhash._hash_func = lambda shingle: xxhash.xxh64_intdigest(shingle.encode())

    def judge(texts: Texts) -> None:
        for text in texts:
            # C4's filter edits the document.
            for one in filters:
                one.filter(Document(text=text, id=""))

    def sign(texts: Texts) -> None:
        for text in texts:
            minhash.get_signature(minhash.get_shingles(text))

    return [Contestant("datatrove filters", judge), Contestant("datatrove minhash", sign)]


def timed(contestants: Sequence[Contestant], texts: Texts, n_rounds: int) -> dict[str, list[float]]:
    """Documents a second of each contestant, a value a round."""
    found: dict[str, list[float]] = {one.name: [] for one in contestants}
    for one in contestants:
        one.run(
            texts[:_BATCH]
        )  # what is loaded or compiled at the first call is not the texts' time
    for _ in range(n_rounds):
        for one in contestants:
            begun = time.process_time()
            one.run(texts)
            found[one.name].append(len(texts) / (time.process_time() - begun))
    return found


def nemo(python: str, texts: Texts, n_rounds: int) -> dict[str, list[float]]:
    """Documents a second of NeMo Curator's 28 filters, run by another Python on the same texts."""
    done = subprocess.run(
        [python, str(NEMO_SCRIPT), str(n_rounds)],
        input=json.dumps(list(texts)), capture_output=True, check=True, text=True,
    )  # fmt: skip
    return {"nemo filters": json.loads(done.stdout.splitlines()[-1])}


def report(speeds: dict[str, list[float]]) -> dict[str, Any]:
    """Medians, and ratios of ours to each peer that ran."""
    medians = {name: round(statistics.median(found), 1) for name, found in speeds.items()}
    ratios = {
        f"{name} / {peer}": round(medians[name] / medians[peer], 2)
        for name, peers in PEERS.items()
        for peer in peers
        if peer in medians
    }
    return {"documents_per_s": medians, "ratios": ratios}


def main(args: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--jsonl", required=True, type=Path, help="texts, a JSON object a line")
    parser.add_argument("--field", default="main_text")
    parser.add_argument("--chars", type=int, default=5_000, help="length of a document")
    parser.add_argument("--limit", type=int, default=500, help="documents")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where the numbers go")
    parser.add_argument("--nemo", help="Python with nemo-curator")
    options = parser.parse_args(args)
    texts = read_texts(options.jsonl, options.field, n_chars=options.chars, limit=options.limit)
    speeds = timed([*ours(), *datatrove()], texts, options.rounds)
    if options.nemo:
        speeds |= nemo(options.nemo, texts, options.rounds)
    found = report(speeds) | {"n_documents": len(texts), "chars": options.chars}
    text = json.dumps(found, indent=1)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
