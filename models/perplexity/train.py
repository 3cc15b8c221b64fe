"""`python -m models.perplexity.train --out DIR --input FILE...`: an n-gram model for perplexity.

Writes DIR/<language>.arpa (or .arpa.gz) and DIR/<language>.card.json, which `measure` needs to ask
it rightly. The same text and options give the same bytes. An error is one line and exit code 2.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from curation.errors import ConfigError, InputError, reported
from curation.measure.perplexity import (
    MAX_LINE_CHARS,
    Card,
    Tokeniser,
    tokeniser,
    tokens_of,
)
from models.perplexity.arpa import write_arpa
from models.perplexity.counts import Corpus, count_grams, number_words
from models.perplexity.kneser_ney import Estimate, estimate
from models.perplexity.text import file_lines, sample_lines

MAX_ORDER = 6
"""KenLM's wheels read no longer n-grams."""
SAMPLE_ORDER = 3


@dataclass(frozen=True)
class Recipe:
    """What decides the model, beside the text."""

    order: int = 4
    min_count: int = 1
    prune: tuple[int, ...] = ()
    lower_case: bool = False
    strip_accents: bool = False
    fallback: tuple[float, ...] | None = None
    sentencepiece: Path | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.order <= MAX_ORDER:
            raise ConfigError(f"order {self.order}: 2 to {MAX_ORDER}")


def train(lines: Iterable[str], recipe: Recipe, model: Path) -> Card:
    """Write the model of `lines` to `model` (`.arpa` or `.arpa.gz`), and its card beside it.

    Raises:
        InputError: there is no text, or too little of it for discounts without a fallback.
        ConfigError: the recipe contradicts itself, or its SentencePiece model cannot be read.
    """
    corpus = number_words(_sentences(lines, recipe))
    if not corpus.stream.size:
        raise InputError("perplexity model: the text to train on has no words")
    grams = count_grams(corpus, recipe.order)
    found = estimate(
        grams, min_count=recipe.min_count, prune=recipe.prune, fallback=recipe.fallback
    )
    model.parent.mkdir(parents=True, exist_ok=True)
    n_grams = write_arpa(model, corpus.words, grams, found.weights)
    card = _card(recipe, corpus, found, n_grams)
    stem = model.name.removesuffix(".gz").removesuffix(".arpa")
    if recipe.sentencepiece is not None:
        shutil.copyfile(recipe.sentencepiece, model.with_name(f"{stem}.sp.model"))
    told = card.model_dump_json(indent=1, exclude_none=True)
    model.with_name(f"{stem}.card.json").write_text(f"{told}\n", encoding="utf-8")
    return card


def _sentences(lines: Iterable[str], recipe: Recipe) -> Iterator[list[str]]:
    split: Tokeniser = tokeniser("words", recipe.sentencepiece)
    for line in lines:
        yield tokens_of(
            line[:MAX_LINE_CHARS], split,
            lower_case=recipe.lower_case, strip_accents=recipe.strip_accents,
        )  # fmt: skip


def _card(recipe: Recipe, corpus: Corpus, found: Estimate, n_grams: tuple[int, ...]) -> Card:
    return Card(
        tokens="words" if recipe.sentencepiece is None else "sentencepiece",
        lower_case=recipe.lower_case,
        strip_accents=recipe.strip_accents,
        training={
            "order": recipe.order,
            "min_count": recipe.min_count,
            "prune": list(recipe.prune),
            "n_lines": corpus.n_sentences,
            "n_tokens": corpus.stream.size - 2 * corpus.n_sentences,
            "n_grams": list(n_grams),
            "discounts": [[round(float(d), 6) for d in one[1:]] for one in found.discounts],
        },
    )


def train_sample(model: Path) -> Card:
    """The small English model, of what the sample generator writes: what `shipped` stands for.

    A second or two.
    """
    return train(sample_lines(), Recipe(order=SAMPLE_ORDER, lower_case=True), model)


def main(arguments: Sequence[str] | None = None) -> None:
    """Train what the command line asks for, and print the card."""
    options = _parser().parse_args(arguments)
    model = options.out / f"{options.language}.arpa{'.gz' if options.compress else ''}"
    with reported():
        if options.sample:
            card = train_sample(model)
        else:
            lines = chain.from_iterable(map(file_lines, options.input))
            card = train(lines, _recipe(options), model)
    sys.stdout.write(f"{model}\n{card.model_dump_json(indent=1, exclude_none=True)}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m models.perplexity.train", description=__doc__)
    add = parser.add_argument
    add("--out", required=True, type=Path, metavar="DIR")
    text = parser.add_mutually_exclusive_group(required=True)
    text.add_argument(
        "--input",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="text, a sentence or paragraph a line, or .jsonl with `text`; .gz too",
    )
    text.add_argument(
        "--sample",
        action="store_true",
        help="the small English model; the options below do not count",
    )
    add("--language", default="en", help="name of the files (default: en)")
    add("--compress", action="store_true", help="write .arpa.gz")
    add("--order", type=int, default=Recipe.order)
    add("--min-count", type=int, default=1, help="rarer words are unknown (default: 1)")
    add(
        "--prune",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="drop n-grams that occur so often or less, by order from 2, e.g. 0 1",
    )
    add("--lower-case", action="store_true")
    add("--strip-accents", action="store_true")
    add(
        "--fallback-discounts",
        type=float,
        nargs=3,
        metavar="D",
        help="for orders with too few n-grams to work them out, e.g. 0.5 1 1.5",
    )
    add(
        "--sentencepiece",
        type=Path,
        metavar="FILE",
        help="tokens are this model's; it is copied beside the result",
    )
    return parser  # fmt: skip


def _recipe(options: argparse.Namespace) -> Recipe:
    fallback = options.fallback_discounts
    return Recipe(
        order=options.order, min_count=options.min_count, prune=tuple(options.prune),
        lower_case=options.lower_case, strip_accents=options.strip_accents,
        fallback=None if fallback is None else tuple(fallback),
        sentencepiece=options.sentencepiece,
    )  # fmt: skip


if __name__ == "__main__":
    main()
