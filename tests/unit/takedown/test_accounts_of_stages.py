"""No stage may be forgotten: one without a count would end a takedown half way."""

from curation.pipeline import STAGES
from curation.takedown.accounts import ROWS_OUT


def test_every_stage_counts_its_rows_out():
    assert list(ROWS_OUT) == [stage.name for stage in STAGES]
