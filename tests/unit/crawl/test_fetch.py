import hashlib
import threading
import time

import pytest
from servers import (
    BadServer,
    dripped,
    file,
    parts,
    redirect,
    short,
    slow,
    stalled,
    status,
    without_length,
)

from curation.config import FetchConfig
from curation.crawl.client import user_agent
from curation.crawl.fetch import Fetcher, cache_path, opened, release
from curation.errors import FetchBanned, FetchFailed, NotThere, TooManyFailures

BODY = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(100))
"""3,200 bytes, no two parts alike."""


@pytest.fixture
def server():
    with BadServer() as running:
        yield running


@pytest.fixture
def conf(tmp_path):
    return FetchConfig(
        hosts=("127.0.0.1",), limits_folder=str(tmp_path / "limits"), requests_per_s=1000.0,
        burst=1000, backoff_s=0.01, max_backoff_s=0.02, max_tries=4, read_timeout_s=0.2,
        stall_window_s=0.3, min_bytes_per_s=1000, max_retry_after_s=2.0,
    )  # fmt: skip


def changed(conf, **settings):
    return conf.model_copy(update=settings)


def fetched(conf, server, tmp_path, n_bytes=-1):
    to = tmp_path / "cache" / "copy"
    with Fetcher(conf) as fetcher:
        fetcher.download(server.url("/x"), to, n_bytes=n_bytes)
    return to.read_bytes()


def asked_ranges(server):
    return [headers.get("range", "") for _, _, headers in server.asked]


def test_a_file_is_fetched_whole_and_leaves_nothing_beside_it_but_a_lock(conf, server, tmp_path):
    server.plan["/x"] = [file(BODY)]
    assert fetched(conf, server, tmp_path, len(BODY)) == BODY
    names = sorted(path.name for path in (tmp_path / "cache").iterdir())
    assert names == ["copy", "copy.lock"]
    assert server.asked[0][2]["user-agent"] == user_agent(conf)
    assert server.asked[0][2]["accept-encoding"] == "identity"


def test_a_file_that_is_there_is_not_asked_for_again(conf, server, tmp_path):
    server.plan["/x"] = [file(BODY)]
    fetched(conf, server, tmp_path, len(BODY))
    fetched(conf, server, tmp_path, len(BODY))
    assert len(server.asked) == 1


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_storm_is_waited_out(conf, server, tmp_path, code):
    server.plan["/x"] = [status(code), status(code), status(code), file(BODY)]
    assert fetched(conf, server, tmp_path) == BODY
    assert len(server.asked) == 4


def test_a_storm_without_end_is_a_failed_file_after_so_many_tries(conf, server, tmp_path):
    server.plan["/x"] = [status(503)]
    with pytest.raises(FetchFailed, match="HTTP 503; 4 tries"):
        fetched(conf, server, tmp_path)
    assert len(server.asked) == 4


def test_retry_after_is_obeyed(conf, server, tmp_path):
    server.plan["/x"] = [status(429, Retry_After="1"), file(BODY)]
    assert fetched(conf, server, tmp_path) == BODY
    assert server.times[1] - server.times[0] >= 0.98


def test_retry_after_holds_for_other_files_of_the_host_too(conf, server, tmp_path):
    server.plan["/x"] = [status(503, Retry_After="1"), file(BODY)]
    server.plan["/y"] = [file(b"y")]
    other = threading.Thread(target=fetched, args=(conf, server, tmp_path))
    other.start()
    while not server.asked:
        time.sleep(0.01)
    time.sleep(0.1)
    with Fetcher(conf) as fetcher:
        fetcher.small(server.url("/y"))
    other.join()
    assert server.times[1] - server.times[0] >= 0.98


def test_a_retry_after_beyond_patience_fails_the_file_at_once(conf, server, tmp_path):
    server.plan["/x"] = [status(429, Retry_After="3600")]
    begun = time.monotonic()
    with pytest.raises(FetchFailed, match="try again after 3600 s"):
        fetched(conf, server, tmp_path)
    assert time.monotonic() - begun < 1.0
    assert len(server.asked) == 1


def test_a_403_stops_the_whole_fetch_without_another_try(conf, server, tmp_path):
    server.plan["/x"] = [status(403)]
    server.plan["/y"] = [file(BODY)]
    with pytest.raises(FetchBanned, match=r"127\.0\.0\.1 answered 403"):
        fetched(conf, server, tmp_path)
    with pytest.raises(FetchBanned), Fetcher(conf) as fetcher:
        fetcher.small(server.url("/y"))
    assert server.paths() == ["/x"]


def test_a_host_that_fails_one_request_in_twenty_stops_the_whole_fetch(conf, server, tmp_path):
    server.plan["/x"] = [status(503), status(503), status(503), file(BODY)]
    server.plan["/y"] = [file(b"y")]
    with Fetcher(conf) as fetcher:
        for _ in range(38):
            fetcher.small(server.url("/y"))
        with pytest.raises(TooManyFailures, match=r"127\.0\.0\.1: 3 of 41 requests .* 7\.3%"):
            fetched(conf, server, tmp_path)
        with pytest.raises(TooManyFailures):
            fetcher.small(server.url("/y"))
    assert server.paths() == ["/y"] * 38 + ["/x"] * 3


