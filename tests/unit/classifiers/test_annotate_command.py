"""The command with the fake generator: faults, tries, kill and resume, what it writes."""

import csv
import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from curation.errors import ConfigError
from curation.synth.backends.protocol import KILLS_ENGINE, failed
from models.classifiers.annotate import main
from models.classifiers.annotation.fake import FakeAnnotator
from models.classifiers.annotation.rubrics import load_rubrics
from models.classifiers.annotation.settings import load_settings

ROOT = Path(__file__).parents[3]
N_TEXTS = 12
SLOW = """
import sys, time
from models.classifiers.annotate import main
from models.classifiers.annotation.fake import FakeAnnotator

class Slow(FakeAnnotator):
    def _complete(self, request):
        with open(sys.argv[1], "a") as file:
            file.write(f"{request.request_id}\\n")
        time.sleep(0.01)
        return super()._complete(request)

raise SystemExit(main(sys.argv[2:], lambda settings, seed: Slow(faults={"refusal": 0.2})))
"""


@pytest.fixture
def texts(tmp_path):
    file = tmp_path / "texts.jsonl"
    rows = [{"id": f"t{i}", "text": f"Text {i}. Answer: 5\nScore: 0/5"} for i in range(N_TEXTS)]
    file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    return file


def arguments(texts, out, *more):
    return ["--texts", str(texts), "--out", str(out), "--backend", "fake", *more]


def run(texts, out, *more, faults=None, asked=None):
    """Exit code of a run; `asked` collects the requests."""

    class Watched(FakeAnnotator):
        def _complete(self, request):
            if asked is not None:
                asked.append(request)
            return super()._complete(request)

    return main(arguments(texts, out, *more), lambda settings, seed: Watched(faults=faults))


def answers(out):
    return [json.loads(line) for line in (out / "answers.jsonl").read_text().splitlines()]


def annotations(out):
    with (out / "annotations.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def figures(out):
    return json.loads((out / "agreement.json").read_text())


def test_every_text_is_judged_on_every_rubric_in_two_passes(texts, tmp_path, capsys):
    out, asked = tmp_path / "out", []
    assert run(texts, out, asked=asked) == 0
    assert len(asked) == len({request.request_id for request in asked}) == N_TEXTS * 5 * 2
    rows = annotations(out)
    assert [row["id"] for row in rows] == [f"t{i}" for i in range(N_TEXTS)]
    assert list(rows[0]) == ["id", "edu", "quality", "domain", "speech", "toxicity"]
    assert {row["domain"] for row in rows} <= {*load_rubrics(["domain"])[0].options}
    scales = {request.user.splitlines()[-1] for request in asked if "educational" in request.user}
    assert scales == {"0 | 1 | 2 | 3 | 4 | 5", "5 | 4 | 3 | 2 | 1 | 0"}
    given = {}
    for line in answers(out):
        assert line["raw"] == f"Answer: {line['value']}"  # never the one that the text says
        given.setdefault((line["rubric"], line["text_hash"]), []).append(line["value"])
    means = sorted(sum(map(int, v)) / 2 for (r, _), v in given.items() if r == "edu")
    assert sorted(float(row["edu"]) for row in rows) == means
    assert "edu: unparsed none; passes 1 and 2: texts 12" in capsys.readouterr().out


def test_nothing_is_asked_again_and_no_generator_is_loaded_when_all_is_answered(texts, tmp_path):
    out, asked = tmp_path / "out", []
    run(texts, out)
    before = (out / "annotations.csv").read_bytes(), (out / "agreement.json").read_bytes()
    assert main(arguments(texts, out), lambda *_: pytest.fail("a generator is loaded")) == 0
    assert ((out / "annotations.csv").read_bytes(), (out / "agreement.json").read_bytes()) == before
    assert run(texts, out, "--passes", "3", "--rubrics", "edu", asked=asked) == 0
    assert len(asked) == N_TEXTS


@pytest.mark.parametrize("change", [("Judge.", "Judge well."), ("source: us", "source: others")])
def test_a_changed_rubric_is_asked_anew_and_the_old_answers_stay(texts, tmp_path, change):
    out, rubric, asked = tmp_path / "out", tmp_path / "own.md", []
    rubric.write_text("---\nname: own\ntitle: own\nanswer: 1..3\nsource: us\n---\nJudge.\n")
    run(texts, out, "--rubrics", str(rubric))
    rubric.write_text(rubric.read_text().replace(*change))
    run(texts, out, "--rubrics", str(rubric), asked=asked)
    assert len(asked) == N_TEXTS * 2
    cost = json.loads((out / "cost.json").read_text())
    assert (cost["these"]["requests"], cost["folder"]["requests"]) == (N_TEXTS * 2, N_TEXTS * 4)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("refusal", "no_answer"), ("garbage", "no_answer"), ("truncation", "no_answer"),
     ("error", "error")],
)  # fmt: skip
def test_what_never_answers_is_asked_as_often_as_told_and_counted(texts, tmp_path, fault, reason):
    out = tmp_path / "out"
    assert run(texts, out, "--rubrics", "edu,domain", "--tries", "2", faults={fault: 1.0}) == 0
    lines = answers(out)
    assert Counter(line["try_number"] for line in lines) == {1: N_TEXTS * 4, 2: N_TEXTS * 4}
    assert {(line["value"], line["reason"]) for line in lines} == {(None, reason)}
    assert {(row["edu"], row["domain"]) for row in annotations(out)} == {("", "")}
    found = figures(out)["rubrics"]["edu"]
    assert found["unparsed_questions"] == {"share": 1.0, "by_reason": {reason: 1.0}}
    assert found["between_passes"][0]["quadratic_kappa"] is None


