"""Speed of scoring: our kernel and our stage beside the bare model and a naive pipeline.

`python -m bench.score [--jsonl FILE | --warc GLOB] [--documents 1000] [--device cuda] [--bert]`
gives real texts, repeated in the order of a hash, to every member of the default configuration, and
with `--bert` and `--deberta` to networks of those sizes with random weights. Contestants:

- kernel: `score_batch` in this process;
- spark: the same in one Spark task, from a Parquet file to nowhere, with the model loaded before;
- bare: the forward pass alone, on exactly the batches that the kernel makes, tokenised before; of
  fastText, `predict` of its package on lines joined before, eight times as many documents;
- naive: a transformers pipeline, 32 texts a batch in order of arrival, padded to the longest.

All have the same threads; rounds are interleaved, each begins with another contestant, and time is
that of the clock, since the stage is several processes. Printed are medians over the rounds of
speeds and of ratios in one round, and what padding alone can gain: the bound. `--pin` holds
everything, Spark's JVM included, to as many cores as there are threads.

On `cuda`, in half precision, `--bert` also gives the share of the device's peak FLOP/s at 512
tokens a text.
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

# As in Spark's workers (spark-defaults.conf); read when tokenizers are first used.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch

from bench.rounds import timed
from bench.score_contestants import (
    BARE,
    KERNEL,
    NAIVE,
    SPARK,
    Load,
    Padded,
    Subject,
    contestants,
    make_load,
    open_spark,
    padded_batches,
    tokens_of,
)
from bench.score_models import geometry, save_bert, save_deberta, shipped_members
from bench.score_texts import (
    full_texts,
    in_order,
    quantiles,
    read_jsonl,
    read_warcs,
    repeated,
    useful_share,
)
from bench.score_worker import PEAK_FILE
from curation.config import MemberConfig, ScoreConfig, SparkConfig
from curation.errors import ConfigError, EnvironmentFault, reported
from models.flops import forward_flops, peak_flops

GOALS = {(KERNEL, BARE): 0.9, (SPARK, BARE): 0.9, (SPARK, NAIVE): 2.0}
"""Least ratio of the speeds of two contestants."""
_WARM_TEXTS = 64
_TIMES_AS_MANY = 8
"""Documents of fastText to those of a network, which takes hundreds of times as long for one: what
a Spark job costs by itself, a fifth of a second, is to be no part of the comparison."""
_FULL_TOKENS, _FULL_CHARS = 512, 4_096
_JSONL = Path("../shared/data/crawl/gold.jsonl.gz")
_TOKENS_PER_BATCH = {"cpu": 4_096, "cuda": 65_536}

Seconds = Mapping[str, Sequence[float]]


def ratios(seconds: Seconds) -> dict[str, dict[str, float]]:
    """Speeds of ours as shares of others', the median over the rounds, each with its goal."""
    return {
        f"{ours} / {other}": {"ratio": _ratio(seconds[ours], seconds[other]), "goal": goal}
        for (ours, other), goal in GOALS.items()
        if other in seconds
    }


def _ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    return round(statistics.median(b / a for a, b in zip(ours, other, strict=True)), 3)


def speeds(seconds: Seconds, amount: int) -> dict[str, float]:
    """`amount` a second of each contestant, the median over the rounds."""
    return {name: round(amount / statistics.median(one), 1) for name, one in seconds.items()}


def padding(read: Sequence[int], padded: Sequence[Padded]) -> dict[str, float]:
    """Useful share of what is computed, in order of arrival and by us, and the gain: the bound."""
    naive = useful_share(in_order(read))
    ours = useful_share([mask.sum(axis=1).tolist() for _, mask in padded])
    gain = round(ours / naive, 3)
    return {"naive_useful": round(naive, 3), "ours_useful": round(ours, 3), "bound": gain}


def measure(subject: Subject, load: Load, few: Load, n_rounds: int) -> dict[str, Any]:
    """All that is said of one member; its contestants have done `few` before the clock runs."""
    member = subject.member
    padded = padded_batches(member, load)
    for run in contestants(subject, few, padded_batches(member, few)).values():
        run()
    seconds = timed(contestants(subject, load, padded), n_rounds)
    lengths = tokens_of(member, load.texts)
    # Of a text of which even the characters are cut, what we read is less: `padded` is right.
    read = [min(n, member.max_tokens) for n in lengths] if padded else lengths
    n_tokens = sum(int(mask.sum()) for _, mask in padded) or sum(read)
    return {
        "n_documents": len(load.texts),
        "tokens": quantiles(lengths),
        "tokens_read": quantiles(read),
        "padding": padding(read, padded) if padded else {},
        "documents_per_s": speeds(seconds, len(load.texts)),
        "tokens_per_s": speeds(seconds, n_tokens),
        "ratios": ratios(seconds),
        "seconds": {name: [round(one, 4) for one in found] for name, found in seconds.items()},
    }


