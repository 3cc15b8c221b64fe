"""s03: duplicates over every crawl in the tables; the survivors become `documents`.

A batch compares the chunks that are new with the band table of those before (`batches`, `keys`),
joins what it finds to the components known (`components`), chooses a survivor for each
(`survivor`), and writes the chunks of `documents` that change, with the difference (`changes`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from pyspark import StorageLevel
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.dedup.batches import Batch, finish_batch, of_batches, plan_batch
from curation.dedup.changes import chunks_to_write, fingerprints, survivor_changes
from curation.dedup.components import joined_components, latest_components
from curation.dedup.domain_lines import domain_repetition
from curation.dedup.keys import (
    band_keys,
    exact_keys,
    first_of_each,
    holders_of_texts,
    pairs_by_key,
)
from curation.dedup.substring import cut_documents, repeated_spans, survivor_rank, with_cuts
from curation.dedup.survivor import (
    RECORD,
    SURVIVOR,
    clusters,
    documents,
    left_out,
    once_each,
    repeated_ids,
    survivor_keys,
    survivors,
    with_pages,
)
from curation.dedup.verify import candidates, similarities
from curation.schemas import (
    CLUSTERS,
    DEDUP_COMPONENTS,
    DEDUP_KEYS,
    DOCUMENTS,
    DOMAIN_REPETITION,
    MEASURES,
    PAGES,
    PAIRS,
    SPANS,
    SURVIVOR_CHANGES,
)
from curation.spark.funnel import Account, account
from curation.spark.tables import small
from curation.spark.work import Work

_MAX_CHUNKS_NAMED = 2_000
"""With more chunks to write than this, `documents` is written whole."""


@dataclass(frozen=True)
class Corpus:
    """Everything measured, each record once."""

    measures: DataFrame
    pages: DataFrame
    repeated: DataFrame
    """`doc_id` of each row that is left out because its record was read before."""


def corpus(work: Work) -> Corpus:
    """Measures and pages without the records that were read twice."""
    measures, pages = work.read(MEASURES), work.read(PAGES)
    many = repeated_ids(measures).localCheckpoint()
    if not small(many.limit(1)):  # as a rule: nothing is moved
        return Corpus(measures, pages, many)
    again = left_out(measures, many)
    return Corpus(once_each(measures, many), once_each(pages, many), again)


def dedup(work: Work) -> Account:
    """Find clusters of equal and similar documents and keep one of each."""
    batch, found = plan_batch(work), corpus(work)
    find_pairs(work, batch, found)
    find_components(work, batch)
    members = components(work, batch)
    work.write(clusters(members, found.measures, found.pages, work.conf.dedup), CLUSTERS)
    kept = judged_documents(work, survivors(found.measures, work.read(CLUSTERS)), found.pages)
    write_documents(work, batch, found.measures, kept.where("reason IS NULL").drop("reason"))
    if work.conf.dedup.domain_documents:
        write_domain_repetition(work, found.pages)
    finish_batch(work, batch)
    outcomes = _outcomes(found.repeated, kept, work.read(CLUSTERS))
    done = account(work.read(MEASURES), outcomes, "doc_id")
    work.store.spark.catalog.clearCache()  # of texts that were cut
    return done


def find_pairs(work: Work, batch: Batch, found: Corpus) -> None:
    """Write the keys that are new, and the pairs that new documents make."""
    conf = work.conf.dedup
    new = _of_new_chunks(found.measures, batch)
    if conf.url:
        new = new.join(found.pages.select(*RECORD, "url_normalized"), RECORD)
    exact = exact_keys(new, conf)
    earlier = of_batches(work, DEDUP_KEYS, batch).where(F.col("batch") < batch.number)
    firsts = first_of_each(exact, earlier)
    if _by_bands(work):
        bands = band_keys(new.join(holders_of_texts(firsts), "doc_id", "left_semi"))
        firsts = firsts.unionByName(first_of_each(bands, earlier))
    work.write_batch(firsts, DEDUP_KEYS)
    kept = of_batches(work, DEDUP_KEYS, batch)
    pairs = pairs_by_key(exact, kept).withColumn("jaccard", F.lit(None).cast("float"))
    if conf.min_jaccard:
        pairs = pairs.unionByName(_verified(work, batch, found, kept))
    elif conf.fuzzy:
        holders = holders_of_texts(kept.where(F.col("batch") == batch.number))
        near = pairs_by_key(band_keys(new.join(holders, "doc_id", "left_semi")), kept)
        pairs = pairs.unionByName(near, allowMissingColumns=True)
    work.write_batch(pairs, PAIRS)


def _by_bands(work: Work) -> bool:
    """Whether the band table is asked; verification looks at the bands of all texts anew."""
    return work.conf.dedup.fuzzy and not work.conf.dedup.min_jaccard


def _of_new_chunks(rows: DataFrame, batch: Batch) -> DataFrame:
    return rows if batch.rebuilds else rows.where(F.col("chunk").isin(list(batch.new_chunks)))


def _verified(work: Work, batch: Batch, found: Corpus, kept: DataFrame) -> DataFrame:
    """Rows of PAIRS for every candidate pair of the corpus; texts are read of new ones only."""
    texts = found.measures.join(holders_of_texts(kept), "doc_id", "left_semi")
    pairs = candidates(texts, work.conf.dedup.compared_per_band)
    earlier = of_batches(work, PAIRS, batch).where(
        (F.col("batch") < batch.number) & (F.col("kind") == "band")
    )
    known = earlier.select("doc_id", "other_id", "jaccard").distinct()
    unknown = pairs.join(known, ["doc_id", "other_id"], "left_anti")
    pages, conf = found.pages.select("doc_id", "text"), work.conf.measure
    compared = similarities(
        unknown, pages, ngram_chars=conf.ngram_chars, ngram_words=conf.ngram_words
    )
    all_known = known.unionByName(compared)
    return pairs.join(all_known, ["doc_id", "other_id"]).withColumn("kind", F.lit("band"))


def find_components(work: Work, batch: Batch) -> None:
    """Write the components that the batch's pairs change."""
    pairs = of_batches(work, PAIRS, batch)
    own = F.col("batch") == batch.number
    if work.conf.dedup.min_jaccard:
        # The column has 32 bits: 0.9 is 0.89999998 there, and less than a 0.9 of 64 bits.
        least = F.lit(work.conf.dedup.min_jaccard).cast("float")
        # Which pairs are candidates depends on all texts there are: nothing earlier is built on.
        similar = own & (F.col("jaccard") >= least)
        edges, known = pairs.where((F.col("kind") != "band") | similar), None
    else:
        rows = of_batches(work, DEDUP_COMPONENTS, batch)
        edges, known = pairs.where(own), latest_components(rows.where(~own))
    ends = edges.select(F.col("doc_id").alias("u"), F.col("other_id").alias("v"))
    joined = joined_components(ends, known, max_rounds=work.conf.dedup.max_rounds)
    work.write_batch(joined, DEDUP_COMPONENTS)


