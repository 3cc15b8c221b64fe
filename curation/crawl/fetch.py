"""Files behind addresses: HTTPS and S3, resumed, checked, gently, and only from listed hosts.

S3 is HTTPS with a signature: boto3 signs an address, and the same code fetches it, so that rate,
retries, resume and the list of hosts are one thing for both. Redirects are followed by hand, each
hop checked; those of S3 are not followed, since they would need another signature.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import importlib.metadata
import logging
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx

from curation.config import FetchConfig
from curation.crawl.limits import HostLimits, Throughput, backoff_s, retry_after_s
from curation.errors import ConfigError, EnvironmentFault, FetchFailed, NotThere

SCHEMES = ("http", "https", "s3")
RETRIED = (429, 500, 502, 503, 504)
"""Answers that are tried again."""
_REDIRECTS = (301, 302, 303, 307, 308)
_PROGRESS_BYTES = 8 << 20
"""A try that brought so much does not count as failed: long files cross bad networks in pieces."""
_MAX_SMALL_BYTES = 256 << 20
_SIGNED_S = 3600
_CONTACTS = {
    "iam-role": ("169.254.169.254",),
    "container-role": ("169.254.170.2", "169.254.170.23"),
    "assume-role": ("sts.{region}.amazonaws.com",),
    "assume-role-with-web-identity": ("sts.{region}.amazonaws.com",),
}
"""Sources of S3 credentials that contact a host: used only where that host is listed."""
_SILENT = ("env", "shared-credentials-file", "config-file", "custom-process", "boto-config",
           "ec2-credentials-file")  # fmt: skip
"""Sources of S3 credentials that contact no host."""

log = logging.getLogger(__name__)
T = TypeVar("T")


class _TryAgain(Exception):
    """A try failed in a way that passes."""

    def __init__(self, why: str, *, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


@dataclass(frozen=True)
class _Body:
    """What the head of an answer says of its body."""

    start: int
    """Offset in the file of the body's first byte."""
    n_bytes: int
    """Size of the whole file."""
    validator: str
    """Strong ETag, for If-Range; empty where there is none."""


def is_url(path: str) -> bool:
    """Whether `path` is an address rather than a path of a file system."""
    return "://" in path


def check_url(url: str, conf: FetchConfig) -> str:
    """The host that `url` has contacted.

    Raises:
        ConfigError: its scheme is unknown, or its host is not one of `fetch.hosts`.
    """
    wrong = f"{url}: not an address; write https://HOST/PATH or s3://BUCKET/KEY"
    try:
        # Read by httpx, which connects: another reader may see another host in an odd address.
        scheme = httpx.URL(url).scheme
        host = httpx.URL(conf.s3_endpoint if scheme == "s3" else url).raw_host.decode("ascii")
    except httpx.InvalidURL as error:
        raise ConfigError(f"{wrong}: {error}") from error
    if scheme not in SCHEMES or not host:
        raise ConfigError(wrong)
    if host not in conf.hosts:
        raise ConfigError(
            f"{url}: {host} is not in fetch.hosts, which are the only hosts contacted: "
            f"{', '.join(conf.hosts)}"
        )
    return host


