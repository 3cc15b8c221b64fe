import pytest

from curation.extract.oom_kills import n_oom_kills

VMSTAT = "pgfault 12\noom_kill 7\noom_kill_other 9\n"
EVENTS = "low 0\nhigh 0\nmax 5\noom 2\noom_kill 3\noom_group_kill 0\n"


@pytest.fixture
def root(tmp_path):
    def make(**files):
        for name, content in files.items():
            path = tmp_path / PLACES[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
        return tmp_path

    return make


PLACES = {
    "groups": "proc/self/cgroup",
    "vmstat": "proc/vmstat",
    "top": "sys/fs/cgroup/memory.events",
    "pod": "sys/fs/cgroup/pods/one/memory.events",
}


def test_the_count_of_the_own_control_group_comes_before_that_of_the_machine(root):
    own = EVENTS.replace("oom_kill 3", "oom_kill 1")
    assert n_oom_kills(root(groups="0::/pods/one\n", vmstat=VMSTAT, top=EVENTS, pod=own)) == 1


def test_in_a_container_the_own_control_group_is_the_top_one(root):
    assert n_oom_kills(root(groups="0::/\n", vmstat=VMSTAT, top=EVENTS)) == 3


@pytest.mark.parametrize("groups", ["4:memory:/pods/one\n0::/\n", "4:memory:/pods/one\n"])
def test_without_version_2_of_control_groups_the_machine_counts(root, groups):
    assert n_oom_kills(root(groups=groups, vmstat=VMSTAT)) == 7


def test_where_no_one_tells_nothing_is_known(root):
    assert n_oom_kills(root(groups="0::/\n", vmstat="pgfault 12\n")) is None


def test_the_files_of_this_machine_are_read_without_an_error():
    found = n_oom_kills()
    assert found is None or found >= 0
