"""Trains the arms of an experiment and measures them, each (arm, seed) once.

A finished run is a line of OUT/results.jsonl under a fingerprint of everything that decides it:
texts, blend, shape, steps. A run that is there already is not run again.

The parts are those of `models.train`: model, step, loss, optimizer, rates, order of the samples.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import PreTrainedModel
from transformers.utils.logging import disable_progress_bar

from bench.science.design import Arm, Experiment, Material, Quiz, sample_sources
from bench.science.tokenizer import trained_encoder
from curation.config import TrainConfig, fingerprint
from curation.tokens.encode import Encoder
from curation.tokens.files import replacing
from curation.tokens.manifest import Manifest
from models.train.data import SampleLoader, TokenStream
from models.train.evaluate import evaluate
from models.train.model import build_model
from models.train.optim import build_optimizer, learning_rate, set_learning_rate
from models.train.step import IGNORED, Batch, split_batch, train_step

RESULTS = "results.jsonl"
N_TRACES = 12
"""Measurements of the traced text along a run."""
MAX_EVALUATED, MAX_TRACED = 96, 24
"""Samples of a held-out text that are measured at the end, and along the way."""
MAX_ANSWER = 96
"""Tokens generated to reach a marker."""
SHAPE = TrainConfig(
    hidden_size=128, n_layers=4, n_heads=4, sequence_length=128, batch_size=2,
    micro_batch_size=2, learning_rate=3e-3, warmup_steps=20,
)  # fmt: skip

Tokens = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Result:
    """One finished run."""

    experiment: str
    arm: str
    seed: int
    identity: str
    """Fingerprint of all that decides it."""
    n_parameters: int
    n_tokens: int
    """Tokens read, a base's not counted."""
    epochs: Mapping[str, float]
    """Passes over each source."""
    metrics: Mapping[str, float]
    notes: Mapping[str, float]
    seconds: float
    trace: Sequence[tuple[int, float]] = field(default_factory=list)
    """Step, bits a byte of the traced text."""


@dataclass(frozen=True, eq=False)
class Prepared:
    """An experiment at one seed, with its texts as tokens."""

    experiment: Experiment
    seed: int
    conf: TrainConfig
    encoder: Encoder
    sources: Mapping[str, Tokens]
    material: Material

    @property
    def manifest(self) -> Manifest:
        """What `build_model` wants to know of the tokens."""
        return Manifest(
            tokenizer="bench.science", tokenizer_sha256="0" * 64,
            vocabulary_size=self.encoder.vocabulary_size, eod_id=self.encoder.eod_id,
            dtype="uint16", sequence_length=self.conf.sequence_length, packing="concatenate",
            blend_fingerprint="", n_documents=0, n_tokens=0, shards=(),
        )  # fmt: skip

    @property
    def n_tokens(self) -> int:
        """Tokens that an arm reads."""
        return self.conf.n_steps * self.conf.batch_size * self.conf.sequence_length

    def arms(self) -> tuple[Arm, ...]:
        """The arms for these texts."""
        sizes = {name: len(tokens) for name, tokens in self.sources.items()}
        return self.experiment.arms(sizes, self.n_tokens)

    def identity(self, arm: Arm) -> str:
        """Fingerprint of a run of `arm`, its base included."""
        parts = [self._identity_of(arm)]
        if self.experiment.base:
            parts.append(self._identity_of(self.experiment.base))
        return fingerprint({str(i): part for i, part in enumerate(parts)})

    def _identity_of(self, arm: Arm) -> str:
        return fingerprint({
            "arm": json.dumps(asdict(arm), sort_keys=True),
            "texts": fingerprint({name: asdict(self.material)[name] for name in _TEXTS}),
            "conf": self.conf.model_dump(mode="json"), "seed": self.seed,
        })  # fmt: skip


_TEXTS = ("sources", "held_out", "quizzes")


def prepare(experiment: Experiment, seed: int, *, n_steps: int, data: Path, out: Path) -> Prepared:
    """Texts, tokenizer and settings of `experiment` at `seed`."""
    material = experiment.material(data, seed)
    # In turns, so that each source has its part where the merges are learnt from a part only.
    encoder = trained_encoder(_in_turns(list(material.sources.values())), out)
    sources = {name: stream_of(texts, encoder) for name, texts in material.sources.items()}
    more = {"n_steps": round(experiment.length * n_steps), "seed": seed}
    conf = SHAPE.model_copy(update=dict(experiment.shape) | more)
    return Prepared(experiment, seed, conf, encoder, sources, material)


