"""Texts selected by DSIR, in Spark: counts add up, keys are by document, quotas are exact.

No text is moved to be ranked. Of each group, a source and a stratum of length, approximate
quantiles cut the keys into bins, which are counted; the bin in which the quota ends is the only one
that is sorted, about a 128th of the group.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from pyspark.errors import AnalysisException, ParseException
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from curation.blend.draws import Floats, id_hashes
from curation.blend.dsir import (
    Counts,
    Weights,
    bucket_counts,
    draw_keys,
    kl_nats,
    length_strata,
    log_ratio,
    per_token,
    split_quota,
    weigh,
)
from curation.blend.published import files_of, texts_of
from curation.blend.sources import separator
from curation.blend.weights import named_groups
from curation.config import BlendConfig, SelectConfig
from curation.errors import ConfigError, InputError
from curation.schemas import SELECTION, SELECTION_MIX, Table, column
from curation.spark.batches import PartitionKernel, map_batches, map_partitions
from curation.spark.tables import small
from curation.spark.work import Work

MAX_SOURCES = 1_000
"""Sources that may have ratios of their own: each is 80 KB in every worker."""
MAX_COUNTED = 1_000_000
"""About so many chosen texts are counted to tell how near they are to the target."""
N_BINS = 128
"""Bins of a group's keys."""

_HELD = 200
"""Counts of so many sources are held in a worker at once."""
_N_TEXTS = -1
"""In the place of a bucket: the row counts texts."""
_POOL, _TARGET = "", ""
_HASH_RANGE = 2**53

_COUNTED = Table(
    "counted",
    "N-grams of texts by bucket. Not a table of the run.",
    pa.schema([
        column("source", pa.string(), "Source of the texts"),
        column("is_target", pa.bool_(), "Whether they are of the target"),
        column("ngram", pa.int32(), "Bucket of the n-grams; -1: texts are counted"),
        column("n", pa.int64(), "N-grams, or texts"),
    ]),
    key=("source", "is_target", "ngram"),
)  # fmt: skip
_PATHS = Table("paths", "Files. Not a table of the run.",
               pa.schema([column("path", pa.string(), "File")]), key=("path",))  # fmt: skip
_WEIGHED = SELECTION.select("id", "doc_id", "source", "stratum", "n_tokens", "log_weight", "key")
_ENDS = Table(
    "ends",
    "Where the quota of a group ends. Not a table of the run.",
    pa.schema([
        column("pool", pa.string(), "Source, or empty where all are one pool"),
        column("stratum", pa.int32(), "As in `selection`"),
        column("end", pa.int32(), "Bin in which it ends: those above are chosen whole"),
        column("left", pa.int64(), "What is chosen of that bin"),
    ]),
    key=("pool", "stratum"),
)  # fmt: skip

Groups = Mapping[tuple[str, int], int]
"""A number by source (or pool) and stratum."""


@dataclass(frozen=True)
class Fitted:
    """What the texts and the target are like."""

    raw: dict[str, Counts]
    """N-grams of all texts by source."""
    target: Counts
    n_target: int


@dataclass(frozen=True)
class Selected:
    """What was chosen of the texts, not written yet: the plan of the blend may still fail."""

    texts: DataFrame
    """Those chosen."""
    n_others: int
    told: DataFrame
    """Rows of SELECTION."""
    mix: DataFrame
    """Rows of SELECTION_MIX."""

    def write(self, work: Work) -> None:
        """Put the tables of the selection in the place of the earlier ones."""
        work.write(self.told, SELECTION)
        work.write(self.mix, SELECTION_MIX)


def selected(work: Work, texts: DataFrame) -> Selected:
    """The `texts` that `blend.select` chooses, and what it says of all of them.

    Args:
        work: The unit.
        texts: `id`, `doc_id`, `bucket` (their source), `text`, and the attributes of BLEND.

    Raises:
        ConfigError: the target is no SQL, a quota names no source, more texts are asked for than
            there are, or there are more than `MAX_SOURCES` sources.
        InputError: the target has no text, or a file of it is missing or damaged.
    """
    conf = work.conf.blend.select
    if conf is None:
        none = (work.store.make([], table) for table in (SELECTION, SELECTION_MIX))
        return Selected(texts, 0, *none)
    fitted = fit(work, texts, conf)
    weighed = _weighed(texts, fitted, conf).localCheckpoint()  # narrow: no text is in it
    told = _chosen(work, weighed, work.conf.blend).localCheckpoint()
    kept = texts.join(told.where("chosen").select("id"), "id", "left_semi")
    sizes = small(told.groupBy("source").agg(
        F.count(F.lit(1)).alias("n"), F.count_if("chosen").alias("n_chosen")
    ))  # fmt: skip
    n_chosen = {row["source"]: row["n_chosen"] for row in sizes}
    near = _nearness(kept, fitted, conf, sum(n_chosen.values()))
    rows = [(row["source"], row["n"], row["n_chosen"], fitted.n_target, *near[row["source"]])
            for row in sizes]  # fmt: skip
    n_others = sum(row["n"] - row["n_chosen"] for row in sizes)
    return Selected(kept, n_others, told, work.store.make(rows, SELECTION_MIX))