def test_missing_files_are_no_failures_of_their_host(conf, server, tmp_path):
    server.plan["/y"] = [file(b"y")]
    with Fetcher(conf) as fetcher:
        for number in range(41):
            with pytest.raises(NotThere):
                fetcher.small(server.url(f"/none{number}"))
        assert fetcher.small(server.url("/y")) == b"y"


def test_a_body_that_breaks_off_is_a_failed_request(conf, server, tmp_path):
    server.plan["/y"] = [file(b"y")]
    server.plan["/x"] = [short(BODY, 1000), short(BODY, 2000), short(BODY, 3000), file(BODY)]
    with Fetcher(conf) as fetcher:
        for _ in range(37):
            fetcher.small(server.url("/y"))
    with pytest.raises(TooManyFailures, match="3 of 40"):
        fetched(conf, server, tmp_path)
    assert (tmp_path / "cache" / "copy.part").exists()


def test_a_file_that_is_not_there_is_not_tried_again(conf, server, tmp_path):
    with pytest.raises(NotThere, match="404"):
        fetched(conf, server, tmp_path)
    assert len(server.asked) == 1


def test_a_short_body_is_resumed_where_it_broke_off(conf, server, tmp_path):
    server.plan["/x"] = [short(BODY, 1000), file(BODY)]
    assert fetched(conf, server, tmp_path, len(BODY)) == BODY
    assert asked_ranges(server) == ["", "bytes=1000-"]
    assert server.asked[1][2]["if-range"] == '"1"'


def test_a_process_that_was_killed_is_resumed_by_the_next_one(conf, server, tmp_path):
    server.plan["/x"] = [short(BODY, 1000)]
    with pytest.raises(FetchFailed, match="tries"):
        fetched(changed(conf, max_tries=1), server, tmp_path)
    server.plan["/x"] = [file(BODY)]
    assert fetched(conf, server, tmp_path) == BODY
    assert asked_ranges(server)[-1] == "bytes=1000-"


def test_a_part_that_is_the_whole_file_needs_no_more_bytes(conf, server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "copy.part").write_bytes(BODY)
    (tmp_path / "cache" / "copy.etag").write_text('"1"')
    server.plan["/x"] = [file(BODY)]
    assert fetched(conf, server, tmp_path) == BODY
    assert asked_ranges(server) == [f"bytes={len(BODY)}-"]


def test_a_server_that_ignores_ranges_gives_the_file_from_the_start(conf, server, tmp_path):
    server.plan["/x"] = [short(BODY, 1000), file(BODY, ranges=False)]
    assert fetched(conf, server, tmp_path) == BODY


def test_a_file_that_changed_in_between_is_fetched_anew(conf, server, tmp_path):
    new = BODY[::-1]
    server.plan["/x"] = [short(BODY, 1000), file(new, etag='"2"')]
    assert fetched(conf, server, tmp_path) == new


def test_a_server_that_ignores_if_range_is_found_out(conf, server, tmp_path):
    new = BODY[::-1]
    server.plan["/x"] = [short(BODY, 1000), file(new, etag='"2"', if_range=False)]
    assert fetched(conf, server, tmp_path) == new
    assert asked_ranges(server) == ["", "bytes=1000-", ""]


def test_a_server_that_gives_less_than_asked_is_asked_for_the_rest(conf, server, tmp_path):
    server.plan["/x"] = [parts(BODY, 1200)]
    assert fetched(conf, server, tmp_path) == BODY
    assert asked_ranges(server) == ["", "bytes=1200-", "bytes=2400-"]


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_without_a_strong_etag_a_broken_file_begins_anew(conf, server, tmp_path, etag):
    server.plan["/x"] = [short(BODY, 1000, etag=etag), file(BODY, etag=etag)]
    assert fetched(conf, server, tmp_path) == BODY
    assert asked_ranges(server) == ["", ""]


def test_a_size_other_than_expected_is_a_failed_file(conf, server, tmp_path):
    server.plan["/x"] = [file(BODY[:-1])]
    with pytest.raises(FetchFailed, match="size 3199, expected 3200"):
        fetched(conf, server, tmp_path, n_bytes=3200)
    assert not (tmp_path / "cache" / "copy").exists()


def test_a_file_without_an_announced_size_is_refused(conf, server, tmp_path):
    server.plan["/x"] = [without_length(BODY)]
    with pytest.raises(FetchFailed, match="gives no size"):
        fetched(conf, server, tmp_path)


