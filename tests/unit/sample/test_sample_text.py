from random import Random

import pytest

from curation.errors import ConfigError
from curation.sample import compose
from curation.sample.catalogue import LANGUAGES, load_stock, parse
from curation.sample.distinct import Gallery, shingles
from curation.sample.duplicates import near_duplicate, partial_duplicate
from curation.sample.page import Block, Draft, p
from curation.sample.spin import expand


def draft(*blocks: Block) -> Draft:
    return Draft("article", "news", "Title", blocks, "fair")


def test_an_alternative_is_chosen_and_the_sentence_gets_a_capital() -> None:
    assert {expand("{a|b} c", Random(n), {}) for n in range(20)} == {"A c", "B c"}


def test_names_are_filled_from_the_lists_and_may_be_nested() -> None:
    slots = {"town": ("Ash",), "topic": ("salt",)}
    assert expand("in {{town}} or not", Random(1), {**slots, "Ash": ("x",)}) == "In x or not"
    assert expand("{topic_cap} in {town}", Random(1), slots) == "Salt in Ash"


def test_a_range_gives_a_number_inside_it() -> None:
    assert {expand("{3-5}", Random(n), {}) for n in range(40)} == {"3", "4", "5"}


def test_an_unknown_name_is_an_error() -> None:
    with pytest.raises(KeyError, match="nobody"):
        expand("by {nobody}", Random(1), {})


def test_braces_in_formulas_are_left_alone() -> None:
    text = r"So {x|x} $\frac{a}{b}$ and $$\sqrt{2}$$ hold."
    assert expand(text, Random(1), {}) == r"So x $\frac{a}{b}$ and $$\sqrt{2}$$ hold."


def test_the_stock_is_parsed_into_chapters_sections_and_lists() -> None:
    text = "# A\n> topic: tea\n\n## one\nFirst.\n+ Second.\n## two,\nx, y\n"
    expected = {"topic": ("tea",), "one": ("First.", "+ Second."), "two": ("x", "y")}
    assert parse(text) == {"A": expected}


def test_the_stock_has_many_subjects_with_many_sentences() -> None:
    subjects = load_stock().subjects
    assert len(subjects) == len({subject.name for subject in subjects}) == 60
    for subject in subjects:
        assert sum(len(unit) for section in subject.sections for unit in section.units) >= 12


def test_all_sentences_of_the_stock_can_be_filled_in() -> None:
    stock = load_stock()
    for subject in stock.subjects:
        for section in subject.sections:
            for unit in section.units:
                for line in unit:
                    text = expand(line, Random(0), stock.slots)
                    assert text.endswith((".", "?", "”")), text
                    assert not set("{}|") & set(text), text


def test_turns_visit_every_subject_before_one_comes_again() -> None:
    stock = load_stock()
    assert len({stock.subject(turn).name for turn in range(60)}) == 60


def test_people_have_addresses_that_belong_to_nobody() -> None:
    slots = load_stock().slots
    assert all(address.endswith("@example.org") for address in slots["email"])
    assert all(number[4:9] == "555-0" for number in slots["phone"])


@pytest.mark.parametrize("genre", [*compose.GENRE_FRACS, *compose._GENRES.values()])
def test_genres_depend_on_the_generator_and_the_turn_only(genre: compose.Genre) -> None:
    stock = load_stock()
    first = [genre(Random(f"a{turn}"), stock, turn) for turn in range(12)]
    assert first == [genre(Random(f"a{turn}"), stock, turn) for turn in range(12)]
    assert first != [genre(Random(f"b{turn}"), stock, turn) for turn in range(12)]
    assert all(draft.title and "\n" not in draft.title for draft in first)


def test_all_languages_take_their_turn() -> None:
    stock = load_stock()
    foreign = compose._GENRES["foreign"]
    found = [foreign(Random(turn), stock, turn).language for turn in range(len(LANGUAGES))]
    assert found == list(LANGUAGES)


def test_likeness_is_one_for_the_same_text_and_zero_for_another() -> None:
    gallery = Gallery()
    text = " ".join(f"word{n}" for n in range(300))
    assert gallery.likeness(text) == 0.0
    gallery.add(text)
    assert gallery.likeness(text) == 1.0
    assert gallery.likeness(" ".join(f"other{n}" for n in range(300))) == 0.0


def test_likeness_finds_a_passage_at_another_place() -> None:
    first, shared, last = (" ".join(f"{x}{n * n}" for n in range(2000)) for x in "abc")
    gallery = Gallery()
    gallery.add(f"{first} {shared}")
    # One of three parts is common to both: 1 / 3.
    assert gallery.likeness(f"{shared} {last}") == pytest.approx(1 / 3, abs=0.05)


def test_shingles_are_about_one_in_sixteen_windows() -> None:
    text = " ".join(str(n * n) for n in range(2000))
    n_windows = len(text) - 23
    assert 0.8 < len(shingles(text)) * 16 / n_windows < 1.2


def test_a_stock_that_is_used_up_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "_MAX_LIKENESS", -1.0)
    with pytest.raises(ConfigError, match="ask for fewer pages"):
        compose.compose_pages(load_stock(), compose.count_kinds(40), 17)


def test_near_duplicates_change_two_words_of_a_short_text_and_add_a_note() -> None:
    source = draft(p("Many people often came because it was made of a small stone."), p("No."))
    copy = near_duplicate(Random(3), source, "Updated.")
    assert copy is not None
    assert copy.kind == "near_duplicate"
    assert copy.blocks[1:] == (p("No."), p("Updated."))
    before, after = source.blocks[0].lines[0].split(), copy.blocks[0].lines[0].split()
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 2


def test_a_text_without_replaceable_words_has_no_near_duplicate() -> None:
    assert near_duplicate(Random(3), draft(p("Alpha beta gamma.")), "Updated.") is None


def test_partial_duplicates_hold_all_of_their_own_and_some_of_the_source() -> None:
    source = draft(*(p(f"Source {n} " + "s" * 60) for n in range(8)))
    own = draft(*(p(f"Own {n} " + "o" * 60) for n in range(6)))
    mixed = partial_duplicate(Random(2), source, own)
    assert mixed.kind == "partial_duplicate"
    assert [block for block in mixed.blocks if block in own.blocks] == list(own.blocks)
    taken = [block for block in mixed.blocks if block in source.blocks]
    assert 2 <= len(taken) <= 4
