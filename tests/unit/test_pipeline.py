import pytest

from curation.errors import ConfigError
from curation.pipeline import STAGES, select_stages, stage_named, stages_before


def test_nothing_named_means_all_stages():
    assert select_stages("") == STAGES


def test_numbers_and_names_may_be_mixed_and_come_out_in_the_flow_s_order():
    names = [stage.name for stage in select_stages("s03, s01_extract")]
    assert names == ["s01_extract", "s03_dedup"]


def test_training_alone_selects_no_stage():
    assert select_stages("train") == ()


def test_commas_alone_name_nothing():
    with pytest.raises(ConfigError, match="names no stage"):
        select_stages(" , ")


def test_stages_before_are_all_that_one_rests_on():
    names = [stage.name for stage in stages_before(stage_named("s04"))]
    assert names == ["s01_extract", "s02_measure", "s03_dedup"]
    assert stages_before(STAGES[0]) == ()


def test_an_unknown_stage_lists_those_there_are():
    with pytest.raises(ConfigError, match="`s10`; the stages are s01_extract"):
        select_stages("s10")
