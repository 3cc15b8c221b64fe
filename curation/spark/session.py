"""The Spark session: Java found, Delta on, this interpreter on the workers."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

from pyspark.sql import SparkSession

from curation.config import SparkConfig
from curation.errors import EnvironmentFault

MIN_JAVA = 17


def spark_defaults() -> dict[str, str]:
    """Settings of `spark-defaults.conf`, the file that spark-submit takes too."""
    text = resources.files("curation.spark").joinpath("spark-defaults.conf").read_text("utf-8")
    lines = (line.split(None, 1) for line in text.splitlines() if not line.startswith("#"))
    return {parts[0]: parts[1].strip() for parts in lines if len(parts) == 2}


def open_session(conf: SparkConfig, app: str, *, log: Path | None = None) -> SparkSession:
    """A session with Delta; under spark-submit, the one that it has prepared.

    Args:
        conf: Section `spark` of the run.
        app: Name shown by Spark's pages.
        log: File that takes what the JVM and the workers print; None leaves it on the terminal.

    Raises:
        EnvironmentFault: Java is missing or too old, or spark-submit was called without Delta.
    """
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    submitted = "PYSPARK_GATEWAY_PORT" in os.environ
    if not submitted:
        check_java()
    builder = SparkSession.Builder().appName(app)
    for key, value in _settings(conf, submitted=submitted).items():
        builder = builder.config(key, value)
    with _output_to(None if submitted else log):
        session = builder.getOrCreate()
    _check_delta(session)
    session.sparkContext.setLogLevel("ERROR")
    # PySpark logs each failed query as one line of JSON beside raising it.
    logging.getLogger("DataFrameQueryContextLogger").setLevel(logging.CRITICAL)
    return session


def _settings(conf: SparkConfig, *, submitted: bool) -> dict[str, str]:
    settings = {
        "spark.sql.shuffle.partitions": str(conf.shuffle_partitions),
        "spark.sql.execution.arrow.maxRecordsPerBatch": str(conf.rows_per_batch),
    }
    if not submitted:
        local = {"spark.master": conf.master, "spark.driver.memory": conf.driver_memory}
        settings = {**spark_defaults(), **settings, **local, "spark.ui.enabled": "false"}
    if not submitted and conf.master.startswith("local"):
        settings |= {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1"}
    return {**settings, **conf.conf}


def check_java() -> None:
    """Find Java 17 or newer, as Spark will: JAVA_HOME first, then the path.

    Raises:
        EnvironmentFault: there is none, or it is older.
    """
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    if not java or not Path(java).exists():
        where = f"JAVA_HOME={home}" if home else "the path"
        raise EnvironmentFault(
            f"no Java in {where}; install Java 17 or 21 (Debian: openjdk-17-jre-headless)"
        )
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    if not found or int(found.group(1)) < MIN_JAVA:
        version = said.splitlines()[0] if said else "an unknown version"
        raise EnvironmentFault(
            f"{java} is {version}; Spark 4.2 needs Java 17 or 21: install it or set JAVA_HOME"
        )


def _check_delta(session: SparkSession) -> None:
    if "DeltaSparkSessionExtension" not in (session.conf.get("spark.sql.extensions", "") or ""):
        raise EnvironmentFault(
            "this Spark session has no Delta; write the settings with `curation spark-defaults > "
            "delta.conf` and call spark-submit with --properties-file delta.conf"
        )


@contextlib.contextmanager
def _output_to(log: Path | None) -> Iterator[None]:
    """Point this process's output at `log` while the JVM, which inherits it, is started."""
    if log is None:
        yield
        return
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield
        finally:
            for target, source in zip((1, 2), kept, strict=True):
                os.dup2(source, target)
                os.close(source)
