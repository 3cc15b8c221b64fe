import math

import duckdb
import numpy as np
import pytest

from curation.config import RunConfig
from curation.errors import ConfigError
from curation.label.stage import identity
from curation.measure.by_language import UNSPACED
from curation.measure.rules import (
    PRESETS,
    Rule,
    Scope,
    drop_reason,
    drop_reasons,
    n_judging,
    rules,
    rules_applied,
    text_of,
    union,
)
from curation.measure.signals import signals
from curation.measure.words import Words
from curation.schemas import MEASURES

NEMOTRON, GOPHER = rules("nemotron"), rules("gopher")


def measured(text):
    words = Words(text)
    return signals(words) | {"n_words": words.n_words}


def in_english(bound):
    return bound.get("en", bound.get("other")) if isinstance(bound, dict) else bound


def keeps(rule, text):
    """What `drop_reason` decides of an English page: both sides in 32 bits, bounds inclusive."""
    bounds = in_english(rule.low), measured(text)[rule.signal], in_english(rule.high)
    low, value, high = np.array(bounds, np.float32)
    return low <= value <= high


def parts(separator, n_distinct, n_all):
    """`n_all` lines or paragraphs, `n_distinct` of them distinct."""
    return separator.join(str(min(n, n_distinct - 1)) for n in range(n_all))


def said_again(n, phrase_chars, n_times, n_chars):
    """`n_chars` characters with a phrase of `n` words said `n_times`, apart, and no other twice."""
    phrase = "a" * (phrase_chars - 2 * n + 2) + "".join(f" {c}" for c in "bcdefghij"[: n - 1])
    text = "".join(f"{phrase} {k} " for k in range(n_times))
    return text + "z" * (n_chars - len(text))


CASES = {
    "too_many_non_alnum_chars": ("$" * 25 + "a" * 75, "$" * 26 + "a" * 74),
    "too_many_symbols": ("a " * 18 + "# #", "a " * 17 + "# ..."),
    "too_many_digits": ("7" * 15 + "a" * 85, "7" * 16 + "a" * 84),
    "too_many_urls": ("http://abcdefgh.test " + "a" * 79, "http://abcdefghi.test " + "a" * 78),
    "too_much_whitespace": ("a" * 75 + " " * 25, "a" * 74 + " " * 26),
    "too_many_parentheses": ("a" * 90 + "(" * 10, "a" * 89 + "(" * 11),
    "too_much_boilerplate": (
        "use cookies\n\n" * 4 + "a\n\n" * 6, "use cookies\n\n" * 5 + "a\n\n" * 7,
    ),
    "too_many_repeated_lines": (parts("\n", 7, 10), parts("\n", 9, 13)),
    "too_many_repeated_paragraphs": (parts("\n\n", 7, 10), parts("\n\n", 9, 13)),
    "too_many_repeated_line_chars": ("ab\nab\n" + "c" * 6, "ab\nab\n" + "c" * 5),
    "too_many_repeated_paragraph_chars": ("ab\n\nab\n\n" + "c" * 6, "ab\n\nab\n\n" + "c" * 5),
    "too_few_words": ("a " * 50, "a " * 49),
    "too_many_words": ("a " * 100_000, "a " * 100_001),
    "too_many_unpunctuated_lines": ("a\n" * 17 + "a.\n" * 3, "a\n" * 18 + "a.\n" * 2),
    "too_few_alpha_words": ("good good good good !", "good good good !"),
    "too_few_common_words": ("the and", "the"),
    "too_short_words": ("aaa aaa", "aaa aa"),
    "too_long_words": ("a" * 10, "a" * 11),
    "too_long_a_word": ("a" * 1000, "a" * 1001),
    "too_many_ellipsis_lines": ("a...\n" * 3 + "a\n" * 7, "a...\n" * 4 + "a\n" * 9),
    "too_frequent_2gram": (said_again(2, 5, 4, 100), said_again(2, 5, 4, 99)),
    "too_frequent_3gram": (said_again(3, 9, 2, 100), said_again(3, 9, 2, 99)),
    "too_frequent_4gram": (said_again(4, 8, 2, 100), said_again(4, 8, 2, 99)),
    "too_many_duplicate_5grams": (said_again(5, 30, 2, 200), said_again(5, 30, 2, 199)),
    "too_many_duplicate_6grams": (said_again(6, 28, 2, 200), said_again(6, 28, 2, 199)),
    "too_many_duplicate_7grams": (said_again(7, 26, 2, 200), said_again(7, 26, 2, 199)),
    "too_many_duplicate_8grams": (said_again(8, 24, 2, 200), said_again(8, 24, 2, 199)),
    "too_many_duplicate_9grams": (said_again(9, 22, 2, 200), said_again(9, 22, 2, 199)),
    "too_many_duplicate_10grams": (said_again(10, 20, 2, 200), said_again(10, 20, 2, 199)),
    "too_many_bullet_lines": ("• a\n" * 9 + "a\n", "• a\n" * 10 + "a\n"),
}  # fmt: skip


