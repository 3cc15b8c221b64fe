"""Experiments on small models: statistics, plans, texts and the report. No training."""

import math
import re
from random import Random

import pytest

pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from bench.science import dialogue, duplicates, phases, rewarming, unimax
from bench.science.__main__ import EXPERIMENTS, main
from bench.science.compare import T_975, finding, spread
from bench.science.design import Arm, Contrast, Phase, sample_sources
from bench.science.facts import invented_facts
from bench.science.report import markdown, write_report
from bench.science.rewriting import low_page, page_content
from bench.science.runner import Result, answered, keep_result, load_results
from bench.science.texts import split_pages, split_texts, surveys, up_to
from bench.science.tokenizer import VOCABULARY, trained_encoder
from curation.errors import ConfigError
from curation.sample.catalogue import load_stock
from models.classifiers.data import LabelledPage

DIFFERENCE = Contrast("b minus a", "loss", {"b": 1.0, "a": -1.0}, "below 0")


def of_arms(a, b):
    return {
        arm: {seed: {"loss": value} for seed, value in enumerate(values)}
        for arm, values in (("a", a), ("b", b))
    }


def result(arm, seed, loss, **more):
    told = {
        "experiment": "selection", "arm": arm, "seed": seed, "identity": f"{arm}{seed}",
        "n_parameters": 1_066_112, "n_tokens": 1000, "epochs": {arm: 1.5},
        "metrics": {"target topic": loss, "other topics": 2.0}, "notes": {}, "seconds": 1.0,
    }  # fmt: skip
    return Result(**told | more)


def test_the_interval_is_that_of_student():
    # By hand: mean 2, sd 1, n 3; 4.303 / sqrt(3).
    assert spread([1.0, 2.0, 3.0]).half_width == pytest.approx(2.484, abs=1e-3)
    assert math.isnan(spread([1.0]).half_width)
    assert list(T_975.values()) == sorted(T_975.values(), reverse=True)


def test_the_interval_covers_the_truth_in_nineteen_of_twenty_cases():
    rng, n = Random(5), 4000
    hits = 0
    for _ in range(n):
        drawn = spread([rng.gauss(1.0, 2.0) for _ in range(4)])
        hits += abs(drawn.mean - 1.0) <= drawn.half_width
    assert hits / n == pytest.approx(0.95, abs=4 * math.sqrt(0.95 * 0.05 / n))


@pytest.mark.parametrize(
    ("a", "b", "verdict"),
    [
        ((2.0, 2.1, 3.0), (1.9, 2.01, 2.89), "resolved"),
        ((1.9, 2.01, 2.89), (2.0, 2.1, 3.0), "resolved, the opposite"),
        ((2.0, 2.1, 3.0), (2.0, 1.9, 3.2), "not resolved"),
        ((2.0,), (1.0,), "not resolved"),
    ],
)
def test_differences_are_between_equal_seeds(a, b, verdict):
    assert finding(DIFFERENCE, of_arms(a, b)).verdict == verdict


def test_a_seed_that_one_arm_lacks_does_not_count():
    assert finding(DIFFERENCE, of_arms((1.0, 2.0, 9.0), (2.0, 4.0))).by_seed == (1.0, 2.0)


def test_weights_of_contrasts_sum_to_zero():
    for experiment in EXPERIMENTS.values():
        for contrast in experiment.contrasts:
            assert math.fsum(contrast.weights.values()) == pytest.approx(0.0)


def test_every_arm_of_every_experiment_reads_equally_many_samples():
    sizes = {"web": 360_000, "news": 94_000, "exams": 41_000, "problems": 24_000, "german": 6_700}
    for experiment in EXPERIMENTS.values():
        arms = experiment.arms(sizes, 122_880)
        assert {len(sample_sources(arm, 960, seed=1)) for arm in arms} == {960}
        named = {arm.name for arm in arms}
        assert all(set(contrast.weights) <= named for contrast in experiment.contrasts)


