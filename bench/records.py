"""Records of real archives, ours beside warcio's, with the reason of every difference.

`python -m bench.records --index ../shared/data/warc_index.csv` reads every file that the index
names, beside it, and prints a Markdown table of those in which the two counts differ, a summary of
the reasons, and the number of files that agree.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curation.crawl.record import Damage, Item, WarcRecord
from curation.crawl.warc import read_records

SAME = "same"


@dataclass(frozen=True)
class Row:
    """A file, its records by both readers, and why they differ."""

    file: str
    kind: str
    n_warcio: int
    n_records: int
    n_damages: int
    problems: str
    why: str


def compare(index: Path) -> Iterator[Row]:
    """One row a file of the index, in its order."""
    with index.open(encoding="utf-8", newline="") as lines:
        for listed in csv.DictReader(lines):
            yield _row(index.parent, listed)


def _row(folder: Path, listed: dict[str, str]) -> Row:
    items = list(read_records(str(folder / listed["file"])))
    records = [item for item in items if isinstance(item, WarcRecord)]
    problems = Counter(record.problem for record in records if record.problem)
    return Row(
        file=listed["file"],
        kind=_kind(folder / listed["file"]),
        n_warcio=int(listed["records"] or 0),
        n_records=len(records),
        n_damages=len(items) - len(records),
        problems=", ".join(f"{name} {n}" for name, n in sorted(problems.items())),
        why=_why(items, records, listed),
    )


def _kind(path: Path) -> str:
    kinds = {b"\x1f\x8b": "gzip", b"PK": "zip", b"\x04\x22": "lz4", b"\x28\xb5": "zstd"}
    with path.open("rb") as file:
        head = file.read(2)
    return kinds.get(head, "plain") if head else "empty"


def _why(items: list[Item], records: list[WarcRecord], listed: dict[str, str]) -> str:
    """The cause of a difference: told by warcio's own error, or by what we found in the file."""
    n_warcio, error = int(listed["records"] or 0), listed["parse_error"]
    if len(records) == n_warcio:
        return SAME
    if listed["file"].endswith((".lz4", ".zst", ".wacz")):
        return "warcio does not read this format"
    if "non-chunked gzip" in error:
        return "several records in one gzip member: warcio stops at the second"
    if len(records) > n_warcio:
        return _why_more(error)
    if any(isinstance(item, Damage) for item in items):
        return "warcio counts a stretch that is no record"
    return "warcio takes lines inside a record's block for records"


def _why_more(error: str) -> str:
    """Why warcio found fewer records."""
    if "Unknown archive format" in error:
        return "a wrong length, or headers that end in LF: warcio stops at the line that it finds"
    if error:
        return "warcio fails over a record that lacks a field"
    return "a blank first line, or a length that is wrong or missing: warcio loses its place"


def table(rows: list[Row]) -> str:
    """The rows that differ, as a table of Markdown, and how many agree."""
    lines = ["| file | kind | warcio | records | damages | problems | why |"]
    lines.append("|---|---|---:|---:|---:|---|---|")
    lines += [
        f"| {r.file} | {r.kind} | {r.n_warcio} | {r.n_records} | {r.n_damages} | {r.problems} "
        f"| {r.why} |"
        for r in rows
        if r.why != SAME
    ]
    reasons = Counter(row.why for row in rows)
    n_same = reasons.pop(SAME, 0)
    lines += ["", f"{n_same} of {len(rows)} files have the same count.", ""]
    lines += [f"- {n} files: {why}" for why, n in reasons.most_common()]
    return "\n".join(lines) + "\n"


def main(argv: list[str] | None = None) -> int:
    """Write the table to standard output."""
    parser = argparse.ArgumentParser(description="Compare record counts with an index.")
    parser.add_argument("--index", required=True, type=Path, help="warc_index.csv")
    options = parser.parse_args(argv)
    sys.stdout.write(table(list(compare(options.index))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