@pytest.mark.parametrize("rule", NEMOTRON, ids=lambda rule: rule.reason)
def test_each_rule_has_a_text_that_just_passes_and_one_that_just_fails(rule):
    passes, fails = CASES[rule.reason]
    assert keeps(rule, passes)
    assert not keeps(rule, fails)


@pytest.mark.parametrize(
    "reason", [r.reason for r in NEMOTRON if "mean" not in r.signal and "n_words" not in r.signal]
)
def test_the_text_that_just_passes_lies_at_the_bound(reason):
    (rule,) = (rule for rule in NEMOTRON if rule.reason == reason)
    bound = rule.high if math.isfinite(rule.high) else rule.low
    assert np.float32(measured(CASES[reason][0])[rule.signal]) == np.float32(bound)


KEPT_OR_DROPPED = [
    ("too_many_non_alnum_chars", "", False),
    ("too_many_symbols", "barely ok 3 4 5 6 7 8 9 #", True),
    ("too_many_symbols", "mixed bag ... #", False),
    ("too_many_digits", "abcdefghi1", True),
    ("too_many_digits", "34134543", False),
    ("too_much_whitespace", "123\b", True),
    ("too_much_whitespace", "50%\n\n\n", False),
    ("too_many_parentheses", "123456789(", True),
    ("too_many_parentheses", "()", False),
    ("too_many_bullet_lines", "• a", False),
    ("too_much_boilerplate", "privacy policy\n\ntext", False),
    ("too_short_words", "evenly balanced", True),
    ("too_short_words", "aa", False),
    ("too_long_words", "abcdefghijklmnopqrstuvwx", False),
    ("too_many_repeated_lines", "one\ntwo", True),
    ("too_many_repeated_lines", "one\none", False),
    ("too_many_repeated_paragraphs", "one\n\none", False),
    ("too_many_repeated_line_chars", "a\na\na long line that is said only once", True),
    ("too_many_repeated_line_chars", "a long line\na long line\nb", False),
    ("too_frequent_2gram", "totally fine small dupe a b a b", True),
    ("too_frequent_2gram", "a b . a b", False),
    ("too_frequent_2gram", "a a a a a a", False),
    ("too_many_unpunctuated_lines", "open\nopen\nopen\nopen\nclosed.", True),
    ("too_many_unpunctuated_lines", "one open line", False),
    ("too_many_ellipsis_lines", "one...", False),
    ("too_few_common_words", "uncommon", False),
    ("too_few_alpha_words", "@", False),
]


@pytest.mark.parametrize(("reason", "text", "kept"), KEPT_OR_DROPPED)
def test_the_texts_of_the_reference_are_kept_or_dropped_as_there(reason, text, kept):
    # Spec 10.3, where the reference's bound of that test is our preset's.
    (rule,) = (rule for rule in NEMOTRON if rule.reason == reason)
    assert keeps(rule, text) == kept


