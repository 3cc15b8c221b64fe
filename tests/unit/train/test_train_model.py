import pytest

torch = pytest.importorskip("torch", reason="no torch")
transformers = pytest.importorskip("transformers", reason="no transformers")

from curation.errors import InputError  # noqa: E402
from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.folder import settings_of  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.optim import build_optimizer  # noqa: E402
from models.train.sources import Source  # noqa: E402
from models.train.step import Batch, token_loss  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


@pytest.fixture
def manifest(write_shards):
    return read_manifest(write_shards([[1, 2, 3]]))


def test_the_model_has_the_weights_counted_by_hand(toy_conf, manifest):
    model = build_model(toy_conf, manifest)
    # Width 16: 8/3 of it is 42, rounded up to 64. Embeddings 32 x 16, once: they are tied.
    embeddings, attention, feed_forward, norms = 32 * 16, 4 * 16 * 16, 3 * 16 * 64, 3 * 16
    n_weights = sum(p.numel() for p in model.parameters())
    assert n_weights == embeddings + attention + feed_forward + norms
    assert model.lm_head.weight is model.model.embed_tokens.weight


def test_the_seed_alone_decides_the_weights(toy_conf, manifest):
    torch.manual_seed(1)
    first = build_model(toy_conf, manifest).state_dict()
    torch.manual_seed(2)
    second = build_model(toy_conf, manifest).state_dict()
    other = build_model(toy_conf.model_copy(update={"seed": 18}), manifest).state_dict()
    key = "model.embed_tokens.weight"
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first[key], other[key])


def test_the_global_random_state_is_left_alone(toy_conf, manifest):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    build_model(toy_conf, manifest)
    assert torch.equal(torch.rand(3), expected)


def test_only_matrices_decay(toy_conf, manifest):
    model = build_model(toy_conf, manifest)
    matrices, vectors = build_optimizer(model, toy_conf).param_groups
    assert (matrices["weight_decay"], vectors["weight_decay"]) == (0.1, 0.0)
    assert len(matrices["params"]) == 1 + 4 + 3
    assert len(vectors["params"]) == 3
    assert all(p.ndim == 1 for p in vectors["params"])


ARCHITECTURES = {
    "llama": transformers.LlamaForCausalLM,
    "mistral": transformers.MistralForCausalLM,
    "qwen2": transformers.Qwen2ForCausalLM,
    "qwen3": transformers.Qwen3ForCausalLM,
}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_architecture_is_the_class_of_transformers_and_its_loss(toy_conf, manifest, name):
    conf = toy_conf.model_copy(update={"architecture": name, "n_heads": 4, "n_kv_heads": 2})
    model = build_model(conf, manifest)
    assert type(model) is ARCHITECTURES[name]
    assert (model.config.num_key_value_heads, model.config.head_dim) == (2, conf.hidden_size // 4)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    tokens = torch.arange(2 * 9).reshape(2, 9) % 30
    ours = token_loss(model, Batch(tokens[:, :-1], tokens[:, 1:])) / 16
    theirs = model(tokens[:, :-1], use_cache=False).logits
    expected = torch.nn.functional.cross_entropy(theirs.reshape(16, -1), tokens[:, 1:].reshape(16))
    assert torch.allclose(ours, expected, atol=1e-4)


def test_a_model_in_a_folder_is_gone_on_with(toy_conf, manifest, tmp_path):
    model = build_model(toy_conf, manifest)
    model.save_pretrained(tmp_path / "m")
    again = build_model(toy_conf.model_copy(update={"init_from": str(tmp_path / "m")}), manifest)
    first, second = model.state_dict(), again.state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_model_that_does_not_fit_the_tokens_is_refused(toy_conf, manifest, tmp_path):
    folder = tmp_path / "m"
    conf = toy_conf.model_copy(update={"init_from": str(folder)})
    with pytest.raises(InputError, match=r"init_from: .* has no config\.json"):
        build_model(conf, manifest)
    build_model(toy_conf, manifest).save_pretrained(folder)
    longer = conf.model_copy(update={"sequence_length": conf.sequence_length + 1})
    with pytest.raises(InputError, match=r"takes 16 tokens, train\.sequence_length is 17"):
        build_model(longer, manifest)
    wide = manifest.model_copy(update={"vocabulary_size": 99})
    with pytest.raises(InputError, match="a vocabulary of 32, the shards have one of 99"):
        build_model(conf, wide)
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"its tokenizer is not"):
        build_model(conf, manifest)
    (folder / "config.json").write_text("{}")
    with pytest.raises(InputError, match="init_from"):
        build_model(conf, manifest)


def test_other_first_weights_are_another_run(toy_conf, manifest, tmp_path):
    told = []
    sources = {"tokens": Source(manifest, tmp_path)}
    for seed in (1, 2):
        other = toy_conf.model_copy(update={"seed": seed})
        build_model(other, manifest).save_pretrained(tmp_path / "m")
        conf = toy_conf.model_copy(update={"init_from": str(tmp_path / "m")})
        told.append(settings_of(conf, sources))
    assert told[0] != told[1]
    assert "init_weights" not in settings_of(toy_conf, sources)
