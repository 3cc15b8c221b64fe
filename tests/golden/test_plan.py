"""`curation plan` beside what the flow did with the same documents."""

import shutil

import pytest
from runs import CONF, run

from curation.config import load_config
from curation.report.planning import plan_and_fact
from curation.report.run import open_run
from curation.synth.plan import ANSWERS, CAPS, plan_tasks, read_plan

pytestmark = [pytest.mark.spark, pytest.mark.timeout(900)]


def planned(golden_run, n_sample=1_000, speed=0.0, **settings):
    conf = load_config(str(CONF), {f"synth.{name}": value for name, value in settings.items()})
    with open_run(golden_run) as found:
        plans = plan_tasks(found, conf.synth, n_sample=n_sample, speed=speed)
    return {plan.task: plan for plan in plans}


def facts(golden_run, sql):
    with open_run(golden_run) as found:
        return {row["task"]: row for row in found.table(sql).to_pylist()}


def test_a_plan_from_all_documents_is_what_the_flow_then_asks(golden_run):
    asked = facts(golden_run, "SELECT task, count(*) AS n FROM requests GROUP BY task")
    plans = planned(golden_run, engine_seed=18)
    assert {task: plan.requests.value for task, plan in plans.items()} == {
        task: row["n"] for task, row in asked.items()
    }
    assert all(plan.requests.low == plan.requests.high for plan in plans.values())


def test_what_is_answered_is_not_planned_again(golden_run):
    every = planned(golden_run, engine_seed=18, max_requests_per_task=0)
    left = planned(golden_run, max_requests_per_task=0)
    done = facts(golden_run, "SELECT task, count(*) AS n FROM generations "
                 "WHERE error IS NULL GROUP BY task")  # fmt: skip
    for task, plan in every.items():
        assert left[task].requests.value == plan.requests.value - done[task]["n"]


def test_tokens_in_are_those_of_the_chats_that_are_sent(golden_run):
    plan = planned(golden_run, engine_seed=18, max_requests_per_task=0)["distill"]
    (text,) = facts(golden_run, "SELECT task, avg(n_text_tokens) AS n FROM requests "
                    "WHERE task = 'distill' GROUP BY task").values()  # fmt: skip
    assert plan.input_tokens.value > plan.requests.value * 50 + text["n"]


def test_without_answers_enough_the_caps_are_planned_and_a_speed_gives_a_time(golden_run):
    plan = planned(golden_run, speed=100.0, max_output_tokens=50)["distill"]
    assert plan.output_from == CAPS != ANSWERS
    assert plan.output_tokens.value == 50 * plan.requests.value
    assert plan.engine_hours.value == pytest.approx(plan.output_tokens.value / 100 / 3600)


def test_a_sample_gives_an_interval_around_the_truth(golden_run):
    truth = planned(golden_run, engine_seed=18, max_requests_per_task=0)["wikipedia"].requests
    found = planned(golden_run, n_sample=12, engine_seed=18, max_requests_per_task=0)["wikipedia"]
    assert found.n_sampled == 12 < found.n_documents
    assert found.requests.low < found.requests.value < found.requests.high
    assert abs(found.requests.value - truth.value) < 0.5 * truth.value


def test_the_command_shows_the_plan_and_the_report_shows_it_beside_the_facts(golden_run, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(golden_run, out)
    shown = run("plan", str(CONF), "--out", str(out), "--set", "synth.engine_seed=18")
    assert "knowledge_list" in shown.stdout
    assert len(read_plan(out)) == 12
    with open_run(out) as found:
        section = plan_and_fact(found)
    first = {cell[0].text for row in section.grid.rows for cell in row[:1]}
    assert "wikipedia" in first
