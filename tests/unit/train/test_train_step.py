import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from curation.errors import InputError  # noqa: E402
from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.optim import build_optimizer  # noqa: E402
from models.train.step import (  # noqa: E402
    IGNORED,
    Batch,
    split_batch,
    token_loss,
    train_step,
)

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.fixture
def make_model(toy_conf, write_shards):
    """Builds the same toy model at each call."""
    manifest = read_manifest(write_shards([[1, 2, 3]]))
    return lambda: build_model(toy_conf, manifest)


@pytest.fixture
def batch():
    """Four sequences of six tokens; 6, 5, 3 and 1 of them count, fifteen in all."""
    tokens = torch.tensor([[(5 * row + 3 * k) % 31 + 1 for k in range(7)] for row in range(4)])
    targets = tokens[:, 1:].clone()
    for row, n_real in enumerate([6, 5, 3, 1]):
        targets[row, n_real:] = IGNORED
    return Batch(tokens[:, :-1], targets)


def _parameters(model):
    return [p.detach().clone() for p in model.parameters()]


def _part(batch, rows):
    return Batch(batch.inputs_BT[rows], batch.targets_BT[rows])


def test_one_batch_and_its_uneven_halves_give_the_same_parameters(make_model, batch):
    whole, split = make_model(), make_model()
    before = _parameters(whole)
    # Plain descent with a large rate: the parameters move by the gradient itself.
    one = train_step(whole, torch.optim.SGD(whole.parameters(), 1.0), [batch], max_grad_norm=9.0)
    two = train_step(
        split,
        torch.optim.SGD(split.parameters(), 1.0),
        [_part(batch, slice(0, 1)), _part(batch, slice(1, 4))],
        max_grad_norm=9.0,
    )
    torch.testing.assert_close(_parameters(whole), _parameters(split))
    assert (one.n_tokens, two.n_tokens) == (15, 15)
    assert one.loss == pytest.approx(two.loss, rel=1e-6)
    assert (
        max(float((a - b).abs().max()) for a, b in zip(before, _parameters(whole), strict=True))
        > 0.01
    )


def test_the_loss_is_the_plain_mean_over_the_tokens_that_count(make_model, batch):
    model = make_model()
    logits = model(batch.inputs_BT).logits.flatten(0, 1)
    plain = torch.nn.functional.cross_entropy(logits, batch.targets_BT.flatten())
    assert token_loss(model, batch).item() / 15 == pytest.approx(plain.item(), rel=1e-6)
    outcome = train_step(
        model, torch.optim.SGD(model.parameters(), 0.1), [batch], max_grad_norm=1.0
    )
    assert outcome.loss == pytest.approx(plain.item(), rel=1e-6)


def test_clipping_shortens_the_step_to_the_norm_allowed(make_model, batch):
    model = make_model()
    before = _parameters(model)
    outcome = train_step(
        model, torch.optim.SGD(model.parameters(), 1.0), [batch], max_grad_norm=0.01
    )
    moved = [(a - b).flatten() for a, b in zip(before, _parameters(model), strict=True)]
    assert outcome.grad_norm > 0.1
    assert float(torch.cat(moved).norm()) == pytest.approx(0.01, rel=1e-3)


def test_a_step_from_an_infinite_weight_is_skipped_and_changes_nothing(make_model, batch, toy_conf):
    model = make_model()
    optimizer = build_optimizer(model, toy_conf)
    train_step(model, optimizer, [batch], max_grad_norm=1.0)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[0, 0] = math.inf
    before = _parameters(model)
    moments = [{key: value.clone() for key, value in s.items()} for s in optimizer.state.values()]
    outcome = train_step(model, optimizer, [batch], max_grad_norm=1.0)
    assert outcome.skipped
    assert math.isnan(outcome.grad_norm)
    assert all(torch.equal(a, b) for a, b in zip(before, _parameters(model), strict=True))
    for old, new in zip(moments, optimizer.state.values(), strict=True):
        assert all(torch.equal(old[key], new[key]) for key in old)
    assert all(p.grad is None for p in model.parameters())


def test_a_step_with_nothing_to_learn_from_is_refused(make_model, batch):
    model = make_model()
    ignored = Batch(batch.inputs_BT, torch.full_like(batch.targets_BT, IGNORED))
    with pytest.raises(InputError, match="at least one target"):
        train_step(model, torch.optim.SGD(model.parameters(), 1.0), [ignored], max_grad_norm=1.0)


def test_samples_are_cut_into_inputs_and_the_tokens_after_them():
    samples = np.array([[1, 2, 3], [4, 5, 6], [7, 8, 9]])
    batches = split_batch(samples, 2, device="cpu")
    assert [batch.inputs_BT.tolist() for batch in batches] == [[[1, 2], [4, 5]], [[7, 8]]]
    assert [batch.targets_BT.tolist() for batch in batches] == [[[2, 3], [5, 6]], [[8, 9]]]
