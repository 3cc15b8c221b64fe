"""Labelled pages: the readings of `labels.csv` joined with the text and domain of the page."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from curation.crawl.warc import WarcRecord, read_records
from curation.errors import InputError
from curation.extract.decode import decode
from curation.extract.engines import engine

LABELS = Path(__file__).with_name("labels.csv")
"""The first reading of every page."""
SECOND_READING = Path(__file__).with_name("second_reading.csv")
"""The reading of some of them by another reader, who did not see the first."""
EDU_BEFORE = Path(__file__).with_name("edu_before.csv")
"""An older reading of educational value alone."""
HQ_EDU = 3
"""Least educational value called high quality."""
CC_EDU = 1
"""Greatest educational value called ordinary web text; what lies between trains no member."""
SCORED = ("edu", "quality", "toxicity")
"""Rubrics whose answer is a number, 0..5."""
N_FOLDS = 5
N_EXTRACTED = 302
"""Labelled pages whose main text nobody marked."""


@dataclass(frozen=True)
class LabelledPage:
    """One page that was read; a rubric that it was not judged by has NaN, or no class."""

    sha1: str
    edu: float
    """Educational value, 0..5: the mean of the readings there are."""
    group: str
    """Registrable domain of the page, or the name of its source where the address is unknown."""
    text: str
    quality: float = math.nan
    """Informational quality, 0..5: the mean of the readings there are."""
    domain: str = ""
    speech: str = ""
    toxicity: float = math.nan
    """0..5."""
    language: str = "en"


@dataclass(frozen=True)
class Case:
    """One case of the toxicity test set."""

    text: str
    toxic: bool
    functionality: str
    """What the case tests, in HateCheck's naming; `_nh` ends the harmless ones."""


def load_pages(
    data: Path, labels: Path = LABELS, others: Sequence[Path] = (SECOND_READING, EDU_BEFORE)
) -> list[LabelledPage]:
    """The pages of `labels`, in its order, with the text that was read.

    Args:
        data: Folder with `crawl/`.
        labels: CSV with `sha1` (or `id`, as `annotate` calls it) and columns `edu`, `quality`,
            `domain`, `speech`, `toxicity`; a column or a value may be absent.
        others: Further readings; `edu` and `quality` are the mean of all, the rest the first's.

    Raises:
        InputError: a file is missing or not such a file, or `data` lacks a labelled page.
    """
    first, further = load_reading(labels), [load_reading(path) for path in others]
    texts, manifest = (
        _texts(data, first.keys()),
        {row["sha1_payload"]: row for row in _manifest(data)},
    )
    pages = []
    for sha1, row in first.items():
        if sha1 not in texts or sha1 not in manifest:
            raise InputError(f"{labels}: page {sha1} is not in {data}/crawl")
        readings = [row, *(reading[sha1] for reading in further if sha1 in reading)]
        page = manifest[sha1]
        pages.append(_labelled(readings, _group(page), texts[sha1], page["lang"]))
    return pages


def _labelled(readings: list[dict[str, str]], group: str, text: str, language: str) -> LabelledPage:
    """The page of which `readings` are the rows, the first reading first."""
    first = readings[0]
    return LabelledPage(
        first["sha1"], _mean(readings, "edu"), group, text, _mean(readings, "quality"),
        first.get("domain", ""), first.get("speech", ""), _mean(readings[:1], "toxicity"), language,
    )  # fmt: skip


def _mean(readings: list[dict[str, str]], rubric: str) -> float:
    values = [float(row[rubric]) for row in readings if row.get(rubric)]
    return sum(values) / len(values) if values else math.nan


def load_reading(path: Path) -> dict[str, dict[str, str]]:
    """Rows of a CSV of labels by the SHA-1 of the page, in their order.

    Raises:
        InputError: the file is missing, names no page, or a score is no number from 0 to 5.
    """
    rows: dict[str, dict[str, str]] = {}
    for row in _csv_rows(path):
        sha1 = row.get("sha1") or row.get("id")
        if not sha1:
            raise InputError(f"{path}: a row without `sha1` or `id`")
        for rubric in SCORED:
            if not _is_score(row.get(rubric) or "0"):
                raise InputError(f"{path}: page {sha1}: {rubric} is {row[rubric]}, expected 0..5")
        rows[sha1] = row | {"sha1": sha1}
    return rows


def _is_score(value: str) -> bool:
    try:
        return 0.0 <= float(value) <= 5.0
    except ValueError:
        return False


def text_hash(pages: Sequence[LabelledPage]) -> str:
    """SHA-256 of the pages' hashes and texts, in their order: the same only for the same texts."""
    digest = hashlib.sha256()
    for page in pages:
        digest.update(f"{page.sha1}\x1f{page.text}\x1e".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def candidate_pages(data: Path, *, min_chars: int = 200) -> dict[str, str]:
    """Text by SHA-1 of the English pages that may be labelled.

    First the pages whose main text people marked, then `N_EXTRACTED` others, each in the order of
    the hash: these have the text that the engine `fast` finds, as the pages of a crawl have.

    Raises:
        InputError: a file is missing.
    """
    english = {row["sha1_payload"] for row in _manifest(data) if row["lang"] == "en"}
    gold = sorted(_main_texts(data).items())
    marked = {sha1: text for sha1, text in gold if sha1 in english and len(text) >= min_chars}
    others = sorted(_extracted_texts(data, english - dict(gold).keys()).items())
    long = [(sha1, text) for sha1, text in others if len(text) >= min_chars]
    return marked | dict(long[:N_EXTRACTED])


def page_groups(data: Path) -> dict[str, str]:
    """Group by SHA-1 of the payload: the domain where the address is known, else the source."""
    return {row["sha1_payload"]: _group(row) for row in _manifest(data)}


def _group(row: dict[str, str]) -> str:
    return domain_of(row["target_uri"]) if row["uri_known"] == "1" else row["source"]


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


def _texts(data: Path, wanted: Iterable[str]) -> dict[str, str]:
    """Text by SHA-1 of the pages `wanted`: marked by people, else found by the engine `fast`."""
    gold = _main_texts(data)
    unmarked = set(wanted) - gold.keys()
    return gold | _extracted_texts(data, unmarked) if unmarked else gold


def _extracted_texts(data: Path, wanted: set[str]) -> dict[str, str]:
    """Text that the engine `fast` finds, by SHA-1 of the payload, for the pages `wanted`."""
    fast, texts = engine("fast"), {}
    for path in sorted((data / "crawl").glob("*.warc.gz")):
        for record in read_records(str(path)):
            if isinstance(record, WarcRecord) and record.record_type == "response":
                sha1 = hashlib.sha1(record.payload, usedforsecurity=False).hexdigest()
                if sha1 in wanted:
                    html = decode(record.payload, record.http_charset).text
                    texts[sha1] = fast(html, url=record.url).text
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
        raise InputError(
            f"{path}: no such file; --data names the folder with crawl/ and text/, other options "
            "the files that they say"
        )
    return path
