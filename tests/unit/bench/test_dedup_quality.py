import json

import numpy as np
import pytest

pytest.importorskip("datatrove", reason="no datatrove")

from bench.dedup_methods import (
    Method,
    Run,
    classic_signatures,
    exact_similarities,
    sharing,
)
from bench.dedup_plot import draw
from bench.dedup_quality import closure, estimates, main, recall_by_bin, thresholds, with_survivor
from curation.errors import InputError


def hashes(*values):
    return np.array(values, np.uint64)


def pairs(n, *linked):
    matrix = np.zeros((n, n), bool)
    for i, j in linked:
        matrix[i, j] = matrix[j, i] = True
    return matrix


def similarities(n, values):
    matrix = np.zeros((n, n), np.float32)
    for (i, j), value in values.items():
        matrix[i, j] = matrix[j, i] = value
    return matrix


def test_the_oracle_counts_shared_shingles_of_all_pairs():
    # {1, 2, 3, 4}, {3, 4, 5}, {5}, {}: 2 of 5, 0 of 5, 1 of 3, nothing.
    found = exact_similarities([hashes(1, 2, 3, 4), hashes(3, 4, 5), hashes(5), hashes()])
    expected = similarities(4, {(0, 1): 2 / 5, (1, 2): 1 / 3})
    assert found.tolist() == expected.tolist()


def test_the_oracle_copes_with_documents_without_shingles_alone():
    assert exact_similarities([hashes(), hashes()]).tolist() == [[0, 0], [0, 0]]


def test_documents_are_candidates_when_a_band_is_equal_at_its_own_place():
    bands = np.array([[1, 2], [1, 3], [4, 1], [5, 3]])
    assert sharing(bands).tolist() == pairs(4, (0, 1), (1, 3)).tolist()


def test_closure_joins_a_chain_whatever_its_order():
    linked = pairs(6, (4, 2), (2, 5), (5, 0), (1, 3))
    assert closure(linked).tolist() == [0, 1, 0, 1, 0, 0]


def test_a_document_goes_only_to_a_survivor_that_it_is_linked_to():
    # 1 goes to 0; 2 is linked to 1 alone, which is gone, so that it stays; 3 goes to 2.
    linked = pairs(4, (0, 1), (1, 2), (2, 3))
    assert with_survivor(linked).tolist() == [0, 0, 2, 2]


def two_runs():
    exact = similarities(4, {(0, 1): 0.9, (0, 2): 0.82, (1, 2): 0.6})
    found = [pairs(4, (0, 1), (1, 2)), pairs(4, (0, 1), (0, 2))]
    runs = [Run(np.zeros((4, 2), np.uint64), one) for one in found]
    return Method("m", [hashes()] * 4, exact, runs, n_bands=2, n_rows=1)


def test_recall_is_the_mean_over_the_runs_beside_the_theory():
    rows = {row["bin"]: row for row in recall_by_bin(two_runs())}
    assert sorted(rows) == [0.6, 0.8, 0.9]
    assert [rows[low]["recall"] for low in sorted(rows)] == [0.5, 0.5, 1.0]
    # Two bands of one row: 1 - (1 - .9)^2.
    assert rows[0.9]["theory"] == pytest.approx(0.99, abs=1e-6)


def test_precision_and_recall_are_counted_over_the_pairs_of_all_runs():
    rows = {row["method"]: row for row in thresholds([two_runs()])}
    # Found: .9, .6, .9, .82; similar at .8 in each run: .9 and .82.
    assert rows["m"]["precision"]["0.8"] == 0.75
    assert rows["m"]["recall"]["0.8"] == 0.75
    assert rows["m; verified"]["precision"]["0.8"] == 1.0
    assert rows["m; verified"]["recall"]["0.8"] == 0.75
    assert rows["m; verified"]["recall"]["0.6"] == 0.5
    assert rows["exact oracle, 24 chars"]["recall"]["0.8"] == 1.0


def test_classic_signatures_agree_as_often_as_the_sets_do():
    shingles = [np.arange(0, 300, dtype=np.uint64), np.arange(100, 400, dtype=np.uint64)]
    a, b = classic_signatures(shingles, 2_000, 3)
    # 200 of 400 shared; the standard error is .011.
    assert np.mean(a == b) == pytest.approx(0.5, abs=0.035)


def test_the_error_of_an_estimate_is_against_the_exact_similarity():
    shingles = [np.arange(0, 3, dtype=np.uint64), np.arange(1, 4, dtype=np.uint64)]
    run = Run(np.array([[1, 2, 3, 4], [1, 2, 3, 9]], np.uint64), pairs(2, (0, 1)))
    method = Method("m", shingles, exact_similarities(shingles), [run], 2, 2)
    row = estimates([method])[0]
    # 3 of 4 values agree, and 2 of 4 shingles.
    assert (row["bias"], row["mean"], row["rms"]) == (0.25, 0.25, 0.25)
    assert row["theory_rms"] == 0.25


def test_the_plot_has_the_same_bytes_each_time(tmp_path):
    paths = [tmp_path / name for name in ("a.svg", "b.svg")]
    for path in paths:
        draw([two_runs()], {"m": recall_by_bin(two_runs())}, path)
    first, second = (path.read_text() for path in paths)
    assert first == second
    assert "<dc:date>" not in first
    assert ">m</text>" in first


def test_the_command_needs_no_data_and_datatroves_stages_find_the_closure(tmp_path, capsys):
    out, plot = tmp_path / "out.json", tmp_path / "out.svg"
    arguments = ["--json", str(out), "--plot", str(plot), "--documents", "29", "--runs", "1"]
    assert main(arguments) == 0
    assert plot.read_text().startswith("<?xml")
    found = json.loads(out.read_text())
    assert found["n_documents"] == 29
    n_removed = {
        row["clusters"]: row["n_removed"] for row in found["clusters"]
        if row["method"].startswith("datatrove")
    }  # fmt: skip
    assert n_removed["its own stages"] == n_removed["closure of candidates"] > 10
    assert "| Jaccard from |" in capsys.readouterr().out


def test_more_documents_than_memory_is_for_are_refused():
    arguments = ["--json", "x", "--plot", "y", "--documents", "100000"]
    with pytest.raises(InputError, match="at most"):
        main(arguments)