def test_shares_of_a_plan_are_exact_and_phases_follow_each_other():
    arm = Arm("a", (Phase({"x": 0.75, "y": 0.25}, until=0.4), Phase({"z": 1.0})))
    names = sample_sources(arm, 100, seed=3)
    assert (names[:40].count("x"), names[:40].count("y"), set(names[40:])) == (30, 10, {"z"})
    assert names != sample_sources(arm, 100, seed=4)


@pytest.mark.parametrize(
    "phases_", [(Phase({"x": 0.5}),), (Phase({"x": 1.0}, until=0.5),), (Phase({"x": 2, "y": -1}),)]
)
def test_a_plan_that_does_not_add_up_is_refused(phases_):
    with pytest.raises(ConfigError, match="arm bad"):
        sample_sources(Arm("bad", phases_), 100, seed=0)


def test_both_arms_with_questions_read_equally_many():
    _, throughout, two = phases.ARMS
    counts = [sample_sources(arm, 1000, seed=0).count("questions") for arm in (throughout, two)]
    assert counts[0] == 100
    assert counts[1] == pytest.approx(100, abs=1)


def test_unimax_lifts_small_sources_up_to_four_passes():
    sizes, budget = {"web": 10_000, "german": 100}, 4000
    natural, even = unimax.arms(sizes, budget)
    assert natural.phases[0].shares["german"] == pytest.approx(100 / 10_100)
    assert even.phases[0].shares["german"] == pytest.approx(4 * 100 / budget)


def test_rewarming_climbs_to_ten_times_the_rate_that_the_other_begins_with():
    steady, climbing = rewarming.arms({}, 60 * 8 * 128)
    assert climbing.settings == {"warmup_steps": 12}
    assert steady.settings["learning_rate"] == pytest.approx(3e-4)
    assert steady.settings["warmup_steps"] == 0


def test_no_site_and_no_text_is_on_both_sides():
    pages = [LabelledPage(f"{i}", 1.0, f"site{i % 23}.org", f"text {i % 90}") for i in range(100)]
    train, held_out = split_pages(pages, 2)
    assert train
    assert held_out
    assert not {page.group for page in train} & {page.group for page in held_out}
    assert not {page.text for page in train} & {page.text for page in held_out}
    others = split_pages(pages, 3)[1]
    assert not {page.group for page in held_out} & {page.group for page in others}


def test_split_texts_are_distinct_and_complete():
    train, held_out = split_texts([f"t{i % 50}" for i in range(100)], 1)
    assert (len(train), len(held_out)) == (40, 10)
    assert len({*train, *held_out}) == 50


def test_texts_are_cut_to_the_size():
    assert up_to(["abc", "defg", "hi"], 5) == ["abc", "de"]


def test_no_sentence_about_a_held_out_subject_is_trained_on():
    stock = load_stock()
    subjects = [stock.subject(turn) for turn in range(0, len(stock.subjects), 5)]
    sections = [section for subject in subjects for section in subject.sections]
    lines = {line for section in sections for unit in section.units for line in unit}
    said = {part for line in lines for part in re.split(r"[{}|]", line) if len(part) > 40}
    train, held_out = ("\n".join(surveys(0, held_out=side)) for side in (False, True))
    assert sum(part in held_out for part in said) > 100
    assert not any(part in train for part in said)
    assert surveys(0, held_out=True) == surveys(0, held_out=True)


def test_problems_that_are_asked_are_in_no_text():
    train, held_out = dialogue.split_problems(4)
    assert (len(train), len(held_out)) == (36, 24)
    assert not set(train) & set(held_out)
    assert sum(problem.n_steps == 1 for problem in train) == 12
    made = dialogue.material(None, 4)
    prompts = tuple(prompt for prompt, _ in made.quizzes["problems"].items)
    for name in dialogue.FORMS:
        assert len(made.sources[name]) == dialogue.N_TEXTS
        assert not any(text.startswith(prompts) for text in made.sources[name])
    assert dialogue.material(None, 4) == made


def test_the_three_forms_of_a_problem():
    problem, rng = dialogue.Problem(8, 2), Random(0)
    assert problem.hours == ("nine", "two", "seven")
    assert dialogue.terse(problem, rng) == "Problem: from nine, 2 times\nAnswer: seven"
    assert dialogue.dialogue(problem, rng) == (
        "Problem: from nine, 2 times\nTeacher: nine, 2 left\nPupil: two, 1 left\n"
        "Teacher: seven, 0 left\nAnswer: seven"
    )
    said = dialogue.rephrased(problem, rng)
    assert said.startswith(problem.prompt)
    assert said.endswith("\nAnswer: seven")
    assert "two" not in said


