"""From a manifest of token shards to a trained model, across any number of interruptions.

On one machine's CPU a run is a function of its settings and its tokens: two runs, or a run that
was killed and taken up again, give the same losses and the same weights bit for bit.
"""

from __future__ import annotations

import logging
import math
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TextIO

import torch
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from curation.config import TrainConfig
from curation.errors import EnvironmentFault, TrainingDiverged
from curation.tokens.manifest import Manifest, Suffix, verify
from models.recipes.continued import MAX_QA_EPOCHS
from models.train.blended import BlendedLoader
from models.train.checkpoint import (
    Checkpoint,
    checkpoint_steps,
    discard_older,
    last_checkpoint,
    load_checkpoint,
    save_checkpoint,
)
from models.train.data import SampleLoader, TokenStream, join, open_stream
from models.train.evaluate import Evaluation, evaluate, held_out_batches
from models.train.folder import CHECKPOINTS, Settings, check_batch, settings_of
from models.train.log import StepRecord, append_record, cut_log, sync_log
from models.train.mfu import mfu
from models.train.model import build_model, build_shapes, first_weights
from models.train.optim import build_optimizer, learning_rate, set_learning_rate
from models.train.packed import open_unpacked, unpack
from models.train.parallel import Ranks
from models.train.phases import phases_of, tokens_per_step
from models.train.shard import gather_weights, load_state, shard, spread, state_of
from models.train.sources import OWN, Source, read_sources
from models.train.spikes import SpikeGuard
from models.train.step import ALONE, DTYPES, is_mixture, split_batch, train_step

_LOGGER = logging.getLogger(__name__)

LOG = "log.jsonl"
UNPACKED = "unpacked"
"""Where the tokens of Parquet shards lie flat; of no use to a run that is finished."""
HF_FOLDER = "hf"
"""Where a finished model lies as transformers' `from_pretrained` and vLLM take it."""


@dataclass(frozen=True)
class TrainResult:
    """A finished run."""

    n_steps: int
    """Steps done."""
    n_skipped: int
    """Of those, the ones without an update."""
    n_skipped_last: int
    """Of those, the ones that the run ended in: the weights are those of the step before them."""
    n_tokens: int
    """Tokens seen."""
    loss: float
    """Loss of the last step, in nats a token."""
    held_out_loss: float | None
    """Loss on samples never trained on, in nats a token; null where there are too few to hold out
    any."""
    held_out_losses: Mapping[str, float]
    """The same by source, for those that have any."""
    n_samples: Mapping[str, int]
    """Samples read of each source."""
    checkpoint: Path
    log: Path

    def __str__(self) -> str:
        held_out = "" if self.held_out_loss is None else f", held out {self.held_out_loss:.4f}"
        if len(self.held_out_losses) > 1:
            parts = [f"{name} {loss:.4f}" for name, loss in self.held_out_losses.items()]
            held_out += f" ({', '.join(parts)})"
        seen = f"{self.n_steps} steps, {self.n_tokens} tokens"
        if self.n_skipped:
            seen += f", {self.n_skipped} steps skipped"
        if self.n_skipped_last:
            seen += f" (weights of step {self.n_steps - self.n_skipped_last})"
        return f"{seen}, loss {self.loss:.4f}{held_out} nats a token: {self.checkpoint}"


