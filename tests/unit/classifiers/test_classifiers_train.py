from pathlib import Path

import pytest

pytest.importorskip("torch")

from curation.errors import InputError
from models.classifiers.data import LabelledPage
from models.classifiers.train import MIN_PAGES, _check_enough


def pages(n, **judged):
    return [LabelledPage(f"p{i}", judged.get("edu", float("nan")), "g", "text",
                         domain=judged.get("domain", "")) for i in range(n)]  # fmt: skip


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ([], "no page judged"),
        (pages(200), "no page judged"),
        (pages(1, edu=3.0), "edu: 1 judged"),
        (pages(MIN_PAGES, edu=3.0) + pages(MIN_PAGES - 1, domain="News"), "domain: 49 judged"),
    ],
)
def test_labels_from_which_nothing_can_be_learnt_are_refused(found, told):
    with pytest.raises(InputError, match=rf"^labels\.csv: {told}"):
        _check_enough(found, Path("labels.csv"))


def test_a_rubric_that_no_page_is_judged_by_is_no_fault():
    _check_enough(pages(MIN_PAGES, edu=3.0), Path("labels.csv"))
