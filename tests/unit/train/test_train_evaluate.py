import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.data import SampleLoader, TokenStream  # noqa: E402
from models.train.evaluate import Evaluation, evaluate, held_out_batches  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.step import split_batch  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.fixture
def model(toy_conf, write_shards):
    return build_model(toy_conf, read_manifest(write_shards([[1, 2, 3]])))


def test_a_model_that_knows_nothing_has_the_logarithm_of_its_vocabulary(model):
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    batches = split_batch(np.array([[1, 2, 3, 4], [5, 6, 7, 8], [1, 1, 1, 1]]), 2, device="cpu")
    result = evaluate(model, batches)
    assert result.n_tokens == 9
    assert result.loss == pytest.approx(math.log(32))
    # 9 tokens of 5 bits each, say over 15 bytes.
    assert result.bits_per_byte(15) == pytest.approx(3.0)


def test_the_loss_does_not_depend_on_the_batches(model):
    samples = np.array([[1, 2, 3, 4], [5, 6, 7, 8], [9, 9, 1, 1]])
    whole = evaluate(model, split_batch(samples, 3, device="cpu"))
    parts = evaluate(model, split_batch(samples, 1, device="cpu"))
    assert whole.loss == pytest.approx(parts.loss, rel=1e-6)


def test_evaluation_leaves_no_gradient_and_the_mode_as_it_was(model):
    model.train()
    evaluate(model, split_batch(np.array([[1, 2, 3]]), 1, device="cpu"))
    assert model.training
    assert all(p.grad is None for p in model.parameters())


def test_the_loss_is_a_mean_over_tokens():
    assert Evaluation(loss_nats=6.0, n_tokens=4).loss == 1.5


def test_held_out_batches_are_the_last_samples_of_the_stream():
    stream = TokenStream((np.arange(601, dtype=np.uint16),), np.array([0, 601]))
    loader = SampleLoader(stream, sequence_length=2, seed=17)
    batches = list(held_out_batches(loader, 2, device="cpu"))
    assert [batch.inputs_BT.tolist() for batch in batches] == [
        [[594, 595], [596, 597]],
        [[598, 599]],
    ]
