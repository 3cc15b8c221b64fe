import gzip
import hashlib
import json
import os
import socket
import subprocess
import sys
import time

import boto3
import pytest
from servers import BadServer, file, redirect, status

from curation.config import FetchConfig, InputConfig
from curation.crawl.client import _s3
from curation.crawl.commoncrawl import (
    crawl_files,
    nearest,
    parse_crawl_list,
    parse_paths,
    parse_s3_listing,
    paths_address,
    sampled,
    with_sizes,
)
from curation.crawl.fetch import Fetcher
from curation.crawl.listing import WarcFile
from curation.errors import (
    ConfigError,
    EnvironmentFault,
    FetchBanned,
    FetchFailed,
    InputError,
    NotThere,
)

ID = "CC-MAIN-2024-51"
NAMES = [f"crawl-data/{ID}/segments/1/warc/{name}.warc.gz" for name in ("b", "a", "c")]
PATHS = f"/crawl-data/{ID}/warc.paths.gz"


@pytest.fixture
def server():
    with BadServer() as running:
        yield running


def settings(tmp_path, **more):
    return FetchConfig(
        hosts=("127.0.0.1",), limits_folder=str(tmp_path / "limits"), requests_per_s=1000.0,
        burst=1000, backoff_s=0.01, max_backoff_s=0.02, max_tries=3, read_timeout_s=1.0, **more,
    )  # fmt: skip


@pytest.fixture
def fetch(server, tmp_path):
    crawl_list = server.url("/collinfo.json")
    return settings(tmp_path, base=server.url("/"), crawl_list=crawl_list)


def packed(names):
    return gzip.compress("".join(f"{name}\n" for name in names).encode())


def test_a_crawl_id_resolves_to_its_files_sorted(server, fetch):
    server.plan[PATHS] = [status(503), file(packed(NAMES))]
    found = crawl_files(InputConfig(crawl_id=ID), fetch)
    assert [one.path for one in found] == [server.url(f"/{name}") for name in sorted(NAMES)]


def test_files_of_a_crawl_get_their_expected_sizes(server, fetch):
    server.plan[PATHS] = [file(packed(NAMES))]
    for name, size in zip(NAMES, (2, 1, 3), strict=True):
        server.plan[f"/{name}"] = [file(b"x" * size)]
    sized = with_sizes(crawl_files(InputConfig(crawl_id=ID), fetch), fetch)
    assert [one.n_bytes for one in sized] == [1, 2, 3]
    assert sorted(server.paths("HEAD")) == sorted(f"/{name}" for name in NAMES)


def test_sizes_that_are_known_are_not_asked_for(server, fetch):
    files = [WarcFile("/local.warc", 7), WarcFile(server.url("/x"), 5, 2)]
    assert with_sizes(files, fetch) == files
    assert server.asked == []


def test_an_unknown_crawl_names_the_nearest(server, fetch):
    ids = ["CC-MAIN-2025-05", ID, "CC-MAIN-2024-46", "CC-MAIN-2013-20"]
    server.plan["/collinfo.json"] = [file(json.dumps([{"id": one} for one in ids]).encode())]
    with pytest.raises(InputError, match=r"nearest are CC-MAIN-2024-51, CC-MAIN-2025-05, CC-MAIN"):
        crawl_files(InputConfig(crawl_id="CC-MAIN-2024-52"), fetch)


def test_an_unknown_crawl_is_told_even_where_the_list_of_crawls_is_broken(server, fetch):
    server.plan["/collinfo.json"] = [file(b"<html>")]
    with pytest.raises(InputError, match=r"no such crawl .* cannot be had either"):
        crawl_files(InputConfig(crawl_id="CC-MAIN-2024-52"), fetch)


def test_a_403_for_the_list_of_paths_is_a_ban(server, fetch):
    server.plan[PATHS] = [status(403)]
    with pytest.raises(FetchBanned):
        crawl_files(InputConfig(crawl_id=ID), fetch)


def test_a_ban_while_sizes_are_asked_stops_the_rest(server, fetch):
    files = [WarcFile(server.url(f"/{i}"), -1) for i in range(50)]
    server.plan = {f"/{i}": [status(403)] for i in range(50)}
    one_by_one = fetch.model_copy(update={"max_connections": 1})
    with pytest.raises(FetchBanned):
        with_sizes(files, one_by_one)
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("crawl_id", "path"),
    [
        ("CC-MAIN-2024-51", "crawl-data/CC-MAIN-2024-51/warc.paths.gz"),
        ("CC-MAIN-2008-2009", "crawl-data/CC-MAIN-2008-2009/warc.paths.gz"),
        ("CC-MAIN-2012", "crawl-data/CC-MAIN-2012/warc.paths.gz"),
        ("CC-NEWS-2024-03", "crawl-data/CC-NEWS/2024/03/warc.paths.gz"),
    ],
)
def test_the_list_of_paths_lies_where_common_crawl_keeps_it(crawl_id, path):
    assert paths_address(crawl_id, "s3://commoncrawl/") == f"s3://commoncrawl/{path}"


@pytest.mark.parametrize("crawl_id", ["2024-51", "CC-MAIN-2024-51/..", "cc-main-2024-51", "a\nb"])
def test_what_is_no_crawl_id_is_refused_before_anything_is_asked(crawl_id):
    with pytest.raises(ConfigError, match="not a crawl id"):
        paths_address(crawl_id, "https://data.commoncrawl.org/")


@pytest.mark.parametrize(
    "content",
    [b"", b"no gzip", packed(NAMES)[:-9], gzip.compress(b"\n"), packed(["../x"]),
     packed(["https://evil.example/x"]), packed(["/etc/x"]), gzip.compress(b"<html>\n")],
)  # fmt: skip
def test_a_damaged_list_of_paths_is_an_error(content):
    with pytest.raises(InputError, match="here: "):
        parse_paths(content, where="here")