def fit(work: Work, texts: DataFrame, conf: SelectConfig) -> Fitted:
    """Count the n-grams of every source and of the target: the first pass over the texts."""
    is_target = F.lit(False)
    if conf.target:
        is_target = condition(texts, conf.target, "blend.select.target")
    asked = texts.select(F.col("bucket").alias("source"), is_target.alias("is_target"), "text")
    counted = map_partitions(asked, _counter(conf.n_buckets), _COUNTED)
    if conf.target_files:
        counted = counted.unionByName(_counts_of_files(work, conf))
    found = _summed(counted, conf.n_buckets)
    targets = [one for (_, is_target_), one in found.items() if is_target_]
    n_target = sum(n for _, n in targets)
    if not n_target or not sum(int(counts.sum()) for counts, _ in targets):
        raise InputError(f"blend.select: no text is of the target, {_said(conf)}; correct it")
    raw: dict[str, Counts] = {}
    for (source, is_target_), (counts, _) in found.items():
        if not (is_target_ and conf.target_files):
            raw[source] = raw.get(source, 0) + counts
    total: Counts = np.sum([counts for counts, _ in targets], axis=0)
    return Fitted(raw, total, n_target)


def _said(conf: SelectConfig) -> str:
    return f"`{conf.target}`" if conf.target else ", ".join(conf.target_files)


def condition(texts: DataFrame, told: str, setting: str) -> Column:
    """The condition `told` over `texts`; where a text lacks what it asks for, it is not met.

    Raises:
        ConfigError: it is no condition over their columns; the message names `setting`.
    """
    try:
        texts.where(told)
    except (AnalysisException, ParseException) as error:
        raise ConfigError(
            f"{setting}: `{told}` is no condition over the texts: "
            f"{error.getCondition()}; write e.g. quality = 'high' AND toxicity < 0.2"
        ) from error
    return F.coalesce(F.expr(told), F.lit(False))


