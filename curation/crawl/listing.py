"""Which WARC files there are, the chunks that they are worked on in, and the states they are in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curation.errors import InputError

UNKNOWN_BYTES = -1
"""Size of a file behind an address that has not been asked yet."""

State = Literal["expected", "fetching", "committed", "failed", "dead"]


@dataclass(frozen=True, order=True)
class WarcFile:
    """A WARC or ARC file: absolute path or address, and expected size."""

    path: str
    n_bytes: int
    n_retries: int = 0
    """Times that it has been asked for again after it failed."""

    @property
    def identity(self) -> list[str | int]:
        """What decides the rows that come of it; a retry may bring others."""
        again = [self.n_retries] if self.n_retries else []
        return [self.path, self.n_bytes, *again]


def state_after(file: WarcFile, error: str | None, *, dead_after: int) -> State:
    """State of `file` when its chunk is committed; `error` is why its reading ended early.

    The try that just ended is number `n_retries + 1`; from `dead_after` on a failed file is dead.
    """
    if error is None:
        return "committed"
    return "dead" if file.n_retries + 1 >= dead_after else "failed"


def list_warcs(patterns: Sequence[str]) -> list[WarcFile]:
    """The files that `patterns` name: sorted by path, each once, empty ones included.

    A pattern is a path or a pattern with `*`, `?`, `[...]` and `**`; a leading `~` is the home
    folder, a leading `file://` is left out. A path that exists is taken as it is, whatever
    characters it has. An address (`https://`, `s3://`) names one file, of `UNKNOWN_BYTES`; no host
    is contacted here.

    Raises:
        InputError: a pattern matches no file, or names a folder, or an address has a pattern.
    """
    patterns = [pattern.removeprefix("file://") for pattern in patterns]
    addresses = {_address(pattern) for pattern in patterns if "://" in pattern}
    places = [pattern for pattern in patterns if "://" not in pattern]
    paths = {file for pattern in places for file in _matches(pattern)}
    remote = [WarcFile(address, UNKNOWN_BYTES) for address in addresses]
    return sorted([*remote, *(WarcFile(str(path), path.stat().st_size) for path in paths)])


def group(files: Sequence[WarcFile], n: int) -> list[tuple[WarcFile, ...]]:
    """`files` in their order, in chunks of `n`; the last chunk may be smaller.

    Raises:
        ValueError: `n` is below one.
    """
    if n < 1:
        raise ValueError(f"a chunk has at least one file, found n={n}")
    return [tuple(files[i : i + n]) for i in range(0, len(files), n)]


def chunk_id(crawl: str, files: Iterable[WarcFile]) -> str:
    """Id of a chunk: `c` and 10 hex digits of the SHA-256 of crawl and paths, the paths sorted.

    The crawl is in it because the same files may be taken into one run under two crawl ids.
    """
    named = "\n".join([crawl, *sorted(file.path for file in files)])
    return "c" + hashlib.sha256(named.encode("utf-8", "surrogateescape")).hexdigest()[:10]


def _address(pattern: str) -> str:
    # `?` begins a query; the other signs of a pattern are not found in the names of archives.
    if "*" in pattern or pattern.endswith("/"):
        raise InputError(
            f"input {pattern}: an address names one file; name a whole crawl with input.crawl_id"
        )
    return pattern


def _matches(pattern: str) -> list[Path]:
    path = Path(pattern).expanduser().absolute()
    if path.is_dir():
        raise InputError(
            f"input {pattern}: is a folder; name its files, e.g. {pattern.rstrip('/')}/**/*.warc.gz"
        )
    if path.exists():
        return [path]
    files = _globbed(path)
    if not files:
        raise InputError(
            f"input {pattern}: no such file, and no file matches {path} as a pattern; "
            "check input.paths"
        )
    return files


def _globbed(path: Path) -> list[Path]:
    root = Path(path.anchor)
    try:
        return [match for match in root.glob(str(path.relative_to(root))) if match.is_file()]
    except ValueError as error:
        raise InputError(f"input {path}: not a pattern: {error}") from error
