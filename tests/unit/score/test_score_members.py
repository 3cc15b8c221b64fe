"""Members as the configuration declares them."""

import json

import numpy as np
import pytest

from curation.config import MemberConfig, ScoreConfig, load_config
from curation.errors import ConfigError, EnvironmentFault, InputError
from curation.score.heads import load_head
from curation.score.members import (
    head_file,
    identity,
    load_member,
    members_of,
    number_columns,
    quality_columns,
    why_no_quality,
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


def test_the_published_members_of_the_crawl_bring_their_columns(monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    conf = load_config("conf/crawl.yaml")
    given = number_columns(conf.score)
    assert {"edu_mixtral", "edu_nemotron", "fasttext", "toxicity", "domain_p"} <= {*given}
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


def head_of(path, column="edu", **changes):
    """A copy of a shipped head that says something else of itself."""
    with np.load(default_weight(f"{column}.npz")) as arrays:
        np.savez(path, **(dict(arrays) | changes))
    return str(path)


def test_a_head_of_another_encoder_is_refused_before_the_job(tmp_path):
    file = head_of(tmp_path / "h.npz", encoder=np.array("0123456789ab"))
    said = r"^score\.members\.one\.columns: the head `e` was trained on the encoder 0123456789ab, "
    with pytest.raises(InputError, match=said + ".*train it again"):
        identity(declared(**headed(e=file)))


def test_a_head_of_other_tokens_is_refused_before_the_job(tmp_path):
    file = head_of(tmp_path / "h.npz", max_tokens=np.int32(128))
    said = r"^score\.members\.one\.max_tokens: the head `e` was trained on 128 tokens, found 256; "
    with pytest.raises(ConfigError, match=said):
        identity(declared(**headed(e=file)))
    assert identity(declared(**headed(e=file), max_tokens=128)).keys() == {"one"}


@pytest.mark.parametrize(
    "member",
    [
        {"kind": "encoder", "model": "minilm", "columns": {"toxicity": "EDU"}},
        {"kind": "classifier", "model": "x", "columns": {"toxicity": "edu"}},
        {"kind": "classifier", "model": "x", "columns": {"toxicity": "class"}},
    ],
)
def test_what_is_called_toxicity_and_is_no_probability_is_refused(member):
    columns = {name: file.replace("EDU", str(default_weight("edu.npz")))
               for name, file in member["columns"].items()}  # fmt: skip
    conf = declared(**(member | {"columns": columns}))
    said = r"^score\.members\.one\.columns: `toxicity` must be a probability"
    for asked in (identity, number_columns):
        with pytest.raises(ConfigError, match=said):
            asked(conf)


def test_labels_of_ones_own_model_are_exclusive_as_its_config_says(own, tmp_path):
    member = {"kind": "classifier", "model": own["toxic"]}
    labels = json.loads((tmp_path / "toxic" / "config.json").read_text())["id2label"].values()
    columns = {f"c_{label}": label for label in labels}
    found = loaded(**member, columns=columns).score_texts(["plants"]).columns
    assert sum(values[0] for values in found.values()) == pytest.approx(1.0, abs=1e-4)
    file = tmp_path / "toxic" / "config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps(config | {"problem_type": "regression"}))
    with pytest.raises(InputError, match=r"one\.model: .*problem_type: regression"):
        identity(declared(**member, columns=columns))


def test_labels_of_the_published_model_hold_at_once_whatever_its_config_says(
    own, tmp_path, monkeypatch
):
    name = "unitary/unbiased-toxic-roberta"
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path / "models"))
    (tmp_path / "models" / name).parent.mkdir(parents=True)
    (tmp_path / "toxic").rename(tmp_path / "models" / name)
    every = {label: label for label in PUBLISHED[name].columns}
    by_default = loaded(kind="classifier", model=name).score_texts(["plants"]).columns
    named = loaded(kind="classifier", model=name, columns=every).score_texts(["plants"]).columns
    assert sum(values[0] for values in by_default.values()) > 1.1
    assert named == by_default


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
    with pytest.raises(InputError, match=r"score\.members\.one: .*expected outputs \['nasty'\]"):
        load_member(members_of(wrong)[0], n_threads=1)
    top = loaded(kind="classifier", model=str(tmp_path / "toxic"), columns={"kind": "class"})
    assert {*top.score_texts(TEXTS).columns} == {"kind", "kind_p"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ("{a: {kind: fasttext, model: x, columns: {s: hq}}, "
         "b: {kind: fasttext, model: y, columns: {s: hq}}}", "a and b both give the column s"),
        ("{a: {kind: fasttext, model: x, columns: {s: cc}}}", "gives one, as in"),
        ("{a: {kind: encoder, model: x}}", "nothing without heads"),
        ("{a: {kind: fasttext, model: x, max_tokens: 64}}", "max_tokens: without effect on fastT"),
        ("{a: {kind: fasttext, model: x, device: cuda}}", "device: without effect"),
        ("{a: {kind: fasttext, model: x, tokens_per_batch: 9}}", "tokens_per_batch: without eff"),
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


PLAIN = {"kind": "fasttext", "model": "shipped"}
PUBLISHED_FASTTEXT = {"kind": "fasttext", "model": "mlfoundations/fasttext-oh-eli5"}
PUBLISHED_EDU = {
    "kind": "classifier",
    "model": "nvidia/nemocurator-fineweb-mixtral-edu-classifier",
}
DOMAINS = {"kind": "classifier", "model": "nvidia/domain-classifier"}


def headed(**columns):
    return {"kind": "encoder", "model": "minilm", "columns": columns}


@pytest.mark.parametrize(
    ("a", "b", "column"),
    [
        (PUBLISHED_FASTTEXT, PLAIN | {"columns": {"fasttext": "hq"}}, "fasttext"),
        (PLAIN, PUBLISHED_EDU | {"columns": {"a": "edu"}}, "a"),
        (PUBLISHED_EDU, PUBLISHED_EDU, "edu_mixtral"),
        (DOMAINS, PLAIN | {"columns": {"domain_p": "hq"}}, "domain_p"),
        (DOMAINS, PLAIN | {"columns": {"domain": "hq"}}, "domain"),
        (headed(speech="shipped"), PLAIN | {"columns": {"speech_p": "hq"}}, "speech_p"),
    ],
)
@pytest.mark.parametrize("asked", [identity, number_columns, quality_columns])
def test_a_column_that_two_members_give_is_refused_and_both_are_named(a, b, column, asked):
    conf = ScoreConfig(members={"a": MemberConfig(**a), "b": MemberConfig(**b)})
    said = rf"members\.b\.columns: `{column}` is given by score\.members\.a too"
    with pytest.raises(ConfigError, match=said):
        asked(conf)


def test_a_column_that_one_member_gives_twice_is_refused():
    shipped = str(default_weight("domain.npz"))
    with pytest.raises(ConfigError, match=r"`domain_p` is given by score\.members\.one too"):
        number_columns(declared(**headed(domain=shipped, domain_p=shipped)))


@pytest.mark.parametrize("column", ["mean_rank", "logistic"])
def test_a_column_named_as_a_combined_cut_is_refused(column):
    with pytest.raises(ConfigError, match=rf"`{column}` is given by label\.ensemble too"):
        number_columns(declared(**PLAIN, columns={column: "hq"}))


def test_quality_is_ranked_neither_by_toxicity_nor_by_how_sure_a_class_is(monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))
    assert quality_columns(ScoreConfig()) == ("fasttext", "edu", "quality")
    published = load_config("conf/crawl.yaml").score
    assert quality_columns(published) == ("edu_mixtral", "edu_nemotron", "fasttext")
    own = declared(kind="classifier", model="x", columns={"rude": "toxicity", "fine": "good"})
    assert quality_columns(own) == ("fine",)
    harm = {"t": "Toxic", "hate": "LABEL_1", "good": "fine"}
    assert quality_columns(declared(kind="classifier", model="x", columns=harm)) == ("good",)
    assert quality_columns(declared(kind="classifier", model="x", columns={"c": "class"})) == ()