def test_the_preset_has_the_28_filters_of_the_paper_in_order_with_their_bounds():
    found = {}
    for rule in NEMOTRON:
        low, high = found.get(rule.signal, (-math.inf, math.inf))
        found[rule.signal] = (max(low, rule.low), min(high, rule.high))
    assert list(found.items()) == [
        ("non_alnum_frac", (-math.inf, 0.25)),
        ("symbol_word_frac", (-math.inf, 0.1)),
        ("digit_frac", (-math.inf, 0.15)),
        ("url_frac", (-math.inf, 0.2)),
        ("whitespace_frac", (-math.inf, 0.25)),
        ("parenthesis_frac", (-math.inf, 0.1)),
        ("boilerplate_frac", (-math.inf, 0.4)),
        ("unique_line_frac", (0.7, math.inf)),
        ("unique_paragraph_frac", (0.7, math.inf)),
        ("unique_line_char_frac", (0.8, math.inf)),
        ("unique_paragraph_char_frac", (0.8, math.inf)),
        ("n_words", (50, 100_000)),
        ("unpunctuated_line_frac", (-math.inf, 0.85)),
        ("alpha_word_frac", (0.8, math.inf)),
        ("n_common_words", (2, math.inf)),
        ("mean_word_chars", (3, 10)),
        ("max_word_chars", (-math.inf, 1000)),
        ("ellipsis_line_frac", (-math.inf, 0.3)),
        ("top_2gram_frac", (-math.inf, 0.20)),
        ("top_3gram_frac", (-math.inf, 0.18)),
        ("top_4gram_frac", (-math.inf, 0.16)),
        ("dup_5gram_frac", (-math.inf, 0.15)),
        ("dup_6gram_frac", (-math.inf, 0.14)),
        ("dup_7gram_frac", (-math.inf, 0.13)),
        ("dup_8gram_frac", (-math.inf, 0.12)),
        ("dup_9gram_frac", (-math.inf, 0.11)),
        ("dup_10gram_frac", (-math.inf, 0.10)),
        ("bullet_line_frac", (-math.inf, 0.9)),
    ]


def test_gopher_has_its_quality_rules_and_its_thirteen_of_repetition():
    found = {rule.signal for rule in GOPHER}
    assert found == {
        "hash_word_ratio", "ellipsis_word_ratio", "n_words", "alpha_word_frac",
        "n_distinct_common_words", "mean_word_chars", "ellipsis_line_frac", "dash_line_frac",
        "unique_line_frac", "unique_paragraph_frac", "unique_line_char_frac",
        "unique_paragraph_char_frac", "top_2gram_frac", "top_3gram_frac", "top_4gram_frac",
        "dup_5gram_frac", "dup_6gram_frac", "dup_7gram_frac", "dup_8gram_frac", "dup_9gram_frac",
        "dup_10gram_frac",
    }  # fmt: skip


@pytest.mark.parametrize("preset", PRESETS)
def test_every_rule_bounds_a_column_of_measures_and_has_a_reason_of_its_own(preset):
    found = rules(preset)
    assert {rule.signal for rule in found} <= set(MEASURES.columns.names)
    assert len({rule.reason for rule in found}) == len(found)


def test_an_empty_text_fails_every_rule_but_those_on_too_many_or_too_long_words():
    kept = {rule.reason for rule in NEMOTRON if keeps(rule, "")}
    assert kept == {"too_many_words", "too_long_words", "too_long_a_word"}


PROSE = "The cat of the house sat with a friend and talked. It was late, and they had to go.\n"


@pytest.mark.parametrize(
    ("preset", "text", "reason"),
    [
        ("c4", PROSE * 3, None),
        ("c4", PROSE * 2, "too_few_sentences"),
        ("c4", PROSE * 3 + "{", "curly_brackets"),
        ("c4", PROSE * 3 + "lorem ipsum", "placeholder_text"),
        ("fineweb", PROSE, None),
        ("fineweb", PROSE + PROSE, "too_many_repeated_line_chars"),
        ("fineweb", PROSE.rstrip() + "x\n", "too_few_terminal_lines"),
        ("fineweb", PROSE + "One.\nTwo.\nThree.\n", "too_many_short_lines"),
    ],
)
def test_presets_drop_for_the_reason_that_their_paper_gives(preset, text, reason):
    failing = [rule.reason for rule in rules(preset) if not keeps(rule, text)]
    assert failing[:1] == ([reason] if reason else [])


