"""Files behind addresses: downloaded whole or resumed, checked, and kept in a cache for a while."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import httpx

from curation.config import FetchConfig
from curation.crawl.client import Client, TryAgain, is_url
from curation.errors import FetchFailed

_MAX_SMALL_BYTES = 256 << 20

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Body:
    """What the head of an answer says of its body."""

    start: int
    """Offset in the file of the body's first byte."""
    n_bytes: int
    """Size of the whole file."""
    validator: str
    """Strong ETag, for If-Range; empty where there is none."""


@contextlib.contextmanager
def opened(path: str, conf: FetchConfig, *, cache: Path, n_bytes: int = -1) -> Iterator[Path]:
    """The file at `path` on a file system: itself, or, of an address, its copy in `cache`.

    The copy stays for a task that is done again, until `release`.

    Args:
        path: Path or address.
        conf: Section `fetch` of the run.
        cache: Folder of downloads (`cache_folder`).
        n_bytes: Expected size; -1: whatever the host says.

    Raises:
        FetchFailed: the file cannot be had.
        FetchBanned: its host answered 403, now or within `fetch.ban_s`.
        TooManyFailures: its host failed too many requests of the last minute.
        ConfigError: its host is not listed.
    """
    if not is_url(path):
        yield Path(path)
        return
    with Fetcher(conf) as fetcher:
        yield fetcher.download(path, cache_path(path, cache), n_bytes=n_bytes)


def release(paths: Iterable[str], conf: FetchConfig, *, cache: Path) -> None:
    """Remove the copies of `paths` from `cache`, once their rows are committed.

    With `fetch.keep` nothing is removed. Paths that are no addresses are never touched.
    """
    if conf.keep:
        return
    for path in filter(is_url, paths):
        copy = cache_path(path, cache)
        for file in (copy, _beside(copy, ".lock"), _beside(copy, ".part"), _beside(copy, ".etag")):
            file.unlink(missing_ok=True)


def cache_folder(conf: FetchConfig, out: str) -> Path:
    """Folder of downloads of the run in `out`."""
    return Path(conf.cache) if conf.cache else Path(out, "fetch")


