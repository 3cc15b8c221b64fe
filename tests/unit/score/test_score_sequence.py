import functools
import json
import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from tiny_models import SIZES, save_domain, save_edu, save_toxicity, write_domain  # noqa: E402
from transformers import (  # noqa: E402
    AutoConfig,
    AutoModel,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    logging,
    pipeline,
)

from curation.errors import ConfigError, EnvironmentFault, InputError  # noqa: E402
from curation.model_store import model_folder  # noqa: E402
from curation.score.batches import (  # noqa: E402
    INVALID_UNICODE,
    NO_TOKEN,
    NOT_FINITE,
    BatchRunner,
)
from curation.score.first_token import BACKBONES, build  # noqa: E402
from curation.score.loading import (  # noqa: E402
    _FROM_BEHIND_PADDING,
    _FROM_ZERO,
    labels_told,
    load_tokenizer,
    positions_of,
    positions_told,
    read_config,
)
from curation.score.outputs import EduScore, LabelProbabilities, TopClass  # noqa: E402
from curation.score.sequence import load_classifier  # noqa: E402

TEXTS = [
    "plants turn light into sugar.",
    "short",
    "word, " * 300,
    "a much longer sentence about the history of the printing press in europe.",
    "naïve café 日本語 🙂",
    "x" * 2_000,
]
CLASSES = [f"class {number}" for number in range(26)]
tokenizer_of = functools.cache(load_tokenizer)
EDU = EduScore("edu")
DOMAIN = TopClass("domain", n_classes=26)
TOXICITY = LabelProbabilities((("insult", "insult"), ("toxicity", "toxicity")))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three folders by name; and, as `card`, the network saved in `domain`."""
    logging.disable_progress_bar()
    root = tmp_path_factory.mktemp("models")
    save_edu(root / "edu", bias=2.5)
    (root / "toxicity").mkdir()
    save_toxicity(root / "toxicity")
    return {
        "edu": str(root / "edu"),
        "toxicity": str(root / "toxicity"),
        "card": save_domain(root / "domain", CLASSES),
        "domain": str(root / "domain"),
    }


def direct_logits(folder, texts, max_tokens=512):
    """What transformers gives for one text at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.inference_mode():
        return torch.cat([
            model(**tokenizer(text, truncation=True, max_length=max_tokens, return_tensors="pt"))
            .logits
            for text in texts
        ])  # fmt: skip


def card_probabilities(folder, texts, max_tokens):
    """What the code of NVIDIA's model card gives for one text at a time."""
    tokenizer = AutoTokenizer.from_pretrained(folder["domain"])
    probabilities = []
    for text in texts:
        read = tokenizer(text, truncation=True, max_length=max_tokens, return_tensors="pt")
        with torch.inference_mode():
            probabilities.append(folder["card"](read["input_ids"], read["attention_mask"]))
    return torch.cat(probabilities).numpy()


def test_educational_values_are_those_of_transformers_clamped(folder):
    scores = load_classifier(folder["edu"], EDU).score_texts(TEXTS)
    direct = direct_logits(folder["edu"], TEXTS)[:, 0].numpy()
    np.testing.assert_allclose(scores.columns["edu"], np.clip(direct, 0, 5), atol=1e-3)
    assert len({score for score in scores.columns["edu"] if 0 < score < 5}) > 2
    assert scores.reasons == [None] * len(TEXTS)
    assert scores.n_halvings == 0


@pytest.mark.parametrize(("bias", "score"), [(99.0, 5.0), (-99.0, 0.0)])
def test_educational_values_end_at_zero_and_five(tmp_path, bias, score):
    save_edu(tmp_path, bias=bias)
    assert load_classifier(str(tmp_path), EDU).score_texts(["plants"]).columns["edu"] == score


def test_toxicity_is_the_logistic_of_transformers_outputs(folder):
    scores = load_classifier(folder["toxicity"], TOXICITY).score_texts(TEXTS)
    direct = torch.sigmoid(direct_logits(folder["toxicity"], TEXTS)).numpy()
    np.testing.assert_allclose(scores.columns["toxicity"], direct[:, 0], atol=1e-3)
    np.testing.assert_allclose(scores.columns["insult"], direct[:, 4], atol=1e-3)
    assert direct[:, 0].std() > 0.01


@pytest.mark.parametrize("max_tokens", [512, 1_024])
def test_domains_are_those_of_the_model_card(folder, max_tokens):
    classifier = load_classifier(folder["domain"], DOMAIN, max_tokens=max_tokens)
    scores = classifier.score_texts(TEXTS)
    direct = card_probabilities(folder, TEXTS, max_tokens)
    np.testing.assert_allclose(scores.columns["domain_p"], direct.max(axis=1), atol=1e-3)
    assert scores.columns["domain"].tolist() == [CLASSES[top] for top in direct.argmax(axis=1)]
    assert len(set(scores.columns["domain"])) > 1


