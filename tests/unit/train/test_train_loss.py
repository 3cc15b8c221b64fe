import pytest

torch = pytest.importorskip("torch", reason="no torch")

from models.train import loss as loss_module  # noqa: E402
from models.train.loss import summed_cross_entropy  # noqa: E402

pytestmark = pytest.mark.usefixtures("single_thread")


def _case(n_tokens=7, width=4, vocabulary_size=11):
    draw = torch.Generator().manual_seed(17)
    hidden = torch.randn(n_tokens, width, generator=draw, dtype=torch.float64)
    weight = torch.randn(vocabulary_size, width, generator=draw, dtype=torch.float64)
    targets = torch.randint(vocabulary_size, (n_tokens,), generator=draw)
    return hidden.requires_grad_(), weight.requires_grad_(), targets


def test_equal_logits_give_the_logarithm_of_the_vocabulary():
    loss = summed_cross_entropy(torch.zeros(3, 2), torch.ones(8, 2), torch.tensor([0, 5, 7]))
    assert loss.item() == pytest.approx(3 * 2.0794415)  # 3 ln 8


@pytest.mark.parametrize("n_rows", [1, 2, 3, 7, 100])
def test_value_and_gradients_are_those_of_the_plain_way(monkeypatch, n_rows):
    monkeypatch.setattr(loss_module, "LOGITS_PER_CHUNK", n_rows * 11)
    hidden, weight, targets = _case()
    ours = summed_cross_entropy(hidden, weight, targets)
    plain = torch.nn.functional.cross_entropy(hidden @ weight.T, targets, reduction="sum")
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(
        torch.autograd.grad(3 * ours, [hidden, weight]),
        torch.autograd.grad(3 * plain, [hidden, weight]),
    )


def test_without_gradients_the_value_is_the_same():
    hidden, weight, targets = _case()
    with torch.no_grad():
        quiet = summed_cross_entropy(hidden, weight, targets)
    assert not quiet.requires_grad
    assert torch.equal(quiet, summed_cross_entropy(hidden, weight, targets).detach())


def test_a_hopeless_target_has_a_finite_loss():
    hidden, weight = torch.tensor([[1.0]]), torch.tensor([[500.0], [-500.0]])
    assert summed_cross_entropy(hidden, weight, torch.tensor([1])).item() == 1000.0
