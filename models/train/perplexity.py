"""`python -m models.train.perplexity --model DIR --texts FILE.jsonl[.gz] --by FIELD`.

Perplexity and bits a byte of a model on texts, by group: domain, label, or whatever field the texts
have. Every token of a text is predicted, the first one from the end-of-document token; a text
longer than the model takes is cut into pieces that each begin with the last token of the one
before. Groups come with a bootstrap interval over their texts: how far the figure would move with
other texts of the kind.
"""

from __future__ import annotations

import argparse
import gzip
import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from curation.errors import ConfigError, InputError, reported
from curation.tokens.files import replacing
from models.train.folder import check_packages
from models.train.step import Batch, token_loss
from models.train.trained import Trained, load_trained

N_RESAMPLES = 1000
"""Draws of the bootstrap."""
ALL = "(all)"
"""Name of the group of all texts."""


@dataclass(frozen=True)
class Text:
    """A text and the group it counts in."""

    text: str
    group: str


@dataclass(frozen=True)
class TextLoss:
    """What a model makes of a text."""

    loss_nats: float
    """Cross-entropy, summed over the tokens."""
    n_tokens: int
    n_bytes: int
    """UTF-8 length of the text."""


@dataclass(frozen=True)
class GroupLoss:
    """What a model makes of the texts of a group; bounds are 2.5 and 97.5 % of the bootstrap."""

    group: str
    n_texts: int
    n_tokens: int
    n_bytes: int
    perplexity: float
    """Exponential of the mean cross-entropy a token; between models of one tokenizer only."""
    perplexity_low: float
    perplexity_high: float
    bits_per_byte: float
    """Comparable between tokenizers."""
    bits_per_byte_low: float
    bits_per_byte_high: float


def read_texts(path: Path, *, by: str, text_field: str = "text") -> Iterator[Text]:
    """The texts of JSON lines; one that is empty is left out, for it has nothing to predict.

    Raises:
        InputError: the file is missing or damaged, or a line lacks a field.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                found = _text(line, f"{path}:{number}", by, text_field)
                if found.text:
                    yield found
    except (EOFError, gzip.BadGzipFile, UnicodeDecodeError) as error:
        raise InputError(f"{path}: damaged: {error}") from error


def _text(line: str, where: str, by: str, text_field: str) -> Text:
    try:
        row = json.loads(line)
        return Text(str(row[text_field]), str(row[by]) if by else ALL)
    except (json.JSONDecodeError, TypeError) as error:
        raise InputError(f"{where}: not a JSON object: {error}") from error
    except KeyError as error:
        raise InputError(f"{where}: no field {error}; it has {', '.join(sorted(row))}") from error


def text_loss(trained: Trained, text: str) -> TextLoss:
    """Loss of one text, whose every token is predicted."""
    [tokens] = trained.encoder.encode([text])
    stream = np.concatenate([[trained.encoder.eod_id], tokens.astype(np.int64)])
    with torch.no_grad():
        loss = sum(float(token_loss(trained.model, piece)) for piece in _pieces(trained, stream))
    return TextLoss(loss, len(tokens), len(text.encode()))


def _pieces(trained: Trained, stream: npt.NDArray[np.int64]) -> Iterator[Batch]:
    for start in range(0, len(stream) - 1, trained.longest):
        piece = torch.from_numpy(stream[start : start + trained.longest + 1])[None]
        piece = piece.to(trained.model.device)
        yield Batch(piece[:, :-1], piece[:, 1:])


def group_losses(losses: Mapping[str, Sequence[TextLoss]], *, seed: int = 17) -> list[GroupLoss]:
    """Figures of every group, by name, those of all texts at the end."""
    groups = {group: losses[group] for group in sorted(losses)}
    if len(groups) > 1:
        groups[ALL] = [one for found in groups.values() for one in found]
    return [_group_loss(group, found, seed) for group, found in groups.items()]


def _group_loss(group: str, losses: Sequence[TextLoss], seed: int) -> GroupLoss:
    sums_3N = np.array([(one.loss_nats, one.n_tokens, one.n_bytes) for one in losses]).T
    nats, n_tokens, n_bytes = sums_3N.sum(axis=1)
    nats_R, tokens_R, bytes_R = sums_3N @ _resamples(len(losses), seed)
    token_low, token_high = np.exp(np.quantile(nats_R / tokens_R, [0.025, 0.975]))
    byte_low, byte_high = np.quantile(nats_R / bytes_R, [0.025, 0.975]) / math.log(2)
    return GroupLoss(
        group,
        len(losses),
        int(n_tokens),
        int(n_bytes),
        math.exp(nats / n_tokens),
        float(token_low),
        float(token_high),
        nats / n_bytes / math.log(2),
        float(byte_low),
        float(byte_high),
    )


def _resamples(n_texts: int, seed: int) -> npt.NDArray[np.float64]:
    """How often each text is drawn in each draw of as many as there are; a column a draw."""
    draws = np.random.default_rng(seed).multinomial(
        n_texts, np.full(n_texts, 1 / n_texts), N_RESAMPLES
    )
    return draws.T.astype(np.float64)


def perplexity(trained: Trained, texts: Iterable[Text]) -> list[GroupLoss]:
    """Figures of `trained` on `texts` by their groups.

    Raises:
        InputError: there is no text.
    """
    losses: dict[str, list[TextLoss]] = {}
    for one in texts:
        losses.setdefault(one.group, []).append(text_loss(trained, one.text))
    if not losses:
        raise InputError("no text to compute a perplexity of: all are empty")
    return group_losses(losses)


def table(found: Sequence[GroupLoss]) -> str:
    """The figures as text."""
    rows = [f"{'group':24} {'texts':>7} {'tokens':>10}  {'perplexity':24}  bits a byte"]
    rows += [
        f"{one.group[:24]:24} {one.n_texts:7,} {one.n_tokens:10,}  "
        f"{one.perplexity:8.2f} [{one.perplexity_low:.2f}, {one.perplexity_high:.2f}]".ljust(70)
        + f"{one.bits_per_byte:.3f} [{one.bits_per_byte_low:.3f}, {one.bits_per_byte_high:.3f}]"
        for one in found
    ]
    return "\n".join(rows) + "\n"


def main(arguments: Sequence[str] | None = None) -> None:
    """Evaluate as the command line says."""
    parser = argparse.ArgumentParser(
        "python -m models.train.perplexity", description="Perplexity of a model by group."
    )
    add: Any = parser.add_argument
    add("--model", type=Path, required=True, help="folder of the model, e.g. OUT/model/hf")
    add("--texts", type=Path, required=True, help="JSON lines, gzipped or not")
    add("--by", default="", help="field that names a text's group; by default one group")
    add("--text-field", default="text", help="field that holds the text")
    add("--tokenizer", type=Path, help="tokenizer.json or its folder; by default the model's")
    add("--limit", type=int, default=0, help="read so many texts; 0: all")
    add("--device", choices=("cpu", "cuda"), default="cpu")
    add("--json", type=Path, help="where the figures go as JSON")
    options = parser.parse_args(arguments)
    with reported():
        if options.limit < 0:
            raise ConfigError(f"--limit {options.limit}: at least 0")
        check_packages()
        trained = load_trained(options.model, options.tokenizer, device=options.device)
        texts = read_texts(options.texts, by=options.by, text_field=options.text_field)
        chosen = islice(texts, options.limit or None)
        found = perplexity(trained, chosen)
        if options.json:
            told = [asdict(one) for one in found]
            with replacing(options.json) as temporary:
                temporary.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        sys.stdout.write(table(found))


if __name__ == "__main__":
    main()