# Two marks and 510 letters, each a token, fill the 512.
@pytest.mark.parametrize(
    ("name", "outputs", "full"),
    [("edu", EDU, " ".join("a" * 510)), ("toxicity", TOXICITY, "a" * 510)],
)
def test_tokens_behind_the_512th_are_not_read(folder, name, outputs, full):
    column = outputs.column_names[0]
    scores = load_classifier(folder[name], outputs).score_texts(
        [full, full + " b c d" * 50, full[:-1] + "b"]
    )
    whole, longer, last_changed = scores.columns[column]
    assert longer == pytest.approx(whole, abs=1e-5)
    assert abs(last_changed - whole) > 1e-4


def test_order_and_scores_are_the_same_for_every_batch(folder):
    whole = load_classifier(folder["domain"], DOMAIN, tokens_per_batch=100_000).score_texts(TEXTS)
    for budget in (1, 40, 700):
        again = load_classifier(folder["domain"], DOMAIN, tokens_per_batch=budget)
        for size in (1, 2, 3, len(TEXTS)):
            parts = [again.score_texts(TEXTS[i : i + size]) for i in range(0, len(TEXTS), size)]
            domains = [name for part in parts for name in part.columns["domain"]]
            assert domains == whole.columns["domain"].tolist()
            np.testing.assert_allclose(
                np.concatenate([part.columns["domain_p"] for part in parts]),
                whole.columns["domain_p"],
                atol=1e-5,
            )


def test_a_text_that_breaks_the_model_costs_only_itself(folder):
    broken = ["", " \n", "plants \ud800", "word " * 2_000_000, "a" * 10_000_000, "sugar, " * 9_999]
    classifier = load_classifier(folder["domain"], DOMAIN)
    scores = classifier.score_texts(["plants.", *broken, "short"])
    alone = classifier.score_texts(["plants.", "short"])
    assert scores.reasons == [
        *(None, NO_TOKEN, NO_TOKEN, INVALID_UNICODE),
        *(None, None, None, None),
    ]
    np.testing.assert_allclose(
        scores.columns["domain_p"][[0, -1]], alone.columns["domain_p"], atol=1e-5
    )
    assert scores.columns["domain"][1:4].tolist() == [None, None, None]
    assert np.isnan(scores.columns["domain_p"][1:4]).all()


def test_scores_are_the_same_when_memory_is_short_and_that_is_told(folder):
    roomy = load_classifier(folder["domain"], DOMAIN, tokens_per_batch=4_000)
    short = load_classifier(folder["domain"], DOMAIN, tokens_per_batch=4_001)
    network = short._runner._network

    def with_little_memory(ids, mask):
        if ids.size > 1_100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return network(ids, mask)

    short._runner._network = with_little_memory
    whole, halves = roomy.score_texts(TEXTS), short.score_texts(TEXTS)
    assert (whole.n_halvings, halves.n_halvings > 0) == (0, True)
    assert halves.reasons == whole.reasons == [None] * len(TEXTS)
    assert halves.columns["domain"].tolist() == whole.columns["domain"].tolist()
    np.testing.assert_allclose(halves.columns["domain_p"], whole.columns["domain_p"], atol=1e-5)


def test_no_texts_give_empty_columns(folder):
    scores = load_classifier(folder["domain"], DOMAIN).score_texts([])
    assert {name: len(values) for name, values in scores.columns.items()} == {
        "domain": 0,
        "domain_p": 0,
    }


def test_weights_that_are_no_numbers_give_a_reason_not_a_score(tmp_path):
    save_edu(tmp_path, bias=float("nan"))
    scores = load_classifier(str(tmp_path), EDU).score_texts(["plants"])
    assert scores.reasons == [NOT_FINITE]


WHITE = st.text(
    st.sampled_from(
        " \n\t\r\v\f\x1c\x1f\x85\xa0\u1680\u2003\u2028\u3000"
        "\x00\x01\x7f\x80\xad\u0600\u061c\u0890\u180e\u200b\u200d\u200e\u202e\u2060\ufeff\ufff9"
    ),
    max_size=9,
)


@pytest.mark.parametrize("name", ["edu", "toxicity", "domain", "minilm"])
@given(white=WHITE, text=st.text(st.sampled_from("ab .\n\xa0\u0301\u200d\x00\u0890"), max_size=9))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_white_space_passed_over_never_changes_the_tokens(folder, name, white, text):
    place = str(model_folder("minilm")) if name == "minilm" else folder[name]
    tokenizer = tokenizer_of(place)
    runner = BatchRunner(tokenizer, None, width=1, max_tokens=512, tokens_per_batch=1)
    spaced = white + text
    assert runner._tokenize([spaced], [0]) == [tokenizer(spaced)["input_ids"]]


