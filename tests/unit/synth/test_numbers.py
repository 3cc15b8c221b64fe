import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.synth.numbers import NumberCount, count_numbers, number_faithfulness


@pytest.mark.parametrize(
    ("source", "text", "share"),
    [
        ("It costs 40 in all.", "So 40 it is.", 1.0),
        ("It costs 40 in all.", "So 41 it is.", 0.0),
        ("3 herons and 5 fish", "3 and 5 are 8", 2 / 3),
        ("3 herons", "3, 3 and 4", 2 / 3),
        ("2.50 metres", "2.5 metres", 1.0),
        ("2.5 metres", "25 metres", 0.0),
        ("0.5 and .25", ".5 and 0.25", 1.0),
        ("12,345 and 1,000,000", "12345 and 1000000", 1.0),
        (r"1{,}000 and 2\\,000", "1,000 and 2000", 1.0),
        ("3\u202f000 and 4\u00a0000 and 5'000", "3000, 4000, 5000", 1.0),
        ("1,2 and 3", "1, 2, 3", 1.0),
        ("-5 degrees", "minus 5", 1.0),
        ("50% of it", r"$50\\%$", 1.0),
        (r"\\frac{1}{2} + x^{3}", "1/2 and the 3rd power", 1.0),
        ("$2x + 3y$", "we take 2x and 3y", 1.0),
        ("twenty-one herons", "21 herons", 1.0),
        ("two hundred and five thousand", "205,000", 1.0),
        ("one million", "1000000", 1.0),
        ("3.5 million people", "3,500,000 people", 1.0),
        ("\uff11\uff12 herons", "12 herons", 1.0),
        ("007", "7", 1.0),
        ("In the 1990s", "1990", 1.0),
    ],
)
def test_shares_worked_out_by_hand(source, text, share):
    source, text = source.replace("\\\\", "\\"), text.replace("\\\\", "\\")
    assert number_faithfulness(source, text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text",
    ["", "no digits at all", "one of them", "H2O and x1", "1. First\n2) Second\n(3) Third"],
)
def test_what_is_no_number_of_the_text_is_not_judged(text):
    assert number_faithfulness("a source with 9", text) is None


def test_a_number_behind_the_number_of_an_item_counts():
    assert count_numbers("9 herons", "1. 9 herons\n2. 8 fish") == NumberCount(2, 1)


@given(st.text(max_size=200))
def test_a_text_is_faithful_to_itself(text):
    assert number_faithfulness(text, text) in (None, 1.0)


@given(st.text(alphabet="0123456789,.'{}\\\\ ax\n\u00a0", max_size=60), st.text(max_size=60))
def test_a_share_is_a_share(source, text):
    share = number_faithfulness(source, text)
    assert share is None or 0.0 <= share <= 1.0
    assert number_faithfulness(source, source) in (None, 1.0)
