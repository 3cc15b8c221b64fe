"""Spec: mind_data_reuse.md, parts 3.2, 3.3 and 3.5."""

import math

import pytest

from curation.blend.mixing import mix, normalised
from curation.errors import ConfigError, InputError
from models.recipes.continued import (
    Plan,
    learning_rate_frac,
    qa_blend,
    switch_progress,
    tokens_of,
)

RATE = 4.5e-5
QA_TOKENS = 2.81e9


@pytest.mark.parametrize(
    ("progress", "expected"),
    [(0, 4.5e-5), (0.25, 3.85e-5), (0.5, 2.27e-5), (0.75, 6.97e-6), (1, 4.5e-7)],
)
def test_the_rate_is_that_of_the_spec(progress, expected):
    rate = Plan(RATE, 300e9).learning_rate(progress * 300e9)
    assert float(f"{rate:.2e}") == expected


@pytest.mark.parametrize("min_frac", [0.0, 0.01, 0.1, 1 / 3])
@pytest.mark.parametrize("progress", [0, 0.1, 0.25, 1 / 3, 0.5, 0.7113, 0.9, 1])
def test_the_rate_is_the_formula_of_the_spec(progress, min_frac):
    # (1 + cos(pi p)) / 2 = cos^2(pi p / 2).
    fallen = (1 - min_frac) * math.sin(math.pi * progress / 2) ** 2
    assert learning_rate_frac(progress, min_frac=min_frac) == pytest.approx(1 - fallen, abs=1e-12)


@pytest.mark.parametrize("min_frac", [0.0, 0.01, 0.1, 1 / 3, 0.7])
def test_there_is_no_warm_up(min_frac):
    plan = Plan(RATE, 1000, min_frac=min_frac, switch_frac=1.0)
    assert plan.learning_rate(0) == RATE
    rates = [plan.learning_rate(step) for step in range(1001)]
    assert rates == sorted(rates, reverse=True)


@pytest.mark.parametrize(
    ("switch_frac", "min_frac", "expected"),
    [
        (1, 0.01, 0.0), (1 / 2, 0.01, 0.5032), (1 / 5, 0.01, 0.7113), (1 / 10, 0.01, 0.8050),
        (1 / 50, 0.01, 0.9359), (1, 0.1, 0.0), (1 / 2, 0.1, 0.5354), (1 / 5, 0.1, 0.7837),
        (1, 0.0, 0.0), (1 / 2, 0.0, 0.5000), (1 / 5, 0.0, 0.7048), (1 / 10, 0.0, 0.7952),
        (1 / 50, 0.0, 0.9097),
    ],
)  # fmt: skip
def test_the_switch_is_where_the_table_has_it(switch_frac, min_frac, expected):
    progress = switch_progress(switch_frac, min_frac=min_frac)
    assert round(progress, 4) == expected
    assert learning_rate_frac(progress, min_frac=min_frac) == pytest.approx(switch_frac)


@pytest.mark.parametrize("switch_frac", [1 / 10, 1 / 50])
def test_a_switch_that_comes_never_or_at_the_end_is_refused(switch_frac):
    for build in (
        lambda: switch_progress(switch_frac, min_frac=0.1),
        lambda: Plan(RATE, 300, min_frac=0.1, switch_frac=switch_frac),
    ):
        with pytest.raises(ConfigError, match=r"above min_frac, 0\.1.*only at the end"):
            build()


@pytest.mark.parametrize(
    ("switch_frac", "general", "qa"),
    [(1 / 2, 151.0, 149.0), (1 / 5, 213.4, 86.6), (1 / 10, 241.5, 58.5), (1 / 50, 280.8, 19.2)],
)
def test_the_phases_of_300b_are_those_of_the_table(switch_frac, general, qa):
    tokens = tokens_of(Plan(RATE, 300, switch_frac=switch_frac), qa_tokens=2.81)
    assert (round(tokens.general_phase, 1), round(tokens.qa_phase, 1)) == (general, qa)


