"""Muon, bfloat16, activation checkpointing, compilation, MFU."""

import json
import shutil

import pytest

torch = pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.checkpoint import last_checkpoint, load_tensors  # noqa: E402
from models.train.folder import settings_of  # noqa: E402
from models.train.loop import train  # noqa: E402
from models.train.loss import summed_cross_entropy  # noqa: E402
from models.train.mfu import active_params, flops_per_token, mfu  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.optim import build_optimizer, set_learning_rate  # noqa: E402
from models.train.sources import read_sources  # noqa: E402
from models.train.step import Batch, token_loss, train_step  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.fixture
def make_model(toy_conf, write_shards):
    manifest = read_manifest(write_shards([[1, 2, 3]]))
    return lambda **more: build_model(toy_conf.model_copy(update=more), manifest)


@pytest.fixture
def batch():
    tokens = (torch.arange(2 * 17) * 7).reshape(2, 17) % 30
    return Batch(tokens[:, :-1], tokens[:, 1:])


def _losses(out):
    return [json.loads(line)["loss"] for line in (out / "log.jsonl").read_text().splitlines()]


class Killed(Exception):
    """Stands for whatever ends a process."""


def _kill(record):
    if record.step == 6:
        raise Killed


def test_muon_has_the_matrices_of_the_layers_and_adamw_the_rest(make_model, toy_conf):
    model = make_model()
    optimizer = build_optimizer(model, toy_conf.model_copy(update={"optimizer": "muon"}))
    muon, matrices, vectors = optimizer.param_groups
    names = {id(p): name for name, p in model.named_parameters()}
    assert sorted(names[id(p)].split(".")[-2] for p in muon["params"]) == [
        "down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj",
    ]  # fmt: skip
    assert [names[id(p)] for p in matrices["params"]] == ["model.embed_tokens.weight"]
    assert all(p.ndim == 1 for p in vectors["params"])
    assert [group["weight_decay"] for group in (muon, matrices, vectors)] == [0.1, 0.1, 0.0]


def test_a_step_of_muon_is_orthogonal_and_as_large_as_adamws(make_model, batch, toy_conf):
    conf = toy_conf.model_copy(update={"optimizer": "muon", "weight_decay": 0.0})
    model = make_model()
    optimizer = build_optimizer(model, conf)
    set_learning_rate(optimizer, 0.1)
    weight = model.base_model.layers[0].self_attn.q_proj.weight
    before = weight.detach().clone()
    train_step(model, optimizer, [batch], max_grad_norm=1.0)
    singular = torch.linalg.svdvals(weight.detach() - before) / (0.1 * 0.2 * 16**0.5)
    # Five steps of Newton and Schulz leave singular values about 1, whatever the gradient's were.
    assert singular.min() > 0.5
    assert singular.max() < 1.5


@pytest.mark.parametrize("more", [{"optimizer": "muon"}, {"precision": "bfloat16"},
                                  {"document_masks": True}])  # fmt: skip
def test_a_resumed_run_equals_the_undisturbed_one(
    toy_conf, write_shards, toy_corpus, tmp_path, more
):
    conf, path = toy_conf.model_copy(update=more), write_shards(toy_corpus)
    whole = train(conf, path, tmp_path / "whole")
    with pytest.raises(Killed):
        train(conf, path, tmp_path / "cut", on_step=_kill)
    again = train(conf, path, tmp_path / "cut")
    assert _losses(tmp_path / "cut") == _losses(tmp_path / "whole")
    assert again.held_out_loss == whole.held_out_loss
    ours, theirs = (
        load_tensors(last_checkpoint(tmp_path / name / "checkpoint")) for name in ("cut", "whole")
    )
    assert any(name.startswith("optimizer.") for name in ours)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    plain = train(toy_conf, path, tmp_path / "plain")
    assert plain.loss != whole.loss


@pytest.mark.parametrize("more", [{"optimizer": "muon"}, {"precision": "bfloat16"},
                                  {"document_masks": True}])  # fmt: skip
def test_the_loss_falls(toy_conf, write_shards, toy_corpus, tmp_path, more):
    conf = toy_conf.model_copy(update={"n_steps": 60, **more})
    result = train(conf, write_shards(toy_corpus), tmp_path / "model")
    assert result.loss < 2.0


