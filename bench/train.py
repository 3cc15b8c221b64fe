"""Tokens a second of training: our loop beside a bare torch loop and Hugging Face's Trainer.

`python -m bench.train [--hidden 256 --layers 4 --heads 4] [--steps 8] [--rounds 3] [--device cuda]`
trains the same model (same weights, same samples, AdamW, gradients clipped) in

- ours: `models.train`'s step, without checkpoints;
- loop: model(input_ids, labels).loss, backward, clip, step: what one writes first;
- trainer: transformers' Trainer with logging, saving and evaluation off.

The clock runs over `--steps` steps after two that do not count; rounds are interleaved, each begins
with another contestant. Printed are medians over the rounds of tokens a second and of ratios in one
round, and the memory that each took at its peak: on a CPU that of its process, so each runs in one
of its own. On a device whose peak is known, the share of its FLOP/s (MFU), six FLOPs a parameter
and token, attention besides.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.rounds import turns
from curation.config import TrainConfig
from curation.errors import ConfigError, EnvironmentFault, reported
from models.flops import peak_flops
from models.train.mfu import flops_per_token
from models.train.model import model_config
from models.train.optim import build_optimizer
from models.train.step import split_batch, train_step

GOAL = 1.0
"""Least share of the speed of the others that ours is to have."""
_WARM = 2
Sample = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Done:
    """What a contestant did in a round."""

    seconds: float
    loss: float
    """Of the last step."""
    peak_mib: int


def samples_of(conf: TrainConfig, vocabulary: int, n_steps: int) -> list[Sample]:
    """The samples of each step, shape (batch, sequence + 1): tokens are as good as any."""
    rng = np.random.default_rng(5)
    shape = conf.batch_size, conf.sequence_length + 1
    return [rng.integers(0, vocabulary, shape, np.int64) for _ in range(n_steps)]


def model_of(conf: TrainConfig, vocabulary: int, dtype: torch.dtype) -> Any:
    """The model that everyone trains, from the same seed."""
    from transformers import AutoModelForCausalLM

    torch.manual_seed(conf.seed)
    shape = model_config(conf, vocabulary_size=vocabulary, eod_id=0)
    loader: Any = AutoModelForCausalLM
    return loader.from_config(shape, dtype=dtype).to(conf.device)


def ours(conf: TrainConfig, model: Any, samples: Sequence[Sample]) -> Iterator[float]:
    """`models.train`'s step: the loss of each."""
    optimizer = build_optimizer(model, conf)
    for one in samples:
        batches = split_batch(one, conf.micro_batch_size, device=conf.device)
        yield train_step(model, optimizer, batches, max_grad_norm=conf.max_grad_norm).loss


def loop(conf: TrainConfig, model: Any, samples: Sequence[Sample]) -> Iterator[float]:
    """A bare torch loop."""
    optimizer = build_optimizer(model, conf)
    for one in samples:
        optimizer.zero_grad()
        total = 0.0
        for batch in split_batch(one, conf.micro_batch_size, device=conf.device):
            share = len(batch.inputs_BT) / len(one)
            loss = share * _loss(model, batch.inputs_BT, batch.targets_BT)
            loss.backward()  # type: ignore[no-untyped-call]
            total += float(loss.detach())
        torch.nn.utils.clip_grad_norm_(model.parameters(), conf.max_grad_norm)
        optimizer.step()
        yield total


def _loss(model: Any, inputs_BT: Tensor, targets_BT: Tensor) -> Tensor:
    logits: Tensor = model(inputs_BT, use_cache=False).logits
    return torch.nn.functional.cross_entropy(
        logits.float().flatten(0, 1), targets_BT.flatten()
    )  # fmt: skip


def trainer(conf: TrainConfig, model: Any, samples: Sequence[Sample]) -> Iterator[float]:
    """Transformers' Trainer; yields when a step is done, all at its end."""
    from transformers import Trainer, TrainerCallback, TrainingArguments

    stamps: list[float] = []

    class Clock(TrainerCallback):
        def on_step_end(self, *args: Any, **kwargs: Any) -> None:
            stamps.append(time.perf_counter())

    rows = [
        # It shifts labels itself: all tokens but the last are inputs, and targets but the first.
        {"input_ids": torch.from_numpy(row), "labels": torch.from_numpy(row)}
        for one in samples for row in one
    ]  # fmt: skip
    with tempfile.TemporaryDirectory(prefix="bench-train-") as folder:
        settings: Any = TrainingArguments(
            output_dir=folder, max_steps=len(samples),
            per_device_train_batch_size=conf.micro_batch_size,
            gradient_accumulation_steps=conf.batch_size // conf.micro_batch_size,
            learning_rate=conf.learning_rate, max_grad_norm=conf.max_grad_norm,
            lr_scheduler_type="constant", weight_decay=conf.weight_decay, save_strategy="no",
            report_to=[], logging_strategy="no", disable_tqdm=True, use_cpu=conf.device == "cpu",
            dataloader_pin_memory=False, seed=conf.seed,
        )  # fmt: skip
        made: Any = Trainer(model=model, args=settings, train_dataset=rows, callbacks=[Clock()])
        told = made.train()
    for stamp in stamps:
        yield -stamp
    yield float(told.training_loss)


CONTESTANTS: Mapping[str, Callable[[TrainConfig, Any, Sequence[Sample]], Iterator[float]]] = {
    "ours": ours, "loop": loop, "trainer": trainer,
}  # fmt: skip


