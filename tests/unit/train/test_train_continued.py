"""Sources, phases and the recipe of Reuse, Don't Retrain in a whole run."""

import json
import logging
import math

import pyarrow.parquet as pq
import pytest

torch = pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from curation.config import TrainConfig, load_config  # noqa: E402
from curation.errors import ConfigError, InputError  # noqa: E402
from curation.tokens.manifest import read_manifest, write_manifest  # noqa: E402
from models.train import packed  # noqa: E402
from models.train.data import join, open_stream  # noqa: E402
from models.train.loop import open_loader, train  # noqa: E402
from models.train.sources import read_sources  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


class Killed(Exception):
    """Stands for whatever ends a process."""


def _log(out):
    records = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    return [{k: v for k, v in record.items() if k != "tokens_per_s"} for record in records]


@pytest.fixture
def own(tmp_path):
    """Where the run's own shards would lie; there are none."""
    return tmp_path / "nowhere" / "manifest.json"


@pytest.fixture
def recipe(toy_conf, write_shards, toy_corpus):
    """Twenty steps on two general sources and one of questions, which has eighteen samples."""
    folders = {
        "web": write_shards(toy_corpus[:120], name="web"),
        "code": write_shards(toy_corpus[120:], name="code"),
        "qa": write_shards([[1 + k % 31 for k in range(290)]], name="qa"),
    }
    plain = toy_conf.model_dump(exclude={"warmup_steps", "final_frac"})
    return TrainConfig.model_validate(plain | {
        "sources": {name: str(path.parent) for name, path in folders.items()},
        "schedule": "continued", "n_steps": 20,
        "general": {"web": 0.75, "code": 0.25}, "qa": {"qa": 1.0}, "qa_share": 0.25,
    })  # fmt: skip


def _changed(conf, **settings):
    return TrainConfig.model_validate(conf.model_dump() | settings)


def test_the_rate_starts_at_the_first_step_and_falls_to_a_hundredth(recipe, own, tmp_path):
    assert (recipe.warmup_steps, recipe.final_frac) == (0, 0.01)
    train(recipe, own, tmp_path / "model")
    rates = [line["learning_rate"] for line in _log(tmp_path / "model")]
    assert rates[0] == recipe.learning_rate
    # m + (1 - m) cos^2(pi p / 2), p the share of the steps before this one.
    expected = [0.01 * (0.01 + 0.99 * math.cos(math.pi * k / 40) ** 2) for k in range(20)]
    assert rates == pytest.approx(expected, rel=1e-9)


def test_the_blend_switches_once_where_the_rate_is_a_fifth(recipe, own, tmp_path):
    train(recipe, own, tmp_path / "model")
    log = _log(tmp_path / "model")
    # p = 0.7113 of twenty steps: the sixteenth is the first one behind it.
    qa = [round(line["epochs"]["qa"] * 18) for line in log]
    assert qa[:15] == [0] * 15
    assert qa[-1] == 5  # a quarter of five steps of four samples
    assert log[14]["learning_rate"] > recipe.learning_rate / 5 >= log[15]["learning_rate"]


@pytest.mark.parametrize("n_steps", [3, 14, 15, 16, 18])
def test_a_cut_run_reads_and_learns_what_the_whole_one_does(recipe, own, tmp_path, n_steps):
    whole = train(recipe, own, tmp_path / "whole")

    def kill(record):
        if record.step == n_steps:
            raise Killed

    with pytest.raises(Killed):
        train(recipe, own, tmp_path / "cut", on_step=kill)
    cut = train(recipe, own, tmp_path / "cut")
    assert _log(tmp_path / "cut") == _log(tmp_path / "whole")
    assert cut.n_samples == whole.n_samples
    assert sum(cut.n_samples.values()) == 80
    assert cut.n_samples["qa"] == 5


def test_a_resumed_run_with_another_switch_is_refused_by_name(recipe, own, tmp_path):
    train(recipe, own, tmp_path / "model")
    with pytest.raises(InputError, match=r"switch_frac is 0\.2 there and 0\.5 here"):
        train(_changed(recipe, switch_frac=0.5), own, tmp_path / "model")


