"""Time to read every response of WARC files: ours, FastWARC and warcio, side by side.

`python -m bench.reading --warc GLOB [--json OUT] [--rounds N]` prints the medians and our ratio to
each. All three parse the HTTP head and read the payload. Rounds are interleaved, so that what else
the machine does strikes all alike, and time is that of the processor.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastwarc.warc import ArchiveIterator, WarcRecordType
from warcio.archiveiterator import ArchiveIterator as Warcio  # type: ignore[import-untyped]

from curation.crawl.listing import list_warcs
from curation.crawl.warc import WarcRecord, read_records
from curation.errors import reported

Reader = Callable[[str], tuple[int, int]]
"""From the path of a file to the responses in it and the bytes of their payloads."""


def by_us(path: str) -> tuple[int, int]:
    """Every record, checked, with the codings of payloads undone."""
    sizes = [
        len(item.payload)
        for item in read_records(path)
        if isinstance(item, WarcRecord) and item.record_type == "response"
    ]
    return len(sizes), sum(sizes)


def by_fastwarc(path: str) -> tuple[int, int]:
    """Payloads as they lie in the file."""
    records = ArchiveIterator(path, parse_http=True, record_types=WarcRecordType.response)
    sizes = [len(record.reader.read()) for record in records]
    return len(sizes), sum(sizes)


def by_warcio(path: str) -> tuple[int, int]:
    """Payloads with the codings undone."""
    with Path(path).open("rb") as file:
        sizes = [
            len(record.content_stream().read())
            for record in Warcio(file)
            if record.rec_type == "response"
        ]
    return len(sizes), sum(sizes)


READERS: dict[str, Reader] = {"ours": by_us, "fastwarc": by_fastwarc, "warcio": by_warcio}


def measure(paths: list[str], n_rounds: int) -> dict[str, Any]:
    """Medians over rounds, and our speed as a share of each reader's in the same round."""
    times: dict[str, list[float]] = {name: [] for name in READERS}
    counts: dict[str, tuple[int, int]] = {}
    for _ in range(n_rounds):
        for name, reader in READERS.items():
            begun = time.process_time()
            found = [reader(path) for path in paths]
            times[name].append(time.process_time() - begun)
            counts[name] = (sum(n for n, _ in found), sum(size for _, size in found))
    return {name: _facts(name, times, counts[name]) for name in READERS}


def _facts(name: str, times: dict[str, list[float]], count: tuple[int, int]) -> dict[str, Any]:
    seconds = statistics.median(times[name])
    pairs = zip(times["ours"], times[name], strict=True)
    return {
        "n_records": count[0],
        "payload_bytes": count[1],
        "seconds": round(seconds, 4),
        "records_per_s": round(count[0] / seconds, 1),
        "ours_is_times_its_speed": round(statistics.median(its / ours for ours, its in pairs), 3),
    }


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; write JSON to standard output, and to a file where one is named."""
    parser = argparse.ArgumentParser(description="Read WARC files with three readers.")
    parser.add_argument("--warc", required=True, help="files, as a pattern")
    parser.add_argument("--json", help="file for the result")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(argv)
    paths = [file.path for file in list_warcs([options.warc])]
    text = json.dumps(measure(paths, options.rounds), indent=2)
    if options.json:
        Path(options.json).write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(text + "\n")
    return 0


if __name__ == "__main__":
    with reported():
        raise SystemExit(main())
