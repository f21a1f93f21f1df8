import pytest
import torch
from torch import nn
from torch.func import hessian
from torch.nn import functional as F

from byrote.theory import training_loss
from byrote.theory.flat_network import FlatNetwork
from byrote.theory.training_loss import TrainingLoss


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    return network, torch.randn(11, 3, generator=generator), torch.randint(3, (11,), generator=generator)


@pytest.mark.parametrize("batch", [4, 2048])
def test_loss_gradient_and_products_agree_with_autograd(problem, batch, monkeypatch):
    monkeypatch.setattr(training_loss, "_BATCH", batch)
    network, inputs, labels = problem
    loss, flat = TrainingLoss(network, inputs, labels), FlatNetwork(network, torch.float64)

    def whole(weights):
        return F.cross_entropy(flat(weights, inputs.double()), labels)

    assert loss(loss.weights) == pytest.approx(float(whole(flat.weights)))
    vectors = torch.randn(3, len(flat.weights), generator=torch.Generator().manual_seed(1)).double()
    torch.testing.assert_close(loss.gradient(flat.weights), torch.func.grad(whole)(flat.weights))
    expected = vectors @ hessian(whole)(flat.weights)
    torch.testing.assert_close(loss.hessian_products(flat.weights, vectors), expected)