def test_where_the_shards_lie_is_free_to_change(recipe, own, tmp_path):
    first = train(recipe, own, tmp_path / "model")
    (tmp_path / "web").rename(tmp_path / "moved")
    moved = _changed(recipe, sources=recipe.sources | {"web": str(tmp_path / "moved")})
    assert train(moved, own, tmp_path / "model") == first


def test_losses_are_told_by_source(recipe, own, tmp_path):
    result = train(recipe, own, tmp_path / "model")
    # Of 18 samples and of 72 a hundredth is none.
    web, code = (read_manifest(tmp_path / name / "manifest.json").n_tokens
                 for name in ("web", "code"))  # fmt: skip
    assert (web // 16 >= 100, code // 16 >= 100) == (True, False)
    assert list(result.held_out_losses) == ["web"]
    assert result.held_out_loss == result.held_out_losses["web"]


def test_a_switch_that_cannot_be_reached_is_refused_before_anything_is_written(
    recipe, own, tmp_path
):
    late = _changed(recipe, final_frac=0.1, switch_frac=0.1)
    with pytest.raises(ConfigError, match=r"switch_frac must be above min_frac, 0\.1"):
        train(late, own, tmp_path / "model")
    with pytest.raises(ConfigError, match="ends before a step begins in its second phase"):
        train(_changed(recipe, n_steps=1), own, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_warm_up_that_is_asked_for_scales_the_rates_alone(recipe, own):
    from models.train.optim import learning_rate

    warm = _changed(recipe, warmup_steps=4)
    factors = [learning_rate(s, warm) / learning_rate(s, recipe) for s in range(1, 21)]
    assert factors == pytest.approx([0.25, 0.5, 0.75] + [1.0] * 17)
    loaders = [open_loader(conf, read_sources(conf, own), own) for conf in (warm, recipe)]
    assert loaders[0].draw(80).tolist() == loaders[1].draw(80).tolist()


def test_many_passes_over_a_source_are_told_beforehand(recipe, own, tmp_path, caplog):
    often = _changed(recipe, n_steps=160, switch_frac=1.0, qa_share=0.5)

    def kill(record):
        raise Killed

    with caplog.at_level(logging.WARNING), pytest.raises(Killed):
        train(often, own, tmp_path / "model", on_step=kill)
    # Half of 640 samples, of which there are 18.
    assert "source qa will be read 17.8 times, more than 4" in caplog.text


def test_phases_begin_at_shares_of_the_steps(recipe, own):
    conf = _changed(
        recipe, schedule="cosine", general={}, qa={},
        phases=[{"weights": {"web": 1}}, {"start_frac": 0.5, "weights": {"code": 0.5, "qa": 0.5}}],
    )  # fmt: skip
    loader = open_loader(conf, read_sources(conf, own), own)
    loader.draw(40)
    assert loader.state_dict() == {"code": 0, "qa": 0, "web": 40}
    loader.draw(40)
    assert loader.state_dict() == {"code": 20, "qa": 20, "web": 40}


def test_without_phases_sources_are_read_in_proportion(recipe, own):
    conf = _changed(recipe, schedule="cosine", general={}, qa={})
    loader = open_loader(conf, read_sources(conf, own), own)
    sizes = {name: one.n_samples for name, one in loader.loaders.items()}
    loader.draw(sum(sizes.values()))
    assert loader.state_dict() == sizes


def test_a_phase_without_a_step_is_refused(recipe, own):
    conf = _changed(
        recipe, schedule="cosine", general={}, qa={},
        phases=[{"weights": {"web": 1}}, {"start_frac": 0.01, "weights": {"code": 1}}],
    )  # fmt: skip
    with pytest.raises(ConfigError, match=r"before steps \[1, 1\] of 20"):
        read_sources(conf, own)


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ("phases: [{weights: {web: 0.5, books: 0.5}}]", r"phases\.0\.weights: no source books; "
         "`sources` names web"),
        ("phases: [{weights: {web: 0.9}}]", r"at least 0 and sum to 1.* in all 0\.9"),
        ("phases: [{weights: {web: .nan}}]", "sum to 1"),
        ("phases: [{start_frac: 0.5, weights: {web: 1}}]", "0 at first, then ascend"),
        ("general: {web: 1}", "general: without effect under schedule cosine"),
        ("schedule: continued", "needs `general` and `qa`"),
        ("schedule: continued, general: {web: 1}, qa: {web: 1}, phases: [{weights: {web: 1}}]",
         "phases: without effect"),
        ("schedule: continued, general: {web: 1}, qa: {qa: 1}", "qa: no source qa"),
    ],
)  # fmt: skip
def test_blends_that_cannot_be_are_refused_when_read(tmp_path, settings, fault):
    path = tmp_path / "run.yaml"
    path.write_text(f"train: {{sources: {{web: x}}, {settings}}}")
    with pytest.raises(ConfigError, match=fault):
        load_config(str(path))


