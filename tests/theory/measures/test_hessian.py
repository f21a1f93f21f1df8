import math

import pytest
import torch
from torch import nn
from torch.func import hessian
from torch.nn import functional as F

from byrote.theory.measures.flat_network import FlatNetwork
from byrote.theory.measures.hessian import hessian_trace, top_eigenvalue
from byrote.theory.measures.measure import TrainingSet


def test_a_linear_net_by_hand(outcome):
    net = nn.Sequential(nn.Linear(1, 2, bias=False))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[2.0], [-1.0]]))
    data = TrainingSet(torch.tensor([[3.0]]), torch.tensor([0]), 2)
    # H = x² p (1 - p) ((1, -1), (-1, 1)) with p = 1 / (1 + exp(-9)).
    p = 1 / (1 + math.exp(-9))
    assert top_eigenvalue(net, {}, data, outcome()) == pytest.approx(2 * 9 * p * (1 - p))
    # A probe of equal signs finds 0 and one of different signs twice the trace.
    assert hessian_trace(net, {}, data, outcome(), num_probes=400) == pytest.approx(2 * 9 * p * (1 - p), rel=0.2)


def test_they_are_those_of_the_dense_hessian(outcome):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))
    generator = torch.Generator().manual_seed(0)
    data = TrainingSet(torch.randn(20, 4, generator=generator), torch.randint(3, (20,), generator=generator), 3)
    flat = FlatNetwork(net, torch.float64)
    dense = hessian(lambda w: F.cross_entropy(flat(w, data.inputs.double()), data.labels))(flat.weights)
    assert top_eigenvalue(net, {}, data, outcome()) == pytest.approx(float(torch.linalg.eigvalsh(dense)[-1]), rel=1e-4)
    num = 100
    found = hessian_trace(net, {}, data, outcome(), num_probes=num)
    deviation = math.sqrt(2 * float((dense - dense.diag().diag()).square().sum()) / num)
    assert abs(found - float(dense.trace())) < 4 * deviation
    assert hessian_trace(net, {}, data, outcome(), num_probes=num) == found
