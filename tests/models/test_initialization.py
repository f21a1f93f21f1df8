from __future__ import annotations

import math

import torch
from torch import nn

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


def test_the_seed_decides_all() -> None:
    torch.manual_seed(1)
    first = initialize(network()).state_dict()
    torch.manual_seed(1)
    second = initialize(network()).state_dict()
    third = initialize(network()).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["0.weight"], third["0.weight"])
