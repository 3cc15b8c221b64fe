import pytest

from curation.config import FetchConfig
from curation.crawl.failures import Window, too_many_failures
from curation.crawl.limits import HostLimits
from curation.errors import TooManyFailures


def window(*counts):
    return Window(tuple(counts))


def test_requests_are_counted_by_the_second():
    counted = Window()
    for now, n_failed in [(100.1, 0), (100.9, 1), (103.5, 0)]:
        counted = counted.counted(now, n_failed=n_failed)
    assert counted == window((100, 2, 1), (103, 1, 0))
    assert (counted.n_requests, counted.n_failed) == (3, 1)


def test_a_window_is_a_minute_long_and_has_no_seconds_to_come():
    counted = window((100, 5, 5), (101, 7, 0), (170, 9, 9))
    assert counted.at(159.9) == window((100, 5, 5), (101, 7, 0))
    assert counted.at(160.0) == window((101, 7, 0))
    assert counted.counted(160.0, n_failed=1) == window((101, 7, 0), (160, 1, 1))


def test_a_window_is_read_back_as_it_was_written():
    counted = window((100, 2, 1), (103, 1, 0))
    assert str(counted) == "100 2 1\n103 1 0\n"
    assert Window.parse(str(counted)) == counted
    assert Window.parse("") == Window()


@pytest.mark.parametrize(
    ("n_requests", "n_failed", "is_failing"),
    [
        (39, 39, False),  # too few to tell
        (40, 2, False),  # 5 % and no more
        (40, 3, True),
        (59, 3, True),  # 5.08 %
        (60, 3, False),
        (0, 0, False),
    ],
)
def test_a_host_is_failing_over_5_percent_of_40_requests(n_requests, n_failed, is_failing):
    assert window((100, n_requests, n_failed)).is_failing is is_failing


def test_the_error_says_host_share_and_when_to_go_on():
    failing = window((100, 30, 0), (110, 10, 3), (130, 10, 0))
    told = str(too_many_failures("example.org", failing, 135.0))
    assert told.startswith("example.org: 3 of 50 requests of the last 60 s failed, 6.0% and more ")
    assert "lower fetch.requests_per_s" in told
    assert "run again in 35 s or later" in told


def test_all_processes_stop_and_go_on_when_the_minute_is_over(tmp_path, monkeypatch):
    conf = FetchConfig(limits_folder=str(tmp_path), requests_per_s=1000.0)
    now = [1_000_000.0]
    monkeypatch.setattr("curation.crawl.limits.time.time", lambda: now[0])
    one, other = HostLimits(conf, "a.org"), HostLimits(conf, "a.org")
    for n_failed in [1, 1] + [0] * 37:
        one.count(n_failed=n_failed)
    with pytest.raises(TooManyFailures, match="3 of 40"):
        one.count(n_failed=1)
    with pytest.raises(TooManyFailures, match="3 of 40"), other.connection():
        raise AssertionError("let through")
    with HostLimits(conf, "b.org").connection():
        pass
    now[0] += 60.0
    with other.connection():
        pass