def _in_turns(sources: Sequence[Sequence[str]]) -> Iterator[str]:
    for number in range(max(map(len, sources))):
        yield from (texts[number] for texts in sources if number < len(texts))


def stream_of(texts: Sequence[str], encoder: Encoder) -> Tokens:
    """The tokens of `texts`, one text after the other, each with an end-of-document token."""
    end = np.array([encoder.eod_id], np.int64)
    parts = [part for ids in encoder.encode(list(texts)) for part in (ids.astype(np.int64), end)]
    return np.concatenate(parts)


def run(prepared: Prepared, arm: Arm, out: Path, *, n_base_steps: int) -> Result:
    """Train `arm` and measure it."""
    start_s = time.perf_counter()
    disable_progress_bar()  # type: ignore[no-untyped-call, unused-ignore]
    conf = prepared.conf.model_copy(update=dict(arm.settings))
    if prepared.experiment.base:
        base = _base_folder(prepared, prepared.experiment.base, out, n_base_steps)
        conf = conf.model_copy(update={"init_from": str(base)})
    model = build_model(conf, prepared.manifest)
    trace, probe = list[tuple[int, float]](), prepared.experiment.traced

    def on_step(step: int) -> None:
        if probe and step in {round(i * conf.n_steps / N_TRACES) for i in range(N_TRACES + 1)}:
            texts = prepared.material.held_out[probe]
            trace.append((step, text_loss(model, texts, prepared, most=MAX_TRACED)))

    epochs = advance(model, conf, prepared, arm, on_step)
    metrics = measured(model, prepared)
    if trace:
        metrics[f"{probe} bump"] = max(loss for _, loss in trace) - trace[0][1]
    return Result(
        prepared.experiment.name, arm.name, prepared.seed, prepared.identity(arm),
        sum(p.numel() for p in model.parameters()), prepared.n_tokens, epochs, metrics,
        prepared.material.notes, round(time.perf_counter() - start_s, 1), trace,
    )  # fmt: skip


def advance(
    model: PreTrainedModel,
    conf: TrainConfig,
    prepared: Prepared,
    arm: Arm,
    on_step: Callable[[int], None],
) -> dict[str, float]:
    """Take all steps of `arm`; the passes over each source."""
    optimizer = build_optimizer(model, conf)
    names = sample_sources(arm, conf.n_steps * conf.batch_size, seed=prepared.seed)
    loaders = {name: _loader(prepared, name) for name in sorted(set(names))}
    on_step(0)
    for step in range(1, conf.n_steps + 1):
        set_learning_rate(optimizer, learning_rate(step, conf))
        batch = names[(step - 1) * conf.batch_size : step * conf.batch_size]
        samples = np.concatenate([loaders[name].take(1) for name in batch])
        micro_batches = split_batch(samples, conf.micro_batch_size, device=conf.device)
        train_step(model, optimizer, micro_batches, max_grad_norm=conf.max_grad_norm)
        on_step(step)
    return {name: names.count(name) / loader.n_samples for name, loader in loaders.items()}


def _loader(prepared: Prepared, name: str) -> SampleLoader:
    tokens = prepared.sources[name]
    stream = TokenStream((tokens,), np.array([0, len(tokens)], np.int64))
    length = prepared.conf.sequence_length
    return SampleLoader(stream, sequence_length=length, seed=prepared.seed)


def _base_folder(prepared: Prepared, base: Arm, out: Path, n_steps: int) -> Path:
    """The trained base of this seed; it is trained where it is missing."""
    conf = prepared.conf.model_copy(update={"n_steps": n_steps})
    texts = {name: prepared.material.sources[name] for p in base.phases for name in p.shares}
    identity = fingerprint({
        "conf": conf.model_dump(mode="json"), "arm": json.dumps(asdict(base), sort_keys=True),
        "texts": texts, "tokenizer": prepared.encoder.tokenizer.to_str(),
    })  # fmt: skip
    folder = out / f"base-{identity}"
    if not (folder / "config.json").is_file():
        model = build_model(conf, prepared.manifest)
        advance(model, conf, prepared, base, lambda step: None)
        model.save_pretrained(folder.with_suffix(".part"))
        folder.with_suffix(".part").rename(folder)
    return folder


def measured(model: PreTrainedModel, prepared: Prepared) -> dict[str, float]:
    """Every metric: bits a byte of the held-out texts, loss and right answers of the quizzes."""
    texts, metrics = prepared.material.held_out, dict[str, float]()
    for name, documents in texts.items():
        metrics[name] = text_loss(model, documents, prepared)
    for name, quiz in prepared.material.quizzes.items():
        if not quiz.marker:
            metrics[f"{name} nats"] = answer_loss(model, quiz, prepared.encoder)
        metrics[f"{name} right"] = right_frac(model, quiz, prepared.encoder)
    return metrics


