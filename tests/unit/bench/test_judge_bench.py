"""Agreement of a judge with labelled pairs."""

from bench.judge import BAD, GOOD, agreement, read_pairs

PAIRS = read_pairs()


def test_the_pairs_hold_every_grade_and_each_source_has_good_and_bad_ones():
    assert {pair.grade for pair in PAIRS} == {1, 2, 3, 4, 5}
    for number in {pair.number for pair in PAIRS}:
        grades = {pair.grade for pair in PAIRS if pair.number == number}
        assert grades & {*GOOD}
        assert grades & {*BAD}
    assert len({pair.made for pair in PAIRS}) == len(PAIRS)


def test_a_judge_that_says_what_we_say_agrees_wholly():
    found = agreement(PAIRS, [pair.grade for pair in PAIRS])
    assert (found["kappa"], found["spearman"], found["auc"]) == (1.0, 1.0, 1.0)
    assert (found["kept_of_good"], found["kept_of_bad"], found["unreadable"]) == (1.0, 0.0, 0)
    assert found["auc_interval"] == [1.0, 1.0]


def test_a_judge_that_says_the_reverse_is_worse_than_chance():
    found = agreement(PAIRS, [6 - pair.grade for pair in PAIRS])
    assert found["auc"] == 0.0
    assert found["kappa"] < -0.5


def test_one_grade_for_all_tells_nothing():
    found = agreement(PAIRS, [4] * len(PAIRS))
    assert (found["kappa"], found["spearman"], found["auc"]) == (0.0, None, 0.5)
    assert found["kept_of_bad"] == 1.0


def test_answers_without_a_grade_are_counted_and_left_out():
    some = [pair.grade if number % 3 else None for number, pair in enumerate(PAIRS)]
    found = agreement(PAIRS, some)
    assert found["unreadable"] == len(PAIRS) // 3
    assert found["auc"] == 1.0
    nothing = agreement(PAIRS, [None] * len(PAIRS))
    assert (nothing["unreadable"], nothing["auc"]) == (len(PAIRS), None)
