"""A Common Crawl id to its files: names from `warc.paths.gz`, a sample by hash, expected sizes."""

from __future__ import annotations

import difflib
import gzip
import json
import logging
import re
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import unquote_plus
from xml.etree import ElementTree

import httpx

from curation.config import FetchConfig, InputConfig
from curation.crawl.client import check_url
from curation.crawl.fetch import Fetcher
from curation.crawl.limits import hashed_frac
from curation.crawl.listing import UNKNOWN_BYTES, WarcFile
from curation.errors import ConfigError, FetchFailed, InputError, NotThere

_ID = re.compile(r"CC-(?:MAIN-\d{4}(?:-\d{2}|-\d{4})?|NEWS-\d{4}-\d{2})")
"""The crawls of 2008 to 2012 have a second year, or nothing, in place of the week."""
N_NEAREST = 3

log = logging.getLogger(__name__)


def crawl_files(conf: InputConfig, fetch: FetchConfig) -> list[WarcFile]:
    """The files of `input.crawl_id` that belong to its sample, in order, sizes not yet asked.

    One request. The list is asked for each time: that of a month of news grows.

    Raises:
        InputError: there is no such crawl (the nearest are named), or its list is damaged.
        FetchFailed: the list cannot be had.
        FetchBanned: its host answered 403.
        TooManyFailures: its host failed too many requests of the last minute.
    """
    address = paths_address(conf.crawl_id, fetch.base)
    check_url(address, fetch)
    with Fetcher(fetch) as fetcher:
        try:
            listed = fetcher.small(address)
        except NotThere as error:
            raise _unknown(conf.crawl_id, fetch, fetcher) from error
    names = parse_paths(listed, where=address)
    chosen = sampled(names, conf.crawl_percent, seed=conf.crawl_seed)
    return [WarcFile(fetch.base + name, UNKNOWN_BYTES) for name in sorted(chosen)]


def paths_address(crawl_id: str, base: str) -> str:
    """Address of the list of WARC files of a crawl.

    Raises:
        ConfigError: `crawl_id` does not have the form of one.
    """
    if not _ID.fullmatch(crawl_id):
        raise ConfigError(
            f"input.crawl_id {crawl_id}: not a crawl id; write e.g. CC-MAIN-2024-51 (year-week) or "
            "CC-NEWS-2024-12 (year-month)"
        )
    folder = crawl_id
    if crawl_id.startswith("CC-NEWS"):
        _, _, year, month = crawl_id.split("-")
        folder = f"CC-NEWS/{year}/{month}"
    return f"{base}crawl-data/{folder}/warc.paths.gz"


