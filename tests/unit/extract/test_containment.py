import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from curation.errors import EnvironmentFault
from curation.extract.containment import Contained, Limits, WorkError, shared
from curation.extract.guard import Failure

LIMITS = Limits(max_step_s=0.2, max_clock_s=60, max_task_bytes=1 << 28)


@pytest.fixture
def contained():
    made = []

    def make(limits=LIMITS, factory="poison:work"):
        made.append(Contained(factory, None, limits))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _fine(name):
    return [(name, "fine")]


def _told(result):
    """A result without the process id, which differs from child to child."""
    return {key: value for key, value in result.items() if key != "pid"}


def _is_alive(pid):
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _wait_for(condition, *, at_most_s=20):
    end = time.monotonic() + at_most_s
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_tasks_are_done_in_one_child_that_is_another_process(contained):
    do = contained()
    pids = {do(_fine(str(number)))["pid"] for number in range(5)}
    assert pids == {do.pid}
    assert do.pid != os.getpid()


@pytest.mark.parametrize(
    ("deed", "reason", "words"),
    [
        ("segfault", "crashed", "killed by SIGSEGV"),
        ("abort", "crashed", "killed by SIGABRT"),
        ("exit", "crashed", "ended with exit code 3"),
        ("bloat", "out_of_memory", "more than 268435456 bytes of memory asked for"),
        ("spin", "timeout", "not done after 0.2 s of computing, and not to be interrupted"),
    ],
)
def test_the_next_step_is_taken_over_by_a_new_child_and_the_neighbours_come_through(
    contained, deed, reason, words
):
    do = contained()
    tasks = [_fine("before"), [("a", deed), ("b", "fine")], _fine("after")]
    before, poisoned, after = [_told(do(task)) for task in tasks]
    assert before == {"by": "before", "deed": "fine", "faults": {}}
    assert after == {"by": "after", "deed": "fine", "faults": {}}
    faults = {"a": Failure(reason, f"a: {words}")}
    assert poisoned == {"by": "b", "deed": "fine", "faults": faults}


@pytest.mark.parametrize(
    ("counts", "failure"),
    [
        ([3, 3], Failure("crashed", "a: killed by SIGKILL")),
        ([None, None], Failure("crashed", "a: killed by SIGKILL")),
        (
            [3, 4],
            Failure(
                "out_of_memory", "a: killed by SIGKILL while the kernel killed for lack of memory"
            ),
        ),
    ],
)
def test_sigkill_is_a_lack_of_memory_where_the_kernel_has_killed_for_it_since(
    contained, monkeypatch, counts, failure
):
    """Asked at the beginning of a child, and when it has been killed."""
    asked = iter([*counts, None])
    monkeypatch.setattr("curation.extract.containment.n_oom_kills", lambda: next(asked))
    assert _told(contained()([("a", "kill"), ("b", "fine")]))["faults"] == {"a": failure}


def test_what_waits_without_computing_is_ended_by_the_clock(contained):
    do = contained(Limits(max_clock_s=0.5))
    faults = {"a": Failure("timeout", "a: not done after 0.5 s on the clock")}
    assert _told(do([("a", "sleep"), ("b", "fine")])) == {
        "by": "b", "deed": "fine", "faults": faults,
    }  # fmt: skip


def test_when_every_step_kills_its_child_the_work_is_told_of_each(contained):
    do = contained()
    assert do([("a", "segfault"), ("b", "abort")]) == {
        "by": None,
        "faults": {
            "a": Failure("crashed", "a: killed by SIGSEGV"),
            "b": Failure("crashed", "b: killed by SIGABRT"),
        },
    }


def test_a_child_that_dies_before_any_step_leaves_a_failure(contained):
    do = contained()
    assert do([("", "segfault")]) == Failure("crashed", "outside the engines: killed by SIGSEGV")
    assert do(_fine("after"))["by"] == "after"


def test_a_death_counts_only_if_it_happens_in_a_new_child_too(contained):
    """Otherwise a task would pay for what an earlier one has broken."""
    do = contained(factory="poison:dies_of_the_second")
    names = ["one", "two", "three"]
    assert [do(name) for name in names] == [(name, {}) for name in names]