def components(work: Work, batch: Batch) -> DataFrame:
    """`doc_id`, `cluster_id` of every document that matches another."""
    rows = of_batches(work, DEDUP_COMPONENTS, batch)
    if work.conf.dedup.min_jaccard:
        rows = rows.where(F.col("batch") == batch.number)
    return latest_components(rows)


def judged_documents(work: Work, kept: DataFrame, pages: DataFrame) -> DataFrame:
    """Rows of DOCUMENTS for the survivors `kept`, spans cut, and `reason`: null where it stays.

    Spans are looked for in the texts as extracted: what was cut before would give others.
    """
    conf = work.conf.dedup
    uncut = documents(kept, pages)
    if not conf.substring_tokens:
        work.write(work.read(SPANS).limit(0), SPANS)
        return uncut.withColumn("reason", F.lit(None).cast("string"))
    members = with_pages(kept, pages)
    ranks = members.select("doc_id", survivor_rank(*survivor_keys(members, conf)).alias("rank"))
    uncut = uncut.persist(StorageLevel.DISK_ONLY)
    found = repeated_spans(uncut.join(ranks, "doc_id"), min_tokens=conf.substring_tokens)
    work.write(found, SPANS)
    cuts = cut_documents(uncut, work.read(SPANS), min_tokens_left=conf.substring_tokens_left)
    return with_cuts(uncut, cuts).persist(StorageLevel.DISK_ONLY)


def write_documents(work: Work, batch: Batch, measures: DataFrame, rows: DataFrame) -> None:
    """Write the difference, and those chunks of `documents` that differ."""
    seen = partial(fingerprints, are_cut=work.conf.dedup.substring_tokens > 0)
    now, version = seen(rows), batch.documents_version
    before = rows.limit(0) if version is None else work.store.read_version(DOCUMENTS, version)
    changes = survivor_changes(seen(before), now, work.read(CLUSTERS), measures)
    work.write_batch(changes, SURVIVOR_CHANGES)
    # Spans: a new copy elsewhere changes a text. Version: a batch that was broken off wrote some.
    is_as_left = work.store.version(DOCUMENTS) == version
    if batch.rebuilds or work.conf.dedup.substring_tokens or not is_as_left:
        work.write(rows, DOCUMENTS)
        return
    differing = chunks_to_write(seen(work.read(DOCUMENTS)), now)
    chunks = [row["chunk"] for row in small(differing)]
    if len(chunks) > _MAX_CHUNKS_NAMED:
        work.write(rows, DOCUMENTS)
    elif chunks:
        work.write_chunks(rows.where(F.col("chunk").isin(chunks)), DOCUMENTS, chunks)


def write_domain_repetition(work: Work, pages: DataFrame) -> None:
    """Measure how much of each document its domain repeats."""
    about = pages.select(*RECORD, "domain")
    texts = work.read(DOCUMENTS).select(*RECORD, "text").join(about, RECORD)
    again = domain_repetition(texts, work.conf.dedup.domain_documents)
    work.write(again, DOMAIN_REPETITION)


def _outcomes(repeated: DataFrame, kept: DataFrame, found: DataFrame) -> DataFrame:
    """Each record read, and what became of it."""
    judged = kept.select("doc_id", "reason", F.col("n_words").alias("tokens"))
    lost = found.where(F.col("fate") != SURVIVOR)
    dropped = lost.select("doc_id", F.col("fate").alias("reason"), F.lit(0).alias("tokens"))
    again = repeated.select(
        "doc_id", F.lit("same_record").alias("reason"), F.lit(0).alias("tokens")
    )
    return judged.unionByName(dropped).unionByName(again)