@pytest.mark.parametrize(
    ("total", "phase", "qa", "epochs", "repetitive"),
    [(100, 28.9, 2.9, 1.03, False), (300, 86.6, 8.7, 3.08, False), (1000, 288.7, 28.9, 10.3, True)],
)
def test_the_epochs_over_the_qa_data_are_those_of_the_table(total, phase, qa, epochs, repetitive):
    tokens = tokens_of(Plan(RATE, total), qa_tokens=2.81)
    assert (round(tokens.qa_phase, 1), round(tokens.qa, 1)) == (phase, qa)
    assert tokens.qa_epochs == pytest.approx(epochs, abs=0.05 if epochs > 10 else 0.005)
    assert tokens.is_repetitive is repetitive


def test_a_split_of_250_and_50_would_switch_at_a_thirteenth():
    plan = Plan(RATE, 300e9)
    rate = plan.learning_rate(250e9)
    assert float(f"{rate:.2e}") == 3.43e-6
    assert round(RATE / rate, 1) == 13.1
    epochs = 0.1 * 50 / 2.81
    tokens = tokens_of(Plan(RATE, 300, switch_frac=rate / RATE), qa_tokens=2.81)
    assert tokens.qa_epochs == pytest.approx(epochs)
    assert round(epochs, 1) == 1.8


@pytest.mark.parametrize("n_steps", [100, 300, 1000])
def test_the_switch_scales_with_the_run_and_is_its_first_step_that_is_low_enough(n_steps):
    plan = Plan(RATE, n_steps * 4096)
    step = plan.switch_step(4096)
    assert step == math.ceil(0.7113 * n_steps)
    assert plan.learning_rate(step * 4096) <= RATE / 5 < plan.learning_rate((step - 1) * 4096)


def test_the_run_of_the_paper_switches_near_step_45223():
    # Batch 1,152 of 4,096; 300B tokens are 63.6k steps, of which 0.7113, known to 4 digits.
    plan, per_step = Plan(RATE, 300e9), 1152 * 4096
    assert round(plan.n_tokens / per_step, -2) == 63_600
    step = plan.switch_step(per_step)
    assert step == pytest.approx(0.7113 * 300e9 / per_step, abs=4)
    assert plan.learning_rate(step * per_step) <= RATE / 5
    assert plan.learning_rate((step - 1) * per_step) > RATE / 5


@pytest.mark.parametrize("stop", [1, 50, 70, 71, 72, 73, 99])
def test_it_switches_once_and_at_the_same_step_across_a_resume(stop):
    plan, size = Plan(RATE, 1000.0), 10
    first = [plan.phase(step * size) for step in range(stop)]
    resumed = Plan(RATE, 1000.0)
    phases = first + [resumed.phase(step * size) for step in range(stop, 100)]
    assert phases == ["general"] * 72 + ["qa"] * 28
    assert plan.switch_step(size) == 72


def test_a_switch_at_the_first_rate_is_at_step_0():
    plan = Plan(RATE, 1000, switch_frac=1.0)
    assert (plan.phase(0), plan.switch_step(10)) == ("qa", 0)


def test_steps_too_long_for_the_second_phase_are_refused():
    assert Plan(RATE, 1000).switch_step(800) == 1
    with pytest.raises(ConfigError, match="ends before a step begins in its second phase"):
        Plan(RATE, 1000).switch_step(1000)
    with pytest.raises(ConfigError, match="tokens_per_step"):
        Plan(RATE, 1000).switch_step(0)


def test_steps_that_meet_the_switch_exactly_are_in_the_second_phase():
    # m = 0 and a half: progress 1/2, and half of any even number of steps.
    for n_steps in range(2, 200, 2):
        plan = Plan(RATE, n_steps * 0.1, min_frac=0.0, switch_frac=0.5)
        step = plan.switch_step(0.1)
        assert step - n_steps / 2 in (0, 1)
        assert plan.phase(step * 0.1) == "qa"
        assert plan.phase((step - 1) * 0.1) == "general"


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"max_learning_rate": 0}, "max_learning_rate"), ({"n_tokens": math.inf}, "n_tokens"),
     ({"min_frac": -0.1}, "min_frac"), ({"min_frac": 1.0}, "min_frac"),
     ({"switch_frac": 1.1}, "switch_frac"), ({"switch_frac": math.nan}, "switch_frac")],
)  # fmt: skip
def test_a_plan_out_of_range_is_refused(changes, named):
    with pytest.raises(ConfigError, match=named):
        Plan(**({"max_learning_rate": RATE, "n_tokens": 1000} | changes))


