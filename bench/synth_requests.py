"""What the bench of synthesis asks: real texts through the package's prompts, and what bounds it.

Every round has texts of its own, so that no engine finds a segment in its cache; the instructions
of a prompt, which come again, it may keep.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from bench.score_texts import repeated
from curation.config import SynthConfig
from curation.errors import InputError
from curation.model_store import model_folder, model_print
from curation.synth.prompts import load_prompts
from curation.synth.requests import requests_of
from curation.synth.tokenizer import load_chat_tokenizer
from models.flops import of_device

Row = dict[str, Any]
"""A row of REQUESTS."""

PEAK_BYTES = {
    ("B200",): 8.0e12,
    ("H200",): 4.8e12,
    ("H100", "PCIe"): 2.0e12,
    ("H100", "NVL"): 3.9e12,
    ("H100",): 3.35e12,
    ("A100",): 2.0e12,
    ("L40S",): 0.864e12,
    ("L4",): 0.3e12,
}
"""Bytes a second from the device's memory by words of its name, as in NVIDIA's data sheets; the
first that fits counts."""


def rounds_of(
    texts: Sequence[str], prompts: Sequence[str], conf: SynthConfig, *, n_requests: int, n: int
) -> list[list[Row]]:
    """`n` rounds of `n_requests` requests, no segment of a prompt in two of them.

    Raises:
        InputError: the texts do not give so many.
    """
    folder = model_folder(conf.model)
    tokenizer, print_ = load_chat_tokenizer(folder), model_print(folder)
    known = load_prompts()
    found: list[Row] = []
    for number, text in enumerate(repeated(texts, len(texts))):
        for name in prompts:
            label = (*known[name].source_labels, "high")[0]
            document = {"doc_id": f"{number:032x}", "crawl": "bench", "label": label, "text": text}
            # One segment of a document: a long one would fill a round with its own.
            found += itertools.islice(
                requests_of(document, known[name], conf, tokenizer, print_), 1
            )
        if len(found) >= n * n_requests:
            return [found[k * n_requests : (k + 1) * n_requests] for k in range(n)]
    raise InputError(
        f"{len(texts)} texts give {len(found)} requests, and {n} rounds of {n_requests} are asked "
        "for: name more --jsonl, or fewer --requests or --rounds"
    )


def in_order(rows: Sequence[Row]) -> list[Row]:
    """Requests as the stage asks them: same prompts, then same lengths, together."""
    return sorted(rows, key=lambda row: (row["task"], row["n_text_tokens"], row["request_id"]))


def shuffled(rows: Sequence[Row]) -> list[Row]:
    """Requests in the order of their hashes: prompts and lengths mixed."""
    return sorted(rows, key=lambda row: row["request_id"])


def peak_bytes(device_name: str) -> float | None:
    """Bytes a second that a device of that name reads from its memory; None: not known."""
    return of_device(PEAK_BYTES, device_name)


def kv_bytes_per_token(config: Mapping[str, Any], bytes_each: int) -> int:
    """Bytes of keys and values that a token leaves behind in all layers; `config`: config.json."""
    heads = config.get("num_key_value_heads") or config["num_attention_heads"]
    width = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    return int(2 * config["num_hidden_layers"] * heads * width * bytes_each)


def bandwidth_limit(
    *, peak: float, weight_bytes: float, kv_bytes: float, n_at_once: int, context: float
) -> float:
    """Tokens a second at which decoding is bound by reading memory.

    A step of decoding reads all weights once, and of each of the `n_at_once` answers the keys and
    values of its context; it gives one token to each. Computing is taken to cost nothing.

    Args:
        peak: Bytes a second from memory.
        weight_bytes: Bytes of the weights.
        kv_bytes: Bytes of the keys and values of one token.
        n_at_once: Answers that are decoded together.
        context: Tokens of a chat and its answer so far, the mean.
    """
    return n_at_once * peak / (weight_bytes + n_at_once * context * kv_bytes)
