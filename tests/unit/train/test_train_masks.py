"""Documents packed into one sequence, and seen alone."""

import pytest

torch = pytest.importorskip("torch", reason="no torch")
pytest.importorskip("transformers", reason="no transformers")

from curation.tokens.manifest import read_manifest  # noqa: E402
from models.train.model import build_model  # noqa: E402
from models.train.step import (  # noqa: E402
    Batch,
    document_positions,
    losses,
    token_loss,
)

pytestmark = pytest.mark.usefixtures("single_thread")

EOD = 0
DOCUMENTS = [[5, 9, 3, EOD], [EOD], [7, 7, 2, 8, 1, EOD], [4, 6, 11]]
ARCHITECTURES = ["llama", "mistral", "qwen2", "qwen3", "mixtral", "qwen3_moe"]


@pytest.fixture
def make_model(toy_conf, write_shards):
    """Builds a model of two layers; its weights are large, so that what it attends to matters."""

    def made(architecture):
        conf = toy_conf.model_copy(update={"architecture": architecture, "n_layers": 2})
        model = build_model(conf, read_manifest(write_shards([[1, 2, 3]])))
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(20)
        return model

    return made


def _hidden(model, tokens, positions):
    with torch.no_grad():
        found = model.base_model(torch.tensor([tokens]), position_ids=positions, use_cache=False)
        return model.lm_head(found.last_hidden_state)[0]


def test_positions_begin_anew_behind_each_end_of_document():
    rows = torch.tensor([[5, 9, EOD, EOD, 7, 7], [EOD, 1, 2, 3, 4, EOD]])
    assert document_positions(rows, EOD).tolist() == [[0, 1, 2, 0, 0, 1], [0, 0, 1, 2, 3, 4]]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_packed_document_has_the_logits_it_has_alone(make_model, architecture):
    model = make_model(architecture)
    packed = [token for document in DOCUMENTS for token in document]
    masked = _hidden(model, packed, document_positions(torch.tensor([packed]), EOD))
    alone = torch.cat([_hidden(model, document, None) for document in DOCUMENTS])
    torch.testing.assert_close(masked, alone, atol=1e-5, rtol=1e-5)
    # Without masks the later documents see the earlier ones.
    assert (_hidden(model, packed, None) - alone).abs().max() > 1e-2


def test_the_loss_of_masked_documents_is_that_of_each_alone(make_model):
    model = make_model("llama")
    documents = [[5, 9, 3, EOD], [7, 7, 2, 8, 1, EOD]]
    inputs = torch.tensor([documents[0] + documents[1]])
    targets = torch.tensor([[9, 3, EOD, -100, 7, 2, 8, 1, EOD, -100]])
    packed = token_loss(model, Batch(inputs, targets, document_positions(inputs, EOD)))
    alone = [
        token_loss(model, Batch(torch.tensor([one[:-1]]), torch.tensor([one[1:]])))
        for one in documents
    ]
    assert packed.item() == pytest.approx(sum(alone).item(), rel=1e-5)


def test_no_gradient_crosses_an_end_of_document(make_model):
    model = make_model("llama")
    inputs = torch.tensor([[5, 9, EOD, 7, 2]])
    targets = torch.tensor([[-100, -100, -100, 2, 8]])  # of the second document alone
    embedded = []
    model.base_model.embed_tokens.register_forward_hook(
        lambda module, given, made: embedded.append(made) or made.retain_grad()
    )
    for positions in (document_positions(inputs, EOD), None):
        losses(model, inputs, targets, positions, torch.float32).cross_entropy.backward()
    masked, whole = (one.grad[0, :3].abs().max().item() for one in embedded)
    assert masked == 0.0
    assert whole > 0.0