def text_loss(
    model: PreTrainedModel, texts: Sequence[str], prepared: Prepared, *, most: int = MAX_EVALUATED
) -> float:
    """Bits a byte of the first `most` samples of `texts`."""
    length, tokens = prepared.conf.sequence_length, stream_of(texts, prepared.encoder)
    n = min(most, (len(tokens) - 1) // length)
    samples = np.stack([tokens[i * length : (i + 1) * length + 1] for i in range(n)])
    batches = split_batch(samples, 8, device="cpu")
    decoded = prepared.encoder.tokenizer.decode(samples[:, 1:].ravel().tolist())
    return evaluate(model, batches).bits_per_byte(len(decoded.encode()))


def answer_loss(model: PreTrainedModel, quiz: Quiz, encoder: Encoder) -> float:
    """Mean cross-entropy of the right answers behind their prompts, in nats a token."""
    return evaluate(model, list(_answer_batches(quiz, encoder))).loss


def _answer_batches(quiz: Quiz, encoder: Encoder) -> Iterator[Batch]:
    for start in range(0, len(quiz.items), 32):
        pairs = [(_ids(encoder, p), _ids(encoder, a)) for p, a in quiz.items[start : start + 32]]
        width = max(len(prompt) + len(answer) for prompt, answer in pairs)
        inputs = torch.full((len(pairs), width - 1), encoder.eod_id)
        targets = torch.full((len(pairs), width - 1), IGNORED)
        for row, (prompt, answer) in enumerate(pairs):
            whole = torch.tensor(prompt + answer)
            inputs[row, : len(whole) - 1] = whole[:-1]
            targets[row, len(prompt) - 1 : len(whole) - 1] = whole[len(prompt) :]
        yield Batch(inputs, targets)


def right_frac(model: PreTrainedModel, quiz: Quiz, encoder: Encoder) -> float:
    """Share of the questions whose most likely continuation gives the right answer."""
    by_length: dict[int, list[tuple[list[int], str]]] = {}
    for prompt, answer in quiz.items:
        ids = _ids(encoder, prompt)
        by_length.setdefault(len(ids), []).append((ids, answer))
    n_right = 0
    for group in by_length.values():
        answers = [answer for _, answer in group]
        n_new = MAX_ANSWER if quiz.marker else max(len(_ids(encoder, a)) for a in answers) + 1
        told = _continued(model, [ids for ids, _ in group], encoder, n_new)
        n_right += sum(
            answered(text, quiz.marker) == answer.strip()
            for text, answer in zip(told, answers, strict=True)
        )
    return n_right / len(quiz.items)


def answered(text: str, marker: str) -> str:
    """The answer in a generated text: its first line, or what follows the marker on its line."""
    _, found, rest = text.partition(marker) if marker else ("", "", text)
    return rest.lstrip(" ").partition("\n")[0].strip() if found or not marker else ""


def _continued(
    model: PreTrainedModel, prompts: list[list[int]], encoder: Encoder, n_new: int
) -> list[str]:
    """The most likely continuations of prompts of equal length, up to the document's end."""
    inputs, generate = torch.tensor(prompts), _generator(model)
    with torch.no_grad():
        ids = generate(
            inputs, attention_mask=torch.ones_like(inputs), max_new_tokens=n_new, do_sample=False,
            use_cache=True, eos_token_id=encoder.eod_id, pad_token_id=encoder.eod_id,
        )  # fmt: skip
    return [encoder.tokenizer.decode(row) for row in ids[:, inputs.shape[1] :].tolist()]


def _generator(model: PreTrainedModel) -> Any:
    return model.generate  # type: ignore[operator, unused-ignore]


def _ids(encoder: Encoder, text: str) -> list[int]:
    ids: list[int] = encoder.encode([text])[0].tolist()
    return ids


def load_results(out: Path) -> list[Result]:
    """The finished runs in `out`; a line that a kill cut short does not count."""
    lines = _whole_lines(out / RESULTS).decode().splitlines()
    return [Result(**json.loads(line)) for line in lines]


def keep_result(result: Result, out: Path) -> None:
    """Add `result` to the finished runs."""
    whole = _whole_lines(out / RESULTS)
    with replacing(out / RESULTS) as temporary:
        temporary.write_bytes(whole + json.dumps(asdict(result)).encode() + b"\n")


def _whole_lines(path: Path) -> bytes:
    text = path.read_bytes() if path.is_file() else b""
    return text[: text.rfind(b"\n") + 1]
