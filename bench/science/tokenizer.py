"""A small byte-level BPE tokenizer of the experiment's own texts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence
from tokenizers.trainers import BpeTrainer

from curation.tokens.encode import EOD_TOKENS, Encoder, load_encoder
from curation.tokens.files import replacing

VOCABULARY = 2048
MAX_CHARS = 2_000_000
"""Characters that merges are learnt from; more change little and cost seconds."""


def trained_encoder(texts: Iterable[str], folder: Path) -> Encoder:
    """A tokenizer of `VOCABULARY` tokens trained on `texts`, kept in `folder` by their hash.

    Every digit is a token of its own, so that equal numbers are equal tokens everywhere. The file
    is the same for the same texts.
    """
    taken = _taken(texts)
    digest = hashlib.sha256("\x1e".join(taken).encode("utf-8", "surrogatepass")).hexdigest()
    path = folder / f"tokenizer-{VOCABULARY}-{digest[:16]}.json"
    if not path.is_file():
        with replacing(path) as temporary:
            _train(taken).save(str(temporary))
    return load_encoder(str(path))


def _taken(texts: Iterable[str]) -> list[str]:
    """The first texts, `MAX_CHARS` characters of them."""
    taken, left = list[str](), MAX_CHARS
    for text in texts:
        taken.append(text[:left])
        left -= len(taken[-1])
        if not left:
            break
    return taken


def _train(texts: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Sequence(
        [Digits(individual_digits=True), ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[EOD_TOKENS[0]], show_progress=False,
        initial_alphabet=ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer
