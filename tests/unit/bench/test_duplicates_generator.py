import itertools
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.duplicates import (
    FAMILIES,
    N_PER_BASE,
    TARGETS,
    Editor,
    char_shingles,
    corpus,
    jaccard,
    nearest,
    sentences_of,
    variants,
    word_shingles,
)
from curation.errors import InputError
from curation.measure.hashing import content_hash, random_bits


def made_text(n_words, seed):
    """Words that hardly repeat, seventeen a sentence, four sentences a paragraph."""
    words = [f"w{bits % 9973}" for bits in random_bits(n_words, seed).tolist()]
    ends = ["" if (i + 1) % 17 else "." if (i + 1) % 68 else ".\n\n" for i in range(n_words)]
    return " ".join(f"{word}{end}" for word, end in zip(words, ends, strict=True))


BASES = [made_text(400, 1), made_text(500, 2)]
SPARE = [f"s{i}" for i in range(6_000)]


@pytest.fixture(scope="module")
def made():
    return list(corpus(BASES, SPARE, seed=7))


def of(made, family):
    return [one for one in made if one.family == family and one.base_id == "00000"]


def plain_jaccard(a, b):
    """By sets of strings, without hashes."""
    sets = []
    for text in (a, b):
        text = " ".join(text.split()).lower()
        sets.append({text[i : i + 24] for i in range(len(text) - 23)})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_every_base_has_its_copies_of_every_family(made):
    assert len(made) == 2 * N_PER_BASE
    assert len({one.doc_id for one in made}) == len(made)
    counts = [len(of(made, family)) for family in FAMILIES]
    assert dict(zip(FAMILIES, counts, strict=True)) == {
        "base": 1, "edited": 11, "chain": 6, "template": 3, "boilerplate": 2, "quotation": 2,
        "case_and_space": 2, "truncated": 2,
    }  # fmt: skip
    assert [one.text for one in made if one.family == "base"] == BASES


def test_the_recorded_similarity_is_the_exact_one(made):
    for one in made[:N_PER_BASE]:
        assert one.jaccard == plain_jaccard(BASES[0], one.text)


def test_edited_copies_are_as_similar_as_was_asked(made):
    found = [one.jaccard for one in of(made, "edited")]
    assert found == pytest.approx(TARGETS, abs=0.02)


def test_edits_can_be_solved_for_other_shingles():
    copy = nearest(BASES[0], 0.7, key="k", shingles=word_shingles)
    assert jaccard(word_shingles(BASES[0]), word_shingles(copy)) == pytest.approx(0.7, abs=0.02)


def test_a_chain_drifts_away_link_by_link(made):
    links = [BASES[0], *(one.text for one in of(made, "chain"))]
    for before, link in itertools.pairwise(links):
        assert plain_jaccard(before, link) == pytest.approx(0.88, abs=0.02)
    to_base = [one.jaccard for one in of(made, "chain")]
    assert to_base == sorted(to_base, reverse=True)
    assert to_base[-1] < 0.6


def test_copies_of_a_template_differ_at_the_same_places_only(made):
    own = BASES[0].split()
    changed = []
    for one in of(made, "template"):
        words = one.text.split()
        assert len(words) == len(own)
        changed.append([i for i, word in enumerate(words) if word != own[i]])
    assert changed[0] == changed[1] == changed[2]
    assert len({i % (changed[0][1] - changed[0][0]) for i in changed[0]}) == 1
    assert len({one.text for one in of(made, "template")}) == 3


def test_boilerplate_is_the_bases_beginning_and_end_round_other_words(made):
    for one in of(made, "boilerplate"):
        is_own = [not word.startswith("s") for word in one.text.split()]
        first, last = is_own.index(False), len(is_own) - is_own[::-1].index(False)
        assert not any(is_own[first:last])
        assert one.text.split()[:first] == BASES[0].split()[:first] != []
        assert one.text.split()[last:] == BASES[0].split()[-(len(is_own) - last) :] != []


def test_a_quotation_is_one_run_of_the_base_inside_other_words(made):
    for one in of(made, "quotation"):
        runs = re.findall(r"(?:w\S+\s*)+", one.text)
        assert len(runs) == 1
        assert " ".join(runs[0].split()) in " ".join(BASES[0].split())
        assert one.text.startswith("s")
        assert re.search(r"\bs\d+\s*\Z", one.text)


def test_only_case_space_and_signs_change(made):
    plain, without_signs = of(made, "case_and_space")
    assert plain.text != BASES[0]
    assert content_hash(plain.text) == content_hash(BASES[0])
    assert plain.jaccard == 1.0
    assert without_signs.jaccard < 1.0
    letters = [re.sub(r"\W", "", text).lower() for text in (without_signs.text, BASES[0])]
    assert letters[0] == letters[1]


def test_a_truncated_copy_is_the_beginning(made):
    for one in of(made, "truncated"):
        assert BASES[0].startswith(one.text)
        assert 0.5 <= len(one.text.split()) / 400 <= 0.95


def test_equal_seeds_give_equal_documents_and_others_do_not(made):
    assert list(corpus(BASES, SPARE, seed=7)) == made
    others = list(corpus(BASES, SPARE, seed=8))
    assert sum(a.text == b.text for a, b in zip(others, made, strict=True)) < 8


def test_documents_of_different_bases_share_nothing(made):
    shingles = [np.unique(np.concatenate(
        [char_shingles(one.text) for one in made if one.base_id == base_id]
    )) for base_id in ("00000", "00001")]  # fmt: skip
    assert jaccard(*shingles) == 0.0


def test_no_edits_leave_the_text_and_every_kind_of_edit_occurs():
    editor = Editor(BASES[0], "k")
    words = BASES[0].split()
    assert editor.text(0).split() == words
    lengths = [len(editor.text(n).split()) for n in range(40)]
    steps = {after - before for before, after in itertools.pairwise(lengths)}
    assert steps == {-1, 0, 1}
    multisets = [sorted(editor.text(n).split()) for n in range(40)]
    moved = [before == after for before, after in itertools.pairwise(multisets)]
    assert any(moved)
    assert not all(moved)


def test_sentences_end_with_a_sign_or_a_line():
    assert sentences_of("One two. \"Three!\" four\nfive") == [
        ["One ", "two. "], ["\"Three!\" "], ["four\n"], ["five"],
    ]  # fmt: skip


def test_too_few_spare_words_are_an_error():
    with pytest.raises(InputError, match="spare words ran out"):
        list(corpus(BASES, SPARE[:100], seed=7))


def test_texts_without_shingles_have_similarity_zero():
    assert jaccard(char_shingles("short"), char_shingles("short")) == 0.0


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.text(st.characters(), max_size=300), st.integers(0, 2**64 - 1))
def test_any_text_has_all_its_copies(text, seed):
    spare = (f"s{i}" for i in range(10**6))
    found = list(variants(text, "x", spare, seed=seed, shingles=char_shingles))
    assert len(found) == N_PER_BASE
    assert all(0.0 <= one.jaccard <= 1.0 for one in found)