@dataclass(frozen=True, eq=False)
class _Run:
    """The parts of a run; model, optimizer, loader and guard change with every step."""

    conf: TrainConfig
    settings: Settings
    model: PreTrainedModel
    optimizer: torch.optim.Optimizer
    loader: BlendedLoader
    guard: SpikeGuard
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
    """Train on the sources of `conf` into `out/checkpoint` and `out/log.jsonl`.

    Where it names none, the shards beside `manifest_path` are read. The finished model lies in
    `out/hf` too, as `from_pretrained` takes it.

    Where `out` holds a checkpoint of this run, training goes on from there, and the log is cut
    back to it; where the run is finished, nothing is done. A first start reads every shard once
    to check its hash.

    Args:
        conf: Shape of the model, how it is trained, and on what.
        manifest_path: The manifest of the run's own shards, in their folder.
        out: Folder of the run; made where it is missing.
        on_step: Called after each step, when its line and its checkpoint are written.
        ranks: Who trains together; all see the same `out`, and the first one alone writes there.

    Raises:
        EnvironmentFault: there is no GPU though `conf` asks for one.
        ConfigError: the ranks cannot share a batch evenly, or a phase of the data has no step.
        InputError: a shard is missing or damaged, the tokens are too few for one sample, sources
            are of different tokenizers, or `out` holds another run.
        TrainingDiverged: more steps in a row than `conf.max_skipped` could not be taken, or the
            last loss or the held-out one is not finite; the last checkpoint stays good.
    """
    _check(conf)
    check_batch(conf.batch_size, conf.micro_batch_size, ranks.size)
    sources = read_sources(conf, manifest_path)
    settings, path = settings_of(conf, sources), last_checkpoint(out / CHECKPOINTS)
    checkpoint = load_checkpoint(path, settings) if path else None
    if checkpoint is None or checkpoint.step < conf.n_steps:
        ranks.wait()  # none writes before all have read
        if ranks.is_first:
            lay_out(conf, sources, out, is_new=checkpoint is None)
        ranks.wait()
        run = _prepare(conf, sources, out, settings, ranks, path)
        if checkpoint is not None:
            run.loader.load_state_dict(checkpoint.data)
            run.guard.load_state_dict(checkpoint.spikes)
        checkpoint = _advance(run, checkpoint, out, on_step or (lambda record: None))
    if ranks.is_first:
        discard_older(out / CHECKPOINTS)
    return TrainResult(
        n_steps=conf.n_steps,
        n_skipped=checkpoint.spikes["n_skipped"],
        n_skipped_last=checkpoint.spikes["n_in_a_row"],
        n_tokens=conf.n_steps * tokens_per_step(conf),
        loss=checkpoint.loss,
        held_out_loss=checkpoint.held_out_loss,
        held_out_losses=checkpoint.held_out_losses,
        n_samples=checkpoint.data,
        checkpoint=out / CHECKPOINTS / str(checkpoint.step),
        log=out / LOG,
    )


def _check(conf: TrainConfig) -> None:
    if conf.device == "cuda" and not torch.cuda.is_available():
        raise EnvironmentFault("train.device is cuda, but torch sees no GPU; set it to cpu")
    if conf.backend == "megatron":
        from models.train.megatron import check_megatron

        check_megatron(conf)


def lay_out(conf: TrainConfig, sources: Mapping[str, Source], out: Path, *, is_new: bool) -> None:
    """See that the shards are what their manifests say, and that they can be mapped."""
    suffixes: tuple[Suffix, ...] = ("bin", "idx") if conf.data_format == "bin" else ("parquet",)
    for source in sources.values() if is_new else ():
        verify(source.manifest, source.folder, suffixes=suffixes)
    for source in sources.values() if conf.data_format == "parquet" else ():
        unpack(source.manifest, source.folder, out / UNPACKED)


def _prepare(
    conf: TrainConfig,
    sources: Mapping[str, Source],
    out: Path,
    settings: Settings,
    ranks: Ranks,
    path: Path | None,
) -> _Run:
    """A run at its start, but with model and optimizer of the checkpoint at `path`, if any."""
    loader = open_loader(conf, sources, out)
    if ranks.is_first:
        _warn_of_repeats(loader, conf)
    # Which of the sources makes no difference: their tokens are the same.
    manifest = next(iter(sources.values())).manifest
    is_sharded = conf.parallel == "shard" and ranks.size > 1
    build = partial(_sharded, ranks=ranks, is_new=path is None) if is_sharded else build_model
    model = build(conf, manifest)
    optimizer = build_optimizer(model, conf)
    if path:
        load_state(path, model, optimizer)
    return _Run(
        conf, settings, model, optimizer, loader, SpikeGuard(conf), ranks,
        eod_id=manifest.eod_id if conf.document_masks else None, dtype=DTYPES[conf.precision],
    )  # fmt: skip


