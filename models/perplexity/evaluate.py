"""`python -m models.perplexity.evaluate --input FILE`: does perplexity tell text from its ruins?

FILE is `.jsonl` with `url` and `text`. A model is trained on the texts of half of the hosts and
asked about those of the other half (or --model is asked about them), and about the same texts made
worse: with the words of each line shuffled, with those of every fifth line shuffled, and with each
letter another. Prints the area under the ROC curve by measure, the share of texts that are worse
after than before, medians, and the time. Nothing is kept.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import statistics
import string
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

import numpy as np

from curation.errors import reported
from curation.measure.perplexity import COLUMNS, PerplexityModel, load_perplexity_model
from models.perplexity.train import Recipe, train

Measures = list[dict[str, float | None]]

_LETTER = re.compile("[a-z]")
_SHUFFLED_EVERY = 5


def main(arguments: Sequence[str] | None = None) -> None:
    """Print what the command line asks for, as JSON."""
    parser = argparse.ArgumentParser("python -m models.perplexity.evaluate", description=__doc__)
    parser.add_argument("--input", required=True, type=Path, metavar="FILE")
    parser.add_argument("--model", type=Path, help="ask this one instead of training one")
    parser.add_argument("--order", type=int, default=Recipe.order)
    parser.add_argument("--min-count", type=int, default=1)
    parser.add_argument("--sentencepiece", type=Path)
    options = parser.parse_args(arguments)
    with reported(), tempfile.TemporaryDirectory() as folder:
        trained_on, held_out = split_by_host(options.input)
        path = options.model
        if path is None:
            path = Path(folder) / "half.arpa"
            recipe = Recipe(order=options.order, min_count=options.min_count, lower_case=True,
                            sentencepiece=options.sentencepiece)  # fmt: skip
            train((line for text in trained_on for line in text.split("\n")), recipe, path)
        found = evaluate(load_perplexity_model(path), held_out)
    sys.stdout.write(json.dumps(found, indent=1) + "\n")


def split_by_host(path: Path) -> tuple[list[str], list[str]]:
    """Texts of the hosts whose hash is even, and those of the others."""
    halves: tuple[list[str], list[str]] = ([], [])
    for row in path.read_text(encoding="utf-8").splitlines():
        page = json.loads(row)
        host = urlsplit(page["url"]).netloc
        halves[hashlib.sha256(host.encode()).digest()[0] % 2].append(page["text"])
    return halves


def evaluate(model: PerplexityModel, texts: Sequence[str]) -> dict[str, object]:
    """Medians, time, and how well each measure tells `texts` from each of their `RUINS`."""
    begin = time.process_time()
    clean = [model.measures(text) for text in texts]
    seconds = time.process_time() - begin
    told: dict[str, object] = {
        "n_texts": len(texts),
        "us_per_5000_chars": round(seconds * 5e9 / sum(map(len, texts))),
        "median": _medians(clean),
    }
    for name, ruin in RUINS.items():
        worse = [model.measures(ruin(text, Random(n))) for n, text in enumerate(texts)]
        aucs = {column: round(auc(*_both(clean, worse, column)), 4) for column in COLUMNS}
        paired = [after > before for before, after in zip(*_both(clean, worse, "perplexity"),
                                                          strict=True)]  # fmt: skip
        told[name] = {"auc": aucs, "worse_frac": round(statistics.fmean(paired), 4),
                      "median": _medians(worse)}  # fmt: skip
    return told


def auc(clean: Sequence[float], worse: Sequence[float]) -> float:
    """Chance that one of `worse` has the larger value than one of `clean`; a tie is half."""
    ranked = np.sort(np.array(clean))
    below = np.searchsorted(ranked, worse, "left") + np.searchsorted(ranked, worse, "right")
    return float(below.mean() / 2 / ranked.size)


def _both(clean: Measures, worse: Measures, column: str) -> tuple[list[float], list[float]]:
    """The column before and after, of texts that have it both times."""
    pairs = [(a[column], b[column]) for a, b in zip(clean, worse, strict=True)]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    return [a for a, _ in both], [b for _, b in both]


def _medians(measures: Measures) -> dict[str, float]:
    columns = {name: [row[name] for row in measures] for name in COLUMNS}
    return {
        name: float(f"{statistics.median(value for value in values if value is not None):.4g}")
        for name, values in columns.items()
    }


def shuffled(text: str, rng: Random) -> str:
    """`text` with the words of each line in another order."""
    return "\n".join(_shuffled(line, rng) for line in text.split("\n"))


def partly_shuffled(text: str, rng: Random) -> str:
    """The same of every fifth line that has words; the others are as they were."""
    turn, lines = 0, []
    for line in text.split("\n"):
        turn += bool(line.strip())
        is_due = bool(line.strip()) and turn % _SHUFFLED_EVERY == 0
        lines.append(_shuffled(line, rng) if is_due else line)
    return "\n".join(lines)


def noise(text: str, rng: Random) -> str:
    """`text` with a random letter for each letter from a to z of either case."""
    return _LETTER.sub(lambda _: rng.choice(string.ascii_lowercase), text.lower())


def _shuffled(line: str, rng: Random) -> str:
    words = line.split()
    rng.shuffle(words)
    return " ".join(words)


RUINS: dict[str, Callable[[str, Random], str]] = {
    "partly_shuffled": partly_shuffled,
    "shuffled": shuffled,
    "noise": noise,
}

if __name__ == "__main__":
    main()
