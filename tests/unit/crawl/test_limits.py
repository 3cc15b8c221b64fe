import multiprocessing
import threading
import time
from datetime import UTC, datetime

import pytest

from curation.config import FetchConfig
from curation.crawl.limits import (
    FetchBanned,
    HostLimits,
    Throughput,
    backoff_s,
    hashed_frac,
    reserved,
    retry_after_s,
)

NOW = datetime(2026, 11, 24, 12, 0, 0, tzinfo=UTC)


def limits(folder, **settings):
    return HostLimits(FetchConfig(limits_folder=str(folder), **settings), "example.org")


def test_a_bucket_gives_its_burst_at_once_and_then_its_rate():
    free_at, waits = 0.0, []
    for _ in range(5):
        free_at, wait_s = reserved(free_at, 100.0, requests_per_s=2.0, burst=3)
        waits.append(wait_s)
    assert waits == [0.0, 0.0, 0.0, 0.5, 1.0]


def test_a_bucket_never_holds_more_than_its_burst():
    free_at, _ = reserved(0.0, 1_000_000.0, requests_per_s=1.0, burst=1)
    assert reserved(free_at, 1_000_000.0, requests_per_s=1.0, burst=1)[1] == 1.0


def test_a_bucket_that_is_paused_gives_nothing_before_its_end():
    assert reserved(130.0, 100.0, requests_per_s=2.0, burst=3) == (130.5, 30.0)


def test_waits_after_failures_stay_under_a_ceiling_that_doubles_up_to_its_cap():
    ceilings = [1.0, 2.0, 4.0, 8.0, 10.0, 10.0]
    for n_tries, ceiling in enumerate(ceilings, 1):
        waits = [backoff_s(n_tries, base_s=1.0, cap_s=10.0, key=f"u{i}") for i in range(2000)]
        assert 0.0 <= min(waits) < 0.02 * ceiling
        assert 0.98 * ceiling < max(waits) < ceiling
    assert backoff_s(10_000, base_s=1.0, cap_s=10.0, key="u") < 10.0


def test_a_wait_is_the_same_each_time_and_another_for_another_file():
    one = backoff_s(3, base_s=1.0, cap_s=60.0, key="a")
    assert one == backoff_s(3, base_s=1.0, cap_s=60.0, key="a")
    assert one != backoff_s(3, base_s=1.0, cap_s=60.0, key="b")


def test_hashed_fractions_are_spread_evenly():
    tenths = [0] * 10
    for i in range(10_000):
        tenths[int(hashed_frac(str(i)) * 10)] += 1
    assert min(tenths) > 900
    assert max(tenths) < 1100


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Tue, 24 Nov 2026 12:00:30 GMT", 30.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("", None),
        (None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    assert retry_after_s(value, NOW) == seconds


def test_a_transfer_is_stalled_when_a_whole_window_was_too_slow():
    conf = FetchConfig(min_bytes_per_s=100, stall_window_s=10.0)
    throughput = Throughput(conf, 0.0)
    assert not throughput.is_stalled(1, 9.9)
    assert not throughput.is_stalled(999, 10.0)
    assert not throughput.is_stalled(500, 19.0)
    assert throughput.is_stalled(499, 20.0)


def test_requests_of_one_host_keep_the_rate_across_threads(tmp_path):
    shared = limits(tmp_path, requests_per_s=20.0, burst=1)
    times = []

    def ask():
        with shared.connection():
            times.append(time.monotonic())

    threads = [threading.Thread(target=ask) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(times) - min(times) >= 4 / 20 - 0.03


def _hold(folder, counter, most):
    for _ in range(3):
        with limits(folder, max_connections=2, requests_per_s=1000.0, burst=100).connection():
            with counter.get_lock():
                counter.value += 1
                most.value = max(most.value, counter.value)
            time.sleep(0.02)
            with counter.get_lock():
                counter.value -= 1


def test_connections_are_counted_across_processes(tmp_path):
    context = multiprocessing.get_context("fork")
    counter, most = context.Value("i", 0), context.Value("i", 0)
    workers = [context.Process(target=_hold, args=(tmp_path, counter, most)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0] * 4
    assert most.value == 2


def test_hosts_do_not_wait_for_each_other(tmp_path):
    conf = FetchConfig(limits_folder=str(tmp_path), max_connections=1, requests_per_s=0.1, burst=1)
    begun = time.monotonic()
    with HostLimits(conf, "a.org").connection(), HostLimits(conf, "b.org").connection():
        assert time.monotonic() - begun < 0.5


def test_a_pause_holds_for_all(tmp_path):
    limits(tmp_path).pause(0.2)
    begun = time.monotonic()
    with limits(tmp_path).connection():
        assert time.monotonic() - begun >= 0.19


def test_a_clock_that_was_set_back_stops_nobody_for_good(tmp_path):
    (tmp_path / "example.org.rate").write_text(str(time.time() + 1e6))
    begun = time.monotonic()
    with limits(
        tmp_path, max_retry_after_s=0.1, max_connections=1, requests_per_s=20.0
    ).connection():
        assert time.monotonic() - begun < 1.0


def test_a_ban_stops_every_process_until_it_is_over(tmp_path):
    limits(tmp_path).ban("https://example.org/x")
    with (
        pytest.raises(FetchBanned, match=r"example\.org answered 403 to https://example\.org/x"),
        limits(tmp_path).connection(),
    ):
        raise AssertionError("let through")
    with limits(tmp_path, ban_s=0.0).connection():
        pass
