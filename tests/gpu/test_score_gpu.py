"""Scoring on a real GPU: precision, memory, order."""

import itertools

import numpy as np
import pytest

pytest.importorskip("torch", reason="no torch")

import torch
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

from curation.config import MemberConfig, ScoreConfig
from curation.model_store import model_folder
from curation.score.members import load_member, members_of
from curation.score.outputs import EduScore
from curation.score.sequence import load_classifier

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]

WORDS = ("the", "deep", "sea", "and", "its", "water", "move", "with", "a", "moon", "twice", "daily")
EDU = EduScore("edu")


def texts(n_texts, max_words=400):
    """Texts of all lengths, in no order, each another."""
    endless = itertools.cycle(WORDS)
    sizes = [1 + n * 7919 % max_words for n in range(n_texts)]
    return [f"text {n}: " + " ".join(itertools.islice(endless, size)) for n, size in
            enumerate(sizes)]  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A BERT of four layers with one output."""
    path = tmp_path_factory.mktemp("bert")
    torch.manual_seed(1)
    config = BertConfig(num_hidden_layers=4, num_labels=1, initializer_range=0.04)
    model = BertForSequenceClassification(config)
    torch.nn.init.constant_(model.classifier.bias, 2.5)  # far from 0 and 5, where scores are cut
    model.save_pretrained(path)
    AutoTokenizer.from_pretrained(model_folder("minilm")).save_pretrained(path)
    return str(path)


@pytest.fixture
def little_memory():
    """The device, of which this process may take a small part only."""
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    taken = torch.cuda.memory_reserved()
    torch.cuda.set_per_process_memory_fraction((taken + 600 * 2**20) / total)
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def load(folder, **settings):
    # Not the one that the process keeps: a batch halved in one test is no affair of the others.
    return load_classifier.__wrapped__(folder, EDU, **settings)


def test_half_precision_gives_the_scores_of_the_cpu(folder):
    some = texts(40)
    expected = load(folder).score_texts(some).columns["edu"]
    found = load(folder, device="cuda").score_texts(some)
    assert found.reasons == [None] * 40
    np.testing.assert_allclose(found.columns["edu"], expected, atol=2e-2)


def test_the_shipped_encoder_gives_the_scores_of_the_cpu():
    conf = MemberConfig(
        kind="encoder", model="minilm", columns=dict.fromkeys(("edu", "toxicity"), "shipped")
    )
    some = texts(40)
    found = {}
    for device in ("cpu", "cuda"):
        member = members_of(ScoreConfig(members={"minilm": conf}, device=device))[0]
        found[device] = load_member(member, n_threads=2).score_texts(some).columns
    for column in ("edu", "toxicity"):
        np.testing.assert_allclose(found["cuda"][column], found["cpu"][column], atol=2e-2)


def test_scores_come_in_the_order_of_the_texts(folder):
    some = texts(200)
    model = load(folder, device="cuda")
    together = model.score_texts(some).columns["edu"]
    turned = model.score_texts(some[::-1]).columns["edu"][::-1]
    alone = [model.score_texts([text]).columns["edu"][0] for text in some[:20]]
    np.testing.assert_allclose(together, turned, atol=2e-2)
    np.testing.assert_allclose(together[:20], alone, atol=2e-2)
    assert np.ptp(together) > 4e-2, "texts so alike say nothing of their order"


def test_a_batch_that_does_not_fit_is_halved_and_costs_no_text(folder, little_memory):
    # The inner state of one layer, 2^18 tokens of 3072 numbers, takes 1.6 GB alone.
    some = texts(1_200)
    model = load(folder, device="cuda", tokens_per_batch=2**18)
    found = model.score_texts(some)
    assert found.n_halvings > 0
    assert found.reasons == [None] * len(some)
    expected = load(folder, device="cuda").score_texts(some).columns["edu"]
    np.testing.assert_allclose(found.columns["edu"], expected, atol=2e-2)


def test_the_size_that_fits_is_remembered(folder, little_memory):
    some = texts(1_200)
    model = load(folder, device="cuda", tokens_per_batch=2**18)
    assert model.score_texts(some).n_halvings > 0
    assert model.score_texts(some).n_halvings == 0


def test_memory_does_not_grow_from_call_to_call(folder):
    model = load(folder, device="cuda")
    sizes = []
    for _ in range(5):
        model.score_texts(texts(300))
        sizes.append(torch.cuda.memory_allocated())
    assert sizes[-1] == sizes[0]
