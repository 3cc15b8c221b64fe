"""What a user can get wrong: one line that says what and what to do, exit code 2."""

import os
import shutil
import subprocess

import pytest
from runs import COMMAND, CONF, ROOT

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def refused(*arguments, env=None):
    done = subprocess.run(
        [*COMMAND, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=240,
        env=os.environ | (env or {}),
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


@pytest.fixture
def out(tmp_path):
    return tmp_path / "run"


def test_a_misspelled_key(out):
    line = refused("run", str(CONF), "--out", str(out), "--set", "dedup.fuzy=true")
    assert "dedup.fuzy" in line
    assert "fuzzy" in line
    assert not out.exists()


def test_a_value_out_of_range(out):
    line = refused("run", str(CONF), "--out", str(out), "--set", "score.min_language_score=2")
    assert "≤ 1" in line
    assert not out.exists()


def test_a_path_that_matches_nothing(out):
    line = refused("run", str(CONF), "--out", str(out), "--input", "/no/such/*.warc.gz")
    assert "/no/such/*.warc.gz" in line
    assert not out.exists()


def test_a_missing_model_folder(out):
    line = refused("run", str(CONF), "--out", str(out), "--set", "synth.model=/no/such/model")
    assert "/no/such/model" in line
    assert not out.exists()


def test_an_unknown_prompt(out):
    line = refused("run", str(CONF), "--out", str(out), "--set", "synth.tasks=[poem]")
    assert "poem" in line
    assert "wikipedia" in line


def test_an_out_that_is_a_file(tmp_path):
    taken = tmp_path / "taken"
    taken.write_text("mine")
    assert "taken cannot be a folder" in refused("run", str(CONF), "--out", str(taken))
    assert taken.read_text() == "mine"


def test_an_unknown_stage(out):
    assert "s10" in refused("run", str(CONF), "--out", str(out), "--only", "s10")


def test_java_too_old(out, tmp_path):
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text("#!/bin/sh\necho 'openjdk version \"11.0.2\" 2019-01-15' >&2\n")
    java.chmod(0o755)
    line = refused("run", str(CONF), "--out", str(out), env={"JAVA_HOME": str(tmp_path / "jdk")})
    assert "11.0.2" in line
    assert "17" in line
    assert not out.exists()


def test_no_java(out):
    line = refused("run", str(CONF), "--out", str(out), env={"JAVA_HOME": "/no/such/jdk"})
    assert "/no/such/jdk" in line


def test_a_folder_that_is_no_run(tmp_path):
    assert "no run here" in refused("status", str(tmp_path))


def test_a_stage_whose_input_is_missing(out):
    line = refused("run", str(CONF), "--out", str(out), "--only", "s03")
    assert "run s01 first" in line
    assert not out.exists()


def test_a_stage_on_results_of_other_settings(golden_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(golden_run, out)
    line = refused(
        "run", str(CONF), "--out", str(out), "--only", "s05", "--set", "dedup.survivor=longest"
    )
    assert "s05_label: unfinished" in line
    assert "--only s03,s04,s05" in line


def test_a_second_run_over_other_files_without_saying_which(golden_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(golden_run, out)
    (out / "sample").rename(tmp_path / "mine")
    line = refused("run", str(CONF), "--out", str(out))
    assert "give --input again" in line
    assert not (out / "sample").exists()


def test_a_folder_that_another_run_writes(out):
    from curation.lock import locked

    with locked(str(out)):
        line = refused("run", str(CONF), "--out", str(out))
    assert "is being written by process" in line


@pytest.mark.parametrize("sql", ["COPY pages TO '/tmp/x'", "DROP VIEW pages", "SELECT 1; SELECT 2"])
def test_a_query_that_is_not_one_select(golden_run, sql):
    assert "write one SELECT" in refused("query", str(golden_run), sql)


def test_a_damaged_head(out, tmp_path):
    head = tmp_path / "head.npz"
    head.write_bytes(b"PK broken")
    members = f"{{minilm: {{kind: encoder, model: minilm, columns: {{edu: {head}}}}}}}"
    line = refused("run", str(CONF), "--out", str(out), "--set", f"score.members={members}")
    assert "head.npz" in line
    assert not out.exists()


def test_a_corrupt_table(golden_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(golden_run, out)
    for log in (out / "tables" / "labels" / "_delta_log").iterdir():
        if log.suffix == ".json":
            log.write_text("{not json")
        elif log.is_file():
            log.unlink()
    files = f"{golden_run}/sample/*.warc.gz"
    settings = ("--set", "synth.engine_seed=3", "--input", files)
    line = refused("run", str(CONF), "--out", str(out), *settings)
    assert "labels" in line
    assert "labels" in refused("query", str(out), "SELECT 1")


def test_an_empty_warc_is_a_failed_file_and_not_the_end_of_the_run(tmp_path):
    import json

    empty = tmp_path / "empty.warc.gz"
    empty.write_bytes(b"")
    out = tmp_path / "run"
    subprocess.run(
        [*COMMAND, "run", str(CONF), "--out", str(out), "--input", str(empty), "--only", "s01"],
        check=True, cwd=ROOT, capture_output=True, timeout=240,
    )  # fmt: skip
    from deltalake import DeltaTable

    rows = DeltaTable(str(out / "tables" / "ledger")).to_pyarrow_table().to_pylist()
    states = {row["state"]: row for row in rows}
    assert set(states) == {"expected", "failed"}
    assert states["failed"]["records"] == states["failed"]["rejects"] == 1, json.dumps(
        rows, default=str
    )
