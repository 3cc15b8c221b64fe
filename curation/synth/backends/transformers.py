"""transformers in this process, for models that vLLM does not know: batch by batch, and slow."""

from __future__ import annotations

import hashlib
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from curation.config import EngineConfig
from curation.errors import EnvironmentFault
from curation.synth.backends.feeding import EngineDied
from curation.synth.backends.protocol import ChatRequest, Completion

BATCH_SIZE = 8
"""Requests in a batch where `synth.engine.max_num_seqs` is 0."""

BATCHES_HELD = 8
"""Batches' worth of requests held, of which those alike in length are chosen."""


class _Asked(NamedTuple):
    request: ChatRequest
    prompt: list[int]


class TransformersEngine:
    """A model of transformers. A step answers a batch of requests of one sampling, whole."""

    def __init__(self, folder: Path, conf: EngineConfig, *, seed: int) -> None:
        """Load the model in `folder`, onto the GPU if there is one.

        Raises:
            EnvironmentFault: transformers or torch is not installed.
        """
        if find_spec("transformers") is None or find_spec("torch") is None:
            raise EnvironmentFault(
                "synth.backend is transformers, which is not installed with torch: pip install "
                "'curation[score]'"
            )
        # Here, since it takes seconds, and not every executor has it.
        import torch
        import transformers

        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        dtype = "float32" if conf.dtype == "auto" and self._device == "cpu" else conf.dtype
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, local_files_only=True
        )
        self._model = model.to(self._device).eval()
        tokenizer: Any = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self._decode = tokenizer.batch_decode
        self._ends = _end_tokens(self._model.generation_config.eos_token_id, tokenizer.eos_token_id)
        self._seed = seed
        self._batch_size = conf.max_num_seqs or BATCH_SIZE
        self.room = self._batch_size * BATCHES_HELD
        self._held: dict[str, _Asked] = {}

    def add(self, request: ChatRequest, prompt: list[int]) -> None:
        """Take a request."""
        self._held[request.request_id] = _Asked(request, prompt)

    def step(self) -> list[Completion]:
        """The completions of one batch, each with an equal share of its time.

        Raises:
            EngineDied: transformers raises, whatever it is.
        """
        batch = next_batch(list(self._held.values()), self._batch_size)
        started = time.perf_counter()
        try:
            answers = self._answers(batch)
        except Exception as error:  # what an engine dies of has no end; it is started again
            raise EngineDied(f"{type(error).__name__}: {error}") from error
        seconds = (time.perf_counter() - started) / len(batch)
        for asked in batch:
            del self._held[asked.request.request_id]
        texts = self._decode(answers, skip_special_tokens=True)
        return [
            self._completed(asked, text, answer, seconds)
            for asked, text, answer in zip(batch, texts, answers, strict=True)
        ]

    def drop(self, request_ids: list[str]) -> None:
        """Forget requests."""
        for request_id in request_ids:
            self._held.pop(request_id, None)

    def close(self) -> None:
        """Give back the model's memory."""
        import torch

        del self._model
        if self._device == "cuda":
            torch.cuda.empty_cache()

    def _answers(self, batch: list[_Asked]) -> list[list[int]]:
        """Tokens generated for each of `batch`, up to and with the one that ends the answer."""
        import torch

        longest = max(len(asked.prompt) for asked in batch)
        # On the left: an answer goes on from the last column.
        ids_BT = torch.tensor(
            [[self._ends[0]] * (longest - len(a.prompt)) + a.prompt for a in batch]
        )
        mask_BT = torch.tensor(
            [[0] * (longest - len(a.prompt)) + [1] * len(a.prompt) for a in batch]
        )
        with torch.random.fork_rng(), torch.inference_mode():
            torch.manual_seed(self._seed_of(batch))
            out_BT = self._model.generate(
                input_ids=ids_BT.to(self._device),
                attention_mask=mask_BT.to(self._device),
                **self._sampling(batch[0].request, longest),
            )
        return [upto_end(row, self._ends) for row in out_BT[:, longest:].tolist()]

    def _sampling(self, request: ChatRequest, n_prompt: int) -> dict[str, Any]:
        """How the batch is sampled; what the request does not say, the model's own files do."""
        files = self._model.generation_config
        penalties = {
            name: getattr(files, name, None) or 0.0
            for name in ("frequency_penalty", "presence_penalty")
        }
        # 0 draws from all tokens: left out, transformers would take the 50 likeliest.
        drawn = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "top_k": files.top_k or 0,
        }
        is_greedy = request.temperature == 0.0
        return {
            "do_sample": not is_greedy,
            **(dict.fromkeys(drawn) if is_greedy else drawn),
            "max_new_tokens": request.max_tokens,
            "eos_token_id": self._ends,
            "pad_token_id": self._ends[0],
            "logits_processor": [_Penalties(n_prompt, **penalties)],
        }

    def _seed_of(self, batch: list[_Asked]) -> int:
        """A seed of the engine's and the requests: a batch asked again draws the same."""
        told = "/".join([str(self._seed), *(asked.request.request_id for asked in batch)])
        return int.from_bytes(hashlib.sha256(told.encode()).digest()[:8], "big") >> 1

    def _completed(self, asked: _Asked, text: str, answer: list[int], seconds: float) -> Completion:
        return Completion(
            request_id=asked.request.request_id,
            text=asked.request.prefill + text,
            finish_reason="stop" if answer[-1] in self._ends else "length",
            n_input_tokens=len(asked.prompt),
            n_output_tokens=len(answer),
            seconds=seconds,
            error=None,
        )


class _Penalties:
    """OpenAI's penalties of tokens that the answer has already, which transformers has not."""

    def __init__(self, n_prompt: int, *, frequency_penalty: float, presence_penalty: float) -> None:
        """Penalties on tokens after the first `n_prompt`."""
        self._n_prompt = n_prompt
        self._frequency, self._presence = frequency_penalty, presence_penalty

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """`scores`, float of shape (batch, vocabulary), less the penalties."""
        said_BT = input_ids[:, self._n_prompt :]
        n_said_BV = scores.new_zeros(scores.shape)
        n_said_BV.scatter_add_(1, said_BT, scores.new_ones(said_BT.shape))
        return scores - self._frequency * n_said_BV - self._presence * (n_said_BV > 0)


def next_batch(held: list[_Asked], size: int) -> list[_Asked]:
    """At most `size` requests that can share a batch: of the oldest one's sampling, longest first.

    The longest come first, so that a batch that does not fit into memory fails at once.
    """
    sampling = _sampling_of(held[0].request)
    alike = [asked for asked in held if _sampling_of(asked.request) == sampling]
    return sorted(alike, key=lambda asked: (-len(asked.prompt), asked.request.request_id))[:size]


def _sampling_of(request: ChatRequest) -> tuple[float, float, int]:
    return request.temperature, request.top_p, request.max_tokens


def upto_end(tokens: list[int], ends: list[int]) -> list[int]:
    """`tokens` up to and with the first of `ends`, behind which a batch holds padding."""
    for index, token in enumerate(tokens):
        if token in ends:
            return tokens[: index + 1]
    return tokens


def _end_tokens(of_model: int | list[int] | None, of_tokenizer: int | None) -> list[int]:
    """Tokens that end an answer: the model's, and the one that ends the tokenizer's turns."""
    found = of_model if isinstance(of_model, list) else [of_model]
    ends = dict.fromkeys(token for token in (*found, of_tokenizer) if token is not None)
    if not ends:
        raise EnvironmentFault("the model names no token that ends an answer (eos_token)")
    return list(ends)
