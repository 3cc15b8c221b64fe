"""Texts of the experiments: real ones, read in place, and pages by the sample's generators."""

from __future__ import annotations

import functools
import gzip
import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from curation.errors import InputError
from curation.sample import prose
from curation.sample.catalogue import load_stock
from models.classifiers.data import N_FOLDS, LabelledPage, fold_of, load_pages

MAX_CHARS = 4000
"""Characters taken of a page, so that no page is a large part of an experiment."""
HELD_OUT_FRAC = 0.2

_CALCULATION = re.compile(r"<<[^>]*>>")


@functools.lru_cache(maxsize=1)
def crawl_pages(data: Path) -> tuple[LabelledPage, ...]:
    """The English pages of the real crawl that were read by hand, with their main text.

    Raises:
        InputError: `data` has no crawl.
    """
    return tuple(page for page in load_pages(data) if page.text.strip())


def split_pages(
    pages: Iterable[LabelledPage], seed: int
) -> tuple[list[LabelledPage], list[LabelledPage]]:
    """The pages to train on, and those held out: the sites of one fold of five, by `seed`.

    A site, and a text, is on one side only. Both sides are in an order that `seed` decides.
    """
    ordered = sorted(pages, key=lambda page: _order(page.sha1, seed))
    train = [page for page in ordered if fold_of(page.group) != seed % N_FOLDS]
    known = {page.text[:MAX_CHARS] for page in train}
    held_out = [page for page in ordered if fold_of(page.group) == seed % N_FOLDS]
    return train, [page for page in held_out if page.text[:MAX_CHARS] not in known]


def beginnings(pages: Iterable[LabelledPage]) -> list[str]:
    """The first `MAX_CHARS` characters of each page."""
    return [page.text[:MAX_CHARS] for page in pages]


def split_texts(texts: Iterable[str], seed: int) -> tuple[list[str], list[str]]:
    """The distinct texts to train on, and a fifth of them held out, in an order by `seed`."""
    ordered = sorted(dict.fromkeys(texts), key=lambda text: _order(text, seed))
    n_held_out = round(HELD_OUT_FRAC * len(ordered))
    return ordered[n_held_out:], ordered[:n_held_out]


def up_to(texts: Sequence[str], n_chars: int) -> list[str]:
    """The first of `texts`, until there are `n_chars` characters; the last one is cut."""
    taken, left = list[str](), n_chars
    for text in texts:
        if left <= 0:
            break
        taken.append(text[:left])
        left -= len(text)
    return taken


def surveys(seed: int, *, held_out: bool) -> list[str]:
    """Made-up encyclopaedia's entries and lessons of good quality.

    Those held out are on a fifth of the subjects, another one by `seed`, the others on the rest.
    """
    stock = load_stock()
    turns = [t for t in range(len(stock.subjects)) if (t % 5 == seed % 5) == held_out]
    genres = (prose.survey, prose.lesson)
    return [
        genre(Random(f"{seed}/{genre.__name__}/{turn}"), stock, turn).text
        for turn in turns
        for genre in genres
    ]


def news(data: Path) -> list[tuple[str, str]]:
    """Topic and text of newspapers' short reports."""
    return [(row["topic"], row["text"]) for row in _rows(data, "topics_agnews_test")]


def word_problems(data: Path) -> list[str]:
    """School mathematics in words with solutions; the calculator's marks are left out."""
    rows = _rows(data, "gsm8k_train_2000")
    return [f"{row['question']}\n{_CALCULATION.sub('', row['answer'])}" for row in rows]


def exam_questions(data: Path) -> list[str]:
    """Questions of examinations, each with its four answers."""
    rows = _rows(data, "mmlu_test")
    return ["\n".join([row["question"], *row["choices"]]) for row in rows]


def sentences(data: Path, language: str) -> list[str]:
    """Sentences of one language."""
    rows = _rows(data, "language_sentences")
    return [row["text"] for row in rows if row["language"] == language]


def _rows(data: Path, name: str) -> list[dict[str, Any]]:
    path = data / "text" / f"{name}.jsonl.gz"
    if not path.is_file():
        raise InputError(f"{path}: no such file; --data names the folder with crawl/ and text/")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _order(text: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\x1f{text}".encode("utf-8", "surrogatepass")).digest()
