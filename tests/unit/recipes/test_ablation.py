"""Spec: mind_data_reuse.md, part 3.5: the ablation runner."""

import json

import numpy as np
import pytest
import yaml

pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from curation.config import TrainConfig
from curation.errors import TrainingDiverged
from curation.tokens.manifest import Manifest, write_manifest
from curation.tokens.shard import write_shard
from models.recipes.ablation import Arm, arms, main, plan_row

TRAIN = {
    "hidden_size": 16, "n_layers": 1, "n_heads": 2, "sequence_length": 16, "batch_size": 4,
    "micro_batch_size": 4, "n_steps": 8, "schedule": "continued", "checkpoint_every": 3,
    "general": {"web": 1.0}, "qa": {"qa": 1.0},
}  # fmt: skip
TWO = ("min-0.01_switch-0.2_warmup-off", "min-0.01_switch-0.2_warmup-on")


@pytest.fixture
def conf_file(tmp_path):
    """A run on two sources of 2,000 tokens each."""
    for seed, name in enumerate(("web", "qa")):
        tokens = np.random.default_rng(seed).integers(1, 32, 2000).astype(np.uint16)
        entry = write_shard(
            tmp_path / name, "shard-0", [tokens], np.uint16, sequence_length=16,
            packing="concatenate",
        )  # fmt: skip
        manifest = Manifest(
            tokenizer="toy", tokenizer_sha256="0" * 64, vocabulary_size=32, eod_id=0,
            dtype="uint16", sequence_length=16, packing="concatenate", blend_fingerprint="toy",
            n_documents=1, n_tokens=2000, shards=(entry,),
        )  # fmt: skip
        write_manifest(manifest, tmp_path / name / "manifest.json")
    sources = {name: str(tmp_path / name) for name in ("web", "qa")}
    path = tmp_path / "run.yaml"
    path.write_text(yaml.safe_dump({"train": TRAIN | {"sources": sources}}))
    return str(path)


def _conf(**settings):
    return TrainConfig.model_validate(TRAIN | {"sources": {"web": "x", "qa": "y"}} | settings)


def test_the_grid_has_thirty_arms_of_which_four_cannot_be():
    conf = _conf(n_steps=1000)
    rows = [plan_row(arm, conf) for arm in arms()]
    assert len({row.arm for row in rows}) == len(rows) == 30
    assert [row.arm for row in rows if row.left_out] == [
        "min-0.1_switch-0.1_warmup-off", "min-0.1_switch-0.1_warmup-on",
        "min-0.1_switch-0.02_warmup-off", "min-0.1_switch-0.02_warmup-on",
    ]  # fmt: skip
    assert all("only at the end" in row.left_out for row in rows if row.left_out)
    # Spec, table of p*: 0.7837, 0.7113 and 0.7048 of a thousand steps at a fifth.
    fifth = {row.min_frac: row.switch_step for row in rows if row.switch_frac == 0.2}
    assert fifth == {0.1: 785, 0.01: 713, 0.0: 706}
    assert {row.switch_step for row in rows if row.switch_frac == 1.0} == {1}


def test_an_arm_changes_what_it_says_and_no_more():
    conf = _conf(n_steps=1000)
    told = Arm(0.0, 0.1, warmup=True).settings(conf).model_dump()
    changed = {key: value for key, value in told.items() if value != getattr(conf, key)}
    assert changed == {"final_frac": 0.0, "switch_frac": 0.1, "warmup_steps": 10}
    assert Arm(0.01, 0.2, warmup=False).settings(conf) == conf


def test_a_dry_run_lists_the_arms_and_writes_nothing(conf_file, tmp_path, capsys):
    main(["--conf", conf_file, "--out", str(tmp_path / "grid"), "--dry-run",
          "--set", "train.n_steps=100"])  # fmt: skip
    told = capsys.readouterr().out
    assert told.count("\n| 0") == 26
    assert told.count("\n- min-0.1_switch-0.") == 4
    assert not (tmp_path / "grid").exists()


def test_a_small_grid_is_run_told_and_not_run_again(conf_file, tmp_path, capsys):
    out = tmp_path / "grid"
    command = ["--conf", conf_file, "--out", str(out), *(f"--only={name}" for name in TWO)]
    main(command)
    rows = json.loads((out / "ablation.json").read_text())
    assert [row["arm"] for row in rows] == list(TWO)
    for row in rows:
        # Of 124 samples a hundredth is one. Six steps of general, two with a tenth of questions.
        assert set(row["held_out_losses"]) == {"web", "qa"}
        assert row["n_samples"] == {"qa": 1, "web": 31}
        assert row["switch_step"] == 7
    assert rows[0]["held_out_losses"] != rows[1]["held_out_losses"]
    table = capsys.readouterr().out
    assert table == (out / "ablation.md").read_text()
    assert f"| {rows[0]['held_out_losses']['qa']:.4f} |" in table
    rates = [json.loads((out / name / "log.jsonl").read_text().splitlines()[0])["learning_rate"]
             for name in TWO]  # fmt: skip
    assert rates == [3e-3, 1.5e-3]
    before = {path: path.stat().st_mtime_ns for path in out.glob("min-*/*")}
    main(command)
    assert {path: path.stat().st_mtime_ns for path in out.glob("min-*/*")} == before
    assert json.loads((out / "ablation.json").read_text()) == rows


def test_an_arm_that_diverges_does_not_end_the_grid(conf_file, tmp_path, monkeypatch):
    from models.train import loop

    train = loop.train

    def diverge_once(conf, *args, **kwargs):
        if conf.warmup_steps == 0:
            raise TrainingDiverged("steps 3 to 6 could not be taken")
        return train(conf, *args, **kwargs)

    monkeypatch.setattr(loop, "train", diverge_once)
    out = tmp_path / "grid"
    main(["--conf", conf_file, "--out", str(out), *(f"--only={name}" for name in TWO)])
    first, second = json.loads((out / "ablation.json").read_text())
    assert first["left_out"] == "steps 3 to 6 could not be taken"
    assert second["held_out_loss"] > 0


@pytest.mark.parametrize(
    ("extra", "fault"),
    [
        (["--set", "train.schedule=cosine", "--set", "train.general={}", "--set", "train.qa={}"],
         "the grid is of `continued`, found cosine"),
        (["--only", "min-9"], "--only min-9: no such arm"),
    ],
)  # fmt: skip
def test_a_grid_that_cannot_be_is_one_line(conf_file, tmp_path, capsys, extra, fault):
    with pytest.raises(SystemExit, match="2"):
        main(["--conf", conf_file, "--out", str(tmp_path / "grid"), *extra])
    told = capsys.readouterr().err
    assert fault in told
    assert told.count("\n") == 1
    assert not (tmp_path / "grid").exists()
