"""The driver killed with SIGKILL in the middle of stages, and started again."""

import pytest
from runs import CONF, contents, data_files, kill_when, run, version

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1500)]


def test_a_run_killed_at_five_places_ends_with_the_rows_of_an_undisturbed_one(golden_run, tmp_path):
    out = tmp_path / "run"
    # The same files, since chunks are called by their paths.
    arguments = ("run", str(CONF), "--out", str(out), "--input", f"{golden_run}/sample/*.warc.gz")
    # Version 0 of a table is its creation, 1 its first rows: the kills fall between two tables of
    # one unit, within a chunk (of the scores the first file is there before the first commit), and
    # between two commits of answers.
    kill_when(lambda: version(out, "pages") >= 1, *arguments)
    kill_when(lambda: version(out, "clusters") >= 1, *arguments)
    kill_when(lambda: bool(data_files(out, "scores")), *arguments)
    assert version(out, "scores") == 0
    kill_when(lambda: version(out, "generations") >= 2, *arguments)
    kill_when(lambda: version(out, "synthetic") >= 2, *arguments)
    run(*arguments)
    killed, undisturbed = contents(out), contents(golden_run)
    assert killed.keys() == undisturbed.keys()
    for name in undisturbed:
        if name != "attempts":  # one row more for each unit begun anew with other inputs
            assert killed[name] == undisturbed[name], name
