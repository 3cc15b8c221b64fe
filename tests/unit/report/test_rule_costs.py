import pytest
from small_runs import CRAWL, write

from curation import schemas
from curation.errors import ConfigError, InputError
from curation.report.rules import rule_costs, sweep

PRESET = """
rules:
  - {reason: few, signal: n_words, min: 50}
  - {reason: digits, signal: digit_frac, max: 0.1}
"""
PAGES = {
    "d0": ("en", 40, 0.0, "high"),
    "d1": ("en", 45, 0.5, "low"),
    "d2": ("de", 60, 0.2, "low"),
    "d3": ("en", 100, 0.1, "low"),
}


@pytest.fixture
def preset(tmp_path):
    path = tmp_path / "own.yaml"
    path.write_text(PRESET)
    return str(path)


@pytest.fixture
def out(tmp_path):
    out = tmp_path / "run"
    out.mkdir()
    measures, documents, labels = [], [], []
    for doc_id, (language, n_words, digit_frac, label) in PAGES.items():
        key = CRAWL | {"doc_id": doc_id}
        about = {"language": language, "n_words": n_words}
        measures.append(key | about | {"digit_frac": digit_frac})
        documents.append(key | about)
        labels.append(key | {"label": label})
    # Read twice, and a page that is no document.
    measures += [measures[1], CRAWL | {"doc_id": "lost", "n_words": 1}]
    write(out, schemas.MEASURES, measures)
    write(out, schemas.DOCUMENTS, documents)
    write(out, schemas.LABELS, labels[:3])
    return out


def test_a_rule_costs_what_fails_it_alone_and_what_fails_no_other(out, preset):
    any_rule, few, digits = rule_costs(out, preset)
    assert any_rule["rule"] is None
    assert (any_rule["documents"], any_rule["words"]) == (4, 245)
    assert (any_rule["alone"], any_rule["alone_words"]) == (3, 145)
    assert (any_rule["last"], any_rule["last_words"]) == (None, None)
    assert (few["rule"], few["alone"], few["alone_words"]) == ("few", 2, 85)
    assert (few["last"], few["last_words"]) == (1, 40)
    assert (digits["alone"], digits["alone_words"], digits["last"]) == (2, 105, 1)


def test_costs_are_told_apart_by_label_and_language(out, preset):
    rows = rule_costs(out, preset, by=["label", "language"])
    few = {(row["label"], row["language"]): row["alone"] for row in rows if row["rule"] == "few"}
    assert few == {("high", "en"): 1, ("low", "en"): 1, ("low", "de"): 0, ("(none)", "en"): 0}
    with pytest.raises(ConfigError, match="no group is called host"):
        rule_costs(out, preset, by=["host"])


def test_a_sweep_shows_what_other_bounds_drop(out, preset):
    rows = sweep(out, preset, "few")
    current = [row for row in rows if row["is_current"]]
    assert [(row["bound"], row["documents"], row["words"]) for row in current] == [(50.0, 2, 85)]
    assert [row["documents"] for row in rows] == sorted(row["documents"] for row in rows)
    assert rows[-1]["documents"] == 3  # nearly the longest of the four
    with pytest.raises(ConfigError, match="no rule `fewer`; its rules: few, digits"):
        sweep(out, preset, "fewer")


def test_without_measures_there_is_nothing_to_say(tmp_path, preset):
    with pytest.raises(InputError, match="run s01 to s03 first"):
        rule_costs(tmp_path, preset)


@pytest.mark.parametrize(
    "preset", ["nemotron", "gopher", "c4", "fineweb", "redpajama", "fineweb2", "none"]
)
def test_every_preset_can_be_asked(out, preset):
    assert rule_costs(out, preset)[0]["documents"] == 4


BY_LANGUAGE = """
rules:
  - {reason: few, signal: n_words, min: {en: 50, fr: 10}}
  - {reason: digits, signal: digit_frac, max: 0.1, languages: [de]}
"""


@pytest.fixture
def by_language(tmp_path):
    path = tmp_path / "by_language.yaml"
    path.write_text(BY_LANGUAGE)
    return str(path)


def test_each_rule_says_which_languages_it_judges_and_how_many_documents_that_is(out, by_language):
    rows = rule_costs(out, by_language)
    told = [(row["rule"], row["languages"], row["judged"], row["alone"]) for row in rows]
    assert told == [
        (None, "de, en, fr", 4, 3), ("few", "en, fr", 3, 2), ("digits", "de", 1, 1),
    ]  # fmt: skip
    by = {(row["rule"], row["language"]): row["judged"]
          for row in rule_costs(out, by_language, by=["language"])}  # fmt: skip
    assert (by["few", "en"], by["few", "de"], by["digits", "de"]) == (3, 0, 1)
    assert list(rows[0])[:2] == ["rule", "languages"]


def test_a_sweep_over_thresholds_by_language_tries_one_for_all_languages_of_the_rule(
    out, by_language
):
    first, *others = sweep(out, by_language, "few")
    assert first == {"side": "min", "bound": None, "documents": 2, "words": 85, "is_current": True}
    assert not any(row["is_current"] for row in others)
    # The German page of 60 words is not judged: two of the three English ones have fewer than 99.
    assert [row["documents"] for row in others][-1] == 2
    assert min(row["bound"] for row in others) > 40


def test_a_sweep_of_a_rule_that_judges_no_document_says_so(out, tmp_path):
    path = tmp_path / "fr.yaml"
    path.write_text("rules:\n  - {reason: few, signal: n_words, min: 9, languages: [fr]}\n")
    with pytest.raises(InputError, match="few judges languages: fr"):
        sweep(out, str(path), "few")


def test_without_a_rule_nothing_is_judged(out):
    (row,) = rule_costs(out, "none")
    assert (row["languages"], row["judged"], row["alone"]) == ("none", 0, 0)
