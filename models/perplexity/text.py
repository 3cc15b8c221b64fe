"""Texts to train on: files of lines, and what the sample generator writes."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path

from curation.errors import InputError
from curation.sample.catalogue import load_stock
from curation.sample.compose import compose_pages, count_kinds

SAMPLE_SEED, SAMPLE_PAGES = 1017, 600
"""Another seed than the demo's crawl has: other pages, made of the same stock of sentences."""


def file_lines(path: Path) -> Iterator[str]:
    """Lines of a text file, or of the field `text` of each row of a `.jsonl`; `.gz` is unpacked.

    Raises:
        InputError: the file is not there, not UTF-8, or a row has no text.
    """
    if not path.is_file():
        raise InputError(f"{path}: no such file")
    is_rows = path.name.removesuffix(".gz").endswith(".jsonl")
    try:
        with _opened(path) as file:
            for number, line in enumerate(file, 1):
                yield from _texts(line, path, number) if is_rows else (line,)
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise InputError(f"{path}: not a text file in UTF-8: {error}") from error


def _opened(path: Path) -> io.TextIOBase:
    raw = gzip.open(path) if path.suffix == ".gz" else path.open("rb")  # noqa: SIM115 - given back
    return io.TextIOWrapper(raw, encoding="utf-8", newline="\n")


def _texts(row: str, path: Path, number: int) -> list[str]:
    try:
        text = json.loads(row)["text"]
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}, row {number}: not JSON with a field `text`") from error
    if not isinstance(text, str):
        raise InputError(f"{path}, row {number}: `text` is no string")
    return text.split("\n")


def sample_lines() -> Iterator[str]:
    """Distinct lines of English articles that the sample generator makes, spam and such left out.

    About 260 KB, all of it written by us.
    """
    pages = compose_pages(load_stock(), count_kinds(SAMPLE_PAGES), SAMPLE_SEED)
    articles = (page for page in pages if page.kind == "article" and page.language == "en")
    texts = (page.text for page in articles if page.quality != "poor")
    yield from dict.fromkeys(line for text in texts for line in text.split("\n"))
