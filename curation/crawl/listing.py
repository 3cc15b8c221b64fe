"""Which WARC files there are, and the chunks that they are worked on in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from curation.errors import InputError


@dataclass(frozen=True, order=True)
class WarcFile:
    """A WARC or ARC file: absolute path and size."""

    path: str
    n_bytes: int


def list_warcs(patterns: Sequence[str]) -> list[WarcFile]:
    """The files that `patterns` name: sorted by path, each once, empty ones included.

    A pattern is a path or a pattern with `*`, `?`, `[...]` and `**`; a leading `~` is the home
    folder. A path that exists is taken as it is, whatever characters it has.

    Raises:
        InputError: a pattern matches no file, or names a folder.
    """
    paths = {file for pattern in patterns for file in _matches(pattern)}
    return sorted(WarcFile(str(path), path.stat().st_size) for path in paths)


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


def _matches(pattern: str) -> list[Path]:
    if "://" in pattern:
        raise InputError(
            f"input {pattern}: only paths of this machine or of mounted folders are read so far; "
            "fetch the files first"
        )
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
