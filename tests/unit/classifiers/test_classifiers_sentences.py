from collections import Counter

from models.classifiers.sentences import HARMLESS, SLOTS, TOXIC, toxicity_examples


def test_every_group_occurs_on_both_sides():
    examples = toxicity_examples(len(SLOTS["group"]), 17)
    for group in SLOTS["group"]:
        name = group[:1].lower() + group[1:]
        sides = {e.toxic for e in examples if name.lower() in e.text.lower()}
        assert sides == {True, False}, group


def test_no_slot_is_left_open_and_sentences_begin_with_a_capital():
    for example in toxicity_examples(3, 17):
        assert "{" not in example.text
        assert not example.text[0].islower()


def test_a_sentence_gives_at_most_as_many_fillings_as_asked_and_none_twice():
    examples = toxicity_examples(4, 17)
    assert max(Counter(example.template for example in examples).values()) == 4
    assert len({example.text for example in examples}) == len(examples)
    assert {example.template for example in examples} == set(range(len(TOXIC) + len(HARMLESS)))


def test_the_choice_depends_on_the_seed_alone():
    assert toxicity_examples(4, 17) == toxicity_examples(4, 17)
    assert toxicity_examples(4, 17) != toxicity_examples(4, 18)


def test_more_fillings_keep_the_earlier_ones():
    assert set(toxicity_examples(2, 17)) < set(toxicity_examples(5, 17))


def test_no_sentence_stands_on_both_sides():
    assert not set(TOXIC) & set(HARMLESS)