def _sharded(
    conf: TrainConfig, manifest: Manifest, *, ranks: Ranks, is_new: bool
) -> PreTrainedModel:
    """The model of `conf` in parts; its weights are the first ones or, if not `is_new`, not set."""
    model = build_shapes(conf, manifest)
    shard(model, conf.device, DTYPES[conf.precision])
    if is_new:
        # What is drawn depends on all that was drawn before: one rank has to draw it all.
        spread(first_weights(conf, manifest) if ranks.is_first else {}, model, ranks)
    return model


def open_loader(conf: TrainConfig, sources: Mapping[str, Source], out: Path) -> BlendedLoader:
    """The samples of a run of `conf` into `out`, at its start.

    Raises:
        InputError: a shard is missing, truncated, or is not the one that its manifest lists.
        ConfigError: a phase has no step, or the learning rate never falls to that of the switch.
    """
    loaders = {
        name: SampleLoader(
            _open_stream(conf, source, out),
            sequence_length=conf.sequence_length,
            seed=conf.seed,
            name="" if name == OWN and not conf.sources else name,
        )
        for name, source in sources.items()
    }
    sizes = {name: loader.n_samples for name, loader in loaders.items()}
    return BlendedLoader(loaders, phases_of(conf, sizes))


def _open_stream(conf: TrainConfig, source: Source, out: Path) -> TokenStream:
    if conf.data_format == "parquet":
        return join(open_unpacked(source.manifest, out / UNPACKED))
    return open_stream(source.manifest, source.folder)


def _warn_of_repeats(loader: BlendedLoader, conf: TrainConfig) -> None:
    for name, epochs in loader.epochs_after(conf.n_steps * conf.batch_size).items():
        if epochs > MAX_QA_EPOCHS:
            _LOGGER.warning(
                "source %s will be read %.1f times, more than %g: have more of it, or lower its "
                "share", name, epochs, MAX_QA_EPOCHS,
            )  # fmt: skip


def _advance(
    run: _Run, checkpoint: Checkpoint | None, out: Path, on_step: Callable[[StepRecord], None]
) -> Checkpoint:
    """Take the steps that remain; the checkpoint of the last one."""
    done = 0 if checkpoint is None else checkpoint.step
    with _open_log(out / LOG, done) if run.ranks.is_first else nullcontext() as log:
        for step in range(done + 1, run.conf.n_steps + 1):
            record = _step(run, step)
            if log:
                append_record(log, record)
                if not record.skipped:  # its loss was that of the newest checkpoint, or a later one
                    discard_older(out / CHECKPOINTS)
            if _is_due(run, record):
                if log:
                    sync_log(log)
                checkpoint = _snapshot(run, record)
                _save(run, checkpoint, out)
            on_step(record)
            _check_sound(run, record, out)
    run.ranks.wait()
    assert checkpoint is not None
    return checkpoint


def _open_log(path: Path, done: int) -> AbstractContextManager[TextIO]:
    cut_log(path, done)
    return path.open("a", encoding="utf-8")


def _save(run: _Run, checkpoint: Checkpoint, out: Path) -> None:
    if checkpoint.step == run.conf.n_steps:  # before what says that all is done
        _export(run, out / HF_FOLDER)
    tensors = state_of(run.model, run.optimizer)
    save_checkpoint(checkpoint, tensors, out / CHECKPOINTS, ranks=run.ranks)


def _is_due(run: _Run, record: StepRecord) -> bool:
    """Whether a checkpoint follows the step.

    None does while steps are being skipped: the update before them may be what broke the weights.
    The update of the step itself may be it too, which the next loss tells: only then is the
    checkpoint before this one removed.
    """
    if record.step == run.conf.n_steps:
        return _is_sound(run, record)
    return not record.skipped and record.step % run.conf.checkpoint_every == 0


def _is_sound(run: _Run, record: StepRecord) -> bool:
    """Whether the run may go on from here, or end here."""
    is_end = record.step == run.conf.n_steps
    is_broken = is_end and not math.isfinite(record.loss)
    return run.guard.n_in_a_row <= run.conf.max_skipped and not is_broken


