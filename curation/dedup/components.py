"""Connected components on Spark, by alternating large-star and small-star.

Source: Kiveris et al. 2014, "Connected Components in MapReduce and Beyond", section 3: every
round is two joins and two aggregations over the edges, and a chain of n vertices needs
O(log^2 n) rounds. Nothing is collected; a vertex of any degree is one group of an aggregation.
"""

from __future__ import annotations

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from curation.errors import CurationError


def connected_components(edges: DataFrame, *, max_rounds: int) -> DataFrame:
    """Component of every vertex that has an edge.

    Args:
        edges: `u`, `v` strings; direction, repeats and loops do not matter.
        max_rounds: Rounds before giving up.

    Returns:
        `vertex`, `component`: the component is called by its least vertex.

    Raises:
        CurationError: the rounds did not suffice.
    """
    current = _round(edges.where("u != v").select("u", "v"))
    mark = _checksum(current)
    for _ in range(max_rounds):
        following = _round(current)
        new_mark = _checksum(following)
        if new_mark == mark:
            return _as_components(following)
        current, mark = following, new_mark
    raise CurationError(
        f"connected components not found in {max_rounds} rounds; raise dedup.max_rounds"
    )


def joined_components(edges: DataFrame, known: DataFrame | None, *, max_rounds: int) -> DataFrame:
    """Components that change where `edges` join what is `known`.

    Args:
        edges: `u`, `v`, the new ones.
        known: `doc_id`, `cluster_id` of the components before, called by their least members.
        max_rounds: As in `connected_components`, which only sees the components that edges touch.

    Returns:
        `doc_id`, `cluster_id` of every document whose component is new or has another name.
    """
    if known is None:
        found = connected_components(edges, max_rounds=max_rounds)
        return found.select(F.col("vertex").alias("doc_id"), F.col("component").alias("cluster_id"))
    touched = _contracted(_contracted(edges, "u", known), "v", known)
    found = connected_components(touched, max_rounds=max_rounds)
    renamed = known.join(found, F.col("cluster_id") == F.col("vertex")).where(
        "component != cluster_id"
    )
    moved = renamed.select("doc_id", F.col("component").alias("cluster_id"))
    return moved.unionAll(found.select("vertex", "component")).distinct()


def _contracted(edges: DataFrame, end: str, known: DataFrame) -> DataFrame:
    """`edges` with the component in the place of a document that has one."""
    names = known.select(F.col("doc_id").alias(end), "cluster_id")
    joined = edges.join(names, end, "left").withColumn(end, F.coalesce("cluster_id", end))
    return joined.select("u", "v")


def latest_components(rows: DataFrame) -> DataFrame:
    """`doc_id`, `cluster_id` as the latest batch that names the document has them."""
    return rows.groupBy("doc_id").agg(F.max_by("cluster_id", "batch").alias("cluster_id"))


def _round(edges: DataFrame) -> DataFrame:
    """One large-star and one small-star; local checkpoints keep the plan from growing."""
    return _small_star(_large_star(edges)).localCheckpoint(eager=True)


def _large_star(edges: DataFrame) -> DataFrame:
    """Hang every larger neighbour of u on the least of u and its neighbours."""
    both = edges.unionAll(edges.select(F.col("v").alias("u"), F.col("u").alias("v")))
    least = both.groupBy("u").agg(F.least(F.min("v"), F.col("u")).alias("least"))
    hung = both.where("v > u").join(least, "u")
    return hung.select(F.col("v").alias("u"), F.col("least").alias("v")).distinct()


def _small_star(edges: DataFrame) -> DataFrame:
    """Hang u and its smaller neighbours on the least of them; edges point downwards."""
    down = edges.select(F.greatest("u", "v").alias("u"), F.least("u", "v").alias("v"))
    least = down.groupBy("u").agg(F.min("v").alias("least"))
    siblings = down.join(least, "u").where("v != least").select(F.col("v").alias("u"), "least")
    hung = least.unionByName(siblings)
    return hung.select("u", F.col("least").alias("v")).distinct()


def _checksum(edges: DataFrame) -> tuple[int, int]:
    """Number of edges and an order-free sum of their hashes: equal when the edges are."""
    hashed = F.pmod(F.xxhash64("u", "v"), F.lit(2**31))
    row = edges.agg(F.count(F.lit(1)).alias("n"), F.sum(hashed).alias("sum")).first()
    return (row["n"], row["sum"] or 0) if row else (0, 0)


def _as_components(stars: DataFrame) -> DataFrame:
    """Vertices of the final stars, centres included."""
    leaves = stars.select(F.col("u").alias("vertex"), F.col("v").alias("component"))
    centres = stars.select(F.col("v").alias("vertex"), F.col("v").alias("component")).distinct()
    return leaves.unionAll(centres)
