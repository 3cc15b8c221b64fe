import numpy as np

from curation.extract.characters import count_characters


def test_each_kind_of_character_is_counted_in_each_text() -> None:
    counts = count_characters(["Ab 1, 2.", "• $5!?", "漢字。x"])
    assert counts.total.tolist() == [8, 6, 4]
    assert counts.digits.tolist() == [2, 1, 0]
    assert counts.upper.tolist() == [1, 0, 0]
    assert counts.letters.tolist() == [2, 0, 3]
    assert counts.stops.tolist() == [1, 2, 1]
    assert counts.commas.tolist() == [1, 0, 0]
    assert counts.signs.tolist() == [0, 1, 0]
    assert counts.money.tolist() == [0, 1, 0]
    assert counts.spaces.tolist() == [2, 1, 0]


def test_how_texts_begin_and_end_is_told() -> None:
    counts = count_characters(["A.", "1,", "- x", "é"])
    assert counts.ends.tolist() == [[True, False, False, False], [False, True, False, False]]
    assert counts.begins.tolist() == [
        [False, True, False, False],
        [True, False, False, False],
        [False, False, True, False],
    ]


def test_lone_surrogates_and_the_last_code_point_count_as_letters() -> None:
    counts = count_characters(["\ud800\U0010ffff"])
    assert counts.letters.tolist() == [2]


def test_a_hundred_thousand_of_one_kind_do_not_run_into_the_next() -> None:
    counts = count_characters(["1" * 100_000, "A"])
    assert counts.digits.tolist() == [100_000, 0]
    assert np.array_equal(counts.upper, [0, 1])