def _check_sound(run: _Run, record: StepRecord, out: Path) -> None:
    if _is_sound(run, record):
        return
    first = record.step - run.guard.n_in_a_row + 1
    limit = run.conf.max_skipped
    too_many = run.guard.n_in_a_row > limit
    why = f"more than train.max_skipped, {limit}" if too_many else "and the run ends in them"
    raise TrainingDiverged(
        f"steps {first} to {record.step} could not be taken (loss {record.loss:g}, gradient norm "
        f"{record.grad_norm:g} at the last), {why}; there is {_kept(out, first)}: look at what "
        "these steps read, raise train.max_skipped, or begin anew with a lower train.learning_rate"
    )


def _kept(out: Path, first: int) -> str:
    """Which checkpoints there are to go back to from step `first`, which could not be taken."""
    steps = sorted(checkpoint_steps(out / CHECKPOINTS))
    if not steps:
        return "no checkpoint yet"
    newest = f"the checkpoint of step {steps[-1]}"
    if steps[-1] != first - 1:
        return newest
    older = f" (remove it to go on from that of step {steps[-2]})" if steps[1:] else ""
    return f"{newest}, whose own update may be what broke the weights{older}"


def _export(run: _Run, folder: Path) -> None:
    weights = gather_weights(run.model, run.ranks)
    if not run.ranks.is_first:
        return
    disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    for old in (unfinished, folder):
        shutil.rmtree(old, ignore_errors=True)
    run.model.save_pretrained(unfinished, state_dict=weights)
    unfinished.rename(folder)


def _step(run: _Run, step: int) -> StepRecord:
    start_s = time.perf_counter()
    conf, rate = run.conf, learning_rate(step, run.conf)
    set_learning_rate(run.optimizer, rate)
    samples = run.loader.read(run.ranks.part(run.loader.draw(conf.batch_size)))
    batches = split_batch(samples, conf.micro_batch_size, device=conf.device, eod_id=run.eod_id)
    outcome = train_step(
        run.model, run.optimizer, batches, max_grad_norm=conf.max_grad_norm, ranks=run.ranks,
        dtype=run.dtype, accepts=run.guard.accepts,
    )  # fmt: skip
    run.guard.note(outcome.loss, outcome.grad_norm, skipped=outcome.skipped)
    tokens_per_s = outcome.n_tokens / (time.perf_counter() - start_s)
    return StepRecord(
        step, outcome.loss, rate, outcome.grad_norm, step * outcome.n_tokens, tokens_per_s,
        epochs=run.loader.epochs(), skipped=outcome.skipped,
        mfu=mfu(run.model, conf, tokens_per_s / run.ranks.size),
        aux_loss=outcome.aux_loss if is_mixture(run.model) else None,
    )  # fmt: skip


def _snapshot(run: _Run, record: StepRecord) -> Checkpoint:
    """The run after the step of `record`; after the last one with its loss on held-out samples."""
    finished = record.step == run.conf.n_steps
    held_out = _held_out(run) if finished else {}
    _check_learnt(record, held_out)
    return Checkpoint(
        step=record.step,
        loss=record.loss,
        held_out_losses={name: one.loss for name, one in held_out.items()},
        held_out_loss=_joined(held_out).loss if held_out else None,
        settings=run.settings,
        data=run.loader.state_dict(),
        spikes=run.guard.state_dict(),
    )


def _check_learnt(record: StepRecord, held_out: Mapping[str, Evaluation]) -> None:
    """Refuse to end with weights that the last update broke: no later step would tell."""
    for name, found in held_out.items():
        if not math.isfinite(found.loss):
            raise TrainingDiverged(
                f"the weights after step {record.step}, the last, are broken: held-out loss "
                f"{found.loss:g} on {name}; begin anew with a lower train.learning_rate"
            )


def _joined(parts: Mapping[str, Evaluation]) -> Evaluation:
    return Evaluation(
        math.fsum(part.loss_nats for part in parts.values()),
        sum(part.n_tokens for part in parts.values()),
    )


def _held_out(run: _Run) -> dict[str, Evaluation]:
    """What the model makes of each source's held-out samples, where it has any."""
    conf = run.conf
    return {
        name: evaluate(
            run.model,
            held_out_batches(loader, conf.micro_batch_size, device=conf.device, eod_id=run.eod_id),
            dtype=run.dtype,
        )
        for name, loader in run.loader.loaders.items()
        if loader.n_held_out
    }
