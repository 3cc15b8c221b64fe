"""Memory of a worker and its child over many pages: it has to stay flat.

`python -m bench.memory --warc GLOB [--pages 50000] [--engine NAME]` gives the pages of the files,
again and again, to the child that a Spark worker would give them to, and prints one line of JSON
each 5,000 pages: resident memory of both processes in MiB, and how many children there were so
far. The last lines say by how much each grew from the first line to the largest one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator

from curation.config import ExtractConfig
from curation.crawl.listing import list_warcs
from curation.crawl.warc import WarcRecord, read_records
from curation.extract.containment import Contained
from curation.extract.guard import memory
from curation.extract.pages import Place, contained_pages
from curation.extract.records import DocIds, Origin, refusal

EVERY = 5_000
_MIB = 1 << 20


def pages(paths: list[str], n_pages: int, max_html_bytes: int) -> Iterator[Place]:
    """`n_pages` records that may be pages, read from the files anew in each round."""
    n = 0
    while True:
        n_before = n
        for path in paths:
            ids, origin = DocIds(path), Origin(path, "bench", "bench")
            for item in read_records(path):
                if not isinstance(item, WarcRecord):
                    continue
                if refusal(item, max_html_bytes=max_html_bytes) is None:
                    yield Place(item, ids.next_id(item), origin)
                    n += 1
                    if n == n_pages:
                        return
        if n == n_before:
            raise SystemExit(f"no record of {', '.join(paths)} may be a page")


def measure(read: Contained, places: Iterator[Place], every: int) -> list[dict[str, float]]:
    """One row each `every` pages; it is written as soon as it is there."""
    rows: list[dict[str, float]] = []
    children: set[int | None] = set()
    begun = time.monotonic()
    for n, place in enumerate(places, start=1):
        read(place)
        children.add(read.pid)
        if n % every == 0:
            rows.append(_row(n, read, len(children), time.monotonic() - begun))
            sys.stdout.write(json.dumps(rows[-1]) + "\n")
            sys.stdout.flush()
    return rows


def _row(n_pages: int, read: Contained, n_children: int, seconds: float) -> dict[str, float]:
    return {
        "pages": n_pages,
        "parent_mib": round(memory()[1] / _MIB, 1),
        "child_mib": round(read.rss_bytes / _MIB, 1),
        "children": n_children,
        "seconds": round(seconds, 1),
    }


def main(argv: list[str]) -> int:
    """Measures and prints; 0."""
    parser = argparse.ArgumentParser(description="Memory of a worker over many pages.")
    parser.add_argument("--warc", action="append", required=True, help="WARC files or patterns")
    parser.add_argument("--pages", type=int, default=50_000)
    parser.add_argument("--every", type=int, default=EVERY)
    parser.add_argument("--engine", default=ExtractConfig().engine)
    asked = parser.parse_args(argv)
    conf = ExtractConfig().model_copy(update={"engine": asked.engine, "fallback": "none"})
    paths = [file.path for file in list_warcs(asked.warc)]
    read = contained_pages(conf)
    rows = measure(read, pages(paths, asked.pages, conf.max_html_bytes), asked.every)
    for who in ("parent", "child") if rows else ():
        sizes = [row[f"{who}_mib"] for row in rows]
        grown = {"engine": asked.engine, f"{who}_growth_mib": round(max(sizes) - sizes[0], 1)}
        sys.stdout.write(json.dumps(grown) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
