"""Mixtures of experts: Mixtral and Qwen3-MoE."""

import json

import pytest

torch = pytest.importorskip("torch", reason="no torch")
transformers = pytest.importorskip("transformers", reason="no transformers")

from curation.config import TrainConfig  # noqa: E402
from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.checkpoint import last_checkpoint, load_tensors  # noqa: E402
from models.train.loop import train  # noqa: E402
from models.train.mfu import active_params  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.step import Batch, losses, train_step  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")

CLASSES = {
    "mixtral": transformers.MixtralForCausalLM,
    "qwen3_moe": transformers.Qwen3MoeForCausalLM,
}
MIXTURES = pytest.mark.parametrize("architecture", CLASSES)


@pytest.fixture
def conf(toy_conf):
    return toy_conf.model_copy(
        update={"n_layers": 2, "n_experts": 4, "n_experts_per_token": 2, "aux_loss_coef": 0.5}
    )


@pytest.fixture
def make_model(conf, write_shards):
    manifest = read_manifest(write_shards([[1, 2, 3]]))
    return lambda **more: build_model(conf.model_copy(update=more), manifest)


@pytest.fixture
def batch():
    tokens = (torch.arange(2 * 9) * 7).reshape(2, 9) % 30
    return Batch(tokens[:, :-1], tokens[:, 1:])


def _both(model, batch):
    return losses(model, batch.inputs_BT, batch.targets_BT, None, torch.float32)


def _routers(model):
    return [layer.mlp.gate.weight for layer in model.base_model.layers]


@MIXTURES
def test_the_model_is_the_class_of_transformers_with_the_experts_asked_for(
    make_model, conf, architecture
):
    model = make_model(architecture=architecture)
    assert type(model) is CLASSES[architecture]
    experts = model.base_model.layers[0].mlp.experts
    # Width 16, experts 64 wide: gate and up in one.
    assert experts.gate_up_proj.shape == (4, 2 * 64, 16)
    assert experts.down_proj.shape == (4, 16, 64)
    assert _routers(model)[0].shape == (4, 16)
    # A token goes through two of the four.
    n_params = sum(p.numel() for p in model.parameters())
    assert active_params(model) == n_params - 2 * 2 * (3 * 64 * 16)


@MIXTURES
def test_both_losses_are_those_of_the_class_itself(make_model, batch, architecture):
    model = make_model(architecture=architecture)
    model.router_aux_loss_coef = model.config.router_aux_loss_coef  # read when it was built
    targets = batch.targets_BT.contiguous()
    theirs = model(batch.inputs_BT, labels=targets, shift_labels=targets, output_router_logits=True)
    ours = _both(model, batch)
    assert (ours.cross_entropy / 16 + ours.balance).item() == pytest.approx(
        theirs.loss.item(), rel=1e-5
    )
    assert ours.balance.item() == pytest.approx(0.25 * theirs.aux_loss.item(), rel=1e-6)


@MIXTURES
def test_an_even_load_costs_the_coefficient_and_a_collapsed_one_more(
    make_model, batch, architecture
):
    model = make_model(architecture=architecture)
    assert _both(model, batch).balance.item() == pytest.approx(0.5, rel=0.02)
    with torch.no_grad():
        for layer in model.base_model.layers:
            layer.post_attention_layernorm.weight.zero_()[0] = 1.0
            layer.mlp.gate.weight.zero_()
    # All experts are equally likely, and every token takes the first two of the tie.
    assert _both(model, batch).balance.item() == pytest.approx(0.5, rel=1e-6)
    embedding = model.get_input_embeddings().weight
    with torch.no_grad():
        embedding[:, 0] = 50.0
        for router in _routers(model):
            router[0, 0], router[1, 0] = 100.0, 100.0
    # Two of four experts take all: 4 * (2 * 1 * 1/2) / 2 = 2 times an even load.
    assert _both(model, batch).balance.item() == pytest.approx(1.0, rel=1e-3)


@MIXTURES
def test_the_balance_alone_moves_the_router(make_model, batch, architecture):
    model = make_model(architecture=architecture)
    _both(model, batch).balance.backward()
    assert all(router.grad.abs().max() > 0 for router in _routers(model))
    assert model.base_model.layers[1].mlp.experts.down_proj.grad is None


@MIXTURES
def test_recomputed_activations_count_once_in_the_balance(make_model, batch, architecture):
    plain, again = (make_model(architecture=architecture, recompute=on) for on in (False, True))
    for model in (plain, again):
        found = _both(model, batch)
        (found.cross_entropy + found.balance).backward()
    assert _both(again, batch).balance == _both(plain, batch).balance
    for ours, theirs in zip(again.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)


def test_training_adds_the_balance_by_tokens_of_the_micro_batches(make_model, batch):
    whole, parts = make_model(architecture="mixtral"), make_model(architecture="mixtral")
    rows = [Batch(batch.inputs_BT[k : k + 1], batch.targets_BT[k : k + 1]) for k in (0, 1)]
    rate = torch.optim.SGD(whole.parameters(), 0.0)
    outcome = train_step(whole, rate, [batch], max_grad_norm=1e9)
    assert outcome.aux_loss == pytest.approx(_both(parts, batch).balance.item(), rel=1e-6)
    assert outcome.loss == pytest.approx(_both(parts, batch).cross_entropy.item() / 16, rel=1e-6)
    outcome = train_step(whole, rate, rows, max_grad_norm=1e9)
    expected = sum(_both(parts, row).balance.item() for row in rows) / 2
    assert outcome.aux_loss == pytest.approx(expected, rel=1e-6)
    together = sum(_both(parts, row).cross_entropy / 16 + _both(parts, row).balance / 2
                   for row in rows)  # fmt: skip
    together.backward()
    for ours, theirs in zip(whole.parameters(), parts.parameters(), strict=True):
        torch.testing.assert_close(ours.grad, theirs.grad, rtol=1e-4, atol=1e-6)


class Killed(Exception):
    """Stands for whatever ends a process."""


def _kill(record):
    if record.step == 6:
        raise Killed


@MIXTURES
def test_a_resumed_mixture_equals_the_undisturbed_one(
    conf, write_shards, toy_corpus, tmp_path, architecture
):
    conf = conf.model_copy(update={"architecture": architecture})
    path = write_shards(toy_corpus)
    whole = train(conf, path, tmp_path / "whole")
    with pytest.raises(Killed):
        train(conf, path, tmp_path / "cut", on_step=_kill)
    again = train(conf, path, tmp_path / "cut")
    assert (again.loss, again.held_out_loss) == (whole.loss, whole.held_out_loss)
    ours, theirs = (
        load_tensors(last_checkpoint(tmp_path / name / "checkpoint")) for name in ("cut", "whole")
    )
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    log = [json.loads(line) for line in (tmp_path / "cut" / "log.jsonl").read_text().splitlines()]
    assert all(0.4 < line["aux_loss"] < 1.0 for line in log)


def test_more_experts_a_token_than_there_are_is_refused():
    with pytest.raises(ValueError, match="n_experts_per_token is at most n_experts, found 3 and 2"):
        TrainConfig(n_experts=2, n_experts_per_token=3)
