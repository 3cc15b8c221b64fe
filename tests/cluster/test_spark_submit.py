"""spark-submit against a standalone master with two workers, as on a cluster."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from runs import CONF, ROOT, number

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

MASTER_PORT, WEB_PORT = 17177, 18181


def spark_home():
    import pyspark

    return Path(pyspark.__file__).parent


def start(arguments, log, **more):
    env = os.environ | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_HOME": str(spark_home()), **more}
    command = [str(spark_home() / "bin" / "spark-class"), *arguments]
    return subprocess.Popen(command, env=env, stdout=log, stderr=subprocess.STDOUT)


def n_workers():
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{WEB_PORT}/json/", timeout=5) as answer:
            return answer.read().decode().count('"state" : "ALIVE"')
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0


@pytest.fixture(scope="module")
def master(tmp_path_factory):
    folder = tmp_path_factory.mktemp("standalone")
    url = f"spark://127.0.0.1:{MASTER_PORT}"
    with (folder / "log").open("wb") as log:
        place = ["--host", "127.0.0.1"]
        parts = [start(["org.apache.spark.deploy.master.Master", *place, "--port", str(MASTER_PORT),
                        "--webui-port", str(WEB_PORT)], log)]  # fmt: skip
        for number in (0, 1):
            worker = ["org.apache.spark.deploy.worker.Worker", *place, "-c", "1", "-m", "1200m",
                      "-d", str(folder / f"work{number}"), "--webui-port", "0", url]  # fmt: skip
            parts.append(start(worker, log))
        end = time.monotonic() + 90
        while n_workers() < 2 and time.monotonic() < end:
            time.sleep(0.5)
        assert n_workers() >= 2, (folder / "log").read_text()[-2000:]
        yield url
        for part in reversed(parts):
            part.terminate()
            part.wait(timeout=30)


def submit(job, out, *flags):
    script = [str(ROOT / "jobs" / f"{job}.py"), "--conf", str(CONF), "--out", str(out)]
    command = [str(Path(sys.executable).parent / "spark-submit"), *flags, *script]
    env = {k: v for k, v in os.environ.items() if k not in ("SPARK_HOME", "PYSPARK_PYTHON")}
    env["SPARK_LOCAL_IP"] = "127.0.0.1"
    env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"  # an activated environment
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=ROOT, env=env)


def test_jobs_run_on_two_workers_and_close_their_accounts(master, tmp_path):
    flags = ("--master", master, "--driver-memory", "1g", "--executor-memory", "1g",
             "--conf", "spark.driver.host=127.0.0.1")  # fmt: skip
    for job in ("s01_extract", "s02_measure", "s03_dedup"):
        done = submit(job, tmp_path / "run", *flags)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    assert number(tmp_path / "run", "SELECT count(DISTINCT stage) FROM funnel") == 3
    assert number(tmp_path / "run", "SELECT count(*) FROM documents") > 20


def test_a_job_that_cannot_begin_exits_with_2_and_one_line(tmp_path):
    done = submit("s02_measure", tmp_path / "run", "--master", "local[1]", "--driver-memory", "1g")
    assert done.returncode == 2
    # spark-submit puts what Python says on either stream into its own standard output.
    output = (done.stdout + done.stderr).splitlines()
    said = [line for line in output if "curation: " in line]
    assert ["run s01 first" in line for line in said] == [True], said
    assert not [line for line in output if "Traceback" in line]