def share_of_peak(subject: Subject, load: Load, few: Load, n_rounds: int) -> dict[str, Any]:
    """FLOP/s of the kernel, the stage and the bare network on texts that fill the network."""
    member = subject.member
    padded = padded_batches(member, load)
    kept = (KERNEL, SPARK, BARE)
    warm = contestants(subject, few, padded_batches(member, few))
    runs = contestants(subject, load, padded)
    for name in kept:
        warm[name]()
    seconds = timed({name: runs[name] for name in kept}, n_rounds)
    lengths = [int(n) for _, mask in padded for n in mask.sum(axis=1)]
    flops = forward_flops(lengths, **geometry(subject.network))
    rates = {name: flops / statistics.median(one) for name, one in seconds.items()}
    device = torch.cuda.get_device_name() if member.device == "cuda" else "cpu"
    peak = peak_flops(device)
    return {
        "device": device,
        "n_documents": len(load.texts),
        "tokens": quantiles(lengths),
        "tflop_per_s": {name: round(rate / 1e12, 3) for name, rate in rates.items()},
        "share_of_peak": {n: round(rate / peak, 3) for n, rate in rates.items()} if peak else None,
        "ratios": ratios(seconds),
    }


def table(found: Mapping[str, Any]) -> str:
    """The report as text."""
    lines: list[str] = []
    for name, one in found["members"].items():
        lines += ["", f"{name}: {one['n_documents']} documents", *_lengths(one), *_rates(one)]
        lines += [_against_goal(pair, told) for pair, told in one["ratios"].items()]
    if full := found.get("full"):
        lines += ["", f"bert at {_FULL_TOKENS} tokens, {full['device']}: {_of_peak(full)}"]
    peak, worker = found["peak_mib"], found["worker_peak_mib"]
    lines += ["", f"peak memory: this process {peak} MiB, Spark's worker {worker} MiB"]
    return "\n".join(lines).lstrip() + "\n"


def _lengths(one: Mapping[str, Any]) -> list[str]:
    """Lengths of the texts, and what padding makes of them."""
    lines = [
        f"  {what}: " + ", ".join(f"{key} {n}" for key, n in one[key_of].items())
        for what, key_of in (("tokens", "tokens"), ("tokens read", "tokens_read"))
    ]
    if told := one["padding"]:
        shares = f"naive {told['naive_useful']}, ours {told['ours_useful']}"
        lines.append(f"  useful share of padded tokens: {shares}; bound {told['bound']}")
    return lines


def _rates(one: Mapping[str, Any]) -> list[str]:
    return [
        f"  {name:<6} {rate:>10.1f} documents/s {one['tokens_per_s'][name]:>12.1f} tokens/s"
        for name, rate in one["documents_per_s"].items()
    ]


def _against_goal(pair: str, told: Mapping[str, float]) -> str:
    met = "met" if told["ratio"] >= told["goal"] else "missed"
    return f"  {pair:<14} {told['ratio']:.3f} (goal {told['goal']}: {met})"


def _of_peak(full: Mapping[str, Any]) -> str:
    """TFLOP/s of each contestant, and its share of the peak where that is known."""
    shares = full["share_of_peak"]
    told = [
        f"{name} {rate} TFLOP/s" + (f" ({shares[name]:.1%} of peak)" if shares else "")
        for name, rate in full["tflop_per_s"].items()
    ]
    return ", ".join(told) + ("" if shares else "; the peak of this device is not known: no share")