def test_negative_shares_are_refused(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("train: {sources: {a: x, b: y}, phases: [{weights: {a: 1.5, b: -0.5}}]}")
    with pytest.raises(ConfigError, match="at least 0"):
        load_config(str(path))


def test_sources_that_cannot_be_read_together_are_refused(recipe, own, tmp_path):
    path = tmp_path / "qa" / "manifest.json"
    manifest = read_manifest(path)
    for change in ({"tokenizer_sha256": "1" * 64}, {"eod_id": 3}, {"vocabulary_size": 33}):
        write_manifest(manifest.model_copy(update=change), path)
        (trait,) = change
        with pytest.raises(InputError, match=rf"sources: {trait} of code .* of qa"):
            train(recipe, own, tmp_path / "model")
    path.unlink()
    with pytest.raises(InputError, match=r"qa/manifest\.json: no manifest here"):
        train(recipe, own, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_an_empty_source_is_refused_by_name(recipe, own, write_shards):
    write_shards([], name="qa")
    with pytest.raises(InputError, match=r"train\.sources\.qa: the shards hold 0 tokens"):
        read_sources(recipe, own)


def test_packed_rows_are_the_same_stream_as_megatrons_files(write_shards, toy_corpus, tmp_path):
    path = write_shards(toy_corpus[:90], [], toy_corpus[90:])
    manifest, flat = read_manifest(path), tmp_path / "flat"
    for file in path.parent.glob("*.parquet"):  # row groups of three rows, not of millions
        pq.write_table(pq.read_table(file), file, row_group_size=3)
    packed.unpack(manifest, path.parent, flat)
    ours, theirs = join(packed.open_unpacked(manifest, flat)), open_stream(manifest, path.parent)
    assert ours.n_tokens == theirs.n_tokens == manifest.n_tokens > 2000
    assert ours.read(0, ours.n_tokens).tolist() == theirs.read(0, theirs.n_tokens).tolist()


def test_training_on_packed_rows_is_training_on_megatrons_files(recipe, own, tmp_path):
    for name in ("bin", "parquet"):
        train(_changed(recipe, data_format=name), own, tmp_path / f"model-{name}")
    assert _log(tmp_path / "model-bin") == _log(tmp_path / "model-parquet")


def test_rows_that_are_unpacked_are_not_read_again(write_shards, toy_corpus, tmp_path):
    path, flat = write_shards(toy_corpus), tmp_path / "flat"
    manifest = read_manifest(path)
    packed.unpack(manifest, path.parent, flat)
    (path.parent / "shard-00000.parquet").unlink()
    packed.unpack(manifest, path.parent, flat)
    assert join(packed.open_unpacked(manifest, flat)).n_tokens == manifest.n_tokens


def test_packed_rows_that_are_damaged_are_refused(write_shards, toy_corpus, tmp_path):
    path, flat = write_shards(toy_corpus), tmp_path / "flat"
    file, manifest = path.parent / "shard-00000.parquet", read_manifest(path)
    rows = pq.read_table(file)
    pq.write_table(rows.slice(1), file)
    with pytest.raises(InputError, match=rf"the manifest says {manifest.n_tokens}"):
        packed.unpack(manifest, path.parent, flat)
    pq.write_table(rows.rename_columns(["ids", "document_starts", "n_tokens"]), file)
    with pytest.raises(InputError, match=r"not packed rows of uint16: its columns are ids list"):
        packed.unpack(manifest, path.parent, flat)
    file.write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not readable as Parquet"):
        packed.unpack(manifest, path.parent, flat)
    file.unlink()
    with pytest.raises(InputError, match="not readable as Parquet"):
        packed.unpack(manifest, path.parent, flat)
    assert list(flat.iterdir()) == []
