import itertools
import random

import pytest

from curation.dedup.components import connected_components
from curation.errors import CurationError

pytestmark = pytest.mark.spark


def components(spark, pairs, max_rounds=50):
    edges = spark.createDataFrame(pairs, "u string, v string")
    rows = connected_components(edges, max_rounds=max_rounds).collect()
    assert len({row["vertex"] for row in rows}) == len(rows)
    return {row["vertex"]: row["component"] for row in rows}


def by_union_find(pairs):
    parent = {}

    def find(x):
        parent.setdefault(x, x)
        while parent[x] != x:
            x = parent[x]
        return x

    for u, v in pairs:
        if u != v:
            low, high = sorted((find(u), find(v)))
            parent[high] = low
    return {x: find(x) for x in parent}


def test_two_pairs_and_a_triangle_are_three_components(spark):
    pairs = [("b", "a"), ("c", "d"), ("x", "y"), ("y", "z"), ("z", "x"), ("q", "q")]
    assert components(spark, pairs) == {
        "a": "a", "b": "a", "c": "c", "d": "c", "x": "x", "y": "x", "z": "x",
    }  # fmt: skip


def test_a_shuffled_chain_of_300_is_one_component(spark):
    names = [f"{i:03d}" for i in range(300)]
    shuffled = random.Random(1).sample(names, len(names))
    pairs = list(itertools.pairwise(shuffled))
    assert set(components(spark, pairs).values()) == {"000"}


def test_random_graphs_agree_with_union_find(spark):
    rng = random.Random(7)
    pairs = [(f"{rng.randrange(400):03d}", f"{rng.randrange(400):03d}") for _ in range(260)]
    assert components(spark, pairs) == by_union_find(pairs)


def test_no_edges_give_no_components(spark):
    assert components(spark, [("a", "a")]) == {}


def test_too_few_rounds_are_an_error(spark):
    names = [f"{i:03d}" for i in range(64)]
    with pytest.raises(CurationError, match="max_rounds"):
        components(spark, list(itertools.pairwise(names)), max_rounds=1)


def test_a_star_whose_leaves_have_one_more_edge_each_is_one_component(spark):
    # Whatever the degree of the centre, it is one group of an aggregation.
    n = 20_000
    star = spark.range(n).selectExpr("'centre' AS u", "md5(CAST(id AS STRING)) AS v")
    tails = spark.range(n).selectExpr(
        "md5(CAST(id AS STRING)) AS u", "concat('t', CAST(id AS STRING)) AS v"
    )
    found = connected_components(star.unionAll(tails), max_rounds=20)
    (row,) = found.selectExpr("count(*) AS n", "count(DISTINCT component) AS parts").collect()
    assert (row["n"], row["parts"]) == (2 * n + 1, 1)