def arguments(args: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--jsonl", type=Path, nargs="+", help=f"JSON lines, plain or gz; by default {_JSONL}")
    add("--field", default="main_text", help="of the JSON lines")
    add("--warc", nargs="+", default=[], help="patterns of WARC files, extracted first")
    add("--documents", type=int, default=1_000)
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--rounds", type=int, default=5)
    add("--threads", type=int, default=1, help="of torch, and cores of the Spark task")
    add("--pin", action="store_true", help="run everything on as many cores as threads")
    add("--rows", type=int, default=SparkConfig().rows_per_batch, help="of an Arrow batch")
    add("--tokens-per-batch", type=int, help=f"by default {_TOKENS_PER_BATCH}")
    add("--members", nargs="+", default=[*shipped_members()], help="shipped ones")
    add("--bert", action="store_true", help="a BERT-base with random weights too")
    add("--deberta", action="store_true", help="a DeBERTa v3 base with random weights too")
    add("--large-documents", type=int, help="for those two; by default all, on cpu an eighth")
    add("--full-documents", type=int, help="of 512 tokens, for --bert; by default 4096, on cpu 0")
    add("--json", type=Path, help="where the numbers go")
    return parser.parse_args(args)


def filled(options: argparse.Namespace) -> argparse.Namespace:
    """The options with what depends on the device.

    Raises:
        ConfigError: a number is below 1, or no shipped member has that name.
        EnvironmentFault: there is no CUDA device.
    """
    on_gpu = options.device == "cuda"
    if on_gpu and not torch.cuda.is_available():
        raise EnvironmentFault("--device cuda: torch sees no CUDA device here")
    if min(options.documents, options.rounds, options.threads, options.rows) < 1:
        raise ConfigError("--documents, --rounds, --threads, --rows: at least 1")
    if unknown := {*options.members} - {*shipped_members()}:
        raise ConfigError(f"--members {' '.join(sorted(unknown))}: not shipped")
    if options.large_documents is None:
        options.large_documents = options.documents if on_gpu else -(-options.documents // 8)
    if options.full_documents is None:
        options.full_documents = 4_096 if on_gpu else 0
    options.tokens_per_batch = options.tokens_per_batch or _TOKENS_PER_BATCH[options.device]
    return options


def texts_of(options: argparse.Namespace) -> list[str]:
    """Texts of the files that are named.

    Raises:
        InputError: a file is not there, or not what it should be.
    """
    paths = options.jsonl or ([] if options.warc else [_JSONL])
    texts = [text for path in paths for text in read_jsonl(path, options.field)]
    return texts + (read_warcs(options.warc) if options.warc else [])


def run_all(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """The whole bench.

    Raises:
        As `texts_of`.
    """
    if options.pin:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.threads])
    texts = texts_of(options)
    members, large = _members(options, folder)
    session = open_spark(options.threads, options.rows, folder / "spark.log")
    found: dict[str, Any] = {"members": {}}
    for name, conf in (members | large).items():
        n_documents = options.large_documents if name in large else options.documents
        if conf.kind == "fasttext":
            n_documents *= _TIMES_AS_MANY
        subject = Subject(_alone(name, conf, options), options.threads, session)
        loads = _loads(repeated(texts, n_documents), options, folder / name)
        found["members"][name] = measure(subject, *loads, options.rounds)
        sys.stderr.write(f"{name}: done\n")
        if name == "bert" and options.full_documents:
            full = full_texts(repeated(texts, n_documents), options.full_documents, _FULL_CHARS)
            loads = _loads(full, options, folder / "full")
            found["full"] = share_of_peak(subject, *loads, options.rounds)
    session.stop()
    return found | _about(options, folder)


def _members(
    options: argparse.Namespace, folder: Path
) -> tuple[dict[str, MemberConfig], dict[str, MemberConfig]]:
    """The shipped members that are asked for, and the large ones, saved in `folder`."""
    members = {name: conf for name, conf in shipped_members().items() if name in options.members}
    savers = {"bert": save_bert, "deberta": save_deberta}
    large = {
        name: save(folder / f"model-{name}")
        for name, save in savers.items()
        if getattr(options, name)
    }
    return members, large


def _alone(name: str, conf: MemberConfig, options: argparse.Namespace) -> ScoreConfig:
    return ScoreConfig(
        members={name: conf}, device=options.device, tokens_per_batch=options.tokens_per_batch
    )


def _loads(texts: Sequence[str], options: argparse.Namespace, folder: Path) -> tuple[Load, Load]:
    """All texts, and the few that models are loaded with."""
    folder.mkdir()
    return (
        make_load(texts, folder / "all.parquet", rows_per_batch=options.rows),
        make_load(texts[:_WARM_TEXTS], folder / "few.parquet", rows_per_batch=options.rows),
    )


def _about(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Memory, and what the figures hold for."""
    notes = [int(path.read_text()) for path in folder.glob(f"*/{PEAK_FILE}")]
    names = ("device", "threads", "pin", "rows", "tokens_per_batch", "rounds")
    return {
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "worker_peak_mib": max(notes) // 1024,
        "settings": {name: getattr(options, name) for name in names},
        "heads": [*shipped_members()["minilm"].columns],
        "torch": torch.__version__,
    }


def main(args: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    options = filled(arguments(args))
    with tempfile.TemporaryDirectory(prefix="bench-score-") as folder:
        found = run_all(options, Path(folder))
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(found))
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