def _counter(n_buckets: int) -> PartitionKernel:
    """Counts n-grams of a partition's texts by source, and by whether they are of the target."""

    def count(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        held: dict[tuple[str, bool], tuple[Counts, int]] = {}
        for batch in batches:
            for key, texts in _by_key(batch).items():
                counts, n = held.get(key, (np.zeros(n_buckets, np.int64), 0))
                more = bucket_counts(texts, n_buckets=n_buckets)
                held[key] = (counts + more, n + len(texts))
            if len(held) > _HELD:
                yield from _rows_of(held)
                held = {}
        if held:
            yield from _rows_of(held)

    return count


def _by_key(batch: pa.RecordBatch) -> dict[tuple[str, bool], list[str]]:
    columns = (batch[name].to_pylist() for name in ("source", "is_target", "text"))
    found: dict[tuple[str, bool], list[str]] = {}
    for source, is_target, text in zip(*columns, strict=True):
        found.setdefault((source, is_target), []).append(text)
    return found


def _rows_of(held: Mapping[tuple[str, bool], tuple[Counts, int]]) -> Iterator[pa.RecordBatch]:
    """Rows of `_COUNTED`, of the buckets that have something."""
    for (source, is_target), (counts, n_texts) in held.items():
        ngrams = np.flatnonzero(counts)
        n = np.append(counts[ngrams], n_texts)
        columns: dict[str, Any] = {
            "source": [source] * n.size,
            "is_target": [is_target] * n.size,
            "ngram": np.append(ngrams, _N_TEXTS).astype(np.int32),
            "n": n,
        }
        yield pa.RecordBatch.from_pydict(columns, schema=_COUNTED.columns)


def _counts_of_files(work: Work, conf: SelectConfig) -> DataFrame:
    """Rows of `_COUNTED` of the texts in `target_files`, a task a file."""
    setting, n_buckets = "blend.select.target_files", conf.n_buckets
    listed = {path for pattern in conf.target_files for path in files_of(pattern, setting)}
    paths = work.store.make([(path,) for path in sorted(listed)], _PATHS)

    def count(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        for row in batch.to_pylist():
            texts = texts_of(row["path"])
            counts = bucket_counts(texts, n_buckets=n_buckets)
            yield from _rows_of({(_TARGET, True): (counts, len(texts))})

    return map_batches(paths.repartition(len(listed), "path"), lambda: count, _COUNTED)


def _summed(counted: DataFrame, n_buckets: int) -> dict[tuple[str, bool], tuple[Counts, int]]:
    """N-grams by bucket, and number of texts, by source and whether they are of the target."""
    keys = ["source", "is_target"]
    sums = counted.groupBy(*keys, "ngram").agg(F.sum("n").alias("n")).localCheckpoint()
    n_sources = sums.select("source").distinct().count()
    if n_sources > MAX_SOURCES:
        raise ConfigError(
            f"blend.select: {n_sources} sources, at most {MAX_SOURCES} may have ratios of their "
            "own; name fewer attributes in blend.sources"
        )
    lists = (F.collect_list(name).alias(name) for name in ("ngram", "n"))
    # Both lists are of the same rows in the same order.
    found = {}
    for row in small(sums.groupBy(*keys).agg(*lists)):
        counts = np.zeros(n_buckets + 1, np.int64)
        counts[row["ngram"]] = row["n"]  # texts, -1, are the last
        found[row["source"], row["is_target"]] = (counts[:-1], int(counts[-1]))
    return found


def _weighed(texts: DataFrame, fitted: Fitted, conf: SelectConfig) -> DataFrame:
    """Weight and key of every text, without the text: the second pass over them."""
    asked = texts.select("id", "doc_id", F.col("bucket").alias("source"), "text")
    ratios = _ratios(fitted, conf)

    def weigh_batch(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        sources = np.array(_strings(batch, "source"), np.str_)
        texts_ = _strings(batch, "text")
        weights = Weights(np.zeros(len(texts_)), np.zeros(len(texts_), np.int64))
        for source in np.unique(sources):
            rows = np.flatnonzero(sources == source)
            ratio = ratios[_POOL if conf.pooled else str(source)]
            some = weigh([texts_[row] for row in rows], ratio)
            weights.log_weight[rows], weights.n_tokens[rows] = some.log_weight, some.n_tokens
        yield _weighed_rows(batch, weights, conf)

    return map_batches(asked, lambda: weigh_batch, _WEIGHED)


def _ratios(fitted: Fitted, conf: SelectConfig) -> dict[str, Floats]:
    """The log-ratio by source, or of all where they are one pool; 0 where there is no n-gram."""
    raw = {_POOL: np.sum([*fitted.raw.values()], axis=0)} if conf.pooled else fitted.raw
    return {
        source: log_ratio(fitted.target, counts) if counts.sum() else np.zeros(conf.n_buckets)
        for source, counts in raw.items()
    }


def _weighed_rows(batch: pa.RecordBatch, weights: Weights, conf: SelectConfig) -> pa.RecordBatch:
    is_mean = conf.score == "per_token"
    scores = (
        per_token(weights, temperature=conf.temperature or 1.0) if is_mean else weights.log_weight
    )
    strata = length_strata(weights.n_tokens) if conf.strata else np.zeros(batch.num_rows)
    columns: dict[str, Any] = {
        **{name: _strings(batch, name) for name in ("id", "doc_id", "source")},
        "stratum": strata.astype(np.int32),
        "n_tokens": weights.n_tokens,
        "log_weight": weights.log_weight,
        "key": draw_keys(scores, id_hashes(_strings(batch, "id")), seed=conf.seed),
    }
    return pa.RecordBatch.from_pydict(columns, schema=_WEIGHED.columns)


def _strings(batch: pa.RecordBatch, name: str) -> list[str]:
    return [str(value) for value in batch[name].to_pylist()]


def _chosen(work: Work, weighed: DataFrame, conf: BlendConfig) -> DataFrame:
    """Rows of SELECTION: the largest keys of each group, as many as its quota; ties go by id."""
    pool = F.lit(_POOL) if conf.select and conf.select.pooled else F.col("source")
    rows = weighed.withColumn("pool", pool)
    group = ["pool", "stratum"]
    sizes = {
        (row["pool"], row["stratum"]): row["count"] for row in small(rows.groupBy(*group).count())
    }
    parts = F.array(*[F.lit(number / N_BINS) for number in range(1, N_BINS)])
    # Kept: approximate, they could be others when asked for again, and the quota another number.
    cuts = rows.groupBy(*group).agg(
        F.percentile_approx("key", parts, 10_000).alias("cuts")
    ).localCheckpoint()  # fmt: skip
    number = F.size(F.filter("cuts", lambda cut: cut <= F.col("key")))
    binned = rows.join(F.broadcast(cuts), group).withColumn("bin", number).drop("cuts")
    of_bin = F.collect_list(F.struct("bin", "count"))
    counted = binned.groupBy(*group, "bin").count().groupBy(*group).agg(
        F.map_from_entries(of_bin).alias("bins")
    )  # fmt: skip
    counts = {(row["pool"], row["stratum"]): row["bins"] for row in small(counted)}
    quotas = group_quotas(sizes, conf)
    ends = [(*key, *end_of_quota(counts[key], quota)) for key, quota in quotas.items()]
    ended = binned.join(F.broadcast(work.store.make(ends, _ENDS)), group)
    within = Window.partitionBy(*group).orderBy(F.col("key").desc(), "id")
    sure = ended.where("bin != end").withColumn("chosen", F.col("bin") > F.col("end"))
    rank = F.row_number().over(within)
    last = ended.where("bin = end").withColumn("chosen", rank <= F.col("left"))
    return sure.unionByName(last).select(*SELECTION.columns.names)


def group_quotas(sizes: Groups, conf: BlendConfig) -> dict[tuple[str, int], int]:
    """Texts that are chosen of each pool and stratum, of which `sizes` says how many there are.

    Raises:
        ConfigError: `n` is above all texts, or a quota names no source.
    """
    strata: dict[str, dict[str, int]] = {}
    for (pool, stratum), n in sorted(sizes.items()):
        strata.setdefault(pool, {})[str(stratum)] = n
    wanted = _wanted({pool: sum(parts.values()) for pool, parts in strata.items()}, conf)
    return {
        (pool, int(stratum)): k
        for pool, parts in strata.items()
        for stratum, k in split_quota(wanted[pool], parts).items()
    }


def _wanted(n_texts: Mapping[str, int], conf: BlendConfig) -> dict[str, int]:
    """Texts wanted of each source: its share to the nearest whole number, or its part of `n`."""
    select = conf.select
    if select is None:
        return dict(n_texts)
    if select.n is not None:
        total = sum(n_texts.values())
        if select.n > total:
            raise ConfigError(f"blend.select.n: {select.n} of {total} texts; lower it")
        return split_quota(select.n, n_texts)
    names = named_groups(n_texts, select.quotas, "select.quotas", separator(conf))
    fracs = {source: select.quotas.get(name, select.frac) for source, name in names.items()}
    return {source: int((frac or 0.0) * n_texts[source] + 0.5) for source, frac in fracs.items()}


def end_of_quota(counts: Mapping[int, int], quota: int) -> tuple[int, int]:
    """The bin in which the `quota` largest end, and how many of it are among them.

    Args:
        counts: Rows by bin; a higher bin has larger keys.
        quota: At most the sum of `counts`.
    """
    left = quota
    for number in sorted(counts, reverse=True):
        if left <= counts[number]:
            return number, left
        left -= counts[number]
    raise ConfigError(f"blend.select: a quota of {quota} where {sum(counts.values())} texts are")


def _nearness(
    kept: DataFrame, fitted: Fitted, conf: SelectConfig, n_chosen: int
) -> dict[str, tuple[float | None, float | None, int]]:
    """KL of the target to all texts of a source, to its chosen ones, and how many were counted."""
    share = min(1.0, MAX_COUNTED / max(n_chosen, 1))
    place = F.pmod(F.xxhash64(F.lit(conf.seed), F.lit("kl"), "id"), F.lit(_HASH_RANGE))
    some = kept.where(place < F.lit(share * _HASH_RANGE)) if share < 1 else kept
    asked = some.select(F.col("bucket").alias("source"), F.lit(False).alias("is_target"), "text")
    counted = map_partitions(asked, _counter(conf.n_buckets), _COUNTED)
    found = _summed(counted, conf.n_buckets)
    none = (np.zeros(conf.n_buckets, np.int64), 0)
    told = {}
    for source, raw in fitted.raw.items():
        counts, n = found.get((source, False), none)
        told[source] = (_kl(fitted.target, raw), _kl(fitted.target, counts), n)
    return told


def _kl(target: Counts, other: Counts) -> float | None:
    return kl_nats(target, other) if other.sum() else None
