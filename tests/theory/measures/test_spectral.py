import math

import numpy as np
import pytest
import torch
from torch import nn

from byrote.models.catalog import build_model
from byrote.theory.measures.layers import read_layers
from byrote.theory.measures.measure import TrainingSet
from byrote.theory.measures.spectral import (
    LayerNorms,
    complexity,
    margin_bound,
    spectral_bound,
    spectral_complexity,
    spectral_norm,
    two_one_norm,
    weight_of_margin,
    weight_of_norm,
)

ROOT10 = math.sqrt(10)


def test_one_hidden_unit_by_hand(unit_net, zeros, two_points, outcome):
    # Spectral norms 2 and sqrt(10), (2,1) norms 2 and 3 + 1; |X| = sqrt(5), n = 2, margin 12.3.
    r = 2 * ROOT10 * (1 + (4 / ROOT10) ** (2 / 3)) ** 1.5
    found = spectral_complexity(unit_net, zeros(unit_net), two_points, outcome())
    assert found == pytest.approx(math.sqrt(5) * r / (2 * 12.3))


def test_the_bound_of_one_hidden_unit_by_hand(unit_net, zeros, two_points, outcome):
    spectral = [np.linalg.norm([[2, 1], [0, 1]], 2), np.linalg.norm([[3, 0], [-1, 0.5]], 2)]
    two_one = [math.sqrt(5), 3 + math.sqrt(1.25)]
    steps = [math.ceil(2 * value) for value in (*spectral, *two_one)]
    assert steps == [5, 7, 5, 9]
    r = 2.5 * 3.5 * ((2.5 / 2.5) ** (2 / 3) + (4.5 / 3.5) ** (2 / 3)) ** 1.5
    # gamma = 8 is the third power of 2; the widest layers have two entries and the 1.
    failure = math.log(2 / 0.05) + sum(math.log(k * (k + 1)) for k in steps) + math.log(1.5 * 4 * 5)
    covering = math.sqrt(5 + 2) * math.sqrt(math.log(2 * 3**2)) * r
    expected = 2 * (4 / 2 + 12 * (2 / 8) * covering * math.log(2) / 2) + 3 * math.sqrt(failure / 4)
    assert spectral_bound(unit_net, zeros(unit_net), two_points, outcome()) == pytest.approx(expected)
    # What it says beyond a training error of a half.
    worse = outcome(train_accuracy=0.5)
    assert spectral_bound(unit_net, zeros(unit_net), two_points, worse) == pytest.approx(expected - 0.5)


def test_a_union_bound_spends_its_chance_of_failure_once():
    assert sum(map(weight_of_norm, range(1, 10**4))) == pytest.approx(1, abs=2e-4)
    assert sum(map(weight_of_margin, range(-(10**4), 10**4))) == pytest.approx(1, abs=2e-4)


def test_the_bound_knows_where_training_started(unit_net, two_points, outcome, zeros):
    at_start = dict(unit_net.state_dict())
    near, far = (spectral_bound(unit_net, state, two_points, outcome()) for state in (at_start, zeros(unit_net)))
    assert near < far


def test_the_bound_says_something_when_examples_are_many_and_margins_wide():
    norms = [LayerNorms(1.0, 0.5, 1.0)]
    assert margin_bound(norms, size=1000.0, widest=100, margins=torch.full((10**6,), 10.0).double()) < 0.3
    assert margin_bound(norms, size=1.0, widest=2, margins=-torch.ones(5).double()) == math.inf


@pytest.mark.parametrize("module", [nn.Linear(6, 4), nn.Conv2d(2, 3, 3, padding=1, stride=2)])
def test_norms_are_those_of_the_matrix(module):
    shape = (6,) if isinstance(module, nn.Linear) else (2, 5, 5)
    layer = read_layers(nn.Sequential(module), shape).layers[0]
    units = torch.eye(math.prod(shape)).view(-1, *shape)
    with torch.no_grad():
        bias = module(torch.zeros(1, *shape)).double().flatten()
        matrix = (module(units).double().flatten(1) - bias).T
    rows = matrix.norm(dim=1)
    assert spectral_norm(layer) == pytest.approx(float(torch.linalg.matrix_norm(matrix, 2)), rel=1e-5)
    assert two_one_norm(layer) == pytest.approx(float(rows.sum()), rel=1e-5)
    extended = torch.cat([matrix, bias[:, None]], dim=1)
    one = torch.zeros(1, extended.shape[1], dtype=torch.float64)
    one[0, -1] = 1
    for keeps_one, full in ((False, extended), (True, torch.cat([extended, one]))):
        found = spectral_norm(layer, with_bias=True, keeps_one=keeps_one)
        assert found == pytest.approx(float(torch.linalg.matrix_norm(full, 2)), rel=1e-5)
    zero = read_layers(nn.Sequential(module), shape).layers[0]
    for parameter in zero.module.parameters():
        parameter.data.zero_()
    assert two_one_norm(layer, zero) == pytest.approx(float(extended.norm(dim=1).sum()), rel=1e-5)


def test_layers_without_weights_have_no_complexity():
    assert complexity([LayerNorms(0.0, 0.0, 1.0), LayerNorms(1.0, 1.0, 1.0)]) == 0


def test_more_distant_classes_are_less_complex(zeros, outcome):
    """The same network with all outputs scaled up has the same complexity over its margin; less of a bound on fewer."""
    net = build_model("mlp-1x8", input_shape=(3,), num_classes=2).eval()
    inputs = torch.randn(40, 3, generator=torch.Generator().manual_seed(0))
    data = TrainingSet(inputs, net(inputs).argmax(1), 2)
    before = spectral_complexity(net, zeros(net), data, outcome())
    with torch.no_grad():
        net[-1].weight.mul_(3)
        net[-1].bias.mul_(3)
    assert spectral_complexity(net, zeros(net), data, outcome()) == pytest.approx(before, rel=1e-4)