def test_bfloat16_is_near_float32_and_leaves_weights_and_moments_as_they_are(
    make_model, batch, toy_conf
):
    model = make_model()
    optimizer = build_optimizer(model, toy_conf)
    exact = token_loss(model, batch).item()
    rough = token_loss(model, batch, dtype=torch.bfloat16)
    assert rough.dtype == torch.float32
    assert rough.item() == pytest.approx(exact, rel=1e-2)
    assert rough.item() != exact
    train_step(model, optimizer, [batch], max_grad_norm=1.0, dtype=torch.bfloat16)
    kept = [*model.parameters(), *(value for s in optimizer.state.values() for value in s.values())]
    assert {tensor.dtype for tensor in kept} == {torch.float32}


def test_the_cross_entropy_in_bfloat16_is_that_of_the_plain_way():
    draw = torch.Generator().manual_seed(17)
    hidden = torch.randn(7, 4, generator=draw).requires_grad_()
    weight = torch.randn(11, 4, generator=draw).requires_grad_()
    targets = torch.randint(11, (7,), generator=draw)
    with torch.autocast("cpu", torch.bfloat16):
        ours = summed_cross_entropy(hidden, weight, targets)
        logits = torch.nn.functional.linear(hidden, weight)
        plain = torch.nn.functional.cross_entropy(logits.float(), targets, reduction="sum")
    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(ours, plain, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        torch.autograd.grad(ours, [hidden, weight]),
        torch.autograd.grad(plain, [hidden, weight]),
        rtol=2e-2,
        atol=2e-2,
    )


def _kept_bytes(model, batch):
    """Bytes that autograd holds on to between forward and backward; gradients are left behind."""
    sizes = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda tensor: sizes.append(tensor.numel() * tensor.element_size()) or tensor,
        lambda tensor: tensor,
    ):
        loss = token_loss(model, batch)
    loss.backward()
    return sum(sizes)


def test_recomputing_activations_changes_nothing_and_keeps_less(make_model, batch, tmp_path):
    plain, again = make_model(n_layers=4), make_model(n_layers=4, recompute=True)
    n_bytes = _kept_bytes(plain, batch)
    assert _kept_bytes(again, batch) < 0.5 * n_bytes
    for ours, theirs in zip(again.parameters(), plain.parameters(), strict=True):
        assert torch.equal(ours.grad, theirs.grad)
    # A model from a folder is one to train too: transformers would leave it in evaluation.
    plain.save_pretrained(tmp_path / "m")
    loaded = make_model(init_from=str(tmp_path / "m"), recompute=True)
    assert _kept_bytes(loaded, batch) < 0.5 * n_bytes


@pytest.mark.filterwarnings("ignore:.torch.jit.script_method. is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor:UserWarning")
@pytest.mark.skipif(not shutil.which("g++"), reason="no g++, which torch.compile needs on a CPU")
def test_a_compiled_model_has_the_same_loss_and_gradients(make_model, batch):
    plain, compiled = make_model(), make_model(compile=True)
    before = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    ours, theirs = token_loss(compiled, batch), token_loss(plain, batch)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > before
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)
    ours.backward()
    theirs.backward()
    for one, other in zip(compiled.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-3, atol=1e-5)


def _settings(conf, path):
    return settings_of(conf, read_sources(conf, path))


def test_what_changes_rounding_only_is_no_other_run(toy_conf, write_shards, toy_corpus):
    path = write_shards(toy_corpus)
    same = toy_conf.model_copy(update={"compile": True, "recompute": True, "parallel": "shard"})
    assert _settings(same, path) == _settings(toy_conf, path)
    for more in ({"precision": "bfloat16"}, {"document_masks": True}, {"optimizer": "muon"}):
        other = toy_conf.model_copy(update=more)
        assert _settings(other, path) != _settings(toy_conf, path)


def test_the_arithmetic_of_a_token_is_counted_by_hand(make_model, toy_conf, monkeypatch):
    model = make_model()
    # Width 16, feed-forward 64, vocabulary 32, tied: the embeddings are the head.
    n_params = 32 * 16 + 4 * 16 * 16 + 3 * 16 * 64 + 3 * 16
    assert active_params(model) == n_params
    expected = 6 * n_params + 12 * 1 * 16 * 16
    assert flops_per_token(model, 16) == expected
    model.config.tie_word_embeddings = False
    assert active_params(model) == n_params - 32 * 16
    assert mfu(model, toy_conf, 1e9) is None
    model.config.tie_word_embeddings = True
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    on_gpu = toy_conf.model_copy(update={"device": "cuda"})
    assert mfu(model, on_gpu, 1e9) == pytest.approx(1e9 * expected / 989e12)