def test_a_question_that_kills_the_engine_is_asked_once(texts, tmp_path):
    class Killed(FakeAnnotator):
        def _complete(self, request):
            return failed(request, f"{KILLS_ENGINE}: RuntimeError: x")

    out = tmp_path / "out"
    command = arguments(texts, out, "--rubrics", "edu", "--tries", "3")
    assert main(command, lambda settings, seed: Killed()) == 0
    assert [line["try_number"] for line in answers(out)] == [1] * N_TEXTS * 2
    assert {line["reason"] for line in answers(out)} == {"error"}


def test_the_generator_s_settings_are_those_of_the_synthesis():
    url = "http.url=http://host:8000/v1"
    settings = load_settings({"backend": "http"}, [url, "engine={}", "http.max_in_flight=3"])
    assert (settings.http.url, settings.http.max_in_flight) == ("http://host:8000/v1", 3)
    assert load_settings({}, ["engine.quantization=fp8"]).answer_settings() == ("quantization=fp8",)
    with pytest.raises(ConfigError, match=r"`settings`: .*needs `http.url`"):
        load_settings({"backend": "http"})
    with pytest.raises(ConfigError, match="did you mean `engine`"):
        load_settings({}, ["engin.quantization=fp8"])


def test_the_unreadable_alone_is_asked_again_and_may_then_be_read(texts, tmp_path):
    out = tmp_path / "out"
    run(texts, out, "--rubrics", "edu", "--tries", "9", faults={"garbage": 0.4})
    tries = {}
    for line in answers(out):
        tries.setdefault((line["text_hash"], line["pass_number"]), []).append(line)
    assert len(tries) == N_TEXTS * 2
    assert max(map(len, tries.values())) > 1
    for lines in tries.values():
        assert [line["try_number"] for line in lines] == list(range(1, len(lines) + 1))
        assert [line["value"] is None for line in lines] == [True] * (len(lines) - 1) + [False]


def kill_at(n_lines, command, out):
    """Ids of the requests answered when `command` was killed, once there were `n_lines` or more."""
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    end = time.monotonic() + 60
    try:
        while not (out / "answers.jsonl").exists() or len(answers_so_far(out)) < n_lines:
            assert process.poll() is None, "it ended before it could be killed"
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL
    return {line["request_id"] for line in answers(out)}


def answers_so_far(out):
    return (out / "answers.jsonl").read_bytes().splitlines()


def test_a_killed_run_asks_again_only_what_has_no_line_and_ends_as_an_undisturbed_one(
    texts, tmp_path
):
    quiet, out = tmp_path / "quiet", tmp_path / "out"
    more = ("--rubrics", "edu,domain", "--set", "requests_per_commit=4")
    assert run(texts, quiet, *more, faults={"refusal": 0.2}) == 0
    asked = [tmp_path / f"asked{i}" for i in range(3)]
    commands = [
        [sys.executable, "-c", SLOW, str(file), *arguments(texts, out, *more)] for file in asked
    ]
    first = kill_at(8, commands[0], out)
    with (out / "answers.jsonl").open("ab") as file:
        file.write(b'{"request_id": "torn')
    second = kill_at(30, commands[1], out)
    assert subprocess.run(commands[2], cwd=ROOT, capture_output=True, check=True).stdout
    lines = answers(out)
    assert len(lines) == len({line["request_id"] for line in lines})
    assert first < second < {line["request_id"] for line in lines}
    assert not first & {*asked[1].read_text().split()}
    assert not second & {*asked[2].read_text().split()}
    for name in ("annotations.csv", "agreement.json", "cost.json"):
        assert (out / name).read_bytes() == (quiet / name).read_bytes()
    assert sorted(map(str, lines)) == sorted(map(str, answers(quiet)))