def test_what_does_not_rank_quality_is_named_beside_what_does():
    assert why_no_quality(("edu", "fasttext"), ScoreConfig(), "label.members") is None
    assert why_no_quality(("edu", "toxicity", "domain_p"), ScoreConfig(), "label.members") == (
        "label.members: toxicity, domain_p says nothing of quality; what does: "
        "fasttext, edu, quality"
    )


@pytest.fixture
def own(tmp_path):
    """Folders of classifiers by name, as a user has them."""
    pytest.importorskip("transformers")
    from tiny_models import save_domain, save_edu, save_toxicity

    for name in ("edu", "toxic"):
        (tmp_path / name).mkdir()
    save_edu(tmp_path / "edu")
    save_toxicity(tmp_path / "toxic")
    save_domain(tmp_path / "domain", ["a", "b"])
    return {name: str(tmp_path / name) for name in ("edu", "toxic", "domain")}


def without_weights(folder):
    """Only the names of its weights are left, so that whoever reads them fails."""
    (folder / "model.safetensors").write_bytes(b"")


@pytest.mark.parametrize(
    ("name", "columns", "max_tokens"),
    [
        ("edu", {"e": "edu"}, 512),
        ("toxic", {"t": "toxicity", "i": "insult"}, 512),
        ("toxic", {"kind": "class"}, None),
        ("domain", {"d": "class"}, 4_096),
    ],
)
def test_a_folder_of_ones_own_is_checked_without_its_weights(
    own, tmp_path, name, columns, max_tokens
):
    without_weights(tmp_path / name)
    member = {"kind": "classifier", "model": own[name], "columns": columns}
    assert identity(declared(**member, max_tokens=max_tokens)).keys() == {"one"}


