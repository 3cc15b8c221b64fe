import datetime
import io

import pytest
from rich.console import Console
from small_runs import NOON, account, write

from curation import schemas
from curation.errors import InputError
from curation.report.status import file_states, print_status, remaining_s, state_sizes


@pytest.fixture
def out(tmp_path):
    """Five files: one done, one failed twice, one dead, one being fetched, one waiting."""
    histories = {
        "done": ["expected", "fetching", "committed"],
        "flaky": ["expected", "fetching", "failed", "expected", "fetching", "failed"],
        "gone": ["expected", "failed", "expected", "dead"],
        "coming": ["expected", "fetching"],
        "waiting": ["expected"],
    }
    sizes = {"done": 600, "flaky": 300, "gone": 100, "coming": 400, "waiting": 100}
    rows = [
        {"crawl": "x", "chunk": "c0", "warc_file": name, "state": state, "bytes": sizes[name],
         "at": NOON + datetime.timedelta(minutes=minute),
         "error": "[red]503[/red]" if state in ("failed", "dead") else None}
        for name, states in histories.items() for minute, state in enumerate(states)
    ]  # fmt: skip
    write(tmp_path, schemas.LEDGER, rows)
    write(tmp_path, schemas.FUNNEL, [account("s01_extract", "c0", 1, 0, 0, {}, seconds=60.0)])
    return tmp_path


def test_a_file_is_in_the_state_of_its_latest_row_and_failed_ones_come_first(out):
    found = [(row["warc_file"], row["state"], row["tries"]) for row in file_states(out)]
    assert found == [
        ("flaky", "failed", 2), ("gone", "dead", 2), ("coming", "fetching", 1),
        ("waiting", "expected", 1), ("done", "committed", 1),
    ]  # fmt: skip


def test_files_and_bytes_are_counted_by_state(out):
    assert state_sizes(out) == [
        {"state": "expected", "files": 1, "bytes": 100},
        {"state": "fetching", "files": 1, "bytes": 400},
        {"state": "committed", "files": 1, "bytes": 600},
        {"state": "failed", "files": 1, "bytes": 300},
        {"state": "dead", "files": 1, "bytes": 100},
    ]


def test_the_time_left_is_the_bytes_left_at_the_speed_so_far():
    stages = [{"stage": "s01_extract", "seconds": 60.0}, {"stage": "s02_measure", "seconds": 9.0}]
    sizes = [{"state": "expected", "bytes": 100}, {"state": "failed", "bytes": 300}]
    assert remaining_s(sizes, stages) == 20.0
    assert remaining_s(sizes[1:], stages) is None
    assert remaining_s(sizes[:1], stages) is None


def test_status_tells_errors_and_what_to_do_about_them(out):
    console = Console(file=io.StringIO(), width=160)
    print_status(out, console, shown=2)
    text = console.file.getvalue()
    assert "[red]503[/red]" in text
    assert "--retry-failed" in text
    assert "s01_extract: about 30 s left" in text
    assert "... and 3 more" in text


def test_a_folder_without_a_ledger_is_an_error(tmp_path):
    with pytest.raises(InputError, match="has not begun"):
        print_status(tmp_path, Console(file=io.StringIO()))