def raced(name: str, conf: TrainConfig, vocabulary: int, n_steps: int, threads: int) -> Done:
    """One contestant in this process."""
    torch.set_num_threads(threads)
    dtype = torch.bfloat16 if conf.device == "cuda" else torch.float32
    model = model_of(conf, vocabulary, dtype)
    samples = samples_of(conf, vocabulary, _WARM + n_steps)
    stamps, losses = [], []
    for value in CONTESTANTS[name](conf, model, samples):
        if conf.device == "cuda":
            torch.cuda.synchronize()
        stamps.append(time.perf_counter())
        losses.append(value)
    if name == "trainer":  # its own stamps, then the loss
        stamps, losses = [-one for one in losses[:-1]], [losses[-1]]
    if conf.device == "cuda":
        peak = torch.cuda.max_memory_allocated() // 2**20
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Done(stamps[-1] - stamps[_WARM - 1], losses[-1], peak)


def race(conf: TrainConfig, args: argparse.Namespace) -> dict[str, list[Done]]:
    """What each contestant did in each round, in a process of its own."""
    found: dict[str, list[Done]] = {name: [] for name in CONTESTANTS}
    context = multiprocessing.get_context("spawn")
    for number in range(args.rounds):
        for name in turns(CONTESTANTS, number):
            with context.Pool(1) as pool:
                told = (name, conf, args.vocabulary, args.steps, args.threads)
                found[name].append(pool.apply(raced, told))
    return found


def report(found: Mapping[str, Sequence[Done]], conf: TrainConfig, args: argparse.Namespace) -> Any:
    """Medians over the rounds.

    Raises:
        AssertionError: the same steps of ours and of the bare loop came to another loss.
    """
    a, b = found["ours"][0].loss, found["loop"][0].loss
    if abs(a - b) > 0.01 * b:
        raise AssertionError(f"ours ends at a loss of {a}, the loop at {b}: not the same training")
    n_tokens = args.steps * conf.batch_size * conf.sequence_length
    speeds = {name: n_tokens / statistics.median(d.seconds for d in done)
              for name, done in found.items()}  # fmt: skip
    told: dict[str, Any] = {
        "tokens_per_s": {name: round(speed, 1) for name, speed in speeds.items()},
        "ratios": {
            f"ours / {other}": round(statistics.median(
                b.seconds / a.seconds for a, b in zip(found["ours"], found[other], strict=True)
            ), 3)
            for other in ("loop", "trainer")
        },
        "peak_mib": {name: max(d.peak_mib for d in done) for name, done in found.items()},
        "loss": {name: round(done[-1].loss, 4) for name, done in found.items()},
        "rounds": {name: [asdict(d) for d in done] for name, done in found.items()},
    }  # fmt: skip
    if conf.device == "cuda" and (peak := peak_flops(torch.cuda.get_device_name())):
        told["mfu"] = {name: round(speed * _flops(conf, args.vocabulary) / peak, 3)
                       for name, speed in speeds.items()}  # fmt: skip
    return told


def _flops(conf: TrainConfig, vocabulary: int) -> float:
    """FLOPs of training a token."""
    with torch.device("meta"):
        model = model_of(conf.model_copy(update={"device": "cpu"}), vocabulary, torch.float32)
    return flops_per_token(model, conf.sequence_length)


def table(told: Mapping[str, Any]) -> str:
    """The report as text."""
    lines = [
        f"{name:8} {speed:10,.0f} tokens/s  peak {told['peak_mib'][name]:6} MiB"
        + (f"  MFU {told['mfu'][name]:.1%}" if "mfu" in told else "")
        for name, speed in told["tokens_per_s"].items()
    ]
    for pair, ratio in told["ratios"].items():
        lines.append(f"{pair} {ratio:.3f} (goal {GOAL}: {'met' if ratio >= GOAL else 'missed'})")
    return "\n".join(lines) + "\n"


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line.

    Raises:
        ConfigError: a number is below 1.
        EnvironmentFault: there is no CUDA device.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    add = parser.add_argument
    add("--architecture", default="llama")
    add("--hidden", type=int, default=256)
    add("--layers", type=int, default=4)
    add("--heads", type=int, default=4)
    add("--vocabulary", type=int, default=49_152)
    add("--sequence", type=int, default=256)
    add("--batch", type=int, default=8)
    add("--micro-batch", type=int, default=0, help="by default the batch")
    add("--steps", type=int, default=8)
    add("--rounds", type=int, default=3)
    add("--threads", type=int, default=torch.get_num_threads())
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--json", type=Path, help="where the numbers go")
    args = parser.parse_args(given)
    if min(args.steps, args.rounds, args.threads) < 1:
        raise ConfigError("--steps, --rounds, --threads: at least 1")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("--device cuda: torch sees no CUDA device here")
    return args


def main(given: Sequence[str] | None = None) -> int:
    """Runs the bench."""
    args = arguments(given)
    conf = TrainConfig(
        architecture=args.architecture, hidden_size=args.hidden, n_layers=args.layers,
        n_heads=args.heads, sequence_length=args.sequence, batch_size=args.batch,
        micro_batch_size=args.micro_batch or args.batch, device=args.device, learning_rate=1e-3,
        warmup_steps=0,
    )  # fmt: skip
    told = report(race(conf, args), conf, args)
    if args.json:
        args.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    sys.stdout.write(table(told))
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
