"""What the literature says of its measures: which of them see that a ReLU network has merely been rescaled."""

import copy
import math
from typing import get_args

import pytest
import torch
from torch import nn

from byrote.theory.measures.catalog import MEASURES
from byrote.theory.measures.measure import MeasureKind, TrainingSet

INVARIANT = ("vc", "margin", "spectral-complexity", "path-norm", "frobenius", "adaptive-sharpness")
"""The spectral bound is not, for it measures the distance from the initial weights; nor is what follows it here."""
VARIANT = ("distance", "sharpness", "top-eigenvalue", "hessian-trace")


@pytest.fixture(scope="module")
def twins():
    """A network and another which computes the same, its first layer scaled up by 4 and its second down."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 2)).eval()
    data = TrainingSet(torch.randn(40, 3), torch.zeros(40, dtype=torch.int64), 2)
    data = TrainingSet(data.inputs, net(data.inputs).argmax(1), 2)
    scaled = copy.deepcopy(net)
    with torch.no_grad():
        scaled[0].weight.mul_(4)
        scaled[0].bias.mul_(4)
        scaled[2].weight.div_(4)
    torch.testing.assert_close(scaled(data.inputs), net(data.inputs))
    return net, scaled, {name: torch.zeros_like(value) for name, value in net.state_dict().items()}, data


@pytest.mark.parametrize("name", [*INVARIANT, *VARIANT])
def test_rescaling_a_relu_network_changes_what_it_should(twins, name, outcome):
    net, scaled, initial, data = twins
    values = [MEASURES[name].function(each, initial, data, outcome()) for each in (net, scaled)]
    assert math.isfinite(values[0])
    assert (values[1] == pytest.approx(values[0], rel=1e-3)) == (name in INVARIANT)


BY_UNIT = ("vc", "margin", "path-norm", "adaptive-sharpness")
"""Norms of whole layers see a layer scaled as a whole alone."""


@pytest.mark.parametrize("name", [*BY_UNIT, "spectral-complexity", "frobenius"])
def test_rescaling_units_one_by_one_is_seen_by_norms_of_layers_alone(twins, name, outcome):
    net, _, initial, data = twins
    scaled, factors = copy.deepcopy(net), torch.linspace(0.5, 4, 8)
    with torch.no_grad():
        scaled[0].weight.mul_(factors[:, None])
        scaled[0].bias.mul_(factors)
        scaled[2].weight.div_(factors)
    torch.testing.assert_close(scaled(data.inputs), net(data.inputs))
    values = [MEASURES[name].function(each, initial, data, outcome()) for each in (net, scaled)]
    assert (values[1] == pytest.approx(values[0], rel=1e-3)) == (name in BY_UNIT)


@pytest.mark.parametrize("name", ["spectral-complexity", "path-norm", "frobenius"])
def test_norms_over_the_margin_do_not_see_all_outputs_scaled(twins, name, outcome):
    net, _, initial, data = twins
    scaled = copy.deepcopy(net)
    with torch.no_grad():
        scaled[4].weight.mul_(5)
        scaled[4].bias.mul_(5)
    values = [MEASURES[name].function(each, initial, data, outcome()) for each in (net, scaled)]
    assert values[1] == pytest.approx(values[0], rel=1e-4)


def test_the_bounds_hold_for_a_network_they_say_something_of(twins, outcome):
    net, _, initial, data = twins
    for name in ("vc", "spectral-bound"):
        assert MEASURES[name].function(net, initial, data, outcome()) > 0


def test_every_measure_says_what_it_is():
    assert {measure.kind for measure in MEASURES.values()} == set(get_args(MeasureKind))
    titles = [measure.title for measure in MEASURES.values()]
    assert len(set(titles)) == len(titles)
    assert all(measure.source for measure in MEASURES.values())
    assert [name for name, measure in MEASURES.items() if not measure.larger_is_worse] == ["margin"]
