"""Files that appear whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to; what was written there becomes `path` in one rename.

    After an error inside the block the old `path`, if any, is untouched. The folder is made where
    it is missing. A killed process leaves a hidden folder `.writing-*` beside `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".writing-") as folder:
        temporary = Path(folder) / path.name
        yield temporary
        _sync(temporary)
        temporary.replace(path)


def sha256_of(path: Path) -> str:
    """SHA-256 of the file's bytes, 64 hex digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Wait until the disk has the bytes: a rename may otherwise outlive them in a power cut."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
