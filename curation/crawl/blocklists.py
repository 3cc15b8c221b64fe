"""Pages that are not to be used, with the reason: lists, robots.txt, opt-outs. Spark SQL.

A list is a text file of one entry a line; `#` at the start of a line or after a space begins a
comment; `.gz` is unpacked. A domain stands for itself and all names below it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.types import StringType, StructField, StructType

from curation.config import FilterConfig, RunConfig
from curation.crawl.optout import FORBIDDEN, HOSTS, forbidden
from curation.errors import ConfigError, InputError
from curation.spark.batches import Kernel, map_batches

FILTER_REASONS = ("blocked_domain", "blocked_url", "not_allowed", "robots", "opted_out")
"""Why a page is not to be used. Of several reasons the first of this order is given."""

_ROBOTS = StructType([StructField("host", StringType()), StructField("robots", StringType())])
_COMMENT = r"(^|\s)#.*$"
_SCHEME = r"^[A-Za-z][A-Za-z0-9+.-]*://"


def with_filter_reason(pages: DataFrame, conf: FilterConfig) -> DataFrame:
    """`pages` with the columns `filter_reason` and `filter_detail`, null for a page to keep.

    The reason is one of `FILTER_REASONS`, the detail what gave it: the longest entry of a list that
    the page is under, the setting, or the page's own signals.

    Rows, their order within a partition aside, are those of `pages`. Lists are broadcast, and the
    text of a page is never shuffled; `pages` is read once for each kind of filter that is set, so
    it should be something kept.

    Args:
        pages: Rows with `url`, `host`, and, where `optout_signals` is set, `optout`.
        conf: Section `filter` of the run.

    Raises:
        ConfigError: `optout_signals` is set and `pages` has no column `optout`.
        InputError: a list is not there.
    """
    _check(pages, conf)
    hosts = pages.select("host").distinct()
    marked = pages
    for name, key, matches in _matches(pages.sparkSession, pages, hosts, conf):
        keyed = matches.select(
            F.col("value").alias(f"_{name}_key"), F.col("entry").alias(f"_{name}")
        )
        on = key == F.col(f"_{name}_key")
        marked = marked.join(F.broadcast(keyed), on, "left").drop(f"_{name}_key")
    details = _details(marked, conf)
    first = [F.when(details[reason].isNotNull(), F.lit(reason)) for reason in FILTER_REASONS]
    told = F.coalesce(*(details[reason] for reason in FILTER_REASONS))
    return marked.select(
        *pages.columns, F.coalesce(*first).alias("filter_reason"), told.alias("filter_detail")
    )


def _matches(
    spark: SparkSession, pages: DataFrame, hosts: DataFrame, conf: FilterConfig
) -> Iterator[tuple[str, Column, DataFrame]]:
    """Name, key among the page's columns, and matches of every filter set.

    Matches have the columns `value`, which none of them repeats, and `entry`, what it matches.
    """
    host, url = F.col("host"), url_key("url")
    if conf.block_domains:
        yield "domain", host, _under(hosts, _domains(_entries(spark, conf.block_domains)))
    if conf.block_urls:
        yield "url", url, _urls(_entries(spark, conf.block_urls))
    if conf.allow_domains:
        yield "allowed", host, _under(hosts, _domains(_entries(spark, conf.allow_domains)))
    if conf.robots:
        yield "robots", F.col("url"), _forbidden(spark, pages, conf)
    if conf.opted_out:
        entries = _entries(spark, conf.opted_out)
        has_path = F.col("entry").contains("/")
        yield "out_domain", host, _under(hosts, _domains(entries.where(~has_path)))
        yield "out_url", url, _urls(entries.where(has_path))


def _details(marked: DataFrame, conf: FilterConfig) -> dict[str, Column]:
    """For each of `FILTER_REASONS` what gives it, null where nothing does."""

    def found(name: str) -> Column:
        return F.col(f"_{name}") if f"_{name}" in marked.columns else F.lit(None).cast("string")

    signals = F.array(*[F.lit(signal) for signal in conf.optout_signals])
    given = F.array_join(F.array_intersect("optout", signals), ", ")
    signalled = F.nullif(given, F.lit("")) if conf.optout_signals else F.lit(None).cast("string")
    is_strange = found("allowed").isNull() if conf.allow_domains else F.lit(False)
    return {
        "blocked_domain": found("domain"),
        "blocked_url": found("url"),
        "not_allowed": F.when(is_strange, F.lit("not under filter.allow_domains")),
        "robots": found("robots"),
        "opted_out": F.coalesce(found("out_domain"), found("out_url"), signalled),
    }


def _entries(spark: SparkSession, paths: Sequence[str]) -> DataFrame:
    """Column `entry`: the lines of lists, without comments, scheme and a slash at the end."""
    line = F.trim(F.regexp_replace("value", _COMMENT, ""))
    bare = F.regexp_replace(F.regexp_replace(line, _SCHEME, ""), "/+$", "")
    return spark.read.text(list(paths)).select(bare.alias("entry")).where(F.col("entry") != "")


def _domains(entries: DataFrame) -> DataFrame:
    """Column `entry`: domains in lower case; `*.`, a port, and dots at the ends, are left out."""
    bare = F.regexp_replace(F.lower("entry"), r"^(\*?\.)+|\.*(:\d+)?$", "")
    return entries.select(bare.alias("entry")).where(F.col("entry") != "")


def _urls(entries: DataFrame) -> DataFrame:
    return entries.groupBy(url_key("entry").alias("value")).agg(F.min("entry").alias("entry"))


def _under(hosts: DataFrame, domains: DataFrame) -> DataFrame:
    """Columns `value`, the hosts that are one of `domains` or below one, and `entry`, which."""
    named = hosts.select(F.col("host").alias("value"), F.explode(suffixes("host")).alias("entry"))
    under = named.join(F.broadcast(domains), "entry", "left_semi")
    return under.groupBy("value").agg(F.max_by("entry", F.length("entry")).alias("entry"))


def suffixes(host: str) -> Column:
    """The host in column `host` and every domain above it: `a.b.c` gives a.b.c, b.c, c."""
    labels = F.split(F.rtrim(F.col(host), F.lit(".")), r"\.")
    starts = F.sequence(F.lit(1), F.size(labels))
    return F.transform(starts, lambda at: F.array_join(F.slice(labels, at, F.size(labels)), "."))


def url_key(url: str) -> Column:
    """What is compared of the URL in column `url`.

    Scheme, fragment, `www.`, a default port and slashes at the end are left out, and the host is
    lower-cased; path and query stay as they are.
    """
    bare = F.regexp_replace(F.regexp_replace(F.col(url), _SCHEME, ""), "#.*$", "")
    authority = F.lower(F.regexp_extract(bare, r"^[^/?]*", 0))
    host = F.regexp_replace(F.regexp_replace(authority, r"^www\.", ""), r":(80|443)$", "")
    rest = F.regexp_replace(F.regexp_replace(bare, r"^[^/?]*", ""), "/+$", "")
    return F.concat(host, rest)


def _forbidden(spark: SparkSession, pages: DataFrame, conf: FilterConfig) -> DataFrame:
    """Column `value`: the URLs that robots.txt forbids, parsed once a host; `entry` says so."""
    texts = spark.read.schema(_ROBOTS).json(list(conf.robots)).where("host IS NOT NULL")
    # One text a host, the same each time, where the files have several.
    one = texts.groupBy(F.lower("host").alias("host")).agg(
        F.max(F.coalesce("robots", F.lit(""))).alias("robots")
    )
    urls = pages.groupBy("host").agg(F.collect_set("url").alias("urls"))
    asked = urls.join(one, "host").select(*HOSTS.columns.names)
    found = map_batches(asked, _robots_kernel(conf.robots_agents), FORBIDDEN)
    by = F.lit(f"robots.txt, for {', '.join(conf.robots_agents)}")
    return found.select(F.col("url").alias("value"), by.alias("entry")).distinct()


def _robots_kernel(agents: Sequence[str]) -> Callable[[], Kernel]:
    def make() -> Kernel:
        return lambda batch: forbidden(batch, agents=agents)

    return make


def _check(pages: DataFrame, conf: FilterConfig) -> None:
    if conf.optout_signals and "optout" not in pages.columns:
        raise ConfigError("filter.optout_signals: these pages have no column `optout`")
    for path in _paths(conf):
        if not Path(path).exists():
            raise InputError(f"filter: {path}: no such file or folder; check the lists' paths")


def _paths(conf: FilterConfig) -> tuple[str, ...]:
    lists = (*conf.block_domains, *conf.block_urls, *conf.allow_domains, *conf.opted_out)
    return (*lists, *conf.robots)


def identity(conf: RunConfig) -> list[list[str]]:
    """Hashes of the lists, and names, sizes and times of the robots.txt, which may be many.

    Raises:
        InputError: one is not there.
    """
    lists = _paths(conf.filter)[: -len(conf.filter.robots) or None]
    found = [[path, hashlib.sha256(_read(path)).hexdigest()] for path in lists]
    for file in _files_of(conf.filter.robots):
        status = file.stat()
        found.append([str(file), str(status.st_size), str(status.st_mtime_ns)])
    return found


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"filter: {path} cannot be read: {error.strerror}") from error


def _files_of(paths: Iterable[str]) -> Iterator[Path]:
    for path in map(Path, paths):
        if not path.exists():
            raise InputError(f"filter: {path}: no such file or folder; check filter.robots")
        yield from sorted(path.rglob("*.*") if path.is_dir() else (path,))
