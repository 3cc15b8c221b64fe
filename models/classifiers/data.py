"""Labelled pages: the scores of `labels.csv` joined with the text and domain of the page."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curation.errors import InputError

LABELS = Path(__file__).with_name("labels.csv")
HQ_EDU = 3
"""Least educational value called high quality."""
CC_EDU = 1
"""Greatest educational value called ordinary web text; what lies between trains no member."""
N_FOLDS = 5


@dataclass(frozen=True)
class LabelledPage:
    """One page that was read and scored."""

    sha1: str
    edu: int
    """Educational value, 0..5, by the rubric of README.md."""
    group: str
    """Registrable domain of the page, or the name of its source where the address is unknown."""
    text: str


@dataclass(frozen=True)
class Case:
    """One case of the toxicity test set."""

    text: str
    toxic: bool
    functionality: str
    """What the case tests, in HateCheck's naming; `_nh` ends the harmless ones."""


def load_pages(data: Path, labels: Path = LABELS) -> list[LabelledPage]:
    """The pages of `labels`, in its order, with main text from `data/crawl`.

    Raises:
        InputError: a file is missing, or `data` does not hold a labelled page.
    """
    texts = _main_texts(data)
    groups = page_groups(data)
    pages = []
    for row in _csv_rows(labels):
        sha1 = row["sha1"]
        if sha1 not in texts or sha1 not in groups:
            raise InputError(f"{labels}: page {sha1} is not in {data}/crawl")
        pages.append(LabelledPage(sha1, int(row["edu"]), groups[sha1], texts[sha1]))
    return pages


def candidate_pages(data: Path, *, min_chars: int = 200) -> dict[str, str]:
    """Main text by SHA-1 of the English pages that may be labelled, in the order of the hash.

    Raises:
        InputError: a file is missing.
    """
    english = {row["sha1_payload"] for row in _manifest(data) if row["lang"] == "en"}
    texts = sorted(_main_texts(data).items())
    return {sha1: text for sha1, text in texts if sha1 in english and len(text) >= min_chars}


def page_groups(data: Path) -> dict[str, str]:
    """Group by SHA-1 of the payload: the domain where the address is known, else the source."""
    return {
        row["sha1_payload"]: domain_of(row["target_uri"])
        if row["uri_known"] == "1"
        else row["source"]
        for row in _manifest(data)
    }


def domain_of(uri: str) -> str:
    """Last two labels of the host of `uri`, lower case; near enough to the registrable domain.

    It joins all sites below `co.uk` into one group, which makes a fold stricter, never laxer.
    """
    return ".".join((urlsplit(uri).hostname or "").split(".")[-2:])


def fold_of(group: str, n_folds: int = N_FOLDS) -> int:
    """Fold of a group, 0..`n_folds`-1, by its hash: a group never lies in two folds."""
    return int(hashlib.sha256(group.encode()).hexdigest(), 16) % n_folds


def load_cases(data: Path) -> list[Case]:
    """The toxicity test set; it is evaluated on, never trained on.

    Raises:
        InputError: the file is missing.
    """
    rows = _json_lines(data / "text" / "toxicity_hatecheck.jsonl.gz")
    return [Case(row["text"], bool(row["toxic"]), row["functionality"]) for row in rows]


def _main_texts(data: Path) -> dict[str, str]:
    """Main text by SHA-1 of the payload; the first one where a page was annotated twice."""
    texts: dict[str, str] = {}
    for row in _json_lines(data / "crawl" / "gold.jsonl.gz"):
        if row.get("main_text"):
            texts.setdefault(str(row["sha1"]), str(row["main_text"]))
    return texts


def _manifest(data: Path) -> Iterator[dict[str, str]]:
    path = _existing(data / "crawl" / "manifest.csv.gz")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _csv_rows(path: Path) -> Iterator[dict[str, str]]:
    with _existing(path).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _json_lines(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(_existing(path), "rt", encoding="utf-8") as file:
        yield from (json.loads(line) for line in file)


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path}: no such file; --data names the folder with crawl/ and text/")
    return path
