import pytest

torch = pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.optim import build_optimizer  # noqa: E402

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
