import pytest
import torch
from torch import nn
from torch.func import hessian
from torch.nn import functional as F

from byrote.theory.measures import flat_network
from byrote.theory.measures.flat_network import FlatNetwork, TrainingLoss


def test_at_its_own_weights_it_is_the_network():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Dropout(), nn.Linear(4, 2))
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    flat = FlatNetwork(network, torch.float64)
    assert flat.weights.shape == (3 * 4 + 4 + 2 * 4 + 4 * 2 + 2,)
    torch.testing.assert_close(flat(flat.weights, x.double()), network.eval().double()(x.double()))


def test_other_weights_make_another_network_and_leave_the_first_alone():
    network = nn.Sequential(nn.Linear(1, 1))
    flat = FlatNetwork(network, torch.float32)
    assert flat(torch.tensor([2.0, 3.0]), torch.tensor([[5.0]])).tolist() == [[13]]
    assert flat.weights.tolist() == [network[0].weight.item(), network[0].bias.item()]


def test_what_is_not_trained_stays():
    network = nn.Sequential(nn.Linear(1, 1))
    network[0].weight.requires_grad_(False).fill_(2)
    flat = FlatNetwork(network, torch.float32)
    assert flat(torch.tensor([1.0]), torch.tensor([[5.0]])).tolist() == [[11]]


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    return network, torch.randn(11, 3, generator=generator), torch.randint(3, (11,), generator=generator)


@pytest.mark.parametrize("batch", [4, 2048])
def test_loss_gradient_and_products_agree_with_autograd(problem, batch, monkeypatch):
    monkeypatch.setattr(flat_network, "_BATCH", batch)
    network, inputs, labels = problem
    loss, flat = TrainingLoss(network, inputs, labels), FlatNetwork(network, torch.float64)

    def whole(weights):
        return F.cross_entropy(flat(weights, inputs.double()), labels)

    assert loss(loss.weights) == pytest.approx(float(whole(flat.weights)))
    vectors = torch.randn(3, len(flat.weights), generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(loss.gradient(flat.weights), torch.func.grad(whole)(flat.weights))
    expected = vectors @ hessian(whole)(flat.weights)
    torch.testing.assert_close(loss.hessian_products(flat.weights, vectors), expected)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.queries, self.out = nn.Linear(4, 12), nn.Linear(4, 3)

    def forward(self, x):
        parts = self.queries(x.view(-1, 1, 3, 4)).chunk(3, -1)
        return self.out(F.scaled_dot_product_attention(*parts)[:, 0].mean(1))


def group_norm_net():
    return nn.Sequential(
        nn.Unflatten(1, (1, 3, 4)), nn.Conv2d(1, 4, 2), nn.GroupNorm(2, 4), nn.Tanh(), nn.Flatten(), nn.Linear(24, 3)
    )


def layer_norm_net():
    return nn.Sequential(nn.Linear(12, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 3))


@pytest.mark.parametrize(
    "make",
    [Attention, group_norm_net, layer_norm_net],
    ids=["fused attention", "group norm", "layer norm"],
)
def test_modules_whose_fast_paths_have_no_second_derivative_get_one(make):
    """Against differences of gradients."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = make()
    generator = torch.Generator().manual_seed(0)
    inputs, labels = torch.randn(20, 12, generator=generator), torch.arange(20) % 3
    loss = TrainingLoss(network, inputs, labels)
    vectors = torch.randn(2, len(loss.weights), generator=generator, dtype=torch.float64)
    found, step = loss.hessian_products(loss.weights, vectors), 1e-5
    differences = [
        (loss.gradient(loss.weights + step * v) - loss.gradient(loss.weights - step * v)) / (2 * step) for v in vectors
    ]
    torch.testing.assert_close(found, torch.stack(differences), rtol=1e-5, atol=1e-7)
