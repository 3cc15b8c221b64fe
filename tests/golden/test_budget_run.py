"""A budget stops generation cleanly, says what is left, and a larger one goes on from there."""

import shutil

import pytest
from runs import CONF, run

from curation.report.run import open_run

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900), pytest.mark.slow]


def told(out, sql):
    with open_run(out) as found:
        return found.table(sql).to_pylist()


def test_a_spent_budget_leaves_the_rest_in_the_funnel_and_a_larger_one_asks_it(
    golden_run, tmp_path
):
    out = tmp_path / "run"
    shutil.copytree(golden_run, out)
    # Other answers are wanted: none of those that are there counts.
    again = ("run", str(CONF), "--out", str(out), "--input", f"{golden_run}/sample/*.warc.gz",
             "--only", "s06", "--set", "synth.engine_seed=18")  # fmt: skip
    run(*again, "--set", "synth.budget.requests=7")
    latest = "SELECT reasons FROM funnel WHERE stage = 's06_rephrase' ORDER BY attempt DESC LIMIT 1"
    planned = told(out, "SELECT request_id FROM requests WHERE stage = 's06_rephrase'")
    (account,) = told(out, latest)
    assert dict(account["reasons"])["over_budget"] == len(planned) - 7
    answered = (
        "SELECT request_id, count(*) AS n FROM generations JOIN requests USING (request_id) "
        "WHERE requests.stage = 's06_rephrase' GROUP BY request_id"
    )
    first = {row["request_id"] for row in told(out, answered)}
    assert len(first) == 7
    run(*again, "--set", "synth.budget.requests=0")
    every = {row["request_id"]: row["n"] for row in told(out, answered)}
    assert first < {*every} == {row["request_id"] for row in planned}
    assert {*every.values()} == {1}
    (account,) = told(out, latest)
    assert "over_budget" not in dict(account["reasons"])
