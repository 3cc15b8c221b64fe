"""Scores, buckets and labels of a run in numbers: histograms, shares, agreement, drift.

Each function names the tables that it reads; the caller has asked `Run.has` for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from curation.report.run import Run

LABEL_TOKEN_FRAC = {
    "high": 0.1263,
    "medium-high": 0.1152,
    "medium": 0.4624,
    "medium-low": 0.2043,
    "low": 0.0918,
}
"""The labels, best first, with their share of tokens in Nemotron-CC (2412.02595, table 2)."""

TOP_BUCKET = 18
"""Bucket from which one member alone would call a document of high quality: its top tenth, about
what DCLM keeps (specs of Nemotron-CC, sections 5.2 and 5.5)."""
N_TOP_HOSTS = 1_000
_SCALES = (1.0, 5.0)
"""Greatest values that scores can have: probabilities, educational values."""


@dataclass(frozen=True)
class LabelShare:
    """Documents of one quality label."""

    label: str
    n_documents: int
    n_kept: int
    n_words: int
    words_frac: float
    """Share of the words of all labelled documents, kept or not."""
    paper_frac: float
    """Share of tokens in the paper."""


def label_shares(run: Run) -> list[LabelShare]:
    """Sizes of the five labels, best first. Reads `labels` and `documents`."""
    found = run.rows(
        lambda label, *sizes: (label, sizes),
        "SELECT label, count(*), count(*) FILTER (keep), coalesce(sum(n_words), 0) "
        "FROM labels LEFT JOIN documents USING (doc_id, crawl) GROUP BY label",
    )
    sizes: dict[str, Sequence[int]] = dict(found)
    n_words = sum(words for _, _, words in sizes.values())
    shares = []
    for label, paper_frac in LABEL_TOKEN_FRAC.items():
        documents, kept, words = sizes.get(label, (0, 0, 0))
        frac = words / n_words if n_words else 0.0
        shares.append(LabelShare(label, documents, kept, words, frac, paper_frac))
    return shares


@dataclass(frozen=True)
class ScoreHistogram:
    """Scores of one column, in equal bins from 0 to the top of its scale."""

    member: str
    low: float
    high: float
    counts: list[int]
    """Documents in each bin, all languages."""
    edges: list[float]
    """The 19 cuts of `language`; empty before s05, and where the column is no member."""
    language: str
    """Crawl and language with the most documents among the cuts."""


def score_histograms(run: Run, *, n_bins: int = 50) -> list[ScoreHistogram]:
    """Histograms of all scores but those of classes. Reads `scores`, `bucket_edges` if there."""
    cuts = _cuts(run)
    tops = run.rows(
        lambda name, top: (name, top),
        "WITH entries AS (SELECT unnest(map_entries(scores)) AS e FROM scores), "
        "classes AS (SELECT DISTINCT unnest(map_keys(classes)) || '_p' AS key FROM scores) "
        "SELECT e.key, max(e.value) FROM entries "
        "WHERE e.key NOT IN (SELECT key FROM classes) GROUP BY e.key ORDER BY e.key",
    )
    return [
        ScoreHistogram(name, 0.0, high, _bins(run, name, high, n_bins), edges, language)
        for name, top in tops
        for high in [next((scale for scale in _SCALES if top <= scale), top)]
        for language, edges in [cuts.get(name, ("", []))]
    ]  # fmt: skip


def _bins(run: Run, column: str, high: float, n_bins: int) -> list[int]:
    counts = [0] * n_bins
    rows = run.rows(
        lambda bin_, n: (bin_, n),
        "WITH found AS (SELECT scores[?] AS score FROM scores) "
        "SELECT CAST(floor(score / ? * ?) AS INTEGER) AS bin, count(*) FROM found "
        "WHERE score IS NOT NULL GROUP BY bin",
        (column, high, n_bins),
    )
    for bin_, n in rows:
        counts[min(max(bin_, 0), n_bins - 1)] += n
    return counts


def _cuts(run: Run) -> dict[str, tuple[str, list[float]]]:
    """Crawl and language, and cuts in force, by member: where there are most documents."""
    if not run.has("bucket_edges"):
        return {}
    rows = run.rows(
        lambda member, crawl, language, edges: (member, (f"{crawl}, {language}", list(edges))),
        "SELECT member, crawl, language, edges FROM bucket_edges "
        f"WHERE batch = {_batch(run)} AND {_crawls(run)} "
        "ORDER BY n_documents, crawl DESC, language DESC",
    )
    return dict(rows)


def _crawls(run: Run) -> str:
    """Condition of the cuts in force: those of one crawl may serve all (`label.cuts_from`)."""
    return "crawl IN (SELECT cuts_crawl FROM labels)" if run.has("labels") else "true"


@dataclass(frozen=True)
class Unscored:
    """Documents that a member could not score, for one reason."""

    member: str
    reason: str
    n_documents: int


def unscored(run: Run) -> list[Unscored]:
    """Every member and reason, the most documents first. Reads `scores`."""
    return run.rows(
        Unscored,
        "WITH entries AS (SELECT unnest(map_entries(reasons)) AS e FROM scores) "
        "SELECT e.key, e.value, count(*) FROM entries GROUP BY ALL ORDER BY 3 DESC, 1, 2",
    )


def _batch(run: Run) -> str:
    """The batch of cuts in force: what the labels say, else the newest."""
    return "(SELECT max(cuts) FROM labels)" if run.has("labels") else (
        "(SELECT max(batch) FROM bucket_edges)"
    )  # fmt: skip


def members(run: Run) -> list[str]:
    """Members of the ensemble, sorted. Reads `labels`."""
    query = "SELECT DISTINCT unnest(map_keys(buckets)) AS name FROM labels ORDER BY name"
    return run.rows(str, query)


@dataclass(frozen=True)
class Overlap:
    """What two members think of the same documents; `high`: from `TOP_BUCKET` by one alone."""

    first: str
    second: str
    n_either: int
    """Documents that are high by either."""
    n_both: int
    n_first_only: int
    n_second_only: int
    n_top_hosts: int
    """Hosts that are among the `N_TOP_HOSTS` with most high documents of both."""
    mean_gap: float
    """Mean distance of the two buckets."""
    correlation: float | None
    """Of the two buckets; None where one is constant."""


def overlaps(run: Run) -> list[Overlap]:
    """Every pair of members, as specs 5.5 compares two. Reads `labels` and `documents`."""
    return [_overlap(run, first, second) for first, second in combinations(members(run), 2)]


def _overlap(run: Run, first: str, second: str) -> Overlap:
    both = (
        "WITH pairs AS (SELECT buckets[$first] AS a, buckets[$second] AS b, host "
        "FROM labels JOIN documents USING (doc_id) "
        "WHERE buckets[$first] IS NOT NULL AND buckets[$second] IS NOT NULL)"
    )
    values = {"first": first, "second": second, "top": TOP_BUCKET, "hosts": N_TOP_HOSTS}
    (counts,) = run.rows(
        lambda *row: row,
        f"{both} SELECT count(*) FILTER (greatest(a, b) >= $top), "
        "count(*) FILTER (least(a, b) >= $top), count(*) FILTER (a >= $top AND b < $top), "
        "count(*) FILTER (b >= $top AND a < $top), coalesce(avg(abs(a - b)), 0.0), "
        "CASE WHEN stddev_pop(a) > 0 AND stddev_pop(b) > 0 THEN corr(a, b) END FROM pairs",
        {name: values[name] for name in ("first", "second", "top")},
    )
    hosts = "SELECT host FROM pairs WHERE {0} >= $top GROUP BY host ORDER BY count(*) DESC, host"
    (n_hosts,) = run.rows(
        int,
        f"{both} SELECT count(*) FROM ({hosts.format('a')} LIMIT $hosts) JOIN "
        f"({hosts.format('b')} LIMIT $hosts) USING (host)",
        values,
    )
    n_either, n_both, n_first, n_second, gap, correlation = counts
    return Overlap(first, second, n_either, n_both, n_first, n_second, n_hosts, gap, correlation)


@dataclass(frozen=True)
class Decider:
    """How often a member has the highest bucket of a document, which the maximum takes."""

    member: str
    n_alone: int
    """Documents for which no other member has as high a one."""
    n_shared: int
    n_high_alone: int
    """Documents that it alone makes high or medium-high."""


def deciders(run: Run) -> list[Decider]:
    """Every member of the ensemble. Reads `labels`."""
    return run.rows(
        Decider,
        "WITH tops AS (SELECT buckets, list_max(map_values(buckets)) AS top FROM labels), "
        "entries AS (SELECT unnest(map_entries(buckets)) AS e, top, "
        f"len(list_filter(map_values(buckets), lambda b: b >= {TOP_BUCKET})) AS n_high, "
        "len(list_filter(map_values(buckets), lambda b: b = top)) AS n_top FROM tops) "
        "SELECT e.key, count(*) FILTER (n_top = 1), count(*) FILTER (n_top > 1), "
        f"count(*) FILTER (n_high = 1 AND top >= {TOP_BUCKET}) "
        "FROM entries WHERE e.value = top GROUP BY e.key ORDER BY e.key",
    )


@dataclass(frozen=True)
class ClassShare:
    """Documents of one class of an attribute, and their labels."""

    name: str
    n_documents: int
    by_label: dict[str, int]
    mean_toxicity: float | None


def class_shares(run: Run, attribute: str) -> list[ClassShare]:
    """Classes of `domain` or `speech`, the most documents first. Reads `labels`."""
    return run.rows(
        lambda name, n, labels, counts, toxicity: ClassShare(
            name, n, dict(zip(labels, counts, strict=True)), toxicity
        ),
        f"WITH cells AS (SELECT {attribute} AS name, label, count(*) AS n, "
        "sum(toxicity) AS toxic, count(toxicity) AS n_toxic "
        f"FROM labels WHERE {attribute} IS NOT NULL GROUP BY ALL) "
        "SELECT name, sum(n)::BIGINT, list(label), list(n), sum(toxic) / nullif(sum(n_toxic), 0) "
        "FROM cells GROUP BY name ORDER BY sum(n) DESC, name",
    )


@dataclass(frozen=True)
class Drift:
    """Labels by earlier cuts against those in force, of one crawl and language."""

    crawl: str
    language: str
    against: str
    """`crawl`: the crawl before; `batch`: its own cuts before."""
    cuts_crawl: str
    n_documents: int
    n_moved: int
    """Documents that the earlier cuts give another label."""
    before: dict[str, int]
    """Documents by the label of the earlier cuts."""
    now: dict[str, int]


def drifts(run: Run) -> list[Drift]:
    """Every comparison that was made, the largest first. Reads `label_drift`."""
    rows = run.rows(
        lambda *row: row,
        "SELECT crawl, language, against, cuts_crawl, label_before, label, n_documents "
        "FROM label_drift",
    )
    found: dict[tuple[str, str, str, str], list[tuple[str, str, int]]] = {}
    for *key, before, now, n in rows:
        found.setdefault((key[0], key[1], key[2], key[3]), []).append((before, now, n))
    told = [_drift(key, cells) for key, cells in found.items()]
    return sorted(told, key=lambda one: (one.against, -one.n_documents, one.crawl, one.language))


def _drift(key: tuple[str, str, str, str], cells: Sequence[tuple[str, str, int]]) -> Drift:
    before, now = dict.fromkeys(LABEL_TOKEN_FRAC, 0), dict.fromkeys(LABEL_TOKEN_FRAC, 0)
    for label_before, label, n in cells:
        before[label_before] += n
        now[label] += n
    n_moved = sum(n for first, second, n in cells if first != second)
    return Drift(*key, sum(now.values()), n_moved, before, now)
