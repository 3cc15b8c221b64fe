"""Documents in batches, split and ordered by chance, against all of them at once; and many copies.

Bands are those of real signatures, with fewer rows a band than in a run: so that texts which are
not alike meet too, and verification has something to refuse.
"""

import itertools
import random
import resource
from collections import Counter
from typing import Any, NamedTuple

import pytest
from dedup_tables import Doc, Tables

from curation.config import MeasureConfig
from curation.measure.minhash import MinHasher
from curation.schemas import DEDUP_BATCHES, DEDUP_COMPONENTS, DEDUP_KEYS, PAIRS, SPANS

pytestmark = pytest.mark.spark

HASHER = MinHasher(ngram_chars=MeasureConfig().ngram_chars, n_bands=10, rows_per_band=3, seed=42)
N_CHUNKS = 7


class Case(NamedTuple):
    """Settings of s03, and how the documents are split."""

    seed: int
    n_batches: int
    settings: dict[str, Any]
    reasons: frozenset[str]
    """What must have happened, so that the case tells something."""


SPANS_CUT = {"substring_tokens": 8, "substring_tokens_left": 6}
CASES = {
    "bands, URLs and spans": Case(
        1, 4, {**SPANS_CUT, "url": True, "exact": "text", "survivor": ["longest", "newest"]},
        frozenset({"exact_duplicate", "near_duplicate", "url_duplicate", "substring_short"}),
    ),
    "verified": Case(
        2, 2, {"min_jaccard": 0.5, "compared_per_band": 2},
        frozenset({"exact_duplicate", "near_duplicate"}),
    ),
    "all of it": Case(
        3, 3, {**SPANS_CUT, "url": True, "min_jaccard": 0.6, "compared_per_band": 1},
        frozenset({"exact_duplicate", "near_duplicate", "url_duplicate", "substring_short"}),
    ),
}  # fmt: skip


def words(rng, n):
    return [f"{rng.choice('bdfgklmnprst')}{rng.choice('aeiou')}{rng.randrange(100)}"
            for _ in range(n)]  # fmt: skip


def chance_text(rng, bases, quotes):
    """Part of a base text with a few words changed, a quotation in it or nothing else but one."""
    base = list(rng.choice(bases))
    for _ in range(rng.choice([0, 0, 0, 1, 2, 5])):
        base[rng.randrange(len(base))] = f"new{rng.randrange(10**6)}"
    place, quote = rng.randrange(len(base)), rng.choice(quotes)
    kind = rng.randrange(9)
    if kind < 5:
        pieces = base
    elif kind < 7:
        pieces = base[:place] + quote + base[place:]
    else:
        pieces = quote + words(rng, rng.choice([0, 3, 8]))
    text = " ".join(pieces)
    return rng.choice([text, text, text, text.upper(), text.replace(" ", "\n", 3), ""])


def chance_documents(seed):
    """Documents of `N_CHUNKS` chunks and three crawls; a few records were read more than once."""
    rng = random.Random(seed)
    bases, quotes = ([words(rng, n) for _ in range(9)] for n in (30, 10))
    docs = []
    for i in rng.sample(range(10**6), 60):
        text, chunk = chance_text(rng, bases, quotes), rng.randrange(N_CHUNKS)
        docs.append(Doc(
            f"{i:06d}", f"k{chunk}", text, tuple(HASHER.bands(text).tolist()), len(text.split()),
            rng.choice([None, *range(9)]), rng.choice(["", "", f"x.org/{rng.randrange(20)}"]),
            crawl=f"crawl{chunk % 3}",
        ))  # fmt: skip
    for doc in rng.sample(docs, 3):
        chunk = rng.randrange(N_CHUNKS)
        docs.append(doc._replace(chunk=f"k{chunk}", crawl=f"crawl{chunk % 3}"))
    return docs


def chance_batches(docs, case):
    """The documents in batches: chunks in any order, cut anywhere."""
    rng = random.Random(case.seed + 100)
    chunks = sorted({doc.chunk for doc in docs})
    rng.shuffle(chunks)
    cuts = [0, *sorted(rng.sample(range(1, len(chunks)), case.n_batches - 1)), len(chunks)]
    for start, end in itertools.pairwise(cuts):
        yield [doc for doc in docs if doc.chunk in chunks[start:end]]


