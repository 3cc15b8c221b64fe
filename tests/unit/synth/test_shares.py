import pytest

from curation.synth.backends.shares import TimeShares


def test_a_moment_is_divided_among_those_that_run():
    shares = TimeShares(2)
    shares.begin("a")
    shares.pass_by(1.0)
    shares.begin("b")
    shares.begin("c")
    shares.pass_by(2.0)
    assert shares.end("a") == pytest.approx(2.0)
    shares.pass_by(4.0)
    assert shares.end("b") == pytest.approx(3.0)
    # Waited until a was done.
    assert shares.end("c") == pytest.approx(2.0)


def test_shares_add_up_to_the_time_passed():
    shares, told = TimeShares(3), 0.0
    for n in range(10):
        shares.begin(f"r{n}")
    for n in range(10):
        shares.pass_by(0.5)
        told += shares.end(f"r{n}")
    assert told == pytest.approx(5.0)


def test_one_that_is_given_up_while_it_waits_costs_nothing():
    shares = TimeShares(1)
    shares.begin("a")
    shares.begin("b")
    shares.pass_by(3.0)
    assert shares.end("b") == 0.0
    assert shares.end("a") == 3.0


def test_time_without_requests_is_nobody_s():
    shares = TimeShares(1)
    shares.pass_by(100.0)
    shares.begin("a")
    assert shares.end("a") == 0.0