@pytest.mark.parametrize(
    ("text", "marker", "answer"),
    [
        ("Teacher: so\nAnswer: 06", "Answer:", "06"),
        ("06", "Answer:", ""),
        (" Harrow Cross\nQuestion", "", "Harrow Cross"),
    ],
)
def test_an_answer_is_what_follows_the_marker(text, marker, answer):
    assert answered(text, marker) == answer


def test_copies_are_found_again_and_removed():
    rng = Random(1)
    pages = [" ".join(f"w{rng.randrange(900)}" for _ in range(300)) for _ in range(6)]
    crawl = duplicates.with_copies(pages, 2, 4, key="k")
    assert len(crawl) == 14
    assert len(set(crawl)) == 10  # two exact copies of each are the page itself
    assert duplicates.deduplicated(crawl) == pages


def test_a_low_page_holds_what_its_rewriting_says():
    stock, entities = load_stock(), invented_facts(2, 0)
    content = page_content(Random(2), stock, 3, entities)
    page = low_page(Random(3), stock, 3, content)
    assert all(fact.entity.lower() in page for entity in entities for fact in entity)
    assert len(page) > 1.5 * len(" ".join(content))
    assert page == low_page(Random(3), stock, 3, content)


def test_facts_say_and_ask_the_same():
    facts = [fact for entity in invented_facts(50, 9) for fact in entity]
    assert len({(fact.entity, fact.attribute) for fact in facts}) == 150
    for fact in facts:
        said = fact.sentence(Random(0))
        assert fact.entity in said
        assert fact.value in said
        assert fact.question[1] == f" {fact.value}"
        assert "".join(fact.cloze).endswith(f"{fact.value}.")
        assert fact.value not in fact.cloze[0].replace(fact.entity, "")


def test_the_tokenizer_is_the_same_for_the_same_texts(tmp_path):
    texts = surveys(1, held_out=True)
    first, second = (trained_encoder(texts, tmp_path / name) for name in "ab")
    assert first.vocabulary_size == VOCABULARY
    assert first.tokenizer.to_str() == second.tokenizer.to_str()
    said = f"{texts[0]} 1234 ß"
    [ids] = first.encode([said])
    assert first.tokenizer.decode(ids.tolist()) == said
    assert len(first.encode(["1234"])[0]) == 4


def test_finished_runs_survive_a_line_that_was_cut(tmp_path):
    keep_result(result("random", 0, 2.0), tmp_path)
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"experiment": "sel')
    assert [one.arm for one in load_results(tmp_path)] == ["random"]
    keep_result(result("dsir", 0, 1.9), tmp_path)
    assert [one.arm for one in load_results(tmp_path)] == ["random", "dsir"]


def test_the_report_says_what_is_resolved(tmp_path):
    runs = [
        result(arm, seed, loss + seed, trace=[[0, 2.5], [60, loss]])
        for arm, losses in (("random", (2.5, 2.5, 2.5)), ("dsir", (2.4, 2.41, 2.39)))
        for seed, loss in enumerate(losses)
    ]
    experiment = EXPERIMENTS["selection"]
    text = write_report(experiment, runs, tmp_path, tmp_path / "images")
    assert "| dsir minus random | target topic | -0.1000 | -0.1248 to -0.0752 |" in text
    assert "| resolved |" in text
    assert "| dsir minus random | other topics | +0.0000 | +0.0000 to +0.0000 |" in text
    assert "not resolved" in text
    assert text == markdown(experiment, runs)
    svg = (tmp_path / "images" / "science-selection.svg").read_text()
    write_report(experiment, runs, tmp_path, tmp_path / "images")
    assert (tmp_path / "images" / "science-selection.svg").read_text() == svg


def test_one_seed_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="at least 2"):
        main(["labels", "--out", str(tmp_path), "--seeds", "1"])
