"""Text to token ids with a Hugging Face `tokenizer.json`."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer

from curation.config import RunConfig
from curation.errors import InputError
from curation.model_store import tokenizer_file
from curation.tokens.files import sha256_of
from curation.tokens.megatron import optimal_dtype

EOD_TOKENS = ("<|endoftext|>", "</s>", "<|end_of_text|>", "[SEP]", "<eos>")
"""Names by which tokenizers call the end of a document, most common first."""


@dataclass(frozen=True)
class Encoder:
    """A tokenizer with what shards need to know of it."""

    tokenizer: Tokenizer
    vocabulary_size: int
    eod_id: int
    dtype: np.dtype[np.generic]

    def encode(self, texts: list[str]) -> list[np.ndarray]:
        """Token ids of each text, without special tokens; one array a text."""
        encoded = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [np.asarray(item.ids, dtype=self.dtype) for item in encoded]


def identity(conf: RunConfig) -> str:
    """Hash of the tokenizer: another one gives other shards.

    Raises:
        EnvironmentFault: the tokenizer is not on this machine.
    """
    return sha256_of(tokenizer_file(conf.tokens.tokenizer))


@functools.lru_cache(maxsize=4)
def load_encoder(path: str) -> Encoder:
    """The tokenizer at `path`.

    Raises:
        InputError: it has no token that ends a document.
    """
    tokenizer = Tokenizer.from_file(path)
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    ids = (tokenizer.token_to_id(token) for token in EOD_TOKENS)
    eod = next((found for found in ids if found is not None), None)
    if eod is None:
        raise InputError(f"{path}: has none of {EOD_TOKENS} to end a document with")
    return Encoder(tokenizer, size, eod, np.dtype(optimal_dtype(size)))
