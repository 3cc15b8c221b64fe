"""The same run on Megatron-core, where it is installed."""

import json

import pytest

torch = pytest.importorskip("torch", reason="no torch")
transformers = pytest.importorskip("transformers", reason="no transformers")
pytest.importorskip("megatron.core.models.gpt", reason="no megatron-core")

from curation.errors import ConfigError, EnvironmentFault  # noqa: E402
from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.checkpoint import last_checkpoint, load_tensors  # noqa: E402
from models.train.loop import train  # noqa: E402
from models.train.megatron import check_megatron, to_megatron, to_transformers  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.step import split_batch, token_loss, train_step  # noqa: E402

pytestmark = [
    pytest.mark.usefixtures("single_thread"),
    pytest.mark.filterwarnings("ignore"),  # Megatron's own, at import and at every linear layer
]


@pytest.fixture
def both(toy_conf, write_shards):
    """The same model on transformers and on Megatron-core, with heads that share keys."""
    manifest = read_manifest(write_shards([[1, 2, 3]]))

    def made(**more):
        conf = toy_conf.model_copy(
            update={"n_layers": 2, "n_heads": 4, "n_kv_heads": 2, "document_masks": True, **more}
        )
        theirs = build_model(conf, manifest)
        with torch.no_grad():
            for n, p in enumerate(
                theirs.parameters()
            ):  # norms and biases too are no longer trivial
                p.add_(torch.randn(p.shape, generator=torch.Generator().manual_seed(n)), alpha=0.2)
        ours = build_model(conf.model_copy(update={"backend": "megatron"}), manifest)
        ours.load_state_dict(theirs.state_dict())
        return theirs, ours

    return made


def _samples():
    rows = torch.arange(4 * 17).reshape(4, 17) * 7 % 31
    rows[:, ::5] = 0
    return rows.numpy()


@pytest.mark.parametrize("architecture", ["llama", "mistral", "qwen2", "qwen3"])
def test_the_same_weights_have_the_same_loss_and_learn_the_same(both, architecture):
    theirs, ours = both(architecture=architecture)
    for eod_id in (None, 0):
        [batch] = split_batch(_samples(), 4, device="cpu", eod_id=eod_id)
        expected = token_loss(theirs, batch).item()
        assert token_loss(ours, batch).item() == pytest.approx(expected, rel=1e-6)
    optimizers = [torch.optim.SGD(model.parameters(), 0.1) for model in (theirs, ours)]
    for model, optimizer in zip((theirs, ours), optimizers, strict=True):
        for _ in range(3):
            train_step(model, optimizer, [batch], max_grad_norm=1.0)
    learnt = theirs.state_dict()
    assert ours.state_dict().keys() == learnt.keys()
    for name, weight in ours.state_dict().items():
        torch.testing.assert_close(weight, learnt[name], rtol=1e-4, atol=1e-5)


def test_weights_come_back_as_they_went(both):
    theirs, _ = both(architecture="qwen2")
    state = theirs.state_dict()
    back = to_transformers(to_megatron(state, theirs.config), theirs.config)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[name], state[name]) for name in state)


class Killed(Exception):
    """Stands for whatever ends a process."""


def _kill(record):
    if record.step == 6:
        raise Killed


def test_the_same_run_has_the_same_losses_resumes_and_ends_as_a_model_of_transformers(
    toy_conf, write_shards, toy_corpus, tmp_path
):
    path = write_shards(toy_corpus)
    plain = train(toy_conf, path, tmp_path / "plain")
    conf = toy_conf.model_copy(update={"backend": "megatron"})
    whole = train(conf, path, tmp_path / "whole")
    with pytest.raises(Killed):
        train(conf, path, tmp_path / "cut", on_step=_kill)
    train(conf, path, tmp_path / "cut")
    losses = {
        name: [json.loads(line)["loss"]
               for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("plain", "whole", "cut")
    }  # fmt: skip
    assert losses["whole"] == pytest.approx(losses["plain"], abs=1e-4)
    assert losses["cut"] == losses["whole"]
    assert whole.held_out_loss == pytest.approx(plain.held_out_loss, abs=1e-4)
    saved = load_tensors(last_checkpoint(tmp_path / "whole" / "checkpoint"))
    weights = {name: value for name, value in saved.items() if name.startswith("model.")}
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "whole" / "hf")
    assert type(model) is transformers.LlamaForCausalLM
    named = dict(model.named_parameters())
    assert {f"model.{name}" for name in named} == weights.keys()
    assert all(torch.equal(weight, weights[f"model.{name}"]) for name, weight in named.items())


def test_what_was_never_tried_on_megatron_is_refused(toy_conf, both, monkeypatch):
    conf = toy_conf.model_copy(update={"backend": "megatron"})
    check_megatron(conf)
    for name, value in {"optimizer": "muon", "precision": "bfloat16", "parallel": "shard",
                        "recompute": True, "compile": True}.items():  # fmt: skip
        with pytest.raises(ConfigError, match=f"takes train.{name} "):
            check_megatron(conf.model_copy(update={name: value}))
    with pytest.raises(ConfigError, match="takes llama, mistral, qwen2, qwen3, not mixtral"):
        both(architecture="mixtral")
    monkeypatch.setattr("models.train.megatron.find_spec", lambda name: None)
    with pytest.raises(EnvironmentFault, match="pip install megatron-core"):
        check_megatron(conf)
