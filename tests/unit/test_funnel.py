import pytest

from curation.errors import AccountingError
from curation.spark.funnel import Account


def test_an_account_that_adds_up_is_closed():
    closed = Account(rows_in=5, rows_out=3, reasons={"a": 1, "b": 1})
    assert closed.close("s", "u") is None
    assert closed.rows_in == closed.rows_out + sum(closed.reasons.values())


def test_an_open_account_names_stage_unit_numbers_and_rows():
    open_account = Account(5, 3, {"a": 1}, culprits=lambda: ["doc-17 (in 1, out 0)"])
    with pytest.raises(AccountingError, match=r"s03 of c1: 5 rows in.*make 4.*doc-17"):
        open_account.close("s03", "c1")
