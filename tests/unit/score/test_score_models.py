import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.config import MemberConfig, ScoreConfig
from curation.errors import ConfigError, EnvironmentFault
from curation.score.batches import INVALID_UNICODE, NO_TOKEN
from curation.score.fasttext import join_lines, load_fasttext
from curation.score.members import load_member, members_of
from curation.score.models import (
    PUBLISHED,
    FastTextClassifier,
    PublishedClassifier,
    find_model,
    models_folder,
)
from curation.score.weights import default_weight

DOMAIN = "nvidia/domain-classifier"
FASTTEXT = "mlfoundations/fasttext-oh-eli5"


@pytest.fixture
def load_published(monkeypatch, tmp_path):
    """The published model of a name, as a member that leaves all open."""
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path))

    def load(name, kind="classifier"):
        conf = ScoreConfig(members={"one": MemberConfig(kind=kind, model=name)})
        return load_member(members_of(conf)[0], n_threads=1)

    return load


def test_the_models_of_the_paper_and_of_the_attributes_are_known():
    assert set(PUBLISHED) == {
        "nvidia/nemocurator-fineweb-mixtral-edu-classifier",
        "nvidia/nemocurator-fineweb-nemotron-4-edu-classifier",
        "mlfoundations/fasttext-oh-eli5",
        "nvidia/domain-classifier",
        "nvidia/content-type-classifier-deberta",
        "unitary/unbiased-toxic-roberta",
    }


def test_no_two_models_write_one_column():
    columns = [column for model in PUBLISHED.values() for column in model.columns]
    assert len(columns) == len(set(columns))


def test_classes_are_as_many_as_outputs():
    labelled = [m for m in PUBLISHED.values() if isinstance(m, PublishedClassifier) and m.labels]
    assert [len(model.labels) for model in labelled] == [26, 11, 7]
    assert all(model.outputs.complaint(model.labels) is None for model in labelled)


def test_a_missing_model_says_which_where_and_how_to_fetch_it(tmp_path):
    with pytest.raises(EnvironmentFault) as fault:
        find_model(DOMAIN, tmp_path)
    folder = tmp_path / "nvidia" / "domain-classifier"
    assert f"model `{DOMAIN}`: no config.json in {folder}; " in str(fault.value)
    assert f"huggingface-cli download {DOMAIN} --local-dir {folder} " in str(fault.value)


@pytest.mark.parametrize(
    ("present", "absent"),
    [
        ([], "config.json"),
        (["config.json"], "weights"),
        (["config.json", "pytorch_model.bin"], "tokenizer"),
    ],
)
def test_what_is_absent_is_named(tmp_path, present, absent):
    folder = tmp_path / DOMAIN
    folder.mkdir(parents=True)
    for name in present:
        (folder / name).touch()
    with pytest.raises(EnvironmentFault, match=f"no {absent} in"):
        find_model(DOMAIN, tmp_path)


def test_a_whole_folder_is_found(tmp_path):
    folder = tmp_path / DOMAIN
    folder.mkdir(parents=True)
    for name in ("config.json", "model.safetensors", "vocab.json"):
        (folder / name).touch()
    assert find_model(DOMAIN, tmp_path) == folder


def test_a_missing_fasttext_model_names_its_file(tmp_path):
    with pytest.raises(EnvironmentFault, match=r"no openhermes_reddit_eli5\w+\.bin in"):
        find_model(FASTTEXT, tmp_path)


def test_an_unknown_model_is_refused_and_the_known_ones_are_named(tmp_path):
    with pytest.raises(ConfigError, match=r"`nvidia/other` is not known.*nvidia/domain-classifier"):
        find_model("nvidia/other", tmp_path)


def test_models_lie_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("CURATION_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CURATION_MODELS", raising=False)
    assert models_folder() == tmp_path / "cache" / "models"
    monkeypatch.setenv("CURATION_MODELS", str(tmp_path / "mine"))
    assert models_folder() == tmp_path / "mine"


def test_a_published_classifier_is_loaded_by_its_name(load_published, tmp_path):
    pytest.importorskip("transformers")
    from tiny_models import save_domain

    labels = PUBLISHED[DOMAIN].labels
    save_domain(tmp_path / DOMAIN, labels)
    scores = load_published(DOMAIN).score_texts(["plants", ""])
    assert tuple(scores.columns) == ("domain", "domain_p")
    assert scores.columns["domain"][0] in labels
    assert scores.reasons == [None, NO_TOKEN]


def test_toxicity_is_loaded_by_its_name(load_published, tmp_path):
    pytest.importorskip("transformers")
    from tiny_models import save_toxicity

    name = "unitary/unbiased-toxic-roberta"
    (tmp_path / name).mkdir(parents=True)
    save_toxicity(tmp_path / name)
    scores = load_published(name).score_texts(["plants"])
    assert tuple(scores.columns) == PUBLISHED[name].columns


def test_fasttext_is_loaded_by_its_name_and_has_reasons_too(load_published, tmp_path):
    folder = tmp_path / FASTTEXT
    folder.mkdir(parents=True)
    (folder / PUBLISHED[FASTTEXT].file).symlink_to(default_weight("fasttext.ftz"))
    scores = load_published(FASTTEXT, "fasttext").score_texts(
        ["a lesson", "", "a \ud800 b", "sale"]
    )
    assert scores.reasons == [None, NO_TOKEN, INVALID_UNICODE, None]
    values = scores.columns["fasttext"].tolist()
    assert [math.isnan(value) for value in values] == [False, True, True, False]


def test_a_fasttext_score_is_that_of_the_model_alone():
    model = load_fasttext(str(default_weight("fasttext.ftz")))
    scores = FastTextClassifier(model, "score").score_texts(["a lesson\nin two lines"])
    assert (
        scores.columns["score"].tolist() == model.score_texts(["a lesson\nin two lines"]).tolist()
    )
    assert scores.n_halvings == 0


@given(st.text(st.sampled_from("abc. \t\r\n\v\f"), max_size=40))
@settings(deadline=None)
def test_lines_are_joined_to_the_words_that_dclm_reads(text):
    # DCLM strips the text, not each line, and joins by spaces; fastText splits at white space.
    assert join_lines(text).split() == " ".join(text.strip().splitlines()).split()
