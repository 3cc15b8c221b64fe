import json

import pytest

from models.classifiers.page import Section, Table, as_html, as_json, as_text, heat_of, shown

NAN = float("nan")
TABLE = Table(
    "A <b> title", ("", "n", "share"), [["<i>x</i>", 1_200, 0.25], ["y", 3, NAN]], "Note."
)
SECTION = Section("Head & more", "About.", [TABLE])


def test_text_has_every_figure_in_its_column():
    assert list(as_text([SECTION])) == [
        "", "== Head & more", "About.", "", "-- A <b> title",
        "              n  share",
        "<i>x</i>  1,200  0.250",
        "y             3",
        "Note.",
    ]  # fmt: skip


def test_json_keeps_numbers_and_has_null_for_what_is_not_defined():
    (section,) = json.loads(json.dumps(as_json([SECTION]), allow_nan=False))
    assert section["tables"][0]["rows"] == [["<i>x</i>", 1_200, 0.25], ["y", 3, None]]


def test_html_escapes_what_it_shows_and_asks_for_nothing_from_outside():
    page = as_html("T", [SECTION])
    assert "A &lt;b&gt; title" in page
    assert "&lt;i&gt;x&lt;/i&gt;" in page
    assert "<b>" not in page
    assert not any(word in page for word in ("http:", "https:", "<script", "<link", "<img", "url("))


def test_html_draws_a_dot_for_each_bin():
    table = Table("Calibration", ("", "n"), [["a", 1]], dots=[(0.0, 0.0, 0.5), (1.0, 1.0, 0.5)])
    page = as_html("T", [Section("S", "", [table])])
    assert page.count("<circle") == 2
    assert 'cx="10.0" cy="110.0"' in page
    assert 'cx="120.0" cy="0.0"' in page


@pytest.mark.parametrize(
    ("heat", "row", "found"),
    [
        ("row", ["a", 1, 3], [25, 75]),
        ("row", ["a", 0, 0], [0, 0]),
        ("share", ["a", 12, 0.5], [None, 50]),
        ("share", ["a", NAN, 1.5], [None, 100]),
        ("", ["a", 1, 0.5], [None, None]),
    ],
)
def test_heat_is_the_share_of_the_row_or_of_one(heat, row, found):
    table = Table("t", ("", "b", "c"), [row], heat=heat)
    assert [heat_of(table, row, place) for place in (1, 2)] == found


def test_cells_are_shown_with_three_decimals_and_thousands():
    assert [shown(cell) for cell in (0.12345, 1_260, "x", NAN)] == ["0.123", "1,260", "x", ""]