@pytest.mark.parametrize(
    ("name", "columns", "said"),
    [
        ("toxic", {"e": "edu"}, "expected 1 outputs, found 9"),
        ("toxic", {"n": "nasty"}, r"expected outputs \['nasty'\], found \['toxicity'"),
        ("edu", {"n": "nasty"}, r"expected outputs \['nasty'\], found \['LABEL_0'\]"),
        ("domain", {"e": "edu"}, "expected 1 outputs, found 2"),
    ],
)
def test_a_classifier_with_other_outputs_is_refused_before_the_job(own, name, columns, said):
    conf = declared(kind="classifier", model=own[name], columns=columns)
    with pytest.raises(InputError, match=rf"^score\.members\.one\.model: .*/{name}: {said}"):
        identity(conf)


@pytest.mark.parametrize(("name", "columns"), [("edu", {"e": "edu"}), ("toxic", {"k": "class"})])
def test_more_tokens_than_positions_are_refused_before_the_job(own, name, columns):
    member = {"kind": "classifier", "model": own[name], "columns": columns}
    with pytest.raises(ConfigError, match=r"^score\.members\.one: max_tokens: .*512, found 513"):
        identity(declared(**member, max_tokens=513))


def test_more_tokens_than_the_positions_of_an_encoder_are_refused_before_the_job():
    with pytest.raises(ConfigError, match=r"^score\.members\.one: max_tokens: .*512, found 513"):
        identity(declared(**headed(edu="shipped"), max_tokens=513))


@pytest.mark.parametrize(
    ("part", "absent"),
    [("config.json", "no config.json"), ("model.safetensors", "no weights"),
     ("tokenizer.json", "no tokenizer")],
)  # fmt: skip
def test_a_folder_that_lacks_a_part_is_refused_before_the_job(own, tmp_path, part, absent):
    (tmp_path / "edu" / part).unlink()
    conf = declared(kind="classifier", model=own["edu"], columns={"e": "edu"})
    with pytest.raises(InputError, match=rf"^score\.members\.one\.model: .*/edu: {absent}"):
        identity(conf)


def test_an_encoder_without_weights_or_of_another_width_is_refused_before_the_job(own, tmp_path):
    conf = declared(**(headed(edu="shipped") | {"model": own["edu"]}))
    with pytest.raises(InputError, match=r"one\.model: .*width is 32, and the head `edu`"):
        identity(conf)
    (tmp_path / "edu" / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"one\.model: .*no weights"):
        identity(conf)


@pytest.mark.parametrize("text", ["{", "[]", '{"id2label": {"x": "a"}}', '{"base_model": "b"}'])
def test_a_damaged_description_of_a_model_is_refused_by_name(own, tmp_path, text):
    (tmp_path / "edu" / "config.json").write_text(text)
    conf = declared(kind="classifier", model=own["edu"], columns={"e": "edu"})
    with pytest.raises(InputError, match=r"^score\.members\.one\.model: .*config\.json"):
        identity(conf)


def test_a_tokenizer_without_padding_is_refused_by_name(own, tmp_path):
    file = tmp_path / "edu" / "tokenizer_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"pad_token": None}))
    with pytest.raises(InputError, match=r"^score\.members\.one: .*no padding token; set `pad_tok"):
        loaded(kind="classifier", model=own["edu"], columns={"e": "edu"})


def test_a_head_that_is_not_there_is_refused_by_the_name_of_its_member():
    with pytest.raises(InputError, match=r"^score\.members\.one\.columns: nowhere\.npz: no such"):
        number_columns(declared(**headed(edu="nowhere.npz")))
