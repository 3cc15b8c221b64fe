from datetime import UTC, datetime

import pytest
from servers import BadServer, file

from curation.config import FetchConfig, InputConfig, RunConfig
from curation.errors import ConfigError
from curation.pipeline import STAGES
from curation.schemas import LEDGER
from curation.spark.chunks import (
    FAILED,
    FAILED_AND_DEAD,
    check_input,
    known_files,
    note_fetching,
    plan_chunks,
)
from curation.spark.progress import Silent
from curation.spark.tables import Store, Txn
from curation.spark.work import Work

pytestmark = pytest.mark.spark


@pytest.fixture
def store(spark, tmp_path):
    store = Store(spark, str(tmp_path / "run" / "tables"))
    store.create(LEDGER)
    return store


@pytest.fixture
def server():
    with BadServer() as running:
        yield running


def run_of(tmp_path, *paths):
    fetch = FetchConfig(hosts=("127.0.0.1",), limits_folder=str(tmp_path / "limits"),
                        requests_per_s=1000.0, burst=1000, dead_after=2)  # fmt: skip
    files = InputConfig(paths=paths, files_per_chunk=2)
    return RunConfig(out=str(tmp_path / "run"), crawl="x", input=files, fetch=fetch)


def note(store, path, chunk, state, mark):
    error = None if state == "committed" else "broken"
    row = ("x", path, chunk, state, 3, 0, 0, 0, error, datetime.now(UTC))
    store.append(store.make([row], LEDGER), LEDGER, Txn(mark, 1))


def states(store):
    rows = store.read(LEDGER).orderBy("at", "warc_file").collect()
    return [(row["warc_file"].rpartition("/")[2], row["state"]) for row in rows]


def test_addresses_are_sized_once_and_noted_as_being_fetched(store, server, tmp_path):
    server.plan = {f"/{name}": [file(b"abc")] for name in "ab"}
    conf = run_of(tmp_path, server.url("/a"), server.url("/b"))
    (chunk,) = plan_chunks(store, conf).values()
    assert [one.n_bytes for one in chunk.files] == [3, 3]
    assert list(plan_chunks(store, conf).values()) == [chunk]
    assert len(server.paths("HEAD")) == 2
    work = Work(store, conf, STAGES[0], chunk.name, conf.crawl, 1, chunk.files, Silent())
    note_fetching(work)
    note_fetching(work)
    assert states(store)[2:] == [("a", "fetching"), ("b", "fetching")]
    assert known_files(store, "x") == {chunk.name: list(chunk.files)}


def test_failed_files_are_retried_when_asked_and_dead_ones_only_when_asked_for(store, tmp_path):
    paths = [str(tmp_path / f"{name}.warc") for name in "abc"]
    for path in paths:
        (tmp_path / path).write_bytes(b"123")
    conf = run_of(tmp_path, *paths)
    first = plan_chunks(store, conf)
    chunk = next(one for one in first.values() if len(one.files) == 2)
    note(store, paths[0], chunk.name, "failed", "1")
    note(store, paths[1], chunk.name, "committed", "2")
    assert plan_chunks(store, conf) == first

    again = plan_chunks(store, conf, retry=FAILED)
    assert [one.identity for one in again[chunk.name].files] == [
        [paths[0], 3, 1], [paths[1], 3]
    ]  # fmt: skip
    assert states(store)[-1] == ("a.warc", "expected")
    # The retry is noted: a run that goes on with it needs no flag, and asks for no other one.
    assert plan_chunks(store, conf) == plan_chunks(store, conf, retry=FAILED) == again
    assert known_files(store, "x")[chunk.name] == list(again[chunk.name].files)

    note(store, paths[0], chunk.name, "dead", "3")
    assert plan_chunks(store, conf, retry=FAILED) == again
    revived = plan_chunks(store, conf, retry=FAILED_AND_DEAD)
    assert revived[chunk.name].files[0].n_retries == 2


def test_files_of_chunks_that_the_input_does_not_name_are_not_retried(store, tmp_path):
    paths = [str(tmp_path / f"{name}.warc") for name in "abc"]
    for path in paths:
        (tmp_path / path).write_bytes(b"123")
    chunks = plan_chunks(store, run_of(tmp_path, *paths))
    other = next(one for one in chunks.values() if len(one.files) == 1)
    note(store, paths[2], other.name, "failed", "1")
    plan = plan_chunks(store, run_of(tmp_path, paths[0]), retry=FAILED)
    assert plan[other.name].files[0].n_retries == 0
    assert not plan[other.name].wanted


def test_a_host_that_is_not_listed_is_found_before_anything_is_written(tmp_path):
    with pytest.raises(ConfigError, match=r"evil\.example is not in fetch\.hosts"):
        check_input(run_of(tmp_path, "https://evil.example/x.warc.gz"), STAGES)
