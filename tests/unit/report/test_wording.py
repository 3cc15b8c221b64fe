import pytest

from curation.report.wording import cleaned, compact, duration, excerpt, one_line, percent


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;new title\x07text", "text"),
        ("\x1b]8;;http://evil.example\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x1b]never closed\nnext line", "\nnext line"),
        ("\x9b31mred", "red"),
        ("\x1bcreset", "reset"),
        ("a\x00b\x07c\x7fd", "abcd"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("one\r\ntwo\rthree\u2028four", "one\ntwo\nthree\nfour"),
        ("tab\tand\nnewline stay", "tab\tand\nnewline stay"),
        ("café 東京 نص 👩‍🔬", "café 東京 نص 👩‍🔬"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(text, expected):
    assert cleaned(text) == expected


def test_a_sequence_that_another_is_hidden_in_is_taken_out_whole():
    assert cleaned("\x1b\x1b[31mred\x9b\x1b\n\x1b") == "red\n"


def test_an_excerpt_is_cut_and_says_so():
    assert excerpt("abcdef", 6) == "abcdef"
    assert excerpt("abcdefg", 6) == "abcdef …"


def test_an_excerpt_squeezes_blank_lines():
    assert excerpt("\n\na\n \n\n\nb\nc\n", 99) == "a\n\nb\nc"


def test_a_line_has_no_newlines():
    assert one_line(" a\n\tb\r\nc ", 99) == "a b c"


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, "0"), (9_999, "9,999"), (10_000, "10k"), (12_345, "12.3k"), (999_499, "999k"),
        (999_500, "1M"), (4_560_000, "4.56M"), (7_890_000_000, "7.89B"), (6.3e12, "6.3T"),
        (float("nan"), "nan"),
    ],
)  # fmt: skip
def test_counts_are_short(count, expected):
    assert compact(count) == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 00 s"),
        (3599.6, "1 h 00 min"), (5075, "1 h 24 min"), (200_000, "55 h 33 min"),
    ],
)  # fmt: skip
def test_times_have_the_two_units_that_matter(seconds, expected):
    assert duration(seconds) == expected


def test_a_share_is_a_percentage_with_one_decimal():
    assert percent(0.1263) == "12.6 %"
