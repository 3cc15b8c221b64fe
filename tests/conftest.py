"""Fixtures of all tests: one Spark session; the real data, where it is beside the checkout."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for tests/runs.py

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot run, with the reason; run the quick tests first."""
    skips = {
        "shared": (not SHARED.is_dir(), "no ../shared/data beside the checkout"),
        "gpu": (not _has_gpu(), "no GPU on this machine"),
    }
    for item in items:
        for marker, (absent, reason) in skips.items():
            if absent and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))
    items.sort(key=_room)


def _room(item: pytest.Item) -> int:
    """Rank of the folder that a test lies in."""
    rooms = ("unit", "spark", "golden", "llm", "cluster")
    room = item.path.relative_to(ROOT / "tests").parts[0]
    return rooms.index(room) if room in rooms else len(rooms)


def _has_gpu() -> bool:
    try:
        return (
            subprocess.run(["nvidia-smi", "-L"], capture_output=True, check=False).returncode == 0
        )
    except FileNotFoundError:
        return False


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the real test data."""
    return SHARED


@pytest.fixture(scope="session")
def spark() -> Iterator[object]:
    """One Spark session for all tests that need one."""
    from curation.config import SparkConfig
    from curation.spark.session import open_session

    conf = SparkConfig(master="local[2]", driver_memory="2g", shuffle_partitions=2)
    session = open_session(conf, "tests")
    yield session
    session.stop()


@pytest.fixture(scope="session")
def golden_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a finished, undisturbed run of the whole flow with canned generation."""
    from runs import CONF, run

    out = tmp_path_factory.mktemp("golden") / "run"
    run("run", str(CONF), "--out", str(out))
    return out