def test_a_sample_is_part_of_every_larger_one_and_about_its_share():
    names = [f"n{i}" for i in range(20_000)]
    samples = [sampled(names, percent, seed=17) for percent in (1.0, 10.0, 50.0, 100.0)]
    assert samples[3] == names
    assert set(samples[0]) < set(samples[1]) < set(samples[2])
    assert [round(len(sample) / 200) for sample in samples] == [1, 10, 50, 100]
    assert sampled(names, 1.0, seed=18) != samples[0]
    assert sampled(names[::-1], 1.0, seed=17) == samples[0][::-1]


def test_a_sample_does_not_change_between_versions():
    def share(name):
        return int(hashlib.sha256(f"17\n{name}".encode()).hexdigest()[:8], 16) / 2**32

    names = [f"n{i}" for i in range(200)]
    assert sampled(names, 25.0, seed=17) == [name for name in names if share(name) < 0.25]


def test_the_nearest_crawls_are_near_in_time():
    known = ["CC-MAIN-2024-10", "CC-MAIN-2023-50", "CC-MAIN-2024-18", "CC-MAIN-2008-2009"]
    assert nearest("CC-MAIN-2024-01", known)[:2] == ["CC-MAIN-2023-50", "CC-MAIN-2024-10"]


def test_a_list_of_crawls_that_is_none_is_an_error():
    assert parse_crawl_list(b'[{"id": "a"}]', where="x") == ["a"]
    for content in (b"{", b"[1]", b'{"id": 1}', b'[{"name": 1}]'):
        with pytest.raises(InputError, match="not a list of crawls"):
            parse_crawl_list(content, where="x")


def test_an_s3_listing_is_read_with_its_token_and_its_way_to_write_keys():
    text = (
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        "<EncodingType>url</EncodingType><NextContinuationToken>t1</NextContinuationToken>"
        "<Contents><Key>a/b%2Bc+d</Key><Size>12</Size></Contents></ListBucketResult>"
    )
    assert parse_s3_listing(text.encode(), where="x") == ([("a/b+c d", 12)], "t1")
    with pytest.raises(InputError, match="no listing"):
        parse_s3_listing(b"<a><Contents/></a>", where="x")


# S3


@pytest.fixture(scope="module")
def s3_server():
    # A process of its own: with Flask's proxies in this one, vLLM, which looks at every object of
    # the process, fails in tests/llm.
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


def _wait_for(port):
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)
        else:
            return


@pytest.fixture
def s3(s3_server, tmp_path, monkeypatch):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    _s3.cache_clear()
    client = boto3.client("s3", endpoint_url=s3_server, region_name="us-east-1")
    client.create_bucket(Bucket="crawls")
    for i, name in enumerate(NAMES):
        client.put_object(Bucket="crawls", Key=name, Body=b"x" * i)
    client.put_object(Bucket="crawls", Key=PATHS[1:], Body=packed(NAMES))
    client.put_object(Bucket="crawls", Key="odd name+%20.warc", Body=b"0123456789")
    yield settings(tmp_path, base="s3://crawls/", s3_endpoint=s3_server, crawl_list=s3_server)
    _s3.cache_clear()


def test_a_crawl_on_s3_resolves_and_is_sized_by_listing(s3):
    sized = with_sizes(crawl_files(InputConfig(crawl_id=ID), s3), s3)
    assert [(one.path, one.n_bytes) for one in sized] == [
        (f"s3://crawls/{name}", size) for name, size in zip(sorted(NAMES), (1, 0, 2), strict=True)
    ]


def test_a_file_on_s3_that_is_not_listed_has_no_size_and_stops_nobody(s3):
    files = [WarcFile("s3://crawls/none.warc", -1), WarcFile("s3://crawls/odd name+%20.warc", -1)]
    assert [file.n_bytes for file in with_sizes(files, s3)] == [-1, 10]


def test_a_file_on_s3_is_fetched_resumed_and_checked(s3, tmp_path):
    url, to = "s3://crawls/odd name+%20.warc", tmp_path / "copy"
    with Fetcher(s3) as fetcher:
        assert fetcher.size(url) == 10
        assert fetcher.download(url, to, n_bytes=10).read_bytes() == b"0123456789"
        etag = '"781e5e245d69b566979b86e28d23f2c7"'  # MD5 of the ten digits
        for suffix, content in ((".part", "abcde"), (".etag", etag)):
            (tmp_path / f"again{suffix}").write_text(content)
        assert fetcher.download(url, tmp_path / "again").read_bytes() == b"abcde56789"
        with pytest.raises(FetchFailed, match="expected 11"):
            fetcher.download(url, tmp_path / "other", n_bytes=11)
        with pytest.raises(NotThere):
            fetcher.download("s3://crawls/none", tmp_path / "none")


def test_an_s3_service_that_sends_elsewhere_is_not_followed(s3, server):
    with BadServer(default=[redirect(server.url("/y"), 307)]) as moved:
        conf = s3.model_copy(update={"s3_endpoint": moved.url("")})
        with pytest.raises(FetchFailed, match="bucket is elsewhere"), Fetcher(conf) as fetcher:
            fetcher.small("s3://crawls/x")
        assert moved.paths()[0].startswith("/crawls/x?")
    assert server.asked == []


def test_s3_without_credentials_says_so_and_asks_no_one_for_them(s3, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    _s3.cache_clear()
    with BadServer() as metadata:
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", metadata.url("/"))
        monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", metadata.url("/"))
        with pytest.raises(EnvironmentFault, match="S3 needs credentials"), Fetcher(s3) as fetcher:
            fetcher.small("s3://crawls/x")
        assert metadata.asked == []
