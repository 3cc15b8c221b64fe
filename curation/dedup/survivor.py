"""Who survives: one copy a cluster by policy, and the documents that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.errors import AnalysisException
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from curation.config import DedupConfig
from curation.errors import ConfigError
from curation.schemas import CLUSTERS, DOCUMENTS

SURVIVOR = "survivor"
RECORD = ["doc_id", "crawl", "chunk"]
"""What tells a page from the page of the same record in another chunk."""
_OF_PAGE = ["url_normalized", "host", "domain", "warc_date", "engine", "page_type", "confidence"]


def repeated_ids(rows: DataFrame) -> DataFrame:
    """`doc_id` of records that were read more than once: of a WARC file that lies in two places."""
    return rows.groupBy("doc_id").count().where("count > 1").select("doc_id")


def once_each(rows: DataFrame, many: DataFrame) -> DataFrame:
    """`rows` of each record once: the first crawl and chunk count.

    Args:
        rows: Any rows with `doc_id`, `crawl`, `chunk`.
        many: `repeated_ids`; only their rows are moved.
    """
    single = rows.join(many, "doc_id", "left_anti")
    numbered = _numbered(rows.join(many, "doc_id", "left_semi"))
    return single.unionByName(numbered.where("nth = 1").drop("nth"))


def left_out(rows: DataFrame, many: DataFrame) -> DataFrame:
    """`doc_id` of each row that `once_each` leaves out."""
    numbered = _numbered(rows.select(*RECORD).join(many, "doc_id", "left_semi"))
    return numbered.where("nth > 1").select("doc_id")


def _numbered(rows: DataFrame) -> DataFrame:
    nth = F.row_number().over(Window.partitionBy("doc_id").orderBy("crawl", "chunk"))
    return rows.withColumn("nth", nth)


def clusters(
    components: DataFrame, measures: DataFrame, pages: DataFrame, conf: DedupConfig
) -> DataFrame:
    """Rows of CLUSTERS: members, their survivor, and how each member ends.

    Args:
        components: `doc_id`, `cluster_id` of documents that have duplicates.
        measures: Rows of MEASURES, each document once.
        pages: Rows of PAGES, each document once.
        conf: The policy.

    Raises:
        ConfigError: `conf.survivor_score` is not SQL over these tables.
    """
    members = with_pages(components.join(measures.drop("bands"), "doc_id"), pages)
    order = Window.partitionBy("cluster_id").orderBy(*survivor_order(members, conf))
    ranked = members.select(
        "*",
        *(F.first(name).over(order).alias(f"kept_{name}")
          for name in ("doc_id", "content_hash", "text_hash", "url_normalized")),
        F.count(F.lit(1)).over(Window.partitionBy("cluster_id")).cast("int").alias("n_members"),
    )  # fmt: skip
    told = ranked.withColumn("survivor_id", F.col("kept_doc_id")).withColumn("fate", _fate(conf))
    return told.select(*CLUSTERS.columns.names)


def _fate(conf: DedupConfig) -> Column:
    """How a member ends: by what it has in common with the survivor."""
    hashed = "content_hash" if conf.exact == "content" else "text_hash"
    by_url = F.lit(conf.url) & (F.col("url_normalized") == F.col("kept_url_normalized"))
    return (
        F.when(F.col("doc_id") == F.col("kept_doc_id"), SURVIVOR)
        .when(F.col(hashed) == F.col(f"kept_{hashed}"), "exact_duplicate")
        .when(by_url, "url_duplicate")
        .otherwise("near_duplicate")
    )


def with_pages(rows: DataFrame, pages: DataFrame) -> DataFrame:
    """`rows` of MEASURES with what policies ask of PAGES."""
    return rows.join(pages.select(*RECORD, *_OF_PAGE), RECORD)


def survivor_order(members: DataFrame, conf: DedupConfig) -> list[Column]:
    """Sort keys whose first row survives; doc_id last makes the order total."""
    keys = survivor_keys(members, conf)
    return [*(key.asc_nulls_last() for key in keys), F.col("doc_id").asc()]


def survivor_keys(members: DataFrame, conf: DedupConfig) -> list[Column]:
    """The criteria in order, as numbers of which the least survives; null: the worst.

    Raises:
        ConfigError: `conf.survivor_score` is not SQL over the columns of `members`.
    """
    keys = {
        "oldest": lambda: F.unix_micros("warc_date"),
        "newest": lambda: -F.unix_micros("warc_date"),
        "longest": lambda: -F.col("n_bytes"),
        "score": lambda: -_score(members, conf.survivor_score),
        "source": lambda: _place(conf.survivor_sources, ("crawl", "host", "domain")),
        "engine": lambda: _place(conf.survivor_engines, ("engine",)),
    }
    return [keys[criterion]() for criterion in conf.survivor]


def _score(members: DataFrame, expression: str) -> Column:
    """The score as a number; NaN, which Spark takes for the highest, counts as none."""
    try:
        members.select(F.expr(expression))
    except AnalysisException as error:
        raise ConfigError(
            f"dedup.survivor_score: `{expression}` is not SQL over the columns of measures and "
            f"pages: {error.getCondition()}; name one such as n_words or confidence"
        ) from error
    number = F.expr(expression).cast("double")
    return F.when(~F.isnan(number), number)


def _place(listed: Sequence[str], names: Sequence[str]) -> Column:
    """Place in the list of the first that one of the columns equals; null: in none."""
    is_one = [F.greatest(*(F.col(name) == F.lit(one) for name in names)) if len(names) > 1
              else F.col(names[0]) == F.lit(one) for one in listed]  # fmt: skip
    places = [F.when(found, F.lit(place)) for place, found in enumerate(is_one)]
    return F.coalesce(*places) if places else F.lit(None).cast("int")


def survivors(measures: DataFrame, found: DataFrame) -> DataFrame:
    """Rows of `measures` that no cluster drops."""
    return measures.join(found.where(F.col("fate") != SURVIVOR), "doc_id", "left_anti")


def documents(measures: DataFrame, pages: DataFrame) -> DataFrame:
    """Rows of DOCUMENTS for the survivors `measures`: what later stages ask of a page."""
    columns = [*RECORD, "url", "host", "warc_date", "record_id", "title", "text"]
    rows = measures.join(pages.select(*columns), RECORD)
    return rows.select(*DOCUMENTS.columns.names)
