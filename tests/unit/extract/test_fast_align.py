from models.extractor.align import share_in_gold


def shares(blocks: list[str], gold: str) -> list[float]:
    return share_in_gold([block.split() for block in blocks], gold.split())


LONG = "a b c d e f g h"


def test_a_long_block_is_found_by_its_words_in_order() -> None:
    assert shares([LONG, "h g f e d c b a"], f"x {LONG} y") == [1.0, 0.0]


def test_of_two_equal_long_blocks_the_first_is_the_main_text() -> None:
    assert shares([LONG, LONG], LONG) == [1.0, 0.0]


def test_a_long_block_that_is_there_in_part_has_a_share() -> None:
    assert shares([f"{LONG} m n o p q r s t"], LONG) == [0.5]


def test_a_short_block_must_lie_between_the_long_ones_around_it() -> None:
    second = "k l m n o p q r"
    gold = f"{LONG} more {second}"
    assert shares(["more", LONG, "more", second, "more"], gold) == [0.0, 1.0, 1.0, 1.0, 0.0]


def test_words_of_a_long_block_are_not_given_to_a_short_one() -> None:
    assert shares(["c d", LONG], LONG) == [0.0, 1.0]


def test_a_block_or_a_main_text_without_words_is_no_problem() -> None:
    assert shares(["", "a"], "") == [0.0, 0.0]
    assert shares([""], LONG) == [0.0]