def test_presets_are_found_by_name_or_path_and_an_unknown_one_is_refused(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("rules:\n  - {reason: short, signal: n_words, min: 5, languages: [en, de]}\n")
    (rule,) = rules(str(own))
    assert (rule.reason, rule.low, rule.high) == ("short", 5.0, math.inf)
    own.write_text("rules:\n  - {reason: short, signal: n_words, min: 6}\n")
    assert rules(str(own))[0].low == 6.0
    assert (rules("none"), text_of("none")) == ((), "")
    with pytest.raises(ConfigError, match="gofer"):
        rules("gofer")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules: [", "not YAML"),
        ("rules:\n- {reason: a, signal: nowhere, min: 1}", "no column of numbers `nowhere`"),
        ("rules:\n- {reason: a, signal: licence, min: 1}", "no column of numbers `licence`"),
        ("rules:\n- {reason: a, signal: n_words}", "neither `min` nor `max`"),
        ("rules:\n- {reason: a, signal: n_words, mim: 1}", "Extra inputs"),
        ('rules:\n- {reason: "a\' OR", signal: n_words, min: 1}', "pattern"),
        ("rules:\n- &a {reason: a, signal: n_words, min: 1}\n- *a", "two rules are called a"),
    ],
)
def test_a_preset_that_is_not_rightly_written_is_refused_with_the_reason(tmp_path, text, message):
    path = tmp_path / "own.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        rules(str(path))


def test_the_sql_gives_the_first_reason_and_a_null_signal_fails():
    found = (
        Rule(reason="few", signal="n_words", low=50),
        Rule(reason="digits", signal="digit_frac", high=0.1),
        Rule(reason="common", signal="n_common_words", low=2, languages=("en",)),
    )
    sql = f"SELECT {drop_reason(found)} FROM (SELECT ? AS n_words, ?::FLOAT AS digit_frac, 0 AS n_common_words, ? AS language)"  # noqa: E501

    def reason(*row):
        return duckdb.execute(sql, list(row)).fetchone()[0]

    assert reason(49, 0.2, "en") == "few"
    assert reason(50, 0.2, "en") == "digits"
    assert reason(50, 0.1, "en") == "common"
    assert reason(50, 0.1, "de") is None
    assert reason(50, None, "de") == "digits"
    assert drop_reasons(found).count("CASE") == 3


def decided(found, **measures):
    """`drop_reason` of the rules over one row, by DuckDB."""
    row = ", ".join(f"{value!r} AS {name}" for name, value in measures.items())
    return duckdb.sql(f"SELECT {drop_reason(found)} FROM (SELECT {row})").fetchone()[0]


def test_a_rule_may_take_the_verdict_of_a_guest():
    found = (Rule(reason="guest", signal="guests.gopher", high=0),)
    said = [
        duckdb.sql(f"SELECT {drop_reason(found)} FROM (SELECT {guests} AS guests)").fetchone()[0]
        for guests in ("map{'gopher': ''}", "map{'gopher': 'short'}", "map{'other': ''}")
    ]
    assert said == [None, "guest", "guest"]