def test_twenty_thousand_spaces_before_a_text_cost_it_nothing_but_where_they_are_tokens(folder):
    spaced, plain = " " * 20_000 + "plants.", "plants."
    for name, outputs in (("edu", EDU), ("domain", DOMAIN)):
        scores = load_classifier(folder[name], outputs).score_texts([spaced, plain])
        assert scores.reasons == [None, None]
        number = scores.columns[outputs.column_names[-1]]
        assert number[0] == pytest.approx(number[1], abs=1e-5)
    scores = load_classifier(folder["toxicity"], TOXICITY).score_texts([spaced, " " * 20_000])
    assert scores.columns["toxicity"][0] == pytest.approx(scores.columns["toxicity"][1], abs=1e-5)


@pytest.mark.parametrize("type_", sorted(_FROM_ZERO | _FROM_BEHIND_PADDING))
def test_positions_are_told_as_the_network_has_them(type_):
    config = AutoConfig.for_model(type_, max_position_embeddings=100, num_hidden_layers=1)
    with torch.device("meta"):
        network = AutoModel.from_config(config)
    assert positions_told(config.to_dict()) == positions_of(network) is not None


@pytest.mark.parametrize("type_", ["gpt2", "gpt_bigcode", "openai-gpt"])
def test_positions_of_a_gpt_are_told_too(type_):
    config = AutoConfig.for_model(type_, n_positions=100, n_layer=1)
    with torch.device("meta"):
        network = AutoModel.from_config(config)
    assert positions_told(config.to_dict()) == positions_of(network) == 100


@pytest.mark.parametrize("type_", ["modernbert", "roformer"])
def test_where_positions_are_relative_or_not_known_none_are_told(type_):
    assert positions_told(AutoConfig.for_model(type_).to_dict()) is None


def test_a_deberta_has_positions_but_for_version_three():
    told = {"model_type": "deberta-v2", "max_position_embeddings": 512}
    assert positions_told(told) == 512
    assert positions_told(told | {"position_biased_input": False}) is None
    assert positions_told(told | {"base_model": "microsoft/deberta-v3-base"}) is None


def test_labels_are_told_as_transformers_reads_them(folder):
    for name in ("edu", "toxicity"):
        labels = AutoConfig.from_pretrained(folder[name]).id2label
        assert labels_told(read_config(folder[name])) == [labels[n] for n in range(len(labels))]
    assert labels_told(read_config(folder["domain"])) == CLASSES
    assert labels_told({"model_type": "bert"}) == [*AutoConfig.for_model("bert").id2label.values()]


def test_a_classifier_is_loaded_once_a_process(folder):
    assert load_classifier(folder["edu"], EDU) is load_classifier(folder["edu"], EduScore("edu"))


def test_a_classifier_whose_files_are_replaced_is_loaded_anew(tmp_path):
    save_edu(tmp_path, bias=99.0)
    assert load_classifier(str(tmp_path), EDU).score_texts(["plants"]).columns["edu"] == 5.0
    save_edu(tmp_path, bias=-99.0)
    os.utime(tmp_path / "model.safetensors", ns=(1, 1))
    assert load_classifier(str(tmp_path), EDU).score_texts(["plants"]).columns["edu"] == 0.0


@pytest.mark.parametrize(
    "problem_type", [None, "single_label_classification", "multi_label_classification"]
)
def test_probabilities_of_labels_are_those_of_the_pipeline_of_transformers(tmp_path, problem_type):
    save_toxicity(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(read_config(tmp_path) | {"problem_type": problem_type}))
    wanted = LabelProbabilities(TOXICITY.wanted, exclusive=None)
    scores = load_classifier(str(tmp_path), wanted).score_texts(TEXTS)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    ask = pipeline(
        "text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(tmp_path)
    )
    for row, text in enumerate(TEXTS):
        told = {one["label"]: one["score"] for one in ask(text, top_k=None, truncation=True)}
        for label, column in wanted.wanted:
            assert scores.columns[column][row] == pytest.approx(told[label], abs=1e-3)
    assert scores.columns["toxicity"].std() > 0.01


def test_a_folder_without_a_part_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"no config\.json"):
        load_classifier(str(tmp_path), EDU)
    save_edu(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match="no weights"):
        load_classifier(str(tmp_path), EDU)


def test_a_backbone_without_its_head_is_refused_not_given_a_random_one(tmp_path):
    save_edu(tmp_path)
    AutoModel.from_pretrained(tmp_path).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"lacks \['classifier\.bias', 'classifier\.weight'\]"):
        load_classifier(str(tmp_path), EDU)


def test_a_classifier_with_another_number_of_outputs_is_refused(folder):
    with pytest.raises(InputError, match="expected 11 outputs, found 26"):
        load_classifier(folder["domain"], TopClass("content_type", n_classes=11))