def user_agent(conf: FetchConfig) -> str:
    """The User-Agent: name, version, and whom to write to."""
    version = importlib.metadata.version("curation")
    return f"curation/{version} (refinery of pretraining data; {conf.contact or 'no contact set'})"


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
    """A client of listed hosts, for any number of threads; the whole machine shares the limits."""

    def __init__(self, conf: FetchConfig) -> None:
        self._conf = conf
        timeout = httpx.Timeout(conf.read_timeout_s, connect=conf.connect_timeout_s)
        # Variables of the environment could name a proxy, which is a host that is not listed.
        self._client = httpx.Client(
            timeout=timeout, follow_redirects=False, trust_env=False, proxy=conf.proxy or None,
            # Identity: what is stored and counted are the file's own bytes.
            headers={"User-Agent": user_agent(conf), "Accept-Encoding": "identity"},
        )  # fmt: skip

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
        """

        def once() -> int:
            with self._answer("HEAD", url, {}) as answer:
                return _content_length(answer, url)

        return self._tried(url, once)

    def small(self, url: str, *, query: str = "") -> bytes:
        """Content of a small file, such as a list; never over 256 MiB.

        Args:
            url: Address.
            query: Of an S3 address, parameters `list-type=2&...` of the bucket instead of a key.

        Raises:
            FetchFailed: it cannot be had, or is larger.
            FetchBanned: the host answered 403.
        """

        def once() -> bytes:
            content = bytearray()
            with self._answer("GET", url, {}, query=query) as answer:
                for piece in self._pieces(answer):
                    content += piece
                    if len(content) > _MAX_SMALL_BYTES:
                        raise FetchFailed(f"{url}: over {_MAX_SMALL_BYTES} bytes for a small file")
            return bytes(content)

        return self._tried(url, once)

    def download(self, url: str, to: Path, *, n_bytes: int = -1) -> Path:
        """Put the file at `url` in the place `to`, unless it is there; a broken one is resumed.

        Its bytes go to `to` with `.part` after its name, and get the name `to` when their number
        is the one that was announced. Processes that want the same file wait for each other.

        Raises:
            FetchFailed: it cannot be had, has no known size, or not the size `n_bytes`.
            FetchBanned: the host answered 403.
        """
        to.parent.mkdir(parents=True, exist_ok=True)
        with _beside(to, ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (to.exists() and n_bytes in (-1, to.stat().st_size)):
                begun = time.monotonic()
                part = _beside(to, ".part")
                self._tried(url, lambda: self._fetch(url, part, n_bytes), part=part)
                part.rename(to)
                _beside(to, ".etag").unlink(missing_ok=True)
                log.info("%s: %d bytes, %.1f s", url, to.stat().st_size, time.monotonic() - begun)
        return to

    def _fetch(self, url: str, part: Path, n_bytes: int) -> None:
        """One try to make `part` the whole file, from where the last one stopped."""
        have, validator = _begun(part)
        asked = {"Range": f"bytes={have}-", "If-Range": validator} if have else {}
        with self._answer("GET", url, asked) as answer:
            body = _body_of(answer, url, have)
            if n_bytes not in (-1, body.n_bytes):
                _forget(part)
                raise _TryAgain(f"size {body.n_bytes}, expected {n_bytes}")
            if body.start < 0 and body.n_bytes == have:
                return
            if body.start not in (0, have) or (body.start and body.validator != validator):
                _forget(part)
                raise _TryAgain("the file has changed between two parts of it")
            if body.start == 0:
                _forget(part)  # first, so that old bytes never stand beside a new ETag
            _beside(part, ".etag", of=".part").write_text(body.validator, encoding="utf-8")
            self._write(answer, part, at=body.start)
        if part.stat().st_size != body.n_bytes:
            raise _TryAgain(f"{part.stat().st_size} bytes came of {body.n_bytes}")

    def _write(self, answer: httpx.Response, part: Path, *, at: int) -> None:
        with part.open("r+b" if part.exists() else "w+b") as file:
            file.truncate(at)
            file.seek(at)
            for piece in self._pieces(answer):
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())

    def _pieces(self, answer: httpx.Response) -> Iterator[bytes]:
        """The body as it comes; a body that comes too slowly is given up."""
        throughput = Throughput(self._conf, time.monotonic())
        for piece in answer.iter_raw():
            yield piece
            if throughput.is_stalled(len(piece), time.monotonic()):
                raise _TryAgain(
                    f"stalled: under {self._conf.min_bytes_per_s} bytes a second for "
                    f"{self._conf.stall_window_s:g} s"
                )

    def _tried(self, url: str, once: Callable[[], T], *, part: Path | None = None) -> T:
        """The result of `once`, tried until it succeeds, with waits, or until the tries end."""
        n_tries = 0
        while True:
            had = _size(part)
            try:
                return once()
            except (_TryAgain, httpx.TransportError) as error:
                n_tries = 1 if _size(part) - had >= _PROGRESS_BYTES else n_tries + 1
                if n_tries >= self._conf.max_tries:
                    raise FetchFailed(f"{url}: {_told(error)}; {n_tries} tries") from error
                self._wait(url, error, n_tries)

    def _wait(self, url: str, error: Exception, n_tries: int) -> None:
        conf = self._conf
        after_s = error.after_s if isinstance(error, _TryAgain) else None
        if after_s is None:
            time.sleep(
                backoff_s(n_tries, base_s=conf.backoff_s, cap_s=conf.max_backoff_s,
                          key=f"{url}\n{os.getpid()}")
            )  # fmt: skip
        elif after_s > conf.max_retry_after_s:
            raise FetchFailed(
                f"{url}: {_told(error)}, try again after {after_s:.0f} s, which is over "
                f"fetch.max_retry_after_s"
            ) from error
        else:
            # The answer concerns the host, and so every process that asks it.
            HostLimits(conf, check_url(url, conf)).pause(after_s)

    @contextlib.contextmanager
    def _answer(
        self, method: str, url: str, headers: Mapping[str, str], *, query: str = ""
    ) -> Iterator[httpx.Response]:
        """The answer to one request, its body unread, redirects followed to listed hosts alone."""
        target = url
        for _ in range(self._conf.max_redirects + 1):
            with self._hop(method, target, headers, query) as answer:
                if answer.status_code not in _REDIRECTS:
                    _check_status(answer, url)
                    yield answer
                    return
                target = self._redirected(answer, url, target)
        raise FetchFailed(f"{url}: over {self._conf.max_redirects} redirects")

    @contextlib.contextmanager
    def _hop(
        self, method: str, url: str, headers: Mapping[str, str], query: str
    ) -> Iterator[httpx.Response]:
        limits = HostLimits(self._conf, check_url(url, self._conf))
        with limits.connection():
            target = _signed(method, url, query, self._conf) if url.startswith("s3:") else url
            with self._client.stream(method, target, headers=dict(headers)) as answer:
                if answer.status_code == 403:
                    raise limits.ban(url)
                yield answer

    def _redirected(self, answer: httpx.Response, url: str, at: str) -> str:
        if at.startswith("s3:"):
            raise FetchFailed(
                f"{url}: {answer.status_code}: the bucket is elsewhere; set fetch.s3_endpoint and "
                "fetch.s3_region to its region, and list that host in fetch.hosts"
            )
        target = str(httpx.URL(at).join(answer.headers.get("location", "")))
        if at.startswith("https:") and not target.startswith("https:"):
            raise FetchFailed(f"{url}: redirected from https to {target}, which is not followed")
        try:
            check_url(target, self._conf)
        except ConfigError as error:
            raise FetchFailed(f"{url}: redirected to {error}") from error
        return target


def _check_status(answer: httpx.Response, url: str) -> None:
    status = answer.status_code
    if status in RETRIED:
        wait = retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC))
        raise _TryAgain(f"HTTP {status}", after_s=wait)
    if status in (404, 410):
        raise NotThere(f"{url}: HTTP {status}: there is no such file")
    if status not in (200, 206, 416):
        raise FetchFailed(f"{url}: HTTP {status}")


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


def _size(part: Path | None) -> int:
    return part.stat().st_size if part is not None and part.exists() else 0


def _beside(path: Path, suffix: str, *, of: str = "") -> Path:
    return path.with_name(path.name.removesuffix(of) + suffix)


def _told(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return f"no answer in time ({type(error).__name__})"
    return str(error) or type(error).__name__


def _signed(method: str, url: str, query: str, conf: FetchConfig) -> str:
    """HTTPS address with a signature for the `s3://` address `url`."""
    bucket, _, key = url.removeprefix("s3://").partition("/")
    client = _s3(conf.s3_endpoint, conf.s3_region, conf.hosts)
    if query:
        values: dict[str, Any] = {"Bucket": bucket, **dict(httpx.QueryParams(query))}
        return str(client.generate_presigned_url("list_objects_v2", values, _SIGNED_S))
    call = {"GET": "get_object", "HEAD": "head_object"}[method]
    place = {"Bucket": bucket, "Key": key}
    return str(client.generate_presigned_url(call, place, _SIGNED_S))


@functools.lru_cache(maxsize=4)
def _s3(endpoint: str, region: str, hosts: tuple[str, ...]) -> Any:
    """A client that signs, and sends nothing.

    Raises:
        EnvironmentFault: there are no credentials that are found without asking an unlisted host.
    """
    import boto3  # half a second, for those who use S3
    import botocore.session
    from botocore.config import Config

    session = botocore.session.get_session()
    chain = session.get_component("credential_provider")
    for provider in list(chain.providers):
        contacts = [host.format(region=region) for host in _CONTACTS.get(provider.METHOD, ())]
        if provider.METHOD not in _SILENT and not set(contacts) & set(hosts):
            chain.remove(provider.METHOD)
    if session.get_credentials() is None:
        raise EnvironmentFault(
            "S3 needs credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a profile; for "
            "the role of a machine, list 169.254.169.254 in fetch.hosts"
        )
    config = Config(signature_version="s3v4", s3={"addressing_style": "path"})
    return boto3.Session(botocore_session=session).client(
        "s3", endpoint_url=endpoint, region_name=region, config=config
    )
