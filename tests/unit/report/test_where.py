import pytest

from curation.errors import InputError
from curation.report.where import where


@pytest.mark.parametrize("place", ["shard-00000", "shard-00000:", ":4", "shard-00000:-1", "a/b:1"])
def test_what_is_no_place_is_told_how_to_write_one(tmp_path, place):
    with pytest.raises(InputError, match=r"write SHARD:OFFSET, e\.g\. shard-00000:1234"):
        where(tmp_path, place)


def test_a_run_without_shards_says_which_stage_makes_them(tmp_path):
    with pytest.raises(InputError, match="run s09_tokenize first"):
        where(tmp_path, "shard-00000:1")