def spans(tables):
    return sorted(tables.store.read(SPANS).collect())


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_batches_give_what_all_at_once_gives(spark, tmp_path, case):
    docs = chance_documents(case.seed)
    whole = Tables(spark, tmp_path / "whole", **case.settings)
    whole.put(docs)
    whole.dedup()
    assert set(whole.done.reasons) >= {*case.reasons, "same_record"}
    assert bool(spans(whole)) == ("substring_tokens" in case.settings)
    split = Tables(spark, tmp_path / "split", **case.settings)
    for part in chance_batches(docs, case):
        before = {doc for doc, _, _ in split.documents()}
        split.put(part)
        split.dedup()
        change_of = split.changes()
        of_kind = {kind: {doc for doc, (change, _) in change_of.items() if change == kind}
                   for kind in ("added", "displaced", "cut")}  # fmt: skip
        lost = of_kind["displaced"] | of_kind["cut"]
        assert {doc for doc, _, _ in split.documents()} == (before | of_kind["added"]) - lost
    assert split.clusters() == whole.clusters()
    assert split.documents() == whole.documents()
    assert spans(split) == spans(whole)
    assert (split.done.reasons, split.done.tokens) == (whole.done.reasons, whole.done.tokens)
    batches = split.store.read(DEDUP_BATCHES).select("batch", "base").distinct().collect()
    assert sorted(tuple(row) for row in batches) == [
        (number, 1) for number in range(1, case.n_batches + 1)
    ]
    if "min_jaccard" in case.settings:
        compared = split.store.read(PAIRS).where("kind = 'band'").select("jaccard").collect()
        are_alike = {row["jaccard"] >= case.settings["min_jaccard"] for row in compared}
        assert are_alike == {True, False}


N_COPIES = 3_000
N_PIECES = 3


def test_a_document_three_thousand_times_and_a_chain_as_long_end_in_one_survivor_each(
    spark, tmp_path
):
    """The copies share every key: a star. Each link of the chain shares a band with the next."""
    rng = random.Random(9)
    text = " ".join(words(rng, 40))
    days = rng.sample(range(N_COPIES), N_COPIES)
    copies = [Doc(f"s{i:04d}", "", text, tuple(HASHER.bands(text).tolist()), 40, day)
              for i, day in enumerate(days)]  # fmt: skip
    names = rng.sample(range(N_COPIES), N_COPIES)
    links = [Doc(f"c{name:04d}", "", f"link {i}", (i, i + 1), 2, day=name + 1)
             for i, name in enumerate(names)]  # fmt: skip
    docs = [doc._replace(chunk=f"k{i % N_PIECES}")
            for i, doc in enumerate(rng.sample(copies + links, 2 * N_COPIES))]  # fmt: skip
    # The oldest of both comes with the last piece, when all others have a survivor.
    oldest = {min(some, key=lambda doc: doc.day).doc_id for some in (copies, links)}
    docs = [doc._replace(chunk="k2") if doc.doc_id in oldest else doc for doc in docs]
    tables = Tables(spark, tmp_path / "tables")
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for piece in range(N_PIECES):
        tables.put(doc for doc in docs if doc.chunk == f"k{piece}")
        tables.dedup()
    assert {doc for doc, _, _ in tables.documents()} == oldest
    assert all(tables.changes()[doc] == ("added", None) for doc in oldest)
    ends = Counter((cluster, fate, n) for _, _, cluster, _, fate, n in tables.clusters())
    assert ends == {
        ("s0000", "survivor", N_COPIES): 1,
        ("s0000", "exact_duplicate", N_COPIES): N_COPIES - 1,
        ("c0000", "survivor", N_COPIES): 1,
        ("c0000", "near_duplicate", N_COPIES): N_COPIES - 1,
    }
    # What is kept and compared grows with the documents, never with their pairs.
    n_star, n_chain = 1 + HASHER.n_bands, N_COPIES + (N_COPIES + 1)
    assert tables.store.read(DEDUP_KEYS).count() == n_star + n_chain
    kinds = dict(tables.store.read(PAIRS).groupBy("kind").count().collect())
    assert kinds["exact"] == N_COPIES - 1
    assert kinds["band"] <= 2 * N_COPIES
    assert tables.store.read(DEDUP_COMPONENTS).count() <= N_PIECES * 2 * N_COPIES
    # Kilobytes: no table came to the driver but what the assertions read.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 200_000
