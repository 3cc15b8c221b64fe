"""`python -m models.classifiers.annotate --data DIR --start N --count N`: pages to read and score.

Prints the opening and a line from the middle of each page, in the order of the SHA-1. The scores
go into `labels.csv` by hand: no rule and no model takes part in them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from curation.errors import CurationError
from models.classifiers.data import candidate_pages

HEAD_CHARS = 520
MIDDLE_CHARS = 110
LONG_CHARS = 1_200
"""A page longer than this shows its middle too."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Print what the command line asks for; the exit code."""
    parser = argparse.ArgumentParser("python -m models.classifiers.annotate", description=__doc__)
    parser.add_argument("--data", required=True, type=Path, help="folder with crawl/")
    parser.add_argument("--start", type=int, default=0, help="first page, by rank of its SHA-1")
    parser.add_argument("--count", type=int, default=40, help="pages to print")
    options = parser.parse_args(arguments)
    try:
        pages = list(candidate_pages(options.data).items())
    except CurationError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 2
    for sha1, text in pages[options.start : options.start + options.count]:
        sys.stdout.write(f"{sha1},?,{len(text)}  {excerpt(text)}\n")
    return 0


def excerpt(text: str) -> str:
    """What the reader sees of `text`, white space collapsed: its opening, and a middle if long."""
    flat = " ".join(text.split())
    if len(flat) <= LONG_CHARS:
        return flat[:HEAD_CHARS]
    middle = len(flat) // 2
    return f"{flat[:HEAD_CHARS]} ## {flat[middle : middle + MIDDLE_CHARS]}"


if __name__ == "__main__":
    raise SystemExit(main())
