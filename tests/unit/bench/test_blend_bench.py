import pytest

from bench.blend import exponent, lines_of


def test_the_exponent_is_the_slope_in_logarithms():
    sizes = [1_000, 2_000, 4_000, 8_000]
    assert exponent(sizes, [n**1.5 for n in sizes]) == pytest.approx(1.5)
    assert exponent(sizes, [2.0 * n for n in sizes]) == pytest.approx(1.0)


def test_a_row_a_size_with_texts_a_second():
    row = {"n": 2_000, "seconds": 4.0, "shuffled_bytes": 3e6, "spilled_bytes": 0,
           "peak_bytes": 5e8}  # fmt: skip
    head, line = lines_of([row])
    assert line.split() == ["2,000", "4.0", "500", "3", "0", "500"]
    assert len(head) == len(line)
