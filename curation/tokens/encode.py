"""Text to token ids with a Hugging Face `tokenizer.json`."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from tokenizers import AddedToken, Tokenizer

from curation.config import RunConfig, TokensConfig
from curation.errors import ConfigError, InputError
from curation.model_store import tokenizer_file
from curation.tokens.files import sha256_of
from curation.tokens.fim import FimTokens, arranged, cut_in_three
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

    def encode_documents(
        self, texts: list[str], keys: list[str], conf: TokensConfig
    ) -> list[np.ndarray]:
        """Token ids of each text, some put in the order of fill in the middle.

        Args:
            texts: Documents.
            keys: Of each, what the draw depends on: id and copy.
            conf: Says how many, and names the marks.
        """
        if not conf.fim_rate:
            return self.encode(texts)
        marks = fim_tokens(self.tokenizer, conf)
        cuts = [
            cut_in_three(text, f"{conf.seed}:{key}", rate=conf.fim_rate)
            for text, key in zip(texts, keys, strict=True)
        ]
        wanted = [
            part
            for text, cut in zip(texts, cuts, strict=True)
            for part in (cut[:3] if cut else (text,))
        ]
        ids = dict(zip(wanted, self.encode(wanted), strict=True))
        return [
            arranged(cut, ids, marks) if cut else ids[text]
            for text, cut in zip(texts, cuts, strict=True)
        ]


def identity(conf: RunConfig) -> str:
    """Hash of the tokenizer: another one gives other shards.

    Raises:
        EnvironmentFault: the tokenizer is not on this machine.
        ConfigError: fill in the middle is asked for, and it has no marks for it, or makes other
            text of a word that is cut.
    """
    file = tokenizer_file(conf.tokens.tokenizer)
    if conf.tokens.fim_rate:
        _check_fim(load_encoder(str(file)).tokenizer, conf.tokens)
    return sha256_of(file)


_WORD = ("stream", "lined")
"""A word in two, which some tokenizers would put a space between."""


def _check_fim(tokenizer: Tokenizer, conf: TokensConfig) -> None:
    marks = fim_tokens(tokenizer, conf)
    if len({marks.prefix, marks.middle, marks.suffix}) < 3:
        raise ConfigError(f"tokens.fim_tokens: three different marks, found {[*conf.fim_tokens]}")
    parts = [tokenizer.encode(part, add_special_tokens=False).ids for part in _WORD]
    said = tokenizer.decode([id_ for part in parts for id_ in part])
    if said.strip() != "".join(_WORD):
        raise ConfigError(
            f"tokens.fim_rate: {conf.tokenizer} begins every piece with a space ({said!r}), which "
            "no text has where a word is cut; take a tokenizer that works on bytes, or a rate of 0"
        )


def fim_tokens(tokenizer: Tokenizer, conf: TokensConfig) -> FimTokens:
    """Ids of the marks of fill in the middle.

    Raises:
        ConfigError: the tokenizer has none of that name.
    """
    return FimTokens(*(_mark(tokenizer, name, conf.tokenizer) for name in conf.fim_tokens))


def _mark(tokenizer: Tokenizer, name: str, of: str) -> int:
    found = tokenizer.token_to_id(name)
    if found is None:
        raise ConfigError(
            f"tokens.fim_tokens: {of} has no {name}; name marks that it has, or set "
            "tokens.fim_rate to 0"
        )
    if found in tokenizer.encode(name, add_special_tokens=False).ids:
        # A mark that is not special, as of Qwen 2.5, would be one where a page spells it out, too.
        tokenizer.add_special_tokens([AddedToken(name, special=True, normalized=False)])
    return found


@functools.lru_cache(maxsize=4)
def load_encoder(path: str) -> Encoder:
    """The tokenizer at `path`.

    Raises:
        InputError: it has no token that ends a document.
    """
    tokenizer = Tokenizer.from_file(path)
    # A page that spells out `<|endoftext|>` has not come to its end: there it is text.
    tokenizer.encode_special_tokens = True
    size = tokenizer.get_vocab_size(with_added_tokens=True)
    ids = (tokenizer.token_to_id(token) for token in EOD_TOKENS)
    eod = next((found for found in ids if found is not None), None)
    if eod is None:
        raise InputError(f"{path}: has none of {EOD_TOKENS} to end a document with")
    return Encoder(tokenizer, size, eod, np.dtype(optimal_dtype(size)))
