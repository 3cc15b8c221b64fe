import pytest

from curation.errors import EnvironmentFault
from curation.synth.deaths import Hunt, is_death


def asked(deadly, *, n, most):
    """Answered and blamed requests, and the processes that it took, of a commit after another."""
    waiting, hunt = list(range(n)), Hunt()
    answered, blamed, n_processes = [], [], 0
    while waiting:
        some = waiting[: hunt.at_most(most)]
        n_processes += 1
        if deadly.isdisjoint(some):
            hunt.survived(len(some))
            answered += some
            del waiting[: len(some)]
        elif hunt.died(len(some), "SIGSEGV"):
            blamed.append(waiting.pop(0))
    return answered, blamed, n_processes


@pytest.mark.parametrize("deadly", [set(), {0}, {99}, {41}, {3, 4}, {0, 50, 99}])
def test_exactly_the_deadly_requests_are_blamed_and_all_others_answered(deadly):
    answered, blamed, _ = asked(deadly, n=100, most=32)
    assert set(blamed) == deadly
    assert answered == [n for n in range(100) if n not in deadly]


def test_one_among_many_takes_about_a_process_for_each_halving():
    _, _, n_processes = asked({200}, n=256, most=256)
    assert n_processes <= 2 * 8 + 2


def test_one_that_was_asked_alone_from_the_start_has_a_second_try():
    hunt = Hunt()
    assert not hunt.died(1, "x")
    assert hunt.at_most(256) == 1
    hunt.survived(1)
    assert hunt.at_most(256) == 256


def test_a_machine_on_which_every_process_ends_is_to_blame_itself():
    with pytest.raises(EnvironmentFault, match=r"3 requests in a row .* SIGSEGV"):
        asked(set(range(40)), n=40, most=8)


def test_killers_with_answers_between_them_are_not_the_machine():
    _, blamed, _ = asked(set(range(0, 40, 2)), n=40, most=8)
    assert blamed == list(range(0, 40, 2))


def test_what_spark_says_of_a_process_that_is_gone():
    assert is_death("SparkException: Python worker exited unexpectedly (crashed): Fatal")
    assert not is_death("PythonException: ValueError: no such file")