def test_a_child_killed_between_two_tasks_costs_nothing(contained):
    do = contained()
    first = do(_fine("a"))["pid"]
    os.kill(first, signal.SIGKILL)
    second = do(_fine("b"))
    assert (second["by"], second["faults"]) == ("b", {})
    assert second["pid"] != first


def test_a_child_is_renewed_after_so_many_tasks(contained):
    do = contained(Limits(tasks_per_child=2))
    pids = [do(_fine("a"))["pid"] for _ in range(5)]
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]
    assert not _is_alive(pids[0])


def test_a_child_that_leaks_is_renewed_before_it_grows_large(contained):
    """20 MiB a task: the first does not count, the third and later ones are over 30 MiB."""
    do = contained(Limits(max_growth_bytes=30 << 20))
    pids = [do([("a", "leak")])["pid"] for _ in range(9)]
    assert [pids.index(pid) for pid in pids] == [0, 0, 0, 3, 3, 3, 6, 6, 6]


def test_a_child_that_does_not_leak_is_kept(contained):
    do = contained(Limits(max_growth_bytes=30 << 20))
    assert len({do(_fine("a"))["pid"] for _ in range(9)}) == 1


def test_an_error_of_ours_comes_back_as_itself_and_another_one_with_its_trace(contained):
    do = contained()
    with pytest.raises(EnvironmentFault, match=r"^no such package; install it$"):
        do([("a", "missing")])
    with pytest.raises(WorkError, match=r"^builtins.OSError: disk\n\nTraceback"):
        do([("a", "os_error")])
    assert do(_fine("after"))["by"] == "after"


def test_work_that_cannot_be_made_is_an_error_and_not_tried_for_ever(contained):
    with pytest.raises(EnvironmentFault, match="exit code 7"):
        contained(factory="poison:dies_at_once")(_fine("a"))
    with pytest.raises(EnvironmentFault, match=r"^no such package; install it$"):
        contained(factory="poison:lacks_a_package")(_fine("a"))


def test_an_interrupted_task_leaves_no_answer_to_the_next(contained, monkeypatch):
    def interrupt(signal_number, frame):
        raise KeyboardInterrupt

    do = contained(Limits(max_clock_s=60))
    do(_fine("a"))
    handler = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.3)
        with pytest.raises(KeyboardInterrupt):
            do([("a", "sleep")])
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert do.pid is None
    assert do(_fine("b"))["by"] == "b"


def test_what_the_work_prints_is_no_answer(contained, capfd):
    do = contained()
    assert do([("a", "print")])["by"] == "a"
    do.close()
    assert capfd.readouterr().out == ""


def test_closing_ends_the_child(contained):
    do = contained()
    pid = do(_fine("a"))["pid"]
    do.close()
    assert not _is_alive(pid)
    assert do.pid is None


@pytest.mark.parametrize("deed", ["fine", "spin"])
def test_no_child_outlives_a_parent_that_is_killed(deed):
    """Waiting for a task, or in the middle of one that does not look for signals."""
    program = (
        "import sys\n"
        "from curation.extract.containment import Contained, Limits\n"
        "do = Contained('poison:work', None, Limits(max_step_s=60))\n"
        "do([('a', 'fine')])\n"
        "print(do.pid, flush=True)\n"
        f"do([('a', '{deed}')])\n"
        "sys.stdin.read()\n"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as parent:
        child = int(parent.stdout.readline())
        assert _is_alive(child)
        parent.kill()
    assert _wait_for(lambda: not _is_alive(child))


def test_a_process_keeps_one_child_for_equal_arguments():
    one = shared("poison:work", None, Limits(tasks_per_child=7))
    assert shared("poison:work", None, Limits(tasks_per_child=7)) is one
    pid = one(_fine("a"))["pid"]
    other = shared("poison:work", None, Limits(tasks_per_child=8))
    assert other is not one
    assert one.pid == pid  # still held here
    del one
    assert _wait_for(lambda: not _is_alive(pid))


def test_a_large_task_and_a_large_result_go_through_the_pipes(contained):
    do = contained(Limits(), factory="poison:echo")
    content = bytes(range(256)) * 40_000
    assert do(content) == content