def test_the_verdict_of_a_guest_that_is_not_asked_is_refused(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("rules:\n  - {reason: guest, signal: guests.gopher, max: 0}\n")
    conf = RunConfig.model_validate({"out": "o", "label": {"preset": str(own)}})
    with pytest.raises(ConfigError, match=r"measure\.guests has no gopher; it has: none"):
        identity(conf)


def of_yaml(tmp_path, line):
    path = tmp_path / "own.yaml"
    path.write_text("rules:\n  - {reason: odd, " + line + "}\n")
    return rules(str(path))


def test_a_table_of_thresholds_has_one_for_each_language_and_lets_others_pass(tmp_path):
    (rule,) = of_yaml(tmp_path, 'signal: n_lines, min: {fr: 2, de: 3, "no": 3}')
    assert rule.scope == Scope(frozenset({"de", "fr", "no"}))
    verdicts = {
        (code, n): decided((rule,), language=code, n_lines=n)
        for code in ("fr", "de", "no", "en") for n in (1, 2, 3)
    }  # fmt: skip
    failing = {key for key, reason in verdicts.items() if reason}
    assert failing == {("fr", 1), ("de", 1), ("de", 2), ("no", 1), ("no", 2)}


def test_other_is_the_threshold_of_every_language_that_a_table_does_not_name(tmp_path):
    (rule,) = of_yaml(tmp_path, "signal: n_words, min: {fr: 2, zh: 1, other: 5}")
    assert rule.scope == Scope(but=UNSPACED - {"zh"})
    kept = {code: decided((rule,), language=code, n_words=2) is None
            for code in ("fr", "zh", "ja", "en", "und")}  # fmt: skip
    assert kept == {"fr": True, "zh": True, "ja": True, "en": False, "und": False}


def test_rules_on_words_judge_languages_that_put_spaces_between_them(tmp_path):
    (few,) = of_yaml(tmp_path, "signal: n_words, min: 50")
    assert decided((few,), language="en", n_words=1) == "odd"
    assert decided((few,), language="zh", n_words=1) is None
    assert str(few.scope) == "all but bo, ja, km, lo, my, th, wuu, yue, zh"
    (asked,) = of_yaml(tmp_path, "signal: n_words, min: 50, languages: [zh]")
    assert decided((asked,), language="zh", n_words=1) == "odd"
    (lines,) = of_yaml(tmp_path, "signal: n_lines, min: 50")
    assert decided((lines,), language="zh", n_lines=1) == "odd"
    assert str(lines.scope) == "all"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("signal: n_words, min: {fr: 2}, languages: [fr]", "`languages` beside thresholds"),
        ("signal: n_words, min: fineweb2", "fineweb2 has no `min` of `n_words`"),
        ("signal: n_words, min: fineweb3", "valid number"),
        ("signal: n_words, min: 1, languages: [fra_Latn]", "pattern"),
        ("signal: n_words, min: 1, languages: [no]", "valid string"),
        ('signal: n_words, min: {"f\' OR": 1}', "pattern"),
        ("signal: n_words, min: {fr: .inf}", "finite"),
    ],
)
def test_languages_that_are_not_rightly_written_are_refused(tmp_path, line, message):
    with pytest.raises(ConfigError, match=message):
        of_yaml(tmp_path, line)


def test_english_is_judged_by_every_rule_of_the_presets_made_for_it():
    counts = {preset: len(rules_applied(preset, "en")) for preset in PRESETS}
    assert counts == {
        "nemotron": 30, "gopher": 23, "c4": 3, "fineweb": 4, "redpajama": 18, "fineweb2": 8,
    }  # fmt: skip
    assert [len(rules(preset)) for preset in PRESETS[:5]] == [30, 23, 3, 4, 18]


@pytest.mark.parametrize(
    ("preset", "missing"),
    [
        ("c4", {"too_few_sentences"}),
        ("fineweb", {"too_many_short_lines"}),
        ("redpajama", {"too_short_words", "too_long_words"}),
        ("gopher", {"too_short_words", "too_long_words", "too_few_common_words"}),
        ("nemotron", {"too_short_words", "too_long_words", "too_few_common_words",
                      "too_many_non_alnum_chars", "too_much_boilerplate",
                      "too_many_unpunctuated_lines"}),
        ("fineweb2", set()),
    ],
)  # fmt: skip
def test_french_is_judged_by_the_rules_that_do_not_take_it_for_english(preset, missing):
    judging = {rule.reason for rule in rules_applied(preset, "fr")}
    assert {rule.reason for rule in rules(preset)} - judging == missing


