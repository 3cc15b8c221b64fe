from dataclasses import dataclass, replace

import pytest

from curation.extract.arbitration import (
    PRIORS,
    Candidate,
    agreement,
    choose,
    estimates,
    length_ratio,
    token_f1,
    union,
    words_of,
)
from curation.extract.engines import Extracted, engine
from curation.extract.guard import KnownFault

MAIN = "the river rises in the hills and runs past the old town to the sea " * 5
OTHER = "home news sport weather travel shop contact imprint login help search " * 5


def _candidate(name, text, **more):
    return Candidate(name, text, **more)


def test_token_f1_counts_words_as_often_as_they_occur():
    # shared: a once, b once = 2; 2 * 2 / (3 + 3)
    assert token_f1(words_of("a a b"), words_of("A b c")) == pytest.approx(2 / 3)
    assert token_f1(words_of(""), words_of("")) == 0.0


def test_agreement_is_the_mean_over_the_others():
    bags = [words_of("a b"), words_of("a b"), words_of("c d")]
    assert agreement(0, bags) == pytest.approx(0.5)
    assert agreement(2, bags) == 0.0
    assert agreement(0, bags[:1]) == 0.0


def test_the_length_ratio_is_against_the_median_of_the_others():
    bags = [words_of("a " * 20), words_of("a " * 5), words_of("a " * 5)]
    assert length_ratio(0, bags) == pytest.approx(0.6931, abs=1e-4)  # ln((20 + 10) / (5 + 10))
    assert length_ratio(0, bags[:1]) == 0.0


def test_a_text_that_the_others_find_too_wins_over_a_better_engine_alone():
    names = sorted(PRIORS, key=lambda name: PRIORS[name].f1)
    weak, middle, best = names[0], names[1], names[-1]
    candidates = [_candidate(best, OTHER), _candidate(middle, MAIN), _candidate(weak, MAIN)]
    assert choose(candidates) == 1


def test_the_better_engine_wins_where_all_agree():
    best = max(PRIORS, key=lambda name: PRIORS[name].f1)
    others = [name for name in PRIORS if name != best]
    candidates = [*(_candidate(name, MAIN) for name in others), _candidate(best, MAIN)]
    assert choose(candidates) == len(others)


def test_a_little_more_agreement_does_not_outweigh_the_better_engine():
    odd = "the stream climbs in the hills and walks past the old town to the shore " * 5
    names = ("rs-trafilatura", "trafilatura", "resiliparse")
    texts = (odd, MAIN, MAIN)
    candidates = [_candidate(name, text) for name, text in zip(names, texts, strict=True)]
    scores = estimates(candidates)
    assert scores[0] < scores[1] < scores[0] + 0.1
    assert choose(candidates) == 0


def test_of_equals_the_first_is_kept():
    assert choose([_candidate("x", MAIN), _candidate("y", MAIN)]) == 0


def test_a_text_without_words_loses_against_any_other():
    best = max(PRIORS, key=lambda name: PRIORS[name].f1)
    assert choose([_candidate(best, " -- "), _candidate("unknown", "one")]) == 1
    assert estimates([_candidate(best, "")]) == [0.0]


def test_confidence_of_the_engine_itself_moves_its_estimate():
    sure, unsure = (
        estimates([_candidate("rs-trafilatura", MAIN, confidence=c), _candidate("justext", OTHER)])
        for c in (1.0, 0.2)
    )
    assert sure[0] > unsure[0]
    assert sure[1] == unsure[1]


def test_estimates_stay_between_0_and_1():
    candidates = [_candidate(name, MAIN, confidence=1.0) for name in PRIORS]
    assert all(0.0 <= estimate <= 1.0 for estimate in estimates(candidates))
    assert estimates([_candidate("rs-trafilatura", OTHER, confidence=-9.0)]) == [0.0]


def test_nothing_to_choose_from_is_an_error():
    with pytest.raises(ValueError, match="no candidates"):
        choose([])


@dataclass(frozen=True)
class _Told:
    """An engine that finds what it was told to, or raises it."""

    name: str
    found: Extracted | Exception

    def __call__(self, html, *, url):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


def test_a_union_says_whose_text_it_took_and_how_sure_it_is():
    both = union((
        _Told("trafilatura", Extracted("T", OTHER)),
        _Told("resiliparse", Extracted("R", MAIN)),
        _Told("justext", Extracted("J", MAIN, page_type="article")),
    ))  # fmt: skip
    found = both("<p>", url="")
    assert both.name == "trafilatura+resiliparse+justext"
    assert (found.title, found.text, found.engine) == ("R", MAIN, "resiliparse")
    assert found.page_type == "article"  # of the engine that knows it
    assert 0.5 < found.confidence <= 1.0


def test_a_union_does_without_an_engine_that_fails():
    broken = _Told("trafilatura", ValueError("no"))
    found = union((broken, _Told("justext", Extracted("J", MAIN))))("<p>", url="")
    assert found.engine == "justext"
    assert found.faults == ("trafilatura: ValueError: no",)
    with pytest.raises(KnownFault, match="trafilatura: ValueError: no"):
        union((broken,))("<p>", url="")


def test_a_union_of_empty_texts_is_empty_and_not_confident():
    found = union((_Told("a", Extracted("", "")), _Told("b", Extracted("", ""))))("", url="")
    assert (found.text, found.confidence) == ("", 0.0)


def test_names_joined_by_a_plus_are_a_union():
    both = engine("resiliparse + justext")
    assert both.name == "resiliparse+justext"
    page = f"<html><body><article><p>{MAIN}</p></article></body></html>"
    assert both(page, url="").text.strip() == MAIN.strip()


def test_a_slow_engine_of_a_union_does_not_take_the_others_along():
    def endless(html, *, url):
        while True:
            pass

    endless.name = "slow"
    both = replace(union((endless, _Told("justext", Extracted("J", MAIN)))), max_s=0.05)
    found = both("<p>", url="")
    assert found.engine == "justext"
    assert found.faults == ("slow: not done after 0.05 s of computing",)