def test_the_engine_gets_another_seed_when_a_run_goes_on(texts, tmp_path):
    seeds = []

    def opened(settings, seed):
        seeds.append(seed)
        return FakeAnnotator(n_before_crash=8 if len(seeds) == 1 else None)

    command = arguments(
        texts, tmp_path / "out", "--rubrics", "edu", "--set", "requests_per_commit=4"
    )
    with pytest.raises(RuntimeError, match="crashes"):
        main(command, opened)
    assert main(command, opened) == 0
    assert seeds == [17, 17 + 8]


def test_a_text_under_two_ids_is_asked_once_and_an_empty_one_never(tmp_path):
    texts, asked = tmp_path / "t.jsonl", []
    rows = [("a", "same"), ("b", "same"), ("c", "  ")]
    texts.write_text("".join(json.dumps({"id": i, "text": t}) + "\n" for i, t in rows))
    run(texts, tmp_path / "out", "--rubrics", "edu", asked=asked)
    assert len(asked) == 2
    first, second, empty = annotations(tmp_path / "out")
    assert first["edu"] == second["edu"] != ""
    assert empty == {"id": "c", "edu": ""}


def test_the_cost_is_the_tokens_by_their_prices(texts, tmp_path):
    out = tmp_path / "out"
    run(texts, out, "--rubrics", "edu", "--price-in", "2", "--price-out", "1000")
    these, lines = json.loads((out / "cost.json").read_text())["these"], answers(out)
    n_in, n_out = (sum(line[name] for line in lines) for name in ("tokens_in", "tokens_out"))
    assert (these["requests"], these["tokens_in"], these["tokens_out"]) == (24, n_in, n_out)
    assert these["price"] == pytest.approx((2 * n_in + 1000 * n_out) / 1e6)


def test_labels_are_compared_with_the_rounded_mean(texts, tmp_path):
    out, labels = tmp_path / "out", tmp_path / "labels.csv"
    run(texts, out, "--rubrics", "edu,domain")
    rows = annotations(out)
    rounded = [str(int(float(row["edu"]) + 0.5)) for row in rows]
    pairs = zip(rows, rounded, strict=True)
    labels.write_text("sha1,edu\n" + "".join(f"{row['id']},{value}\n" for row, value in pairs))
    run(texts, out, "--rubrics", "edu,domain", "--labels", str(labels))
    found = figures(out)["rubrics"]
    assert found["edu"]["against_labels"]["quadratic_kappa"] == 1.0
    assert found["edu"]["against_labels"]["texts"] == N_TEXTS
    assert "against_labels" not in found["domain"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--rubrics", "edx"], "ConfigError: rubric `edx`"),
        (["--set", "pases=2"], "ConfigError: --set pases: no such setting; did you mean `passes`?"),
        (["--passes", "0"], "ConfigError: `passes`"),
        (["--count", "0"], "ConfigError: --start is 0 or more, --count 1 or more"),
        (["--labels", "/nowhere.csv"], "InputError: /nowhere.csv"),
        (["--read"], "ConfigError: --read prints the pages of --data"),
        (["--texts", "/nowhere.jsonl"], "InputError: /nowhere.jsonl: no such file"),
        (["--out", "/dev/null/x"], "InputError: out: /dev/null/x cannot be a folder"),
        (["--backend", "vllm", "--model", "/nowhere"], "EnvironmentFault: model `/nowhere`"),
    ],
)
def test_a_mistake_is_one_line_with_the_name_of_the_error(texts, tmp_path, capsys, more, said):
    assert main([*arguments(texts, tmp_path / "out"), *more]) == 2
    error = capsys.readouterr().err
    assert error.startswith(said)
    assert error.count("\n") == 1


def test_data_without_pages_are_one_line_too(tmp_path, capsys):
    command = ["--data", str(tmp_path), "--out", str(tmp_path / "out"), "--backend", "fake"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert error.startswith("InputError: ")
    assert error.count("\n") == 1


def test_without_a_folder_for_the_answers_nothing_is_asked(texts, capsys):
    assert main(["--texts", str(texts)]) == 2
    assert capsys.readouterr().err.startswith("ConfigError: --out names the folder")


def test_two_runs_on_one_folder_are_refused(texts, tmp_path, capsys):
    from curation.lock import locked

    with locked(str(tmp_path / "out")):
        assert main(arguments(texts, tmp_path / "out")) == 2
    assert "is being written by process" in capsys.readouterr().err


def test_no_text_at_all_is_an_error(tmp_path, capsys):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("\n")
    assert main(arguments(empty, tmp_path / "out"), lambda *_: pytest.fail("asked")) == 2
    assert "no text there to annotate" in capsys.readouterr().err