@pytest.mark.parametrize(
    ("preset", "judging"),
    [
        ("c4", ["placeholder_text", "curly_brackets"]),
        ("fineweb", ["too_few_terminal_lines", "too_many_repeated_line_chars"]),
        ("redpajama", ["too_many_ellipsis_lines", "too_many_bullet_lines", "placeholder_text"]),
        ("gopher", ["too_many_bullet_lines", "too_many_ellipsis_lines", "too_many_repeated_lines",
                    "too_many_repeated_paragraphs", "too_many_repeated_line_chars",
                    "too_many_repeated_paragraph_chars"]),
        ("nemotron", ["too_many_digits", "too_many_urls", "too_much_whitespace",
                      "too_many_parentheses", "too_many_repeated_lines",
                      "too_many_repeated_paragraphs", "too_many_repeated_line_chars",
                      "too_many_repeated_paragraph_chars", "too_many_ellipsis_lines",
                      "too_many_bullet_lines"]),
        ("fineweb2", ["too_many_repeated_lines", "too_few_terminal_lines",
                      "too_many_repeated_line_chars", "too_many_bullet_lines",
                      "too_many_ellipsis_lines"]),
    ],
)  # fmt: skip
def test_chinese_is_judged_by_the_rules_that_need_no_words(preset, judging):
    assert [rule.reason for rule in rules_applied(preset, "zh")] == judging


def test_the_thresholds_of_fineweb_2_are_those_of_the_page_s_language():
    found = [rule for rule in rules("fineweb2") if rule.signal == "mean_word_chars"]

    def reason(language, mean_word_chars):
        return decided(found, language=language, mean_word_chars=mean_word_chars)

    assert (reason("fr", 2), reason("fr", 1.99)) == (None, "too_short_words")
    assert (reason("fr", 11), reason("fr", 11.01)) == (None, "too_long_words")
    assert (reason("te", 68), reason("te", 3.9)) == (None, "too_short_words")
    assert {reason(code, 99) for code in ("en", "zh", "ko", "la", "und")} == {None}


def test_a_null_of_stop_words_is_no_fault_in_a_language_without_a_list():
    (rule,) = [rule for rule in rules("fineweb2") if rule.reason == "too_few_stop_words"]
    sql = f"SELECT {drop_reason([rule])} FROM (SELECT ? AS language, ? AS n_distinct_stop_words)"

    def reason(*row):
        return duckdb.execute(sql, list(row)).fetchone()[0]

    assert (reason("fr", 2), reason("fr", 1)) == (None, "too_few_stop_words")
    assert (reason("zh", None), reason("und", None)) == (None, None)
    assert reason("fr", None) == "too_few_stop_words"


def test_how_many_rules_judge_a_page_is_a_column_to_be_had():
    for preset in PRESETS:
        sql = f"SELECT {n_judging(rules(preset))} FROM (SELECT ? AS language)"
        for code in ("en", "fr", "zh", "und"):
            (counted,) = duckdb.execute(sql, [code]).fetchone()
            assert counted == len(rules_applied(preset, code))


def test_languages_of_several_rules_together_are_those_of_any():
    fr, spaced = Scope(frozenset({"fr"})), Scope(but=frozenset({"ja", "zh"}))
    assert union([]) == Scope(frozenset())
    assert union([fr, Scope(frozenset({"de"}))]) == Scope(frozenset({"de", "fr"}))
    assert union([fr, spaced, Scope(frozenset({"zh"}))]) == Scope(but=frozenset({"ja"}))
    assert union([spaced, Scope()]) == Scope()
    names = [str(scope) for scope in (fr, spaced, Scope(), Scope(frozenset()))]
    assert names == ["fr", "all but ja, zh", "all", "none"]
    assert str(Scope(frozenset(f"{a}b" for a in "abcdefghijk"))) == "11 languages"
