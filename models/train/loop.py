"""From a manifest of token shards to a trained model, across any number of interruptions.

On one machine's CPU a run is a function of its settings and its tokens: two runs, or a run that
was killed and taken up again, give the same losses and the same weights bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
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
from models.train.mfu import mfu
from models.train.model import build_model
from models.train.optim import build_optimizer, learning_rate, set_learning_rate
from models.train.parallel import Ranks, check_batch
from models.train.shard import State, load_model, load_optimizer, shard, whole_state
from models.train.step import ALONE, DTYPES, is_mixture, split_batch, train_step

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
    optimizer: torch.optim.Optimizer
    loader: SampleLoader
    ranks: Ranks
    eod_id: int | None
    """What ends a document, where attention is to stay in documents."""
    dtype: torch.dtype
    """What matrix products are computed in."""


def train(
    conf: TrainConfig,
    manifest_path: Path,
    out: Path,
    *,
    on_step: Callable[[StepRecord], None] | None = None,
    ranks: Ranks = ALONE,
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
        ranks: Who trains together; all see the same `out`, and the first one alone writes there.

    Raises:
        EnvironmentFault: there is no GPU though `conf` asks for one.
        ConfigError: the ranks cannot share a batch evenly.
        InputError: a shard is missing or damaged, the tokens are too few for one sample, or `out`
            holds another run.
        TrainingDiverged: the gradient is not finite; the last checkpoint stays good.
    """
    _check(conf)
    check_batch(conf.batch_size, conf.micro_batch_size, ranks)
    manifest = read_manifest(manifest_path)
    settings, path = settings_of(conf, manifest), out / CHECKPOINT
    checkpoint = load_checkpoint(path, settings) if path.is_file() else None
    if checkpoint is None or checkpoint.step < conf.n_steps:
        ranks.wait()  # none writes before all have read
        if checkpoint is None and ranks.is_first:
            verify(manifest, manifest_path.parent, suffixes=("bin", "idx"))
        run = _prepare(conf, manifest, manifest_path.parent, settings, ranks)
        checkpoint = _advance(run, checkpoint, out, on_step or (lambda record: None))
    n_tokens = conf.n_steps * conf.batch_size * conf.sequence_length
    return TrainResult(
        conf.n_steps, n_tokens, checkpoint.loss, checkpoint.held_out_loss, path, out / LOG
    )


def _check(conf: TrainConfig) -> None:
    if conf.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("train.device is cuda, but torch sees no GPU; set it to cpu")
    if conf.backend == "megatron":
        from models.train.megatron import check_megatron

        check_megatron(conf)


def _prepare(
    conf: TrainConfig, manifest: Manifest, folder: Path, settings: Settings, ranks: Ranks
) -> _Run:
    stream = open_stream(manifest, folder)
    loader = SampleLoader(stream, sequence_length=conf.sequence_length, seed=conf.seed)
    model = build_model(conf, manifest)
    if conf.parallel == "shard" and ranks.size > 1:
        shard(model)
    eod_id = manifest.eod_id if conf.document_masks else None
    dtype = DTYPES[conf.precision]
    return _Run(conf, settings, model, build_optimizer(model, conf), loader, ranks, eod_id, dtype)


def _advance(
    run: _Run, checkpoint: Checkpoint | None, out: Path, on_step: Callable[[StepRecord], None]
) -> Checkpoint:
    """Take the steps that remain; the checkpoint of the last one."""
    done = 0 if checkpoint is None else checkpoint.step
    if checkpoint is not None:
        load_model(run.model, checkpoint.model)
        load_optimizer(run.optimizer, checkpoint.optimizer)
        run.loader.load_state_dict(checkpoint.data)
    with _Writer(run, out, done) if run.ranks.is_first else nullcontext() as writer:
        for step in range(done + 1, run.conf.n_steps + 1):
            record = _step(run, step)
            is_due = step % run.conf.checkpoint_every == 0 or step == run.conf.n_steps
            if is_due:
                checkpoint = _snapshot(run, record)
            if writer:
                writer.write(record, checkpoint if is_due else None)
            on_step(record)
    run.ranks.wait()
    assert checkpoint is not None
    return checkpoint


class _Writer:
    """Log, checkpoints and finished model of a run."""

    def __init__(self, run: _Run, out: Path, done: int) -> None:
        cut_log(out / LOG, done)
        self._run, self._out = run, out
        self._log = (out / LOG).open("a", encoding="utf-8")

    def write(self, record: StepRecord, checkpoint: Checkpoint | None) -> None:
        """A step's line, and where there is one, its checkpoint, the line on disk before it."""
        append_record(self._log, record)
        if checkpoint is None:
            return
        sync_log(self._log)
        if record.step == self._run.conf.n_steps:  # before what says that all is done
            _export(self._run.model, checkpoint.model, self._out / HF_FOLDER)
        save_checkpoint(checkpoint, self._out / CHECKPOINT)

    def __enter__(self) -> _Writer:
        return self

    def __exit__(self, *error: object) -> None:
        self._log.close()


def _export(model: PreTrainedModel, state: State, folder: Path) -> None:
    disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    tied = model.all_tied_weights_keys  # the same as others, and not to be saved twice
    kept = {name: value for name, value in state.items() if name not in tied}
    model.save_pretrained(folder, state_dict=kept)


def _step(run: _Run, step: int) -> StepRecord:
    start_s = time.perf_counter()
    conf, rate = run.conf, learning_rate(step, run.conf)
    set_learning_rate(run.optimizer, rate)
    samples = run.ranks.part(run.loader.take(conf.batch_size))
    batches = split_batch(samples, conf.micro_batch_size, device=conf.device, eod_id=run.eod_id)
    outcome = train_step(
        run.model,
        run.optimizer,
        batches,
        max_grad_norm=conf.max_grad_norm,
        ranks=run.ranks,
        dtype=run.dtype,
    )
    tokens_per_s = outcome.n_tokens / (time.perf_counter() - start_s)
    return StepRecord(
        step,
        outcome.loss,
        rate,
        outcome.grad_norm,
        step * outcome.n_tokens,
        tokens_per_s,
        mfu(run.model, conf, tokens_per_s / run.ranks.size),
        outcome.aux_loss if is_mixture(run.model) else None,
    )


def _snapshot(run: _Run, record: StepRecord) -> Checkpoint:
    """The run after the step of `record`; after the last one with its loss on held-out samples."""
    finished = record.step == run.conf.n_steps
    return Checkpoint(
        step=record.step,
        loss=record.loss,
        held_out_loss=_held_out_loss(run) if finished and run.loader.n_held_out else None,
        settings=run.settings,
        data=run.loader.state_dict(),
        model=whole_state(run.model.state_dict()),
        optimizer=whole_state(run.optimizer.state_dict()),
    )


def _held_out_loss(run: _Run) -> float:
    conf = run.conf
    batches = held_out_batches(
        run.loader, conf.micro_batch_size, device=conf.device, eod_id=run.eod_id
    )
    return evaluate(run.model, batches, dtype=run.dtype).loss
