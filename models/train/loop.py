"""From a manifest of token shards to a trained model, across any number of interruptions.

On one machine's CPU a run is a function of its settings and its tokens: two runs, or a run that
was killed and taken up again, give the same losses and the same weights bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from curation.config import TrainConfig
from curation.errors import EnvironmentFault
from curation.tokens.manifest import Manifest, read_manifest, verify
from models.train.checkpoint import (
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from models.train.data import SampleLoader, open_stream
from models.train.evaluate import evaluate, held_out_batches
from models.train.folder import CHECKPOINT, Settings, settings_of
from models.train.log import StepRecord, append_record, cut_log, sync_log
from models.train.model import build_model
from models.train.optim import build_optimizer, learning_rate, set_learning_rate
from models.train.step import split_batch, train_step

LOG = "log.jsonl"
HF_FOLDER = "hf"
"""Where a finished model lies as transformers' `from_pretrained` and vLLM take it."""


@dataclass(frozen=True)
class TrainResult:
    """A finished run."""

    n_steps: int
    """Updates done."""
    n_tokens: int
    """Tokens seen."""
    loss: float
    """Loss of the last step, in nats a token."""
    held_out_loss: float | None
    """Loss on samples never trained on, in nats a token; null where there are too few to hold out
    any."""
    checkpoint: Path
    log: Path

    def __str__(self) -> str:
        held_out = "" if self.held_out_loss is None else f", held out {self.held_out_loss:.4f}"
        seen = f"{self.n_steps} steps, {self.n_tokens} tokens"
        return f"{seen}, loss {self.loss:.4f}{held_out} nats a token: {self.checkpoint}"


@dataclass(frozen=True, eq=False)
class _Run:
    """The parts of a run; model, optimizer and loader change with every step."""

    conf: TrainConfig
    settings: Settings
    model: PreTrainedModel
    optimizer: torch.optim.AdamW
    loader: SampleLoader


def train(
    conf: TrainConfig,
    manifest_path: Path,
    out: Path,
    *,
    on_step: Callable[[StepRecord], None] | None = None,
) -> TrainResult:
    """Train on the shards beside `manifest_path` into `out/checkpoint.pt` and `out/log.jsonl`.

    The finished model lies in `out/hf` too, as `from_pretrained` takes it.

    Where `out` holds a checkpoint of this run, training goes on from there, and the log is cut
    back to it; where the run is finished, nothing is done. A first start reads every shard once
    to check its hash.

    Args:
        conf: Shape of the model, and how it is trained.
        manifest_path: A manifest, in the folder of its shards.
        out: Folder of the run; made where it is missing.
        on_step: Called after each step, when its line and its checkpoint are written.

    Raises:
        EnvironmentFault: there is no GPU though `conf` asks for one.
        InputError: a shard is missing or damaged, the tokens are too few for one sample, or `out`
            holds another run.
        TrainingDiverged: the gradient is not finite; the last checkpoint stays good.
    """
    _check(conf)
    manifest = read_manifest(manifest_path)
    settings, path = settings_of(conf, manifest), out / CHECKPOINT
    checkpoint = load_checkpoint(path, settings) if path.is_file() else None
    if checkpoint is None or checkpoint.step < conf.n_steps:
        if checkpoint is None:
            verify(manifest, manifest_path.parent, suffixes=("bin", "idx"))
        run = _prepare(conf, manifest, manifest_path.parent, settings)
        checkpoint = _advance(run, checkpoint, out, on_step or (lambda record: None))
    n_tokens = conf.n_steps * conf.batch_size * conf.sequence_length
    return TrainResult(
        conf.n_steps, n_tokens, checkpoint.loss, checkpoint.held_out_loss, path, out / LOG
    )


def _check(conf: TrainConfig) -> None:
    if conf.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("train.device is cuda, but torch sees no GPU; set it to cpu")


def _prepare(conf: TrainConfig, manifest: Manifest, folder: Path, settings: Settings) -> _Run:
    stream = open_stream(manifest, folder)
    loader = SampleLoader(stream, sequence_length=conf.sequence_length, seed=conf.seed)
    model = build_model(conf, manifest)
    return _Run(conf, settings, model, build_optimizer(model, conf), loader)


def _advance(
    run: _Run, checkpoint: Checkpoint | None, out: Path, on_step: Callable[[StepRecord], None]
) -> Checkpoint:
    """Take the steps that remain; the checkpoint of the last one."""
    done = 0 if checkpoint is None else checkpoint.step
    if checkpoint is not None:
        run.model.load_state_dict(checkpoint.model)
        run.optimizer.load_state_dict(checkpoint.optimizer)
        run.loader.load_state_dict(checkpoint.data)
    cut_log(out / LOG, done)
    with (out / LOG).open("a", encoding="utf-8") as log:
        for step in range(done + 1, run.conf.n_steps + 1):
            record = _step(run, step)
            append_record(log, record)
            if step % run.conf.checkpoint_every == 0 or step == run.conf.n_steps:
                checkpoint = _snapshot(run, record)
                sync_log(log)
                if step == run.conf.n_steps:  # before the checkpoint that says that all is done
                    _export(run.model, out / HF_FOLDER)
                save_checkpoint(checkpoint, out / CHECKPOINT)
            on_step(record)
    assert checkpoint is not None
    return checkpoint


def _export(model: PreTrainedModel, folder: Path) -> None:
    disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    model.save_pretrained(folder)


def _step(run: _Run, step: int) -> StepRecord:
    start_s = time.perf_counter()
    conf, rate = run.conf, learning_rate(step, run.conf)
    set_learning_rate(run.optimizer, rate)
    samples = run.loader.take(conf.batch_size)
    batches = split_batch(samples, conf.micro_batch_size, device=conf.device)
    outcome = train_step(run.model, run.optimizer, batches, max_grad_norm=conf.max_grad_norm)
    tokens_per_s = outcome.n_tokens / (time.perf_counter() - start_s)
    n_seen = step * outcome.n_tokens
    return StepRecord(step, outcome.loss, rate, outcome.grad_norm, n_seen, tokens_per_s)


def _snapshot(run: _Run, record: StepRecord) -> Checkpoint:
    """The run after the step of `record`; after the last one with its loss on held-out samples."""
    finished = record.step == run.conf.n_steps
    return Checkpoint(
        step=record.step,
        loss=record.loss,
        held_out_loss=_held_out_loss(run) if finished and run.loader.n_held_out else None,
        settings=run.settings,
        data=run.loader.state_dict(),
        model=run.model.state_dict(),
        optimizer=run.optimizer.state_dict(),
    )


def _held_out_loss(run: _Run) -> float:
    conf = run.conf
    batches = held_out_batches(run.loader, conf.micro_batch_size, device=conf.device)
    return evaluate(run.model, batches).loss