def cache_path(url: str, cache: Path) -> Path:
    """Where in `cache` the copy of `url` lies: its name, made unique by a hash of the whole."""
    digest = hashlib.sha256(url.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", urlsplit(url).path.rpartition("/")[2])[-100:]
    return cache / f"{digest}-{name}"


class Fetcher:
    """Fetches files of listed hosts, for any number of threads."""

    def __init__(self, conf: FetchConfig) -> None:
        self._client = Client(conf)

    def __enter__(self) -> Fetcher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._client.close()

    def size(self, url: str) -> int:
        """Size of the file at `url` in bytes, as HEAD gives it.

        Raises:
            FetchFailed: it cannot be had, or the host gives no size.
            FetchBanned: the host answered 403.
            TooManyFailures: its host failed too many requests of the last minute.
        """

        def once() -> int:
            with self._client.answer("HEAD", url, {}) as answer:
                return _content_length(answer, url)

        return self._client.tried(url, once)

    def small(self, url: str, *, query: str = "") -> bytes:
        """Content of a small file, such as a list; never over 256 MiB.

        Args:
            url: Address.
            query: Of an S3 address, parameters `list-type=2&...` of the bucket instead of a key.

        Raises:
            FetchFailed: it cannot be had, or is larger.
            FetchBanned: the host answered 403.
            TooManyFailures: its host failed too many requests of the last minute.
        """

        def once() -> bytes:
            content = bytearray()
            with self._client.answer("GET", url, {}, query=query) as answer:
                for piece in self._client.pieces(answer):
                    content += piece
                    if len(content) > _MAX_SMALL_BYTES:
                        raise FetchFailed(f"{url}: over {_MAX_SMALL_BYTES} bytes for a small file")
            return bytes(content)

        return self._client.tried(url, once)

    def download(self, url: str, to: Path, *, n_bytes: int = -1) -> Path:
        """Put the file at `url` in the place `to`, unless it is there; a broken one is resumed.

        Its bytes go to `to` with `.part` after its name, and get the name `to` when their number
        is the one that was announced. Processes that want the same file wait for each other.

        Raises:
            FetchFailed: it cannot be had, has no known size, or not the size `n_bytes`.
            FetchBanned: the host answered 403.
            TooManyFailures: its host failed too many requests of the last minute.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        with _beside(to, ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (to.exists() and n_bytes in (-1, to.stat().st_size)):
                begun = time.monotonic()
                part = _beside(to, ".part")
                self._client.tried(
                    url, lambda: self._fetch(url, part, n_bytes), n_bytes=lambda: _size(part)
                )
                part.rename(to)
                _beside(to, ".etag").unlink(missing_ok=True)
                log.info("%s: %d bytes, %.1f s", url, to.stat().st_size, time.monotonic() - begun)
        return to

    def _fetch(self, url: str, part: Path, n_bytes: int) -> None:
        """One try to make `part` the whole file, from where the last one stopped."""
        have, validator = _begun(part)
        asked = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
        with self._client.answer("GET", url, asked) as answer:
            body = _body_of(answer, url, have)
            if n_bytes not in (-1, body.n_bytes):
                _forget(part)
                raise TryAgain(f"size {body.n_bytes}, expected {n_bytes}")
            if body.start < 0 and have and body.n_bytes == have:
                return
            if not have and answer.status_code == 416:
                raise TryAgain("HTTP 416 to a request for the whole file")
            if body.start not in (0, have) or (body.start and body.validator != validator):
                _forget(part)
                raise TryAgain("the file has changed between two parts of it")
            if body.start == 0:
                _forget(part)  # first, so that old bytes never stand beside a new ETag
            _beside(part, ".etag", of=".part").write_text(body.validator, encoding="utf-8")
            self._write(answer, part, at=body.start)
        if part.stat().st_size != body.n_bytes:
            raise TryAgain(f"{part.stat().st_size} bytes came of {body.n_bytes}")

    def _write(self, answer: httpx.Response, part: Path, *, at: int) -> None:
        with part.open("r+b" if part.exists() else "w+b") as file:
            file.truncate(at)
            file.seek(at)
            for piece in self._client.pieces(answer):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())


def _body_of(answer: httpx.Response, url: str, have: int) -> _Body:
    """Where the body of an answer to a request from byte `have` on belongs."""
    validator = _strong(answer.headers.get("etag", ""))
    if answer.status_code == 200:
        return _Body(0, _content_length(answer, url), validator)
    found = re.fullmatch(
        r"bytes (?:(\d+)-\d+|\*)/(\d+)", answer.headers.get("content-range", "").strip()
    )
    if found is None:
        raise FetchFailed(f"{url}: HTTP {answer.status_code} without a size in Content-Range")
    if answer.status_code == 206:
        return _Body(int(found.group(1) or -1), int(found.group(2)), validator)
    # 416: nothing is left to send, or the file has shrunk: `_fetch` compares.
    return _Body(-1, int(found.group(2)), validator)


def _content_length(answer: httpx.Response, url: str) -> int:
    length = str(answer.headers.get("content-length", ""))
    if not length.isdigit():
        raise FetchFailed(f"{url}: the host gives no size, so the file cannot be checked")
    return int(length)


def _strong(etag: str) -> str:
    """`etag` if it is strong; a weak one does not promise the same bytes (RFC 9110, 8.8.1)."""
    return etag if etag.startswith('"') else ""


def _begun(part: Path) -> tuple[int, str]:
    """Bytes of `part` that can be gone on from, and the ETag that they had; (0, "") if none can."""
    etag = _beside(part, ".etag", of=".part")
    validator = etag.read_text(encoding="utf-8") if etag.exists() else ""
    return (_size(part), validator) if validator else (0, "")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _beside(part, ".etag", of=".part").unlink(missing_ok=True)


def _size(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _beside(path: Path, suffix: str, *, of: str = "") -> Path:
    return path.with_name(path.name.removesuffix(of) + suffix)
