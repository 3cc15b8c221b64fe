"""Members as the configuration declares them."""

import numpy as np
import pytest

from curation.config import MemberConfig, ScoreConfig, load_config
from curation.errors import ConfigError, EnvironmentFault, InputError
from curation.score.heads import load_head
from curation.score.members import (
    class_columns,
    head_file,
    identity,
    load_member,
    members_of,
    number_columns,
    why_unknown,
)
from curation.score.models import PUBLISHED
from curation.score.weights import default_weight

TEXTS = ["How plants turn light into sugar, step by step.", "", "buy now", "half \ud800 pair"]


def declared(**member):
    return ScoreConfig(members={"one": MemberConfig(**member)})


def loaded(**member):
    return load_member(members_of(declared(**member))[0], n_threads=1)


def test_the_shipped_members_give_three_qualities_and_three_attributes():
    conf = ScoreConfig()
    numbers = {"fasttext", "edu", "quality", "toxicity", "domain_p", "speech_p"}
    assert {*number_columns(conf)} == numbers
    assert class_columns(conf) == ("domain", "speech")


def test_the_published_members_of_the_crawl_bring_their_columns(monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    conf = load_config("conf/crawl.yaml")
    given = number_columns(conf.score)
    assert {"edu_mixtral", "edu_nemotron", "fasttext", "toxicity", "domain_p"} <= {*given}
    assert class_columns(conf.score) == ("domain", "speech")
    assert why_unknown(conf.label.members, given, "label.members") is None
    assert {one.conf.model for one in members_of(conf.score)} == {*PUBLISHED}


def test_a_published_model_that_is_not_there_says_how_to_fetch_it(monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    conf = load_config("conf/crawl.yaml")
    with pytest.raises(EnvironmentFault, match="huggingface-cli download nvidia/nemocurator"):
        identity(conf.score)


def test_a_member_takes_what_it_leaves_open_from_the_section_and_the_models_card():
    conf = ScoreConfig(
        tokens_per_batch=100,
        device="cuda",
        members={
            "a": MemberConfig(kind="classifier", model="nvidia/content-type-classifier-deberta"),
            "b": MemberConfig(kind="encoder", model="minilm", columns={"edu": "shipped"}),
            "c": MemberConfig(kind="classifier", model="x", columns={"y": "edu"}, max_tokens=64,
                              tokens_per_batch=7, device="cpu"),
        },
    )  # fmt: skip
    a, b, c = members_of(conf)
    assert (a.max_tokens, a.tokens_per_batch, a.device) == (1024, 100, "cuda")
    assert b.max_tokens == 256
    assert (c.max_tokens, c.tokens_per_batch, c.device) == (64, 7, "cpu")
    assert conf.on_gpu
    assert not ScoreConfig().on_gpu


@pytest.mark.parametrize(
    ("member", "message"),
    [
        ({"kind": "classifier", "model": "mlfoundations/fasttext-oh-eli5"}, "is a fasttext"),
        ({"kind": "fasttext", "model": "nvidia/domain-classifier"}, "is a classifier"),
        ({"kind": "classifier", "model": "here", "columns": {"a": "edu", "b": "x"}}, "stand alone"),
        ({"kind": "classifier", "model": "here"}, "say what it gives"),
    ],
)
def test_a_member_that_cannot_be_is_refused_by_name(member, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    with pytest.raises(ConfigError, match=rf"score\.members\.one.*{message}"):
        identity(declared(**member))


def test_a_classifier_that_is_neither_folder_nor_published_lists_those_known():
    with pytest.raises(InputError, match=r"nor a published model .*nvidia/domain"):
        identity(declared(kind="classifier", model="nvidia/other", columns={"a": "class"}))


def test_a_head_that_is_not_shipped_lists_those_that_are():
    with pytest.raises(InputError, match=r"nothing\.npz.*edu\.npz"):
        head_file("nothing", "shipped")


def test_another_head_is_another_identity(tmp_path):
    member = {"kind": "encoder", "model": "minilm"}
    shipped = identity(declared(**member, columns={"edu": "shipped"}))
    same = identity(declared(**member, columns={"edu": str(default_weight("edu.npz"))}))
    other = identity(declared(**member, columns={"edu": str(default_weight("toxicity.npz"))}))
    assert shipped == same != other


def test_every_head_reads_the_same_embedding_and_a_broken_text_has_a_reason():
    scores = loaded(
        kind="encoder", model="minilm", columns={"edu": "shipped", "toxicity": "shipped"}
    ).score_texts(TEXTS)
    assert scores.reasons == [None, "no_token", None, "invalid_unicode"]
    assert {*scores.columns} == {"edu", "toxicity"}
    assert scores.columns["edu"][0] > scores.columns["edu"][2]
    assert np.isnan(scores.columns["toxicity"][[1, 3]]).all()
    assert load_head(str(default_weight("edu.npz"))).kind == "edu"


def test_the_column_of_fasttext_is_named_by_the_configuration():
    scores = loaded(kind="fasttext", model="shipped", columns={"dclm": "hq"}).score_texts(TEXTS)
    assert {*scores.columns} == {"dclm"}
    assert number_columns(declared(kind="fasttext", model="shipped")) == ("one",)


def test_a_classifier_in_a_folder_means_what_the_columns_say(tmp_path):
    pytest.importorskip("transformers")
    from tiny_models import save_edu, save_toxicity

    for name, save in (("edu", save_edu), ("toxic", save_toxicity)):
        (tmp_path / name).mkdir()
        save(tmp_path / name)
    edu = loaded(kind="classifier", model=str(tmp_path / "edu"), columns={"e": "edu"})
    assert 0.0 <= edu.score_texts(TEXTS).columns["e"][0] <= 5.0
    columns = {"mean": "insult", "bad": "toxicity"}
    toxic = loaded(kind="classifier", model=str(tmp_path / "toxic"), columns=columns)
    assert {*toxic.score_texts(TEXTS).columns} == {"mean", "bad"}
    wrong = declared(kind="classifier", model=str(tmp_path / "toxic"), columns={"mean": "nasty"})
    with pytest.raises(InputError, match=r"expected outputs \['nasty'\]"):
        load_member(members_of(wrong)[0], n_threads=1)
    top = loaded(kind="classifier", model=str(tmp_path / "toxic"), columns={"kind": "class"})
    assert {*top.score_texts(TEXTS).columns} == {"kind", "kind_p"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ("{a: {kind: fasttext, model: x, columns: {s: hq}}, "
         "b: {kind: fasttext, model: y, columns: {s: hq}}}", "two of them give the column s"),
        ("{a: {kind: fasttext, model: x, columns: {s: cc}}}", "gives one, as in"),
        ("{a: {kind: encoder, model: x}}", "nothing without heads"),
        ("{A: {kind: fasttext, model: x}}", "pattern"),
        ("{a: {kind: fasttext, model: x, colums: {}}}", "did you mean `columns`"),
        ("{}", "at least 1"),
    ],
)  # fmt: skip
def test_members_that_contradict_themselves_are_refused(members, message, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"score: {{members: {members}}}")
    with pytest.raises(ConfigError, match=message):
        load_config(str(path))
