import shutil

import pytest
from small_runs import write_half_run, write_whole_run

from curation.report.run import open_run


@pytest.fixture(scope="session")
def written_runs(tmp_path_factory):
    """Both runs, written once; tests change copies."""
    folder = tmp_path_factory.mktemp("written")
    write_half_run(folder / "half")
    write_whole_run(folder / "whole")
    return folder


@pytest.fixture
def half_run(written_runs, tmp_path):
    return shutil.copytree(written_runs / "half", tmp_path / "half")


@pytest.fixture
def whole_run(written_runs, tmp_path):
    return shutil.copytree(written_runs / "whole", tmp_path / "whole")


@pytest.fixture(scope="session")
def whole(written_runs):
    """The whole run, open, for tests that only read."""
    with open_run(written_runs / "whole") as run:
        yield run
