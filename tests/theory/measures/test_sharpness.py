import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from torch import nn

from byrote.theory.measures.flat_network import TrainingLoss
from byrote.theory.measures.measure import TrainingSet
from byrote.theory.measures.sharpness import RADIUS, adaptive_sharpness, sharpness, worst_rise
from byrote.theory.measures.trained import trained_network, training_set
from byrote.training.engine import train
from byrote.training.spec import TrainSpec


@pytest.fixture
def linear():
    """f(x) = (2 x, -x) on x = 1 of class 0: L = log(1 + exp(-3))."""
    net = nn.Sequential(nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[2.0], [-1.0]]))
    return net, TrainingSet(torch.ones(1, 1), torch.zeros(1, dtype=torch.int64), 2)


def rise(by):
    loss = math.log1p(math.exp(-3))
    return 100 * (math.log1p(math.exp(-3 + by)) - loss) / (1 + loss)


def test_a_linear_net_by_hand(linear, outcome):
    net, data = linear
    # The corner that lowers the first weight and raises the second.
    assert sharpness(net, {}, data, outcome()) == pytest.approx(rise(RADIUS * 3 + RADIUS * 2), rel=1e-9)
    assert adaptive_sharpness(net, {}, data, outcome()) == pytest.approx(rise(RADIUS * 2 + RADIUS * 1), rel=1e-9)


def test_no_room_is_no_rise(linear):
    assert worst_rise(*linear, torch.zeros_like) == 0


def test_the_worst_corner_is_found():
    """Against all corners of a box on a net of four weights, whose worst point is one of them."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(1, 2, bias=False), nn.ReLU(), nn.Linear(2, 1, bias=False), nn.Linear(1, 2))
    for parameter in net[-1].parameters():
        parameter.requires_grad_(False)
    data = TrainingSet(torch.tensor([[1.0], [-2.0]]), torch.tensor([0, 1]), 2)
    found = worst_rise(net, data, lambda weight: torch.full_like(weight, 0.05))
    start = [p.detach().clone() for p in net.parameters() if p.requires_grad]
    losses = []
    for signs in torch.cartesian_prod(*[torch.tensor([-0.05, 0.0, 0.05])] * 4):
        with torch.no_grad():
            net[0].weight.copy_(start[0] + signs[:2].view(2, 1))
            net[2].weight.copy_(start[1] + signs[2:].view(1, 2))
            losses.append(float(nn.functional.cross_entropy(net(data.inputs).double(), data.labels)))
    at_start = losses[len(losses) // 2]
    assert found == pytest.approx(100 * (max(losses) - at_start) / (1 + at_start), rel=1e-4)


@pytest.mark.parametrize("model", ["mlp-1x16", "mlp-3x32", "conv-small"])
def test_no_point_that_a_library_finds_in_the_box_rises_by_more(model, tiny):
    """L-BFGS-B from the trained weights, which is what the measure's authors take."""
    spec = TrainSpec(model=model, n_train=60, epochs=60, learning_rate=0.05, batch_size=20, preprocessing="standardize")
    (run,) = train([spec], tiny, device="cpu", keep_weights=True)
    network, data = trained_network(run, tiny), training_set(spec, tiny)
    loss = TrainingLoss(network, data.inputs, data.labels)

    def negative(weights):
        value, gradient = loss.value_and_gradient(torch.from_numpy(weights))
        return -value, -gradient.numpy()

    start, box = loss(loss.weights), (RADIUS * (loss.weights.abs() + 1)).numpy()
    middle = loss.weights.numpy()
    bounds = np.stack([middle - box, middle + box], axis=1)
    best = -minimize(negative, middle, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 40}).fun
    assert sharpness(network, {}, data, run) >= 0.99 * 100 * (best - start) / (1 + start)
