"""Requests to listed hosts alone, over HTTPS and S3: redirects, tries, waits.

S3 is HTTPS with a signature: boto3 signs an address, and the same code asks for it, so that rate,
tries and the list of hosts are one thing for both. Redirects are followed by hand, each hop
checked; those of S3 are not followed, since they would need another signature.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import os
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

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
_MAX_ALL = 10
"""How many times `fetch.max_tries` a file may be tried in all, whatever the tries bring: a host
whose file changes at every try brings much and never all of it."""
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

T = TypeVar("T")


class TryAgain(Exception):
    """A try failed in a way that passes; `Client.tried` tries again."""

    def __init__(self, why: str, *, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


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


class Client:
    """A client of listed hosts, for any number of threads; the whole machine shares the limits."""

    def __init__(self, conf: FetchConfig) -> None:
        self._conf = conf
        timeout = httpx.Timeout(conf.read_timeout_s, connect=conf.connect_timeout_s)
        # Variables of the environment could name a proxy, which is a host that is not listed.
        self._http = httpx.Client(
            timeout=timeout, follow_redirects=False, trust_env=False, proxy=conf.proxy or None,
            # Identity: what is stored and counted are the file's own bytes.
            headers={"User-Agent": user_agent(conf), "Accept-Encoding": "identity"},
        )  # fmt: skip

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    @contextlib.contextmanager
    def answer(
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
        with limits.connection(), _counted(limits):
            target = _signed(method, url, query, self._conf) if url.startswith("s3:") else url
            with self._http.stream(method, target, headers=dict(headers)) as answer:
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

    def pieces(self, answer: httpx.Response) -> Iterator[bytes]:
        """The body as it comes; a body that comes too slowly is given up."""
        throughput = Throughput(self._conf, time.monotonic())
        for piece in answer.iter_raw():
            yield piece
            if throughput.is_stalled(len(piece), time.monotonic()):
                raise TryAgain(
                    f"stalled: under {self._conf.min_bytes_per_s} bytes a second for "
                    f"{self._conf.stall_window_s:g} s"
                )

    def tried(
        self, url: str, once: Callable[[], T], *, n_bytes: Callable[[], int] = lambda: 0
    ) -> T:
        """The result of `once`, tried until it succeeds, with waits, or until the tries end.

        Args:
            url: What `once` asks for.
            once: One try.
            n_bytes: Bytes that all tries together have brought so far.

        Raises:
            FetchFailed: it cannot be had, or the tries ended.
            FetchBanned: the host answered 403.
            TooManyFailures: too many requests to the host failed in the last minute.
        """
        n_tries, n_all = 0, 0
        while True:
            had = n_bytes()
            try:
                return once()
            except (TryAgain, httpx.TransportError) as error:
                n_tries = 1 if n_bytes() - had >= _PROGRESS_BYTES else n_tries + 1
                n_all += 1
                if n_tries >= self._conf.max_tries or n_all >= _MAX_ALL * self._conf.max_tries:
                    raise FetchFailed(f"{url}: {_told(error)}; {n_all} tries") from error
                self._wait(url, error, n_tries)

    def _wait(self, url: str, error: Exception, n_tries: int) -> None:
        conf = self._conf
        after_s = error.after_s if isinstance(error, TryAgain) else None
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
def _counted(limits: HostLimits) -> Iterator[None]:
    """Count the request made inside: failed where another try of it may succeed.

    An answer that is about the file and not about the host, such as 404, has not failed.
    """
    try:
        yield
    except (TryAgain, httpx.TransportError):
        limits.count(n_failed=1)
        raise
    except FetchFailed:
        limits.count(n_failed=0)
        raise
    limits.count(n_failed=0)


def _check_status(answer: httpx.Response, url: str) -> None:
    status = answer.status_code
    if status in RETRIED:
        wait = retry_after_s(answer.headers.get("retry-after"), datetime.now(UTC))
        raise TryAgain(f"HTTP {status}", after_s=wait)
    if status in (404, 410):
        raise NotThere(f"{url}: HTTP {status}: there is no such file")
    if status not in (200, 206, 416):
        raise FetchFailed(f"{url}: HTTP {status}")


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
