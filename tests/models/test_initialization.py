from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from byrote.models.connectivity import GlobalConvolution, LocallyConnected
from byrote.models.initialization import initialize


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(8, 40, 5), nn.BatchNorm2d(40), nn.Flatten(), nn.Linear(400, 300), nn.Linear(300, 200, bias=False)
    )


def test_variances_are_as_documented() -> None:
    torch.manual_seed(0)
    layers = initialize(network())
    for layer, fan_in, variance in ((layers[0], 200, 2.0), (layers[3], 400, 2.0), (layers[4], 300, 0.01)):
        weight = layer.weight.detach()
        assert math.isclose(weight.var().item(), variance / fan_in, rel_tol=0.07)
        assert abs(weight.mean().item()) < 5 * math.sqrt(variance / fan_in / weight.numel())
        assert layer.bias is None or not layer.bias.any()


def test_fan_in_is_what_an_output_reads() -> None:
    """Not what a filter has beyond the border, nor all that a locally connected layer has."""
    torch.manual_seed(0)
    grid = (5, 6)
    layers = nn.Sequential(
        GlobalConvolution(grid, 8, 20, bias=True), LocallyConnected(grid, 20, 30, radius=1, bias=True), nn.Linear(9, 9)
    )
    for layer, fan_in in zip(initialize(layers), (8 * 30, 20 * 9), strict=False):  # type: ignore[call-overload]
        assert math.isclose(layer.weight.var().item(), 2 / fan_in, rel_tol=0.07)
        assert not layer.bias.any()


def test_branches_together_add_as_much_as_one_layer() -> None:
    torch.manual_seed(0)
    branches = nn.ModuleList(nn.Linear(300, 300) for _ in range(5))
    initialize(nn.Sequential(branches, nn.Linear(300, 2)), branch_ends=list(branches[1:]))
    variances = [layer.weight.var().item() for layer in branches]
    assert variances == pytest.approx([2 / 300, *[2 / (4 * 300)] * 4], rel=0.03)


def test_the_seed_decides_all() -> None:
    torch.manual_seed(1)
    first = initialize(network()).state_dict()
    torch.manual_seed(1)
    second = initialize(network()).state_dict()
    third = initialize(network()).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["0.weight"], third["0.weight"])
