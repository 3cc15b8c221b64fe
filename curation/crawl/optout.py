"""What robots.txt forbids, host by host. Pure; `blocklists.py` puts it to use.

Common Crawl obeyed the robots.txt of its day. Sites have changed theirs since, and say more to the
agents of today; a file of what they say now is applied to what was crawled then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from protego import Protego

from curation.schemas import Table, column

MAX_ROBOTS_CHARS = 512_000
"""Text of one robots.txt that is read; RFC 9309, 2.5 asks for 500 KiB at least."""

HOSTS = Table(
    "robots_hosts",
    "A host with the text of its robots.txt and the URLs asked about. Not a table of the run.",
    pa.schema([
        column("host", pa.string(), "Host, lower-cased"),
        column("robots", pa.string(), "Text of its robots.txt"),
        column("urls", pa.list_(pa.string()), "URLs of the host"),
    ]),
    key=("host",),
)  # fmt: skip

FORBIDDEN = Table(
    "robots_forbidden",
    "URLs that robots.txt forbids. Not a table of the run.",
    pa.schema([column("url", pa.string(), "URL")]),
    key=("url",),
)


def forbidden(batch: pa.RecordBatch, *, agents: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The URLs of a HOSTS batch that one of `agents` may not read, as FORBIDDEN."""
    rows = batch.to_pylist()
    urls = [
        url for row in rows for url in forbidden_urls(row["robots"], row["urls"], agents=agents)
    ]
    yield pa.RecordBatch.from_pydict({"url": urls}, schema=FORBIDDEN.columns)


def forbidden_urls(robots: str, urls: Sequence[str], *, agents: Sequence[str]) -> list[str]:
    """Those of `urls` that `robots`, the text of a robots.txt, forbids to one of `agents`.

    Text that is no robots.txt forbids nothing. An agent that is not named falls under `*`.
    Source: RFC 9309, as protego reads it (longest match wins; `*` and `$` in paths).
    """
    rules = Protego.parse(robots[:MAX_ROBOTS_CHARS])
    return [url for url in urls if not all(rules.can_fetch(url, agent) for agent in agents)]
