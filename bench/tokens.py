"""Tokens a second on one core: our shards beside the bare call of `tokenizers`.

`python -m bench.tokens [--jsonl FILE] [--documents 1000] [--rounds 5] [--times 1 2 4 8]` gives real
texts, repeated in the order of a hash, to

- bare: `Tokenizer.encode_batch_fast`, as many texts at a time as Spark hands over; ids are dropped;
- shard: what a task of s09 does with them: the same ids, the end-of-document token, Megatron's
  files and packed Parquet, one behind the other;
- best_fit: the same with rows packed by best fit;
- spark: s09's task itself, from Parquet files in Spark, one task at a time.

All tokenise on one thread. Rounds are interleaved, each begins with another contestant; printed are
medians over the rounds of tokens a second and of ratios in one round. `--times` does it with that
many times the documents too: how cost grows.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# Read when the first batch is tokenised; the workers of Spark have it from this process.
os.environ["RAYON_NUM_THREADS"] = "1"

import pyarrow as pa
import pyarrow.parquet as pq

from bench.rounds import Run, timed
from bench.score_texts import read_jsonl, repeated
from curation.config import SparkConfig, TokensConfig
from curation.errors import ConfigError, reported
from curation.model_store import tokenizer_file
from curation.schemas import SHARDS
from curation.spark.batches import map_partitions
from curation.spark.session import open_session
from curation.tokens.encode import load_encoder
from curation.tokens.manifest import Packing
from curation.tokens.megatron import read_indexed
from curation.tokens.pack import append_eod
from curation.tokens.shard import write_shard
from curation.tokens.stage import shard_writer

GOAL = 0.9
"""Least share of the speed of `bare` that `shard` is to have."""
_JSONL = Path("../shared/data/crawl/gold.jsonl.gz")
_SEQUENCE = 2_048


def contestants(
    texts: Sequence[str], folder: Path, conf: TokensConfig, rows: int
) -> dict[str, Run]:
    """Everyone by name, each ready to do `texts`; what is written goes under `folder`."""
    encoder = load_encoder(str(tokenizer_file(conf.tokenizer)))
    batches = [list(texts[n : n + rows]) for n in range(0, len(texts), rows)]

    def bare() -> None:
        for batch in batches:
            encoder.tokenizer.encode_batch_fast(batch, add_special_tokens=False)

    def shard(packing: Packing) -> Run:
        def run() -> None:
            ids = (ids for batch in batches for ids in encoder.encode(batch))
            write_shard(
                folder / packing, "shard", append_eod(ids, encoder.eod_id), encoder.dtype,
                sequence_length=conf.sequence_length, packing=packing,
            )  # fmt: skip

        return run

    return {
        "bare": bare, "shard": shard("concatenate"), "best_fit": shard("best_fit"),
        "spark": _through_spark(texts, folder, conf, rows),
    }  # fmt: skip


def _through_spark(texts: Sequence[str], folder: Path, conf: TokensConfig, rows: int) -> Run:
    """s09's task on a Parquet file of `texts`."""
    file = folder / "texts.parquet"
    numbers = pa.array(range(len(texts)), pa.int32())
    table = pa.table({
        "shard": pa.array([0] * len(texts), pa.int32()), "id": numbers.cast(pa.string()),
        "copy": pa.array([0] * len(texts), pa.int32()), "text": list(texts),
    })  # fmt: skip
    pq.write_table(table, file, row_group_size=len(texts))
    settings = SparkConfig(master="local[1]", shuffle_partitions=1, rows_per_batch=rows)
    session = open_session(settings, "bench-tokens", log=folder / "spark.log")
    read = session.read.parquet(str(file))
    made = map_partitions(read, shard_writer(folder / "spark", conf), SHARDS)
    return lambda: made.write.format("noop").mode("overwrite").save()


def measure(texts: Sequence[str], args: argparse.Namespace) -> dict[str, Any]:
    """What everyone did with `texts`."""
    conf = TokensConfig(tokenizer=args.tokenizer, sequence_length=_SEQUENCE)
    with tempfile.TemporaryDirectory(prefix="bench-tokens-") as name:
        runs = contestants(texts, Path(name), conf, args.rows)
        timed(runs, 1)  # does not count: files and tokenizers are loaded
        seconds = timed(runs, args.rounds)
        n_tokens = len(read_indexed(Path(name, "concatenate", "shard")).tokens)
    ratio = {
        name: statistics.median(b / a for a, b in zip(one, seconds["bare"], strict=True))
        for name, one in seconds.items()
    }
    return {
        "n_documents": len(texts),
        "n_tokens": n_tokens,
        "tokens_per_s": {n: round(n_tokens / statistics.median(s)) for n, s in seconds.items()},
        "of_bare": {name: round(one, 3) for name, one in ratio.items()},
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def table(found: Sequence[Mapping[str, Any]]) -> str:
    """The report as text."""
    lines = []
    for one in found:
        lines.append(f"{one['n_documents']} documents, {one['n_tokens']} tokens:")
        for name, speed in one["tokens_per_s"].items():
            share = one["of_bare"][name]
            met = (
                f" (goal {GOAL}: {'met' if share >= GOAL else 'missed'})" if name == "shard" else ""
            )
            lines.append(f"  {name:9} {speed:12,} tokens/s {share:6.3f} of bare{met}")
        lines.append(f"  peak memory of this process {one['peak_mib']} MiB")
    return "\n".join(lines) + "\n"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line.

    Raises:
        ConfigError: a number is below 1.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--jsonl", type=Path, nargs="+", default=[_JSONL], help="JSON lines, plain or gz")
    add("--field", default="main_text", help="of the JSON lines")
    add("--documents", type=int, default=1_000)
    add("--rounds", type=int, default=5)
    add("--times", type=int, nargs="+", default=[1], help="multiples of --documents")
    add("--rows", type=int, default=SparkConfig().rows_per_batch, help="of an Arrow batch")
    add("--tokenizer", default="smollm2-135m")
    add("--json", type=Path, help="where the numbers go")
    args = parser.parse_args(given)
    if min(args.documents, args.rounds, args.rows, *args.times) < 1:
        raise ConfigError("--documents, --rounds, --rows, --times: at least 1")
    return args


def main(given: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    args = arguments(given)
    texts = [text for path in args.jsonl for text in read_jsonl(path, args.field)]
    found = [measure(repeated(texts, n * args.documents), args) for n in args.times]
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(found))
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