@pytest.mark.parametrize("tokens_read", [-1, 1001, math.nan])
def test_there_is_no_rate_before_the_start_or_behind_the_end(tokens_read):
    with pytest.raises(InputError, match="the run is over"):
        Plan(RATE, 1000).learning_rate(tokens_read)


def test_the_second_blend_is_nine_tenths_general_and_a_tenth_qa():
    blend = qa_blend({"web": 0.4, "books": 0.6}, {"chat": 0.25, "reasoning": 0.75})
    assert blend == pytest.approx({"books": 0.54, "chat": 0.025, "reasoning": 0.075, "web": 0.36})
    assert math.fsum(blend.values()) == pytest.approx(1.0)


def test_a_source_in_both_blends_gets_both_shares():
    assert qa_blend({"code": 1.0}, {"code": 0.5, "chat": 0.5}, qa_share=0.2) == pytest.approx(
        {"code": 0.9, "chat": 0.1}
    )


@pytest.mark.parametrize(
    ("general", "qa", "qa_share", "named"),
    [({"a": 0.9}, {"b": 1.0}, 0.1, "sum to 1"), ({"a": 1.0}, {"b": 10}, 0.1, "sum to 1"),
     ({"a": 1.0}, {"b": 1.0}, 1.1, "qa_share"), ({"a": 2.0, "c": -1.0}, {"b": 1.0}, 0.1, "'c'")],
)  # fmt: skip
def test_blends_that_are_none_are_refused(general, qa, qa_share, named):
    with pytest.raises(ConfigError, match=named):
        qa_blend(general, qa, qa_share=qa_share)


def test_qa_3_is_the_pool_as_it_is():
    # Table 2's sizes in billions against figure 2's third blend in percent.
    sizes = {"chat": 0.26, "reasoning": 0.92, "stem": 0.31, "code": 0.19, "world": 1.13}
    third = {"chat": 9.2, "reasoning": 32.8, "stem": 10.9, "code": 6.5, "world": 40.6}
    natural = {source: 100 * share for source, share in normalised(sizes).items()}
    rounded = {source: round(share, 1) for source, share in natural.items()}
    # The spec prints 9.3 32.7 11.0 6.8 40.2.
    assert rounded == {"chat": 9.3, "reasoning": 32.7, "stem": 11.0, "code": 6.8, "world": 40.2}
    assert all(abs(natural[source] - share) < 0.45 for source, share in third.items())


def test_the_general_blend_repeats_no_source_in_300b():
    # Figure 1's blend in percent, sums to 99.9; table 1's sizes in billions. Web has no size of
    # its high-quality part.
    names = ("web", "books", "news", "papers", "encyclopedia", "legal", "finance", "misc",
             "multilingual", "code")  # fmt: skip
    percent = (12.0, 10.7, 4.0, 13.4, 9.1, 1.8, 4.0, 14.9, 15.0, 15.0)
    billions = (5106, 80, 93, 82, 31, 50, 20, 179, 2229 + 55, 583)
    sizes = dict(zip(names, billions, strict=True))
    blend = normalised(dict(zip(names, percent, strict=True)))
    sources = mix(sizes, blend, budget=300).sources
    found = {name: source.epochs for name, source in sources.items()}
    # The spec prints finance 0.61; the rounded 4.0 % give 0.60.
    printed = {"encyclopedia": 0.88, "finance": 0.61, "papers": 0.49, "books": 0.40}
    assert all(found[name] == pytest.approx(value, abs=0.011) for name, value in printed.items())
    assert max(found.values()) == found["encyclopedia"] < 0.9


def test_qa_data_must_be_there():
    with pytest.raises(InputError, match="QA tokens"):
        tokens_of(Plan(RATE, 300), qa_tokens=0)