def parse_paths(packed: bytes, *, where: str) -> list[str]:
    """Names in a `warc.paths.gz`, in its order.

    Raises:
        InputError: it is damaged, empty, or has a line that is no name below the archive's root.
    """
    try:
        lines = gzip.decompress(packed).decode("utf-8").split("\n")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputError(f"{where}: damaged: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    strange = [name for name in names if not _is_name(name)]
    if strange or not names:
        found = f"found {strange[0]!r}" if strange else "it is empty"
        raise InputError(f"{where}: expected names of WARC files, {found}")
    return names


def _is_name(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._/=+-]*", name) is not None and ".." not in name


def sampled(names: Sequence[str], percent: float, *, seed: int) -> list[str]:
    """About `percent` % of `names`, in their order, by a hash of seed and name.

    A name is in every sample from its own percentage on, so that a smaller sample is part of a
    larger one, and another crawl's names change nothing.
    """
    return [name for name in names if hashed_frac(f"{seed}\n{name}") * 100.0 < percent]


def nearest(crawl_id: str, known: Sequence[str]) -> list[str]:
    """The up to `N_NEAREST` ids of `known` most like `crawl_id`: by date, or by spelling.

    Ids of the form CC-MAIN-YYYY-WW are compared by weeks between them.
    """
    wanted = _week(crawl_id)
    weeks = {name: _week(name) for name in known}
    dated = {name: week for name, week in weeks.items() if week is not None}
    if wanted is None or not dated:
        return difflib.get_close_matches(crawl_id, known, n=N_NEAREST, cutoff=0.0)
    return sorted(dated, key=lambda name: (abs(dated[name] - wanted), name))[:N_NEAREST]


def _week(crawl_id: str) -> int | None:
    found = re.fullmatch(r"CC-MAIN-(\d{4})-(\d{2})", crawl_id)
    return int(found.group(1)) * 52 + int(found.group(2)) if found else None


def _unknown(crawl_id: str, conf: FetchConfig, fetcher: Fetcher) -> InputError:
    """The error for a crawl that is not there, with the nearest ones if the list can be had."""
    said = f"input.crawl_id {crawl_id}: no such crawl at {conf.base}"
    try:
        known = parse_crawl_list(fetcher.small(conf.crawl_list), where=conf.crawl_list)
    except (FetchFailed, ConfigError, InputError) as error:
        return InputError(f"{said}; the list of crawls cannot be had either: {error}")
    return InputError(f"{said}; the nearest are {', '.join(nearest(crawl_id, known))}")


def parse_crawl_list(content: bytes, *, where: str) -> list[str]:
    """Crawl ids in a `collinfo.json`.

    Raises:
        InputError: it is not a list of objects with an `id`.
    """
    try:
        return [str(entry["id"]) for entry in json.loads(content)]
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(f"{where}: not a list of crawls: {error!r}") from error


def with_sizes(files: Sequence[WarcFile], conf: FetchConfig) -> list[WarcFile]:
    """`files` with their sizes: HEAD for each on the web, one listing a folder on S3.

    Files that have a size keep it. One whose size cannot be had is left without: it fails when it
    is fetched, for a reason that the ledger has, and the others do not wait for it. Cost: a request
    a file at `fetch.requests_per_s` (90,000 files of a crawl: hours), on S3 one for 1,000 files.

    Raises:
        FetchBanned: a host answered 403.
        TooManyFailures: its host failed too many requests of the last minute.
    """
    unknown = [file.path for file in files if file.n_bytes == UNKNOWN_BYTES]
    for path in unknown:
        check_url(path, conf)
    found = _listed([path for path in unknown if path.startswith("s3:")], conf)
    found |= _asked([path for path in unknown if not path.startswith("s3:")], conf)
    return [
        WarcFile(file.path, found.get(file.path, file.n_bytes), file.n_retries) for file in files
    ]


def _asked(urls: Sequence[str], conf: FetchConfig) -> dict[str, int]:
    def size(url: str) -> int:
        try:
            return fetcher.size(url)
        except FetchFailed as error:
            log.warning("%s: no size: %s", url, error)
            return UNKNOWN_BYTES

    with Fetcher(conf) as fetcher, ThreadPoolExecutor(conf.max_connections) as threads:
        futures = [threads.submit(size, url) for url in urls]
        try:
            return {url: future.result() for url, future in zip(urls, futures, strict=True)}
        finally:
            threads.shutdown(cancel_futures=True)


def _listed(addresses: Sequence[str], conf: FetchConfig) -> dict[str, int]:
    sizes: dict[str, int] = {}
    with Fetcher(conf) as fetcher:
        for folder in sorted({address.rpartition("/")[0] for address in addresses}):
            sizes.update(s3_sizes(folder + "/", fetcher))
    return {address: sizes.get(address, UNKNOWN_BYTES) for address in addresses}


def s3_sizes(folder: str, fetcher: Fetcher) -> Iterator[tuple[str, int]]:
    """Address and size of every object whose address begins with `folder`, an `s3://` address.

    Raises:
        FetchFailed: the bucket cannot be listed.
        InputError: the answer is not a listing.
    """
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    token = ""
    while True:
        asked = {"Prefix": prefix} | ({"ContinuationToken": token} if token else {})
        answer = fetcher.small(f"s3://{bucket}/", query=str(httpx.QueryParams(asked)))
        rows, token = parse_s3_listing(answer, where=folder)
        yield from ((f"s3://{bucket}/{key}", n_bytes) for key, n_bytes in rows)
        if not token:
            return


def parse_s3_listing(content: bytes, *, where: str) -> tuple[list[tuple[str, int]], str]:
    """Keys and sizes of one answer to ListObjectsV2, and the token of the next; "" at the end.

    Raises:
        InputError: it is not such an answer.
    """
    try:
        root = ElementTree.fromstring(content)
        # S3 writes keys as in a query where asked to, since XML cannot hold every character.
        plain = unquote_plus if root.findtext("{*}EncodingType") == "url" else str
        rows = [
            (plain(row.findtext("{*}Key", "")), int(row.findtext("{*}Size", "")))
            for row in root.findall("{*}Contents")
        ]
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{where}: S3 gave no listing: {error}") from error
    return rows, root.findtext("{*}NextContinuationToken", "")
