"""What is said twice must stay the same: jobs and stages, generated docs, imports."""

import ast
from pathlib import Path

import pytest

from curation.docs import pages
from curation.pipeline import STAGES
from curation.schemas import TABLES

ROOT = Path(__file__).parents[2]

SPARK_FREE = (
    "adapters",
    "crawl",
    "extract",
    "fasttext",
    "gates",
    "measure",
    "score",
    "synth",
    "tokens",
    "blend",
    "sample",
    "report",
)
SPARK_ROOMS = {"spark", "dedup", "label", "takedown", "publish"}
"""Deduplication is joins and groups but for its kernels; labels are SQL alone."""
PURE_IN_SPARK_ROOMS = {"spans.py", "combination.py", "selectors.py", "files.py"}
MAY_IMPORT_SPARK = {
    "stage.py",
    "blocklists.py",
    "requests.py",
    "asking.py",
    "judging.py",
    "sourced.py",
    "landing.py",
    "selecting.py",
    "cli.py",
}
MODELS_MAY_USE = {"schemas", "config", "errors", "tokens", "lock"}
FORBIDDEN_CALLS = {"toPandas", "rdd", "_jvm", "udf", "pandas_udf", "arrow_udf"}


def modules(folder):
    return sorted((ROOT / folder).rglob("*.py"))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def in_spark_room(path):
    if path.name in PURE_IN_SPARK_ROOMS:
        return False
    return path.parent.name in SPARK_ROOMS or path.name in MAY_IMPORT_SPARK


def test_every_stage_has_its_job_and_no_job_is_left_over():
    assert {path.stem for path in modules("jobs")} == {stage.name for stage in STAGES}


def test_jobs_are_about_ten_lines():
    assert all(len(path.read_text().splitlines()) <= 12 for path in modules("jobs"))


def test_stages_write_tables_that_schemas_know():
    names = {table.name for table in TABLES}
    assert all({*stage.reads, *stage.writes} <= names for stage in STAGES)


def test_stages_read_only_what_an_earlier_stage_writes():
    written = set()
    for stage in STAGES:
        assert set(stage.reads) <= written
        written |= set(stage.writes)


@pytest.mark.parametrize("name", ["tables.md", "dataflow.md", "config.md"])
def test_generated_docs_are_not_stale(name):
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run `make docs`"


def test_only_the_spark_rooms_import_pyspark():
    guilty = [
        str(path.relative_to(ROOT))
        for path in modules("curation")
        if not in_spark_room(path)
        and any(name.split(".")[0] == "pyspark" for name in imports(path))
    ]
    assert guilty == []


def test_kernels_do_not_import_stages_jobs_or_the_command():
    upper = ("curation.spark", "curation.cli")
    guilty = [
        (str(path.relative_to(ROOT)), name)
        for folder in SPARK_FREE
        for path in modules(f"curation/{folder}")
        if not in_spark_room(path)
        for name in imports(path)
        if name.startswith(upper) or name.endswith(".stage")
    ]
    assert guilty == []


def test_nothing_below_imports_the_command_or_the_jobs():
    guilty = [
        str(path.relative_to(ROOT))
        for path in [*modules("curation"), *modules("models")]
        if path.name != "cli.py" and any(n in ("curation.cli", "jobs") for n in imports(path))
    ]
    assert guilty == []


def test_models_import_little_of_curation():
    guilty = [
        (str(path.relative_to(ROOT)), name)
        for path in modules("models/train")
        for name in imports(path)
        if name.startswith("curation.") and name.split(".")[1] not in MODELS_MAY_USE
    ]
    assert guilty == []


def test_data_is_never_brought_to_the_driver():
    guilty = [
        (str(path.relative_to(ROOT)), node.attr)
        for path in modules("curation")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute)
        and (node.attr in FORBIDDEN_CALLS or (node.attr == "collect" and path.name != "tables.py"))
    ]
    assert guilty == []


def test_python_reaches_executors_through_one_door():
    doors = {"mapInArrow", "mapInPandas", "applyInArrow", "foreachPartition"}
    guilty = [
        (str(path.relative_to(ROOT)), node.attr)
        for path in modules("curation")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in doors and path.name != "batches.py"
    ]
    assert guilty == []