def test_damaged_weights_are_refused(tmp_path):
    save_edu(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:2_000])
    with pytest.raises(InputError, match="damaged"):
        load_classifier(str(tmp_path), EDU)


def changed(folder, tmp_path, **changes):
    """A copy of the domain classifier with other weights or another configuration."""
    save_domain(tmp_path, CLASSES)
    config = json.loads((tmp_path / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps({k: v for k, v in config.items() if v != "-"}))
    return str(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id2label": "-"}, r"lacks \['id2label'\]"),
        ({"base_model": "other/model"}, "backbone other/model, known are"),
        ({"id2label": {"0": "a", "1": "b"}}, "weights of another network"),
    ],
)
def test_a_first_token_classifier_that_is_not_one_is_refused(folder, tmp_path, changes, said):
    with pytest.raises(InputError, match=said):
        load_classifier(changed(folder, tmp_path, **changes), DOMAIN)


def test_a_first_token_classifier_without_its_file_of_weights_is_refused(folder, tmp_path):
    path = changed(folder, tmp_path)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(InputError, match=r"model\.safetensors: no such file"):
        load_classifier(path, DOMAIN)


def test_positions_that_an_older_transformers_wrote_are_passed_over(folder, tmp_path):
    path = changed(folder, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    positions = {"model.embeddings.position_ids": torch.arange(512).expand(1, -1)}
    write_domain(tmp_path, weights | positions, CLASSES, SIZES | {"vocab_size": 45})
    assert load_classifier(path, DOMAIN).score_texts(["plants"]).reasons == [None]


def test_a_configuration_without_a_type_of_model_does(folder, tmp_path):
    path = changed(folder, tmp_path, model_type="-", label2id="-")
    ours, published = (
        load_classifier(place, DOMAIN).score_texts(TEXTS) for place in (path, folder["domain"])
    )
    np.testing.assert_array_equal(ours.columns["domain_p"], published.columns["domain_p"])


def test_weights_in_a_pickle_with_positions_do_as_well(folder, tmp_path):
    # As unitary published them in 2020, with transformers 3.
    save_toxicity(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    positions = {"roberta.embeddings.position_ids": torch.arange(514).expand(1, -1)}
    torch.save(weights | positions, tmp_path / "pytorch_model.bin")
    (tmp_path / "model.safetensors").unlink()
    ours, published = (
        load_classifier(place, TOXICITY).score_texts(TEXTS)
        for place in (str(tmp_path), folder["toxicity"])
    )
    np.testing.assert_array_equal(ours.columns["toxicity"], published.columns["toxicity"])


def test_the_published_configuration_gives_the_published_size():
    config = {
        "base_model": "microsoft/deberta-v3-base",
        "fc_dropout": 0.2,
        "id2label": dict.fromkeys(map(str, range(26)), "x"),
    }
    with torch.device("meta"):
        model = build("here", config)
    # model.safetensors of nvidia/domain-classifier has 735 MB, of four bytes a weight.
    assert sum(weight.numel() for weight in model.state_dict().values()) * 4 == pytest.approx(
        735e6, abs=0.6e6
    )
    assert model.model.config.hidden_size == BACKBONES["microsoft/deberta-v3-base"]["hidden_size"]


@pytest.mark.parametrize(
    ("name", "outputs", "settings", "said"),
    [
        ("edu", EDU, {"max_tokens": 513}, r"must be 3\.\.512, found 513"),
        # 514 rows of positions, of which RoBERTa leaves out the first two.
        ("toxicity", TOXICITY, {"max_tokens": 513}, r"must be 3\.\.512, found 513"),
        ("domain", DOMAIN, {"max_tokens": 2}, r"must be 3\.\., found 2"),
        ("edu", EDU, {"tokens_per_batch": 0}, "tokens_per_batch"),
    ],
)
def test_settings_out_of_range_are_named(folder, name, outputs, settings, said):
    with pytest.raises(ConfigError, match=said):
        load_classifier(folder[name], outputs, **settings)


def test_cuda_where_there_is_none_is_refused(folder):
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA device")
    with pytest.raises(EnvironmentFault, match="cuda"):
        load_classifier(folder["edu"], EDU, device="cuda")


@pytest.mark.gpu
@pytest.mark.parametrize(
    ("name", "outputs"), [("edu", EDU), ("toxicity", TOXICITY), ("domain", DOMAIN)]
)
def test_half_precision_on_cuda_agrees_with_the_cpu(folder, name, outputs):
    cpu = load_classifier(folder[name], outputs).score_texts(TEXTS)
    cuda = load_classifier(folder[name], outputs, device="cuda").score_texts(TEXTS)
    number = outputs.column_names[-1]
    np.testing.assert_allclose(cuda.columns[number], cpu.columns[number], atol=2e-2)