def test_a_silent_transfer_is_broken_off_and_resumed(conf, server, tmp_path):
    server.plan["/x"] = [stalled(BODY, 1000, for_s=0.6), file(BODY)]
    begun = time.monotonic()
    assert fetched(conf, server, tmp_path) == BODY
    assert time.monotonic() - begun < 0.6
    assert asked_ranges(server) == ["", "bytes=1000-"]


def test_a_transfer_that_drips_is_broken_off_and_resumed(conf, server, tmp_path):
    server.plan["/x"] = [dripped(BODY[:100], every_s=0.03), file(BODY[:100])]
    assert fetched(conf, server, tmp_path) == BODY[:100]
    assert 5 <= int(asked_ranges(server)[1].removeprefix("bytes=").rstrip("-")) <= 15


def test_a_connection_that_is_refused_is_told_in_words(conf, tmp_path):
    with BadServer() as gone:
        pass
    with pytest.raises(FetchFailed, match=r"/x: .+; 4 tries"):
        fetched(conf, gone, tmp_path)


def test_redirects_to_listed_hosts_are_followed(conf, server, tmp_path):
    server.plan["/x"] = [redirect("/y")]
    server.plan["/y"] = [redirect(server.url("/z"), 307)]
    server.plan["/z"] = [file(BODY)]
    assert fetched(conf, server, tmp_path) == BODY


def test_a_foreign_host_is_never_contacted_by_a_redirect(conf, server, tmp_path):
    with BadServer(host="localhost") as foreign:
        foreign.plan["/z"] = [file(BODY)]
        server.plan["/x"] = [redirect("/y")]
        server.plan["/y"] = [redirect(foreign.url("/z"))]
        with pytest.raises(FetchFailed, match=r"localhost is not in fetch\.hosts"):
            fetched(conf, server, tmp_path)
        assert foreign.asked == []
        assert len(server.asked) == 2
        assert fetched(changed(conf, hosts=("127.0.0.1", "localhost")), server, tmp_path) == BODY


def test_redirects_in_a_ring_end(conf, server, tmp_path):
    server.plan["/x"] = [redirect("/x")]
    with pytest.raises(FetchFailed, match="over 5 redirects"):
        fetched(conf, server, tmp_path)


@pytest.mark.parametrize(
    "to", ["ftp://127.0.0.1/x", "http://127.0.0.1@evil.example/x", "http://[::1/x"]
)
def test_a_redirect_to_what_is_no_listed_web_address_is_refused(conf, server, tmp_path, to):
    server.plan["/x"] = [redirect(to)]
    with pytest.raises(FetchFailed, match=r"redirected to|location header"):
        fetched(conf, server, tmp_path)


def test_proxies_of_the_environment_are_not_contacted(conf, server, tmp_path, monkeypatch):
    with BadServer() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url(""))
        server.plan["/x"] = [file(BODY)]
        assert fetched(conf, server, tmp_path) == BODY
        assert proxy.asked == []


def test_a_size_is_had_without_the_body(conf, server):
    server.plan["/x"] = [status(503), file(BODY)]
    with Fetcher(conf) as fetcher:
        assert fetcher.size(server.url("/x")) == 3200
    assert server.paths("HEAD") == ["/x", "/x"]


def test_connections_at_one_time_are_limited(conf, server):
    paths = [f"/{i}" for i in range(6)]
    server.plan = {path: [slow(b"x", after_s=0.05)] for path in paths}
    few = changed(conf, max_connections=2)

    def ask(path):
        with Fetcher(few) as fetcher:
            fetcher.small(server.url(path))

    threads = [threading.Thread(target=ask, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 6
    assert server.most_at_once == 2


def test_two_that_want_one_file_fetch_it_once(conf, server, tmp_path):
    server.plan["/x"] = [slow(BODY, after_s=0.1)]
    threads = [threading.Thread(target=fetched, args=(conf, server, tmp_path)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(server.asked) == 1


def test_a_path_is_opened_where_it_lies_and_never_removed(conf, tmp_path):
    path = tmp_path / "a.warc"
    path.write_bytes(b"x")
    with opened(str(path), conf, cache=tmp_path / "cache") as found:
        assert found == path
    release([str(path)], conf, cache=tmp_path / "cache")
    assert path.exists()


def test_an_address_is_opened_as_a_copy_that_goes_when_it_is_released(conf, server, tmp_path):
    server.plan["/x"] = [file(BODY)]
    url, cache = server.url("/x"), tmp_path / "cache"
    with opened(url, conf, cache=cache, n_bytes=3200) as found:
        assert found.read_bytes() == BODY
    release([url], changed(conf, keep=True), cache=cache)
    assert found.exists()
    release([url], conf, cache=cache)
    assert list(cache.iterdir()) == []


def test_copies_of_files_of_one_name_do_not_meet(tmp_path):
    a = cache_path("https://a.org/1/x.warc.gz", tmp_path)
    b = cache_path("https://a.org/2/x.warc.gz", tmp_path)
    assert a != b
    assert a.name.endswith("-x.warc.gz")
    assert cache_path("https://a.org/../..?/", tmp_path).parent == tmp_path
