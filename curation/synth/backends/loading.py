"""The generator that a configuration names, loaded once a process."""

from __future__ import annotations

from typing import NamedTuple, get_args

from curation.config import EngineConfig, GeneratorConfig, HttpConfig
from curation.model_store import model_folder
from curation.synth.backends.fake import FakeBackend
from curation.synth.backends.feeding import Engine, FedBackend
from curation.synth.backends.http import HttpBackend
from curation.synth.backends.protocol import Backend, ChatRequest
from curation.synth.backends.transformers import TransformersEngine
from curation.synth.backends.vllm import VllmEngine, check_context
from curation.synth.tokenizer import load_chat_tokenizer

KINDS: tuple[str, ...] = get_args(GeneratorConfig.model_fields["backend"].annotation)
"""Names of the backends, as `backend` takes them."""


def load_backend(conf: GeneratorConfig, *, seed: int) -> Backend:
    """The generator of `conf`, kept for the next caller: an engine takes long to start.

    One is kept; before another starts, it is closed, since two may not fit in the memory.

    Raises:
        EnvironmentFault: the model or a package is not on this machine, or no server answers.
        ConfigError: the model cannot take `max_model_tokens`, or the engine refuses a setting.
    """
    wanted = _Wanted(conf.backend, conf.model, seed, conf.max_model_tokens, conf.engine, conf.http)
    if wanted not in _kept:
        release()
        _kept[wanted] = _started(wanted)
    return _kept[wanted]


def release() -> None:
    """Close the generator that is kept, if one is."""
    while _kept:
        _, backend = _kept.popitem()
        backend.close()


class _Wanted(NamedTuple):
    """All that tells one generator from another."""

    kind: str
    model: str
    seed: int
    max_model_tokens: int
    engine: EngineConfig
    http: HttpConfig


_kept: dict[_Wanted, Backend] = {}


def _started(wanted: _Wanted) -> Backend:
    kind, model, seed, max_model_tokens, engine, http = wanted
    if kind == "fake":
        return FakeBackend()
    folder = model_folder(model)
    tokenizer = load_chat_tokenizer(folder)
    if kind == "http":
        return HttpBackend(http, tokenizer, max_model_tokens=max_model_tokens)
    check_context(folder, max_model_tokens)

    def start() -> Engine:
        if kind == "transformers":
            return TransformersEngine(folder, engine, seed=seed)
        return VllmEngine(folder, engine, seed=seed, max_model_tokens=max_model_tokens)

    def encode(request: ChatRequest) -> list[int]:
        return tokenizer.encode_chat(request.system, request.user, request.prefill)

    return FedBackend(start, encode, max_model_tokens)
