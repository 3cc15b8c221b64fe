"""s01 on files with a page that ends every process that reads it."""

from pathlib import Path

import pytest

from curation.config import ExtractConfig, RunConfig
from curation.crawl.listing import list_warcs
from curation.extract.stage import extract
from curation.pipeline import STAGES
from curation.schemas import LEDGER, PAGES, REJECTS
from curation.spark.progress import Silent
from curation.spark.tables import Store
from curation.spark.work import Work

pytestmark = pytest.mark.spark

POISON = Path(__file__).parents[1] / "unit" / "extract" / "poison.py"
DEADLY = "first:segfault second:segfault"


def _record(number, text):
    body = f"<html><body><p>{text}</p></body></html>"
    http = f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n{body}"
    head = (
        "WARC/1.0\r\nWARC-Type: response\r\n"
        f"WARC-Record-ID: <urn:uuid:{number}>\r\nWARC-Date: 2024-12-03T10:20:30Z\r\n"
        f"WARC-Target-URI: https://example.org/{number}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return f"{head}{http}\r\n\r\n".encode()


@pytest.fixture
def work(spark, tmp_path):
    spark.sparkContext.addPyFile(str(POISON))
    texts = {"a.warc": ["one", DEADLY, "three"], "b.warc": ["four", "first:exit", DEADLY]}
    number = 0
    for name, pages in texts.items():
        records = []
        for text in pages:
            number += 1
            records.append(_record(number, text))
        (tmp_path / name).write_bytes(b"".join(records))
    engines = {"engine": "poison:first", "fallback": "poison:second"}
    conf = RunConfig(out=str(tmp_path), crawl="CC-TEST").model_copy(
        update={"extract": ExtractConfig().model_copy(update=engines)}
    )
    store = Store(spark, str(tmp_path / "tables"))
    for table in (PAGES, REJECTS, LEDGER):
        store.create(table)
    files = tuple(list_warcs([str(tmp_path / "*.warc")]))
    return Work(store, conf, STAGES[0], "c0", conf.crawl, 1, files, Silent())


def test_pages_that_kill_their_process_are_rejects_and_the_chunk_is_done(work):
    account = extract(work)
    assert (account.rows_in, account.rows_out, account.reasons) == (6, 4, {"crashed": 2})
    engines = {row["record_id"]: row["engine"] for row in work.read(PAGES).collect()}
    assert engines == {
        "urn:uuid:1": "first",
        "urn:uuid:3": "first",
        "urn:uuid:4": "first",
        "urn:uuid:5": "second",
    }
    faults = {row["record_id"]: row["engine_faults"] for row in work.read(PAGES).collect()}
    assert faults["urn:uuid:5"] == "first: ended with exit code 3"
    assert faults["urn:uuid:1"] is None
    rejects = {row["record_id"]: row for row in work.read(REJECTS).collect()}
    assert set(rejects) == {"urn:uuid:2", "urn:uuid:6"}
    assert rejects["urn:uuid:2"]["warc_offset"] == len(_record(1, "one"))
    detail = "first: killed by SIGSEGV; second: killed by SIGSEGV"
    assert {row["detail"] for row in rejects.values()} == {detail}
    ledger = {Path(row["warc_file"]).name: row["state"] for row in work.read(LEDGER).collect()}
    assert ledger == {"a.warc": "committed", "b.warc": "committed"}
